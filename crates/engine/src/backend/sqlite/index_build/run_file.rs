//! The entries of all rows in their order: read in snapshots into a temporary table and sorted there, outside any lock
//! of the database.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, Rows, Statement};

use super::super::cell::Cell;
use super::super::keys::{Key, Range};
use super::super::run::Run;
use super::job::{Job, Row, read};
use super::layout::{list, place_names};
use crate::Result;
use crate::backend::Progress;

/// Rows that are read in one snapshot.
const PIECE: u64 = 100_000;

/// Where readers keep writers waiting, a snapshot lasts a few milliseconds.
const SHORT_PIECE: u64 = 3_000;

/// Reads every row's entry into the temporary table.
pub(super) fn collect(run: &mut Run<'_>, job: &Job<'_>) -> Result<u64> {
    let reader = run.reader;
    let places = place_names(job.layout.columns.len());
    // A larger cache is what the sort has for its runs.
    reader.execute_batch(&format!(
        "PRAGMA cache_size = -65536; DROP TABLE IF EXISTS temp._pql_entries; CREATE TEMP TABLE _pql_entries ({})",
        list(places.iter().cloned())
    ))?;
    let table = ident(&job.names.table);
    let key = Key::resolved(reader, &job.names.table, &job.layout.key)?;
    let piece = if run.place.wal || !run.online() { PIECE } else { SHORT_PIECE };
    let mut left = Range { after: None, upto: key.edge(reader, &job.names.table, true)? };
    let mut rows = 0;
    while left.upto.is_some() && left.after != left.upto {
        let upto = key.nth(reader, &job.names.table, &left, piece)?.or_else(|| left.upto.clone());
        let (condition, params) =
            key.within(&table, &Range { after: left.after.clone(), upto: upto.clone() }, 1);
        let sql = format!(
            "INSERT INTO temp._pql_entries SELECT {} FROM main.{table} WHERE {condition} AND {}",
            list(job.layout.values(&table)),
            job.layout.holds(&table)
        );
        rows += reader.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(params))? as u64;
        left.after = upto;
        run.step.breathe(&Progress { rows, ..Progress::default() })?;
    }
    Ok(rows)
}

/// The sorted entries, those with a NULL in their key or those without.
pub(super) fn sorted<'c>(
    reader: &'c Db,
    job: &Job<'_>,
    nulls: bool,
    after: Option<&Row>,
) -> Result<Sorted<'c>> {
    let columns = &job.layout.columns;
    let places = place_names(columns.len());
    let null: Vec<String> = columns
        .iter()
        .zip(&places)
        .filter(|(column, _)| column.key)
        .map(|(_, name)| format!("{name} IS NULL"))
        .collect();
    let order = columns.iter().zip(&places).map(|(column, name)| {
        let direction = if column.descending { " DESC" } else { "" };
        format!("{name} COLLATE {}{direction}", ident(&column.collation))
    });
    let not = if nulls { "" } else { "NOT " };
    let (condition, params) = match after {
        Some(row) => beyond(job, &places, row),
        None => ("1".to_owned(), Vec::new()),
    };
    let sql = format!(
        "SELECT {} FROM temp._pql_entries WHERE {not}({}) AND {condition} ORDER BY {}",
        list(places.iter().cloned()),
        null.join(" OR "),
        list(order)
    );
    let statement = reader.prepare(&sql)?;
    Ok(Sorted { statement, params, width: columns.len() })
}

/// The condition that an entry comes after another one.
fn beyond(job: &Job<'_>, places: &[String], row: &Row) -> (String, Vec<Cell>) {
    let mut condition = "0".to_owned();
    for (at, (column, name)) in job.layout.columns.iter().zip(places).enumerate().rev() {
        let collated = format!("{name} COLLATE {}", ident(&column.collation));
        let sign = if column.descending { "<" } else { ">" };
        condition = format!("({collated} {sign} ?{0} OR ({collated} = ?{0} AND {condition}))", at + 1);
    }
    (condition, row.clone())
}

/// A query whose rows are taken in batches.
pub(super) struct Sorted<'c> {
    statement: Statement<'c>,
    params: Vec<Cell>,
    width: usize,
}

impl Sorted<'_> {
    /// Starts it.
    pub(super) fn rows(&mut self) -> Result<(Rows<'_>, usize)> {
        Ok((self.statement.query(rusqlite::params_from_iter(&self.params))?, self.width))
    }
}

/// The next rows of a query.
pub(super) fn take(rows: &mut Rows<'_>, width: usize, count: u64) -> Result<Vec<Row>> {
    let mut taken = Vec::new();
    while (taken.len() as u64) < count {
        match rows.next()? {
            Some(row) => taken.push(read(row, width)?),
            None => break,
        }
    }
    Ok(taken)
}

/// Gives the temporary table's space back.
pub(super) fn discard(reader: &Db) -> Result<()> {
    Ok(reader.execute_batch("DROP TABLE IF EXISTS temp._pql_entries; PRAGMA cache_size = -2000")?)
}
