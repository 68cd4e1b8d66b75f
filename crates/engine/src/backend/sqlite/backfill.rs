//! Computing columns of the rows that were there at the start, in paced batches.
//!
//! Triggers are off on our connection, so neither the user's nor our own fire; captures that others left running on
//! the table are told by hand. Rows that the application wrote meanwhile are in the log and are left alone.

use pql_planner::Backfill;
use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::errors;
use super::keys::{Key, Range, literal};
use super::run::Run;
use super::walk::{Walk, culprit};
use super::{capture, link, record};
use crate::error::codes;
use crate::{Error, Result, Value};

/// Runs it, from the cursor on.
pub(super) fn backfill(run: &mut Run<'_>, backfill: &Backfill) -> Result<()> {
    let table = &backfill.table.name;
    let key = Key::resolved(run.db, table, &backfill.key)?;
    let mut walk = Walk::start(run.reader, run.step, table, &key)?;
    let work = Work { backfill, key: &key };
    if run.step.cursor().is_none()
        && let Some(record) = &backfill.record
    {
        let first = walk.clone();
        run.write(|db| {
            record::create(db, backfill, &record.name, &key)?;
            Ok(((), first.progress(false)?))
        })?;
    }
    if walk.over {
        return run.finish();
    }
    while !walk.over {
        let rows = run.batch();
        let current = &mut walk;
        run.write(|db| {
            let piece = current.next(db, table, &key, rows)?;
            let changed = work.piece(db, &piece)?;
            current.done(&piece, changed);
            Ok(((), current.progress(true)?))
        })?;
    }
    Ok(())
}

/// The statement of a batch, for showing.
pub(super) fn shown(db: &Db, backfill: &Backfill) -> Result<String> {
    let key = Key::resolved(db, &backfill.table.name, &backfill.key)?;
    let names: Vec<Value> = key.names().map(|name| Value::from(format!(":{name}"))).collect();
    let range = Range { after: Some(names.clone()), upto: Some(names) };
    Ok(Work { backfill, key: &key }.statement(&range).0)
}

struct Work<'a> {
    backfill: &'a Backfill,
    key: &'a Key,
}

impl Work<'_> {
    fn piece(&self, db: &Db, piece: &Range) -> Result<u64> {
        let table = &self.backfill.table.name;
        let own = self.backfill.capture.as_ref().map(|capture| capture.log.name.as_str());
        let (condition, params) = self.condition(piece);
        capture::note(db, table, own, &condition, &params)?;
        match self.update(db, piece) {
            Ok(changed) => Ok(changed),
            Err(error) if errors::is_about_a_row(&error) => Err(self.blame(db, piece, error)?),
            Err(error) => Err(error.into()),
        }
    }

    fn update(&self, db: &Db, piece: &Range) -> rusqlite::Result<u64> {
        let (sql, params) = self.statement(piece);
        match &self.backfill.record {
            None => db.prepare_cached(&sql)?.execute(params_from_iter(params)).map(|changed| changed as u64),
            Some(name) => record::changed(db, self.backfill, &name.name, self.key, &sql, &params),
        }
    }

    fn statement(&self, piece: &Range) -> (String, Vec<Value>) {
        let (condition, params) = self.condition(piece);
        let set: Vec<String> = (self.backfill.assignments.iter())
            .map(|(column, expr)| format!("{} = ({expr})", ident(column)))
            .collect();
        let sql = format!(
            "UPDATE main.{} SET {} WHERE {condition}",
            ident(&self.backfill.table.name),
            set.join(", ")
        );
        (sql, params)
    }

    fn condition(&self, piece: &Range) -> (String, Vec<Value>) {
        let table = ident(&self.backfill.table.name);
        let (mut condition, params) = self.key.within(&table, piece, 1);
        if let Some(filter) = &self.backfill.filter {
            condition = format!("{condition} AND ({filter})");
        }
        if let Some(capture) = &self.backfill.capture {
            condition = format!(
                "{condition} AND NOT EXISTS (SELECT 1 FROM main.{} AS _pql_l WHERE {})",
                ident(&capture.log.name),
                self.key.is_logged(&table, "_pql_l")
            );
        }
        (condition, params)
    }

    /// Names the row on which the batch failed.
    fn blame(&self, db: &Db, piece: &Range, error: rusqlite::Error) -> Result<Error> {
        let table = &self.backfill.table.name;
        let found = culprit(db, table, self.key, piece, |row| Ok(self.update(db, row).map(|_| ())?))?;
        let Some((key, cause)) = found else { return Ok(error.into()) };
        let row = Range { after: None, upto: Some(key.clone()) };
        let (_, params) = self.key.within("", &row, 1);
        let columns: Vec<String> =
            self.backfill.assignments.iter().map(|(column, _)| ident(column)).collect();
        let sql = format!(
            "SELECT {} FROM main.{} WHERE {}",
            columns.join(", "),
            ident(table),
            self.key.is_param("", 1)
        );
        let values: Vec<String> = db.query_row(&sql, params_from_iter(params), |row| {
            (0..columns.len())
                .map(|at| {
                    row.get_ref(at)
                        .map(|value| format!("{} is {}", columns[at], literal(&link::value(value))))
                })
                .collect()
        })?;
        Ok(Error::new(
            codes::ROWS,
            format!(
                "The row of {} with {} cannot be filled ({}): {}",
                ident(table),
                self.key.describe(&key),
                values.join(", "),
                cause.message()
            ),
        )
        .with_help("Change that row, or the expression.")
        .with_source(error))
    }
}
