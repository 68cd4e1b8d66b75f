//! Rows that came or went without the log being told: a REPLACE deletes rows without a trigger of theirs, and those that
//! it finds by a unique index which was made, and dropped again, since the log was started are not foreseen. Two tables
//! that are in step have as many rows; where they do not, every row is looked for.

use pql_planner::text::ident;
use rusqlite::Connection as Db;

use super::super::keys::{Key, log_column};
use super::super::rates;
use super::super::run::Run;
use super::flow::Flow;
use super::pairs::Tie;
use crate::Result;
use crate::backend::Progress;

/// Logs them, and tells whether there were any.
pub(super) fn log(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<bool> {
    if !matches!(flow.tie, Tie::Same { .. }) {
        return Ok(false);
    }
    let (source, target) = ((flow.source, &flow.source_key), (flow.target, &flow.target_key));
    let in_step = run.read(|db| Ok(in_step(db, flow.log, source)? == in_step(db, flow.log, target)?))?;
    if in_step {
        return Ok(false);
    }
    run.write(|db| {
        only_in(db, flow.log, target, source)?;
        only_in(db, flow.log, source, target)?;
        Ok((true, Progress::default()))
    })
}

/// How many rows a table has that are not logged.
fn in_step(db: &Db, log: &str, (table, key): (&str, &Key)) -> Result<u64> {
    let name = ident(table);
    let logged = format!(
        "SELECT count(*) FROM main.{} AS _pql_l WHERE EXISTS (SELECT 1 FROM main.{name} WHERE {})",
        ident(log),
        key.is_logged(&name, "_pql_l")
    );
    rates::count(db, &format!("SELECT (SELECT count(*) FROM main.{name}) - ({logged})"))
}

/// Logs the keys that the first table has and the other lacks.
fn only_in(db: &Db, log: &str, (table, key): (&str, &Key), (other, other_key): (&str, &Key)) -> Result<()> {
    let (name, other, log) = (ident(table), ident(other), ident(log));
    let columns: Vec<String> = (0..key.len()).map(log_column).collect();
    db.execute_batch(&format!(
        "INSERT INTO main.{log} ({}) SELECT {} FROM main.{name} \
         WHERE NOT EXISTS (SELECT 1 FROM main.{other} WHERE {}) \
         AND NOT EXISTS (SELECT 1 FROM main.{log} AS _pql_l WHERE {})",
        columns.join(", "),
        key.columns(&name),
        other_key.same(&other, &name, key),
        key.is_logged(&name, "_pql_l"),
    ))?;
    Ok(())
}
