//! EXECUTE: SQL that PQL does not model.

use pql_schema::tokens;

use super::super::run::Run;
use super::indexes::{self, Work};
use crate::backend::{FAILED, Progress};
use crate::error::codes;
use crate::{Error, Result};

/// Runs it as it is, in one transaction unless it must not be in one.
pub(super) fn execute(run: &mut Run<'_>, sql: &str, outside: bool) -> Result<()> {
    if outside {
        let shown: String = sql.chars().take(60).collect();
        let outcome = indexes::beside(run, sql, Work::Own, &shown);
        if outcome.as_ref().is_err_and(|error| error.code() != codes::CONNECTION) {
            let failed = Progress { cursor: Some(FAILED.to_owned()), ..Progress::default() };
            // The error matters more than a note that cannot be made.
            let _ = run.write(|_| Ok(((), failed.clone())));
        }
        outcome?;
        return run.finish();
    }
    for word in first_words(sql) {
        if ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"]
            .contains(&word.as_str())
        {
            return Err(Error::new(
                codes::TRANSACTION_OPEN,
                format!("EXECUTE cannot run {}", word.to_uppercase()),
            )
            .with_help(
                "the migration has a transaction of its own around the statements; leave it to that",
            ));
        }
    }
    run.write_last(|session| session.batch(sql))
}

/// The word that each statement starts with, in lower case; what stands between BEGIN ATOMIC and END counts with its
/// statement.
fn first_words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut start, mut depth) = (true, 0usize);
    let mut before = String::new();
    for token in tokens(sql) {
        let word = token.text.to_ascii_lowercase();
        if start && word != ";" {
            words.push(word.clone());
            start = false;
        }
        match word.as_str() {
            "atomic" if before == "begin" => depth += 1,
            "case" if depth > 0 => depth += 1,
            "end" if depth > 0 => depth -= 1,
            ";" if depth == 0 => start = true,
            _ => {}
        }
        before = word;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        let sql = "INSERT INTO t VALUES (';'); CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true \
                   THEN 1 END; END; DO $$ BEGIN COMMIT; END $$; COMMIT";
        assert_eq!(first_words(sql), ["insert", "create", "do", "commit"]);
    }
}
