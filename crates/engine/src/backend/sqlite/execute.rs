//! SQL that PQL does not model: run as it is, with the triggers and foreign keys that the application has.

use pql_schema::tokens;
use rusqlite::{Batch, Connection as Db};

use super::metadata;
use super::run::{Run, done, roll_back, with_triggers};
use crate::backend::{FAILED, Progress};
use crate::error::codes;
use crate::{Error, Result};

/// Runs the statements of an EXECUTE.
pub(super) fn execute(run: &mut Run<'_>, sql: &str, outside_transaction: bool) -> Result<()> {
    if outside_transaction {
        let outcome = with_triggers(run.db, || statements(run.db, sql, true));
        if outcome.is_err() {
            roll_back(run.db);
            let failed = Progress { cursor: Some(FAILED.to_owned()), ..Progress::default() };
            // The error matters more than a note that cannot be made.
            let _ = run.write(|_| Ok(((), failed)));
        }
        outcome?;
        return run.finish();
    }
    // Foreign keys can only be switched outside a transaction.
    run.db.execute_batch("PRAGMA foreign_keys = ON")?;
    let outcome = run.write(|db| {
        metadata::within(db, |db| with_triggers(db, || statements(db, sql, false)))?;
        Ok(((), done()))
    });
    run.db.execute_batch("PRAGMA foreign_keys = OFF")?;
    outcome
}

fn statements(db: &Db, sql: &str, outside: bool) -> Result<()> {
    for word in first_words(sql) {
        let ends = ["begin", "commit", "end", "rollback", "savepoint", "release"].contains(&word.as_str());
        if ends && !outside {
            return Err(Error::new(
                codes::TRANSACTION_OPEN,
                format!("EXECUTE cannot run {}", word.to_uppercase()),
            )
            .with_help(
                "the migration has a transaction of its own around the statements; leave it to that",
            ));
        }
    }
    let mut batch = Batch::new(db, sql);
    while let Some(mut statement) = next(&mut batch)? {
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

fn next<'c>(batch: &mut Batch<'c, '_>) -> Result<Option<rusqlite::Statement<'c>>> {
    use rusqlite::fallible_iterator::FallibleIterator;
    Ok(batch.next()?)
}

/// The word that each statement starts with, in lower case; the body of a trigger counts with its statement.
fn first_words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut start = true;
    let mut trigger = false;
    let mut depth = 0usize;
    for token in tokens(sql) {
        let word = token.text.to_ascii_lowercase();
        if start && word != ";" {
            words.push(word.clone());
            start = false;
            trigger = false;
            depth = 0;
        }
        match word.as_str() {
            "trigger" => trigger = true,
            "begin" | "case" if trigger => depth += 1,
            "end" if trigger => depth = depth.saturating_sub(1),
            ";" if depth == 0 => start = true,
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        let sql = "INSERT INTO t VALUES (';'); CREATE TRIGGER x AFTER INSERT ON t BEGIN \
                   UPDATE t SET a = CASE WHEN 1 THEN 2 END; DELETE FROM u; END; COMMIT";
        assert_eq!(first_words(sql), ["insert", "create", "commit"]);
    }
}
