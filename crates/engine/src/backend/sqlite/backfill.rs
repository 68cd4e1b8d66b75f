//! Computing columns of the rows that were there at the start, in paced batches.
//!
//! Triggers are off on our connection, so neither the user's nor our own fire; captures that others left running on
//! the table are told by hand. Rows that the application wrote meanwhile are in the log and are left alone.

use std::fmt::Write as _;

use pql_planner::Backfill;
use pql_planner::text::ident;
use pql_schema::Expr;
use rusqlite::{Connection as Db, params_from_iter};

use super::cell::{self, Cell};
use super::following::MOVED;
use super::keys::{Key, Range, log_column};
use super::run::Run;
use super::walk::{Walk, culprit};
use super::{capture, errors, failing, foreign, record, witness};
use crate::backend::Progress;
use crate::error::codes;
use crate::{Error, Result};

/// Runs it, from the cursor on.
pub(super) fn backfill(run: &mut Run<'_>, backfill: &Backfill) -> Result<()> {
    let table = &backfill.table.name;
    let key = Key::resolved(run.db, table, &backfill.key)?;
    if let Some(capture) = &backfill.capture {
        witness::check(run.db, table, &capture.log.name)?;
    }
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
    // What it fills may refer to rows of other tables.
    let mut looked = backfill.record.is_none();
    loop {
        let rows = run.batch();
        let current = &mut walk;
        let done = run.write(|db| {
            if !current.over {
                let piece = current.next(db, table, &key, rows)?;
                let changed = work.piece(db, &piece)?;
                current.done(&piece, changed);
            }
            // Only rows that moved before the walk was over can have been missed: once these are done, all are.
            let done = current.over && looked && work.missed(db, rows)?;
            Ok((done, Progress { done, ..current.progress(false)? }))
        })?;
        if done {
            return Ok(());
        }
        if walk.over && !looked {
            run.read(|db| foreign::none_filled(db, backfill, &key))?;
            looked = true;
        }
    }
}

/// The statement of a batch, for showing.
pub(super) fn shown(db: &Db, backfill: &Backfill) -> Result<String> {
    let key = Key::resolved(db, &backfill.table.name, &backfill.key)?;
    let names: Vec<Cell> = key.names().map(|name| Cell::from(format!(":{name}"))).collect();
    let range = Range { after: Some(names.clone()), upto: Some(names) };
    let work = Work { backfill, key: &key };
    let (condition, _) = work.within(&range, None);
    Ok(work.statement(&condition))
}

/// So many rows of a piece are named in its statement.
const FEW: usize = 32;

struct Work<'a> {
    backfill: &'a Backfill,
    key: &'a Key,
}

/// Some of the rows: a condition, and its parameters.
type Rows = (String, Vec<Cell>);

impl Work<'_> {
    fn piece(&self, db: &Db, piece: &Range) -> Result<u64> {
        match self.change(db, &self.within(piece, self.written(db, piece)?))? {
            Ok(changed) => Ok(changed),
            Err(error) => {
                let attempt = |row: &Range| Ok(self.update(db, &self.within(row, None)).map(|_| ())?);
                let found = culprit(db, &self.backfill.table.name, self.key, piece, attempt)?;
                Err(match found {
                    Some((key, cause)) => self.blame(db, &key, cause)?,
                    None => error.into(),
                })
            }
        }
    }

    fn row(&self, db: &Db, key: &[Cell]) -> Result<u64> {
        match self.change(db, &self.only(key))? {
            Ok(changed) => Ok(changed),
            Err(error) => Err(self.blame(db, key, error.into())?),
        }
    }

    /// The rows of a piece that the application has written, unless they are many.
    fn written(&self, db: &Db, piece: &Range) -> Result<Option<Vec<Vec<Cell>>>> {
        let Some(capture) = &self.backfill.capture else { return Ok(Some(Vec::new())) };
        let key = self.key.of(log_column);
        let (mut condition, params) = key.within("", piece, 1);
        if capture.follows {
            let _ = write!(condition, " AND {MOVED} <> 1");
        }
        let sql = format!(
            "SELECT {} FROM main.{} WHERE {condition} LIMIT {}",
            key.columns(""),
            ident(&capture.log.name),
            FEW + 1
        );
        let rows = cell::rows(db, &sql, &params, key.len())?;
        Ok((rows.len() <= FEW).then_some(rows))
    }

    /// The inner error is about a row.
    fn change(&self, db: &Db, rows: &Rows) -> Result<rusqlite::Result<u64>> {
        let own = self.backfill.capture.as_ref().map(|capture| capture.log.name.as_str());
        let (condition, params) = rows;
        capture::note(db, &self.backfill.table.name, own, condition, params)?;
        match self.update(db, rows) {
            Err(error) if !errors::is_about_a_row(&error) => Err(error.into()),
            outcome => Ok(outcome),
        }
    }

    /// Comes back to rows whose key changed before they were filled; tells whether none is left.
    fn missed(&self, db: &Db, limit: u64) -> Result<bool> {
        let Some(capture) = self.backfill.capture.as_ref().filter(|capture| capture.follows) else {
            return Ok(true);
        };
        let log = ident(&capture.log.name);
        let keys: Vec<String> = (0..self.key.len()).map(log_column).collect();
        let select = format!("SELECT {} FROM main.{log} WHERE {MOVED} = 1 LIMIT {limit}", keys.join(", "));
        let moved = cell::rows(db, &select, &[], keys.len())?;
        let same: Vec<String> =
            (keys.iter().enumerate()).map(|(at, key)| format!("{key} = ?{}", at + 1)).collect();
        let forget = format!("DELETE FROM main.{log} WHERE {}", same.join(" AND "));
        for key in &moved {
            self.row(db, key)?;
            db.prepare_cached(&forget)?.execute(params_from_iter(key))?;
        }
        Ok((moved.len() as u64) < limit)
    }

    fn update(&self, db: &Db, (condition, params): &Rows) -> rusqlite::Result<u64> {
        let sql = self.statement(condition);
        match &self.backfill.record {
            None => db.prepare_cached(&sql)?.execute(params_from_iter(params)).map(|changed| changed as u64),
            Some(name) => record::changed(db, self.backfill, &name.name, self.key, &sql, params),
        }
    }

    fn statement(&self, condition: &str) -> String {
        let set: Vec<String> = (self.backfill.assignments.iter())
            .map(|(column, expr)| format!("{} = ({expr})", ident(column)))
            .collect();
        format!("UPDATE main.{} SET {} WHERE {condition}", ident(&self.backfill.table.name), set.join(", "))
    }

    /// The rows of a piece that have not got their value; those who have are the ones given, or looked for in the log.
    ///
    /// An UPDATE whose condition has no subquery changes each row as it comes to it, otherwise SQLite first collects
    /// the keys of all and then seeks each row again, which takes twice the time.
    fn within(&self, piece: &Range, written: Option<Vec<Vec<Cell>>>) -> Rows {
        let table = ident(&self.backfill.table.name);
        let (mut condition, mut params) = self.key.within(&table, piece, 1);
        let Some(written) = written else { return (self.not_logged(condition), params) };
        for key in written {
            let _ = write!(condition, " AND NOT ({})", self.key.is_param(&table, params.len() + 1));
            params.extend(key);
        }
        (self.filtered(condition), params)
    }

    fn only(&self, key: &[Cell]) -> Rows {
        (self.not_logged(self.key.is_param(&ident(&self.backfill.table.name), 1)), key.to_vec())
    }

    fn not_logged(&self, mut condition: String) -> String {
        if let Some(capture) = &self.backfill.capture {
            let moved = if capture.follows { format!(" AND {MOVED} <> 1") } else { String::new() };
            condition = format!(
                "{condition} AND NOT EXISTS (SELECT 1 FROM main.{} AS _pql_l WHERE {}{moved})",
                ident(&capture.log.name),
                self.key.is_logged(&ident(&self.backfill.table.name), "_pql_l")
            );
        }
        self.filtered(condition)
    }

    fn filtered(&self, condition: String) -> String {
        match &self.backfill.filter {
            Some(filter) => format!("{condition} AND ({filter})"),
            None => condition,
        }
    }

    /// Names the row that cannot be filled.
    fn blame(&self, db: &Db, key: &[Cell], cause: Error) -> Result<Error> {
        let table = &self.backfill.table.name;
        let exprs: Vec<&Expr> = self.backfill.assignments.iter().map(|(_, expr)| expr).collect();
        let values = failing::values(db, table, self.key, key, &exprs)?;
        let values = if values.is_empty() { values } else { format!(" ({values})") };
        Ok(Error::new(
            codes::ROWS,
            format!(
                "the row of {} with {}{values} cannot be filled: {}",
                ident(table),
                self.key.describe(key),
                cause.message()
            ),
        )
        .with_help("change that row, or the expression")
        .with_source(cause))
    }
}
