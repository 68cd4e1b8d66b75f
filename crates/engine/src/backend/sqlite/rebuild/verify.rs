//! Comparing the target with the source, row by row, in snapshots.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::keys::Range;
use super::super::link;
use super::super::report::{NAMED, Rows};
use super::super::run::Run;
use super::flow::Flow;
use crate::backend::Progress;
use crate::error::codes;
use crate::{Error, Result};

/// Rows that one snapshot compares; in between the run can be paused, and the log of the database can be reset.
const PIECE: u64 = 20_000;

/// Where readers keep writers waiting, a piece is read in a few milliseconds.
const SHORT_PIECE: u64 = 2_000;

/// Fails unless every row of the source that is not in the log is in the target as the mapping says, and the target
/// has no others.
pub(super) fn compare(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let piece = if run.place.wal || !run.online() { PIECE } else { SHORT_PIECE };
    let Some(last) = run.read(|db| flow.source_key.edge(db, flow.source, true))? else {
        return run.read(|db| same_number(db, flow));
    };
    let mut left = Range { after: None, upto: Some(last.clone()) };
    let mut rows = 0;
    loop {
        let upto = run.read(|db| {
            let upto = flow.source_key.nth(db, flow.source, &left, piece)?.unwrap_or_else(|| last.clone());
            let range = Range { after: left.after.clone(), upto: Some(upto.clone()) };
            different(db, flow, &range)?;
            Ok(upto)
        })?;
        rows += piece;
        if upto == last {
            break;
        }
        left.after = Some(upto);
        run.step.breathe(&Progress { rows, ..Progress::default() })?;
    }
    run.read(|db| same_number(db, flow))
}

/// Rows of the source whose row in the target is missing or other than it should be.
fn different(db: &Db, flow: &Flow<'_>, range: &Range) -> Result<()> {
    let (sql, params) = flow.different(range, NAMED + 1);
    let width = flow.source_key.len();
    let mut statement = db.prepare_cached(&sql)?;
    let mut unlike = statement.query(params_from_iter(params))?;
    let mut rows = Rows::default();
    while let Some(row) = unlike.next()? {
        let key =
            (0..width).map(|at| row.get_ref(at).map(link::value)).collect::<rusqlite::Result<Vec<_>>>()?;
        rows.push(&flow.source_key, &key, None);
    }
    if rows.is_empty() {
        return Ok(());
    }
    Err(rows.error(codes::VERIFY, &format!("Rows of {} are not what they should be in the new table", ident(flow.source))).with_help(
        "Nothing was swapped. An expression that gives another value each time cannot be verified; otherwise please report it.",
    ))
}

/// Every row of the source has one in the target; the other way round that is a matter of counting.
fn same_number(db: &Db, flow: &Flow<'_>) -> Result<()> {
    let source = ident(flow.source);
    let log = ident(flow.log);
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let of_source = count(&format!(
        "SELECT (SELECT count(*) FROM main.{source}) - (SELECT count(*) FROM main.{log} AS _pql_l \
         WHERE EXISTS (SELECT 1 FROM main.{source} WHERE {}))",
        flow.source_key.is_logged(&source, "_pql_l")
    ))?;
    let logged_there = flow.logged_in_target();
    let of_target =
        count(&format!("SELECT (SELECT count(*) FROM main.{}) - ({logged_there})", ident(flow.target)))?;
    if of_source == of_target {
        return Ok(());
    }
    Err(Error::new(
        codes::VERIFY,
        format!("The new table of {source} has {of_target} rows where it should have {of_source}; nothing was swapped."),
    )
    .with_help("Please report it."))
}
