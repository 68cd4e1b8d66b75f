//! The rows of many logged keys at once: a statement for all of them instead of several for each. Where one of them needs
//! to be looked at by itself nothing is done here, and [`super::drain`] takes them one by one.

use std::fmt::Write as _;

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::cell::Cell;
use super::super::keys::{Key, Range, log_column};
use super::super::{catalog, errors, moves};
use super::flow::Flow;
use super::pairs::Tie;
use crate::Result;

/// Brings the target up to date with a range of the log, which is then struck out. Tells whether it could.
pub(super) fn refresh(db: &Db, flow: &Flow<'_>, range: &Range) -> Result<bool> {
    // Rowids compare alike in every table; what a row gets back is looked up for each.
    if !flow.by_rowid || !flow.restore.is_empty() || !matches!(flow.tie, Tie::Same { .. }) {
        return Ok(false);
    }
    let log = ident(flow.log);
    let (condition, params) = flow.source_key.of(log_column).within("", range, 1);
    let among = |key: &str| format!("{key} IN (SELECT {} FROM main.{log} WHERE {condition})", log_column(0));
    let (source, target) = (ident(flow.source), ident(flow.target));
    let changed = among(&flow.source_key.columns(&source));
    for fits in flow.mapping.iter().filter_map(|map| map.fits.as_ref()) {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{source} WHERE {changed} AND NOT ({fits}))");
        if db.prepare_cached(&sql)?.query_row(params_from_iter(&params), |row| row.get(0))? {
            return Ok(false);
        }
    }
    let outdated = among(&flow.target_key.columns(&target));
    let insert = flow.insert_into(&format!("main.{target}"), false);
    let order = flow.source_key.order(&source);
    // Each with whether the rows that it is about stay what they are.
    let mut statements = vec![
        (false, format!("DELETE FROM main.{target} WHERE {outdated}")),
        (false, format!("{insert} WHERE {changed} ORDER BY {order}")),
    ];
    db.prepare_cached("SAVEPOINT together")?.execute([])?;
    if !flow.watchers.is_empty() {
        let staying = stay(db, flow, &condition, &params)?;
        flow.note(db, &format!("{} IN ({staying})", flow.target_key.columns(&target)), &[])?;
        let ours = |key: &Key, of: &str| format!("{} IN ({staying})", key.columns(of));
        let theirs = |key: &Key, of: &str| format!("{} NOT IN ({staying})", key.columns(of));
        let (source_key, target_key) = (&flow.source_key, &flow.target_key);
        statements = vec![
            (
                false,
                format!("DELETE FROM main.{target} WHERE {outdated} AND {}", theirs(target_key, &target)),
            ),
            (true, format!("DELETE FROM main.{target} WHERE {outdated} AND {}", ours(target_key, &target))),
            (true, format!("{insert} WHERE {changed} AND {} ORDER BY {order}", ours(source_key, &source))),
            (false, format!("{insert} WHERE {changed} AND {} ORDER BY {order}", theirs(source_key, &source))),
        ];
    }
    statements.push((true, format!("DELETE FROM main.{log} WHERE {condition}")));
    for (stays, sql) in statements {
        flow.watch(db, stays)?;
        match db.prepare_cached(&sql)?.execute(params_from_iter(&params)) {
            Ok(_) => {}
            Err(error) if errors::is_about_a_row(&error) && !db.is_autocommit() => {
                db.execute_batch("ROLLBACK TO together; RELEASE together")?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    db.prepare_cached("RELEASE together")?.execute([])?;
    Ok(true)
}

/// Puts aside the logged keys of rows that are on both sides and stay what they are; gives the query for them.
fn stay(db: &Db, flow: &Flow<'_>, condition: &str, params: &[Cell]) -> Result<String> {
    db.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS _pql_staying (key INTEGER PRIMARY KEY); DELETE FROM temp._pql_staying",
    )?;
    let (log, source, target) = (ident(flow.log), ident(flow.source), ident(flow.target));
    let there = |table: &str, key: &Key| {
        format!("EXISTS (SELECT 1 FROM main.{table} WHERE {})", key.is_logged(table, &log))
    };
    let mut sql = format!(
        "INSERT INTO temp._pql_staying SELECT {} FROM main.{log} WHERE {condition} AND {} AND {}",
        log_column(0),
        there(&source, &flow.source_key),
        there(&target, &flow.target_key)
    );
    if catalog::has_table(db, &moves::newcomers(flow.log))? {
        let new = ident(&moves::newcomers(flow.log));
        let same = flow.source_key.same_in_logs(&new, &log);
        let _ = write!(sql, " AND NOT EXISTS (SELECT 1 FROM main.{new} WHERE {same})");
    }
    db.prepare_cached(&sql)?.execute(params_from_iter(params))?;
    Ok("SELECT key FROM temp._pql_staying".to_owned())
}
