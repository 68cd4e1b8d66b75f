//! What a transaction writes into the journal when it goes to the server as one text: the same rows as when each
//! statement waits for its answer, and an error of the server's own when they must not be written.
//!
//! Nothing is held while a text is under way: on a busy server each answer that is waited for takes as long as the work.

use std::fmt::Write as _;

use pql_planner::Dialect;

use super::blockers::literal;
use super::errors::{LEASE_GONE, MOVED_ON};
use crate::backend::{Connection, Entry, Progress, Ticket};
use crate::journal::Journal;
use crate::{Error, Result, ResultSet, SqlOutcome, Value, codes};

/// The rows that the last batch of a transaction has changed, as a setting of the transaction's own.
pub(super) const CHANGED: &str = "pg_catalog.current_setting('pql.changed')::int8";

/// The statement with which a transaction journals itself; it fails when the lease is another's.
pub(super) fn entry(ticket: &Ticket, progress: &Progress) -> Result<String> {
    let mut text = Text::default();
    let id = ticket.migration;
    match ticket.entry {
        Entry::Nothing => {}
        Entry::Progress { step, undo } => journal().step_progress(&mut text, id, (step, undo), progress)?,
        Entry::Undone { step } => journal().step_undone(&mut text, id, step)?,
    }
    Ok(block(&format!("{}{}", fenced(ticket), text.0)))
}

/// The statement with which a batch journals that its lane has come from one place to another. The others' places are
/// their own to write.
///
/// It fails when the lease is another's, and when the lane is not where the batch began: an answer to the message that
/// was there before was lost, and what it did was not. `refused` are statements that come first.
pub(super) fn lane(ticket: &Ticket, lane: usize, from: &str, to: &str, refused: &str) -> String {
    let (from, to) = (literal(from), literal(to));
    block(&format!(
        "{refused}{} UPDATE {} SET state = 'partial', \
             cursor = pg_catalog.jsonb_set(cursor::jsonb, '{{lanes,{lane}}}', {to}::jsonb)::text, \
             row_count = row_count + {CHANGED}, row_total = greatest(row_total, row_count + {CHANGED}) \
         WHERE {} AND cursor::jsonb #> '{{lanes,{lane}}}' = {from}::jsonb; \
         IF NOT FOUND THEN {} END IF;",
        fenced(ticket),
        journal().sql("{steps}"),
        row(ticket),
        raise(MOVED_ON, "what was sent before has been done meanwhile")
    ))
}

/// The query for what the journal says of an action: its cursor, and the rows that are done.
pub(super) fn standing(ticket: &Ticket) -> String {
    format!("SELECT cursor, row_count FROM {} WHERE {}", journal().sql("{steps}"), row(ticket))
}

/// A statement of a block that ends the transaction with an error.
pub(super) fn raise(state: &str, message: &str) -> String {
    format!("RAISE EXCEPTION USING ERRCODE = {}, MESSAGE = {};", literal(state), literal(message))
}

fn journal() -> Journal {
    Journal::new(Dialect::Postgres)
}

/// The action's row.
fn row(ticket: &Ticket) -> String {
    let (step, undo) = match ticket.entry {
        Entry::Progress { step, undo } => (step, undo.and_then(|undo| i64::try_from(undo).ok())),
        Entry::Undone { step } => (step, None),
        Entry::Nothing => return "false".to_owned(),
    };
    format!(
        "migration_id = {} AND step = {step} AND undo = {}",
        literal(&ticket.migration.to_string()),
        undo.unwrap_or(-1)
    )
}

/// Fails unless the lease is ours, and stays so until the transaction ends.
fn fenced(ticket: &Ticket) -> String {
    let query = journal().fence_sql().replacen("SELECT", "PERFORM", 1);
    let query = query.replacen("WHERE", &format!("WHERE fence = {} AND", ticket.fence), 1);
    format!("{query}; IF NOT FOUND THEN {} END IF; ", raise(LEASE_GONE, "the lease is another's"))
}

/// Statements that may end in an error of ours. Names are those of columns: there are no variables.
fn block(statements: &str) -> String {
    let mut tag = "$pql$".to_owned();
    while statements.contains(&tag) {
        tag.insert(tag.len() - 1, 'l');
    }
    format!("DO {tag} BEGIN {statements} END {tag}")
}

/// A connection that writes down what it is asked to do, with values in their places.
#[derive(Default)]
struct Text(String);

impl Connection for Text {
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let mut parts = sql.split('$');
        self.0.extend(parts.next());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let value = part[..digits].parse::<usize>().ok().and_then(|number| params.get(number - 1));
            let value = value.ok_or_else(|| wrong(sql))?;
            match value {
                Value::Null => self.0.push_str("NULL"),
                Value::Integer(number) => write!(self.0, "{number}").map_err(|_| wrong(sql))?,
                Value::Text(text) => self.0.push_str(&literal(text)),
                Value::Boolean(_) | Value::Real(_) | Value::Blob(_) => return Err(wrong(sql)),
            }
            self.0.push_str(&part[digits..]);
        }
        self.0.push(';');
        Ok(0)
    }

    fn query(&mut self, sql: &str, _: &[Value]) -> Result<ResultSet> {
        Err(wrong(sql))
    }

    fn run(&mut self, sql: &str, _: &[Value]) -> Result<SqlOutcome> {
        Err(wrong(sql))
    }
}

fn wrong(sql: &str) -> Error {
    Error::new(codes::UNSUPPORTED, format!("this cannot be written down for the server: {sql}"))
}
