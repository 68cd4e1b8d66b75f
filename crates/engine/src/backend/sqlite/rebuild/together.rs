//! The rows of many logged keys at once: a statement for all of them instead of several for each. Where one of them needs
//! to be looked at by itself nothing is done here, and [`super::drain`] takes them one by one.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::errors;
use super::super::keys::{Range, log_column};
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
    let statements = [
        format!("DELETE FROM main.{target} WHERE {outdated}"),
        format!("{insert} WHERE {changed} ORDER BY {}", flow.source_key.order(&source)),
        format!("DELETE FROM main.{log} WHERE {condition}"),
    ];
    db.prepare_cached("SAVEPOINT together")?.execute([])?;
    for sql in statements {
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
