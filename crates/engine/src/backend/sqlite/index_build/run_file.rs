//! The entries of all rows in their order: read in snapshots into a temporary table and sorted there, outside any lock
//! of the database. It is the writing connection's, so that a batch of entries is one statement.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::cell::{self, Cell};
use super::super::keys::{Key, Range};
use super::super::run::Run;
use super::job::{Job, Row};
use super::layout::{list, place_names};
use crate::Result;
use crate::backend::Progress;

/// Rows that are read in one snapshot.
const PIECE: u64 = 100_000;

/// Where readers keep writers waiting, a snapshot lasts a few milliseconds.
const SHORT_PIECE: u64 = 3_000;

/// The sorted entries without a NULL in their key, by rowid from 1 on.
pub(super) const SORTED: &str = "temp._pql_sorted";

/// Those with one, in any order.
pub(super) const NULLS: &str = "temp._pql_with_null";

/// How many entries there are of each kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries {
    pub(super) sorted: u64,
    pub(super) with_null: u64,
}

/// Reads every row's entry and sorts those that come after the given one.
pub(super) fn collect(run: &mut Run<'_>, job: &Job<'_>, after: Option<&Row>) -> Result<Entries> {
    let db = run.db;
    let places = place_names(job.layout.columns.len());
    discard(db)?;
    // A larger cache is what the sort has for its runs.
    db.execute_batch(&format!(
        "PRAGMA temp.cache_size = -65536; CREATE TEMP TABLE _pql_entries ({})",
        list(places.iter().cloned())
    ))?;
    read_all(run, job)?;
    let columns = &job.layout.columns;
    let null: Vec<String> = (columns.iter().zip(&places))
        .filter(|(column, _)| column.key)
        .map(|(_, name)| format!("{name} IS NULL"))
        .collect();
    let null = null.join(" OR ");
    let order = columns.iter().zip(&places).map(|(column, name)| {
        let direction = if column.descending { " DESC" } else { "" };
        format!("{name} COLLATE {}{direction}", ident(&column.collation))
    });
    let (condition, params) = match after {
        Some(row) => beyond(job, &places, row),
        None => ("1".to_owned(), Vec::new()),
    };
    let places = list(places.iter().cloned());
    let split = |target: &str, condition: &str, params: &[Cell]| -> Result<u64> {
        db.execute_batch(&format!("CREATE TABLE {target} ({places})"))?;
        let sql = format!("INSERT INTO {target} SELECT {places} FROM temp._pql_entries WHERE {condition}");
        Ok(db.execute(&sql, params_from_iter(params))? as u64)
    };
    let sorted = split(SORTED, &format!("NOT ({null}) AND {condition} ORDER BY {}", list(order)), &params)?;
    let with_null = split(NULLS, &format!("({null})"), &[])?;
    db.execute_batch("DROP TABLE temp._pql_entries")?;
    Ok(Entries { sorted, with_null })
}

fn read_all(run: &mut Run<'_>, job: &Job<'_>) -> Result<()> {
    let db = run.db;
    let table = ident(&job.names.table);
    let key = Key::resolved(db, &job.names.table, &job.layout.key)?;
    let piece = if run.place.wal || !run.online() { PIECE } else { SHORT_PIECE };
    let mut left = Range { after: None, upto: key.edge(db, &job.names.table, true)? };
    let mut rows = 0;
    while left.upto.is_some() && left.after != left.upto {
        let upto = key.nth(db, &job.names.table, &left, piece)?.or_else(|| left.upto.clone());
        let (condition, params) =
            key.within(&table, &Range { after: left.after.clone(), upto: upto.clone() }, 1);
        let sql = format!(
            "INSERT INTO temp._pql_entries SELECT {} FROM main.{table} WHERE {condition} AND {}",
            list(job.layout.values(&table)),
            job.layout.holds(&table)
        );
        rows += db.prepare_cached(&sql)?.execute(params_from_iter(params))? as u64;
        left.after = upto;
        run.step.breathe(&Progress { rows, ..Progress::default() })?;
    }
    Ok(())
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

/// An entry by its place in the order.
pub(super) fn entry(db: &Db, job: &Job<'_>, at: u64) -> Result<Row> {
    let width = job.layout.columns.len();
    let sql = format!("SELECT {} FROM {SORTED} WHERE rowid = ?1", list(place_names(width)));
    Ok(db.prepare_cached(&sql)?.query_row([at.cast_signed()], |row| cell::row(row, width))?)
}

/// Some of the entries with a NULL in their key, after so many of them.
pub(super) fn with_null(db: &Db, job: &Job<'_>, after: u64, count: u64) -> Result<Vec<Row>> {
    let width = job.layout.columns.len();
    let sql = format!("SELECT {} FROM {NULLS} WHERE rowid > ?1 LIMIT ?2", list(place_names(width)));
    let mut statement = db.prepare_cached(&sql)?;
    let rows =
        statement.query_map([after.cast_signed(), count.cast_signed()], |row| cell::row(row, width))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Gives the temporary tables' space back.
pub(super) fn discard(db: &Db) -> Result<()> {
    Ok(db.execute_batch(&format!(
        "DROP TABLE IF EXISTS temp._pql_entries; DROP TABLE IF EXISTS {SORTED}; DROP TABLE IF EXISTS {NULLS}; \
         PRAGMA temp.cache_size = -2000"
    ))?)
}
