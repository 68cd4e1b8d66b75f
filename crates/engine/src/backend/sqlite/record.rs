//! The record of a backfill: which rows it changed and what they got, so that it can be taken back without touching
//! what the application has written since.

use pql_planner::Backfill;
use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::cell::{self, Cell};
use super::keys::{Key, log_column};
use super::run::Run;
use super::{capture, catalog, guards, purge, witness};
use crate::Result;
use crate::backend::Progress;

/// Creates it, for rows of that key.
pub(super) fn create(db: &Db, backfill: &Backfill, record: &str, key: &Key) -> Result<()> {
    let values: Vec<String> = (0..backfill.assignments.len()).map(value_column).collect();
    db.execute_batch(&format!(
        "DROP TABLE IF EXISTS main.{0}; CREATE TABLE main.{0} ({1}, {2}) WITHOUT ROWID",
        ident(record),
        values.join(", "),
        key.log_definition()
    ))?;
    guards::set(db, &backfill.table.name, record)?;
    witness::note(db, &backfill.table.name, record)
}

/// Runs an update and records what it changed.
pub(super) fn changed(
    db: &Db,
    backfill: &Backfill,
    record: &str,
    key: &Key,
    update: &str,
    params: &[Cell],
) -> rusqlite::Result<u64> {
    let assigned: Vec<String> = backfill.assignments.iter().map(|(column, _)| ident(column)).collect();
    let keys: Vec<String> = (0..key.len()).map(log_column).collect();
    let values: Vec<String> = (0..assigned.len()).map(value_column).collect();
    let width = keys.len() + values.len();
    let places: Vec<String> = (1..=width).map(|at| format!("?{at}")).collect();
    let mut insert = db.prepare_cached(&format!(
        "INSERT INTO main.{} ({}, {}) VALUES ({})",
        ident(record),
        keys.join(", "),
        values.join(", "),
        places.join(", ")
    ))?;
    let mut statement =
        db.prepare_cached(&format!("{update} RETURNING {}, {}", key.columns(""), assigned.join(", ")))?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        insert.execute(params_from_iter(cell::row(row, width)?))?;
        count += 1;
    }
    Ok(count)
}

/// Takes the backfill back: what it gave and nobody has changed becomes NULL again.
pub(super) fn revert(run: &mut Run<'_>, backfill: &Backfill) -> Result<()> {
    let Some(record) = &backfill.record else { return run.finish() };
    if !catalog::has_table(run.db, &record.name)? {
        return run.finish();
    }
    let table = &backfill.table.name;
    witness::check(run.db, table, &record.name)?;
    let key = Key::resolved(run.db, table, &backfill.key)?;
    let (update, forget) = statements(backfill, &key);
    let select = format!("SELECT * FROM main.{} LIMIT ", ident(&record.name));
    let mut rows_done = 0;
    loop {
        let rows = run.batch();
        let over = run.write(|db| {
            let mut statement = db.prepare(&format!("{select}{rows}"))?;
            let width = backfill.assignments.len() + key.len();
            let found = statement.query_map([], |row| cell::row(row, width))?;
            let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
            for row in &found {
                let (values, keys) = row.split_at(backfill.assignments.len());
                capture::note(db, table, None, &key.is_param("", 1), keys)?;
                db.prepare_cached(&update)?.execute(params_from_iter(keys.iter().chain(values)))?;
                db.prepare_cached(&forget)?.execute(params_from_iter(keys))?;
            }
            rows_done += found.len() as u64;
            Ok((found.is_empty(), Progress { rows: rows_done, ..Progress::default() }))
        })?;
        if over {
            break;
        }
    }
    purge::drop_hidden(run, &record.name)?;
    run.finish()
}

/// The statement of [`revert`], for showing.
pub(super) fn shown(backfill: &Backfill) -> Vec<String> {
    let set: Vec<String> = (backfill.assignments.iter())
        .map(|(column, _)| format!("{0} = CASE WHEN {0} IS :recorded THEN NULL ELSE {0} END", ident(column)))
        .collect();
    vec![format!("UPDATE {} SET {} WHERE key = :recorded_key", ident(&backfill.table.name), set.join(", "))]
}

fn statements(backfill: &Backfill, key: &Key) -> (String, String) {
    let set: Vec<String> = (backfill.assignments.iter().enumerate())
        .map(|(at, (column, _))| {
            format!("{0} = CASE WHEN {0} IS ?{1} THEN NULL ELSE {0} END", ident(column), key.len() + at + 1)
        })
        .collect();
    let update = format!(
        "UPDATE main.{} SET {} WHERE {}",
        ident(&backfill.table.name),
        set.join(", "),
        key.is_param("", 1)
    );
    let terms: Vec<String> = (0..key.len()).map(|at| format!("{} = ?{}", log_column(at), at + 1)).collect();
    let record = backfill.record.as_ref().map(|record| ident(&record.name)).unwrap_or_default();
    (update, format!("DELETE FROM main.{record} WHERE {}", terms.join(" AND ")))
}

pub(super) fn value_column(at: usize) -> String {
    format!("_pql_v{at}")
}
