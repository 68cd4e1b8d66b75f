//! Giving up what is retained, in pieces: freeing many pages at once holds the lock for as long as it takes.

use pql_planner::text::ident;
use pql_planner::{Action, Plan};
use rusqlite::{Connection as Db, params_from_iter};

use super::keys::{self, Key, Range};
use super::retained::{self, Kind};
use super::run::Run;
use super::{capture, catalog, guards, index_build, metadata, rates, rebuild, witness};
use crate::Result;
use crate::backend::Progress;

/// A table with at most so many rows is dropped as it is.
pub(super) const SMALL: u64 = 5_000;

/// Drops a hidden table if there is one, emptied first when it is large. What is committed on the way is that it has
/// fewer rows: nobody sees it.
pub(super) fn drop_hidden(run: &mut Run<'_>, table: &str) -> Result<()> {
    if !catalog::has_table(run.db, table)? {
        return Ok(());
    }
    empty(run, table)?;
    run.write(|db| {
        db.execute_batch(&format!("DROP TABLE IF EXISTS main.{}", ident(table)))?;
        guards::lift(db, table)?;
        witness::forget(db, table)?;
        retained::forget_named(db, Kind::Garbage, table)?;
        for memory in retained::owned(db, Kind::Trigger, table)? {
            retained::forget(db, memory.id)?;
        }
        Ok(((), Progress::default()))
    })
}

/// Removes the rows in key order, without its indexes having to follow.
fn empty(run: &mut Run<'_>, table: &str) -> Result<()> {
    if !run.online() || rates::rows(run.reader, table)? <= SMALL {
        return Ok(());
    }
    let indexes: Vec<String> = (catalog::of_table(run.db, table)?.into_iter())
        .filter(|entry| entry.kind == "index" && entry.sql.is_some() && !guards::is_guard(entry))
        .map(|entry| entry.name)
        .collect();
    for index in indexes {
        index_build::drop_index(run, &index, false)?;
    }
    let key = Key::resolved(run.db, table, &keys::of_table(run.db, table)?)?;
    let mut rows_done = 0;
    loop {
        let rows = run.batch();
        let over = run.write(|db| {
            let upto = key.nth(db, table, &Range::default(), rows)?;
            let over = upto.is_none();
            let (condition, params) = key.within("", &Range { after: None, upto }, 1);
            let sql = format!("DELETE FROM main.{} WHERE {condition}", ident(table));
            rows_done += db.prepare_cached(&sql)?.execute(params_from_iter(params))? as u64;
            Ok((over, Progress { rows: rows_done, ..Progress::default() }))
        })?;
        if over {
            return Ok(());
        }
    }
}

/// Removes everything that a plan retains.
pub(super) fn purge(run: &mut Run<'_>, plan: &Plan) -> Result<()> {
    for step in &plan.steps {
        match &step.action {
            Action::HideTable { hidden, .. } | Action::RetireTable { hidden, .. } => {
                drop_hidden(run, &hidden.name)?;
            }
            Action::HideIndex { hidden, .. } => {
                for index in indexes_called(run.db, &hidden.name)? {
                    index_build::drop_index(run, &index, false)?;
                }
            }
            Action::HideColumn { hidden, .. } => {
                for table in tables_with(run.db, hidden)? {
                    drop_column(run, &table, hidden)?;
                }
            }
            Action::RebuildSwap { rebuild } | Action::RebuildAtOnce { rebuild } => {
                let Some(rebuild) = plan.rebuilds.get(*rebuild) else { continue };
                run.write(|db| {
                    capture::stop(db, &rebuild.reverse)?;
                    Ok(((), Progress::default()))
                })?;
                drop_hidden(run, &rebuild.retained.name)?;
                drop_hidden(run, &format!("{}_pairs", rebuild.retained.name))?;
            }
            Action::Backfill(backfill) => {
                if let Some(record) = &backfill.record {
                    drop_hidden(run, &record.name)?;
                }
            }
            _ => {}
        }
    }
    // A large table that goes may leave its indexes for later.
    while let Some(memory) = retained::all(run.db, Kind::Garbage)?.into_iter().next() {
        drop_hidden(run, &memory.name)?;
        // There may have been no such table any more.
        run.write(|db| Ok((retained::forget(db, memory.id)?, Progress::default())))?;
    }
    run.finish()
}

/// The index, also when its table was hidden since, and the index with it under a longer name.
fn indexes_called(db: &Db, hidden: &str) -> Result<Vec<String>> {
    let entries = catalog::all(db)?;
    let longer = format!("_ix_{hidden}");
    let is_it = |name: &str| name == hidden || (catalog::is_ours(name) && name.ends_with(&longer));
    Ok(entries.into_iter().filter(|it| it.kind == "index" && is_it(&it.name)).map(|it| it.name).collect())
}

/// The tables that have the hidden column, whatever they are called by now: also those that are hidden themselves, and
/// may come back.
fn tables_with(db: &Db, hidden: &str) -> Result<Vec<String>> {
    let mut found = db.prepare_cached(
        "SELECT t.name FROM main.sqlite_schema AS t JOIN pragma_table_xinfo(t.name) AS c \
         WHERE t.type = 'table' AND c.name = ?1 COLLATE NOCASE",
    )?;
    let tables = found.query_map([hidden], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(tables)
}

/// Removes a hidden column: by the plain statement where that is short.
fn drop_column(run: &mut Run<'_>, table: &str, column: &str) -> Result<()> {
    // A log refers to the rows of a table that was replaced: it stays the same table.
    if run.online() && !catalog::is_ours(table) && rates::rows(run.reader, table)? > SMALL {
        return rebuild::without_column(run, table, column);
    }
    run.write(|db| {
        metadata::within(db, |db| metadata::drop_column(db, &table.into(), column))?;
        Ok(((), Progress::default()))
    })
}
