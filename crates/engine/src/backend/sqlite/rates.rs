//! How large tables are and how long work on them takes on this machine.

use std::sync::OnceLock;
use std::time::Instant;

use pql_planner::text::ident;
use pql_planner::{Rates, Statistics, TableStatistics};
use pql_schema::ObjectName;
use rusqlite::{Connection as Db, OptionalExtension};

use super::{catalog, keys, virtuals};
use crate::Result;

/// Rows that are counted one by one before their number is estimated.
pub(super) const COUNTED: u64 = 20_000;

/// The sizes of tables; those that do not exist are left out.
pub(super) fn statistics(db: &Db, tables: &[ObjectName]) -> Result<Statistics> {
    let mut statistics = Statistics::default();
    for table in tables {
        if catalog::has_table(db, &table.name)? {
            let rows = rows(db, &table.name)?;
            let bytes = bytes(db, &table.name, rows)?;
            statistics.tables.insert(table.to_string(), TableStatistics { rows, bytes });
            let held = virtuals::reading(db, &table.name)?;
            if !held.is_empty() {
                statistics.holds.insert(table.to_string(), held);
            }
        }
    }
    Ok(statistics)
}

/// How many rows a table has: exactly while they are few, otherwise by the span of its rowids or by what ANALYZE left.
pub(super) fn rows(db: &Db, table: &str) -> Result<u64> {
    let quoted = ident(table);
    let counted =
        count(db, &format!("SELECT count(*) FROM (SELECT 1 FROM main.{quoted} LIMIT {})", COUNTED + 1))?;
    if counted <= COUNTED {
        return Ok(counted);
    }
    let span = match keys::of_table(db, table) {
        Ok(pql_planner::RowKey::Rowid(name)) => span(db, &quoted, &name)?,
        _ => None,
    };
    let analyzed = if catalog::has_table(db, "sqlite_stat1")? {
        db.query_row(
            "SELECT CAST(stat AS INTEGER) FROM main.sqlite_stat1 WHERE tbl = ?1 COLLATE NOCASE AND stat IS NOT NULL",
            [table],
            |row| row.get::<_, i64>(0),
        )
        .optional()?
        .and_then(|rows| u64::try_from(rows).ok())
    } else {
        None
    };
    match span.or(analyzed) {
        Some(estimate) => Ok(estimate.max(counted)),
        None => count(db, &format!("SELECT count(*) FROM main.{quoted}")),
    }
}

/// What a query counts.
pub(super) fn count(db: &Db, sql: &str) -> Result<u64> {
    let count: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The number of rowids between the first and the last row, thinned by how full a few stretches of it are.
fn span(db: &Db, quoted: &str, rowid: &str) -> Result<Option<u64>> {
    const STRETCHES: i64 = 8;
    const LENGTH: i64 = 1_000;
    let rowid = ident(rowid);
    // Asked for both at once, SQLite reads the whole table.
    let edge = |of: &str| -> Result<i64> {
        Ok(db.query_row(&format!("SELECT {of}({rowid}) FROM main.{quoted}"), [], |row| row.get(0))?)
    };
    let (first, last) = (edge("min")?, edge("max")?);
    let Some(width) = last.checked_sub(first).filter(|width| *width < i64::MAX / 2) else { return Ok(None) };
    let mut statement =
        db.prepare(&format!("SELECT count(*) FROM main.{quoted} WHERE {rowid} >= ?1 AND {rowid} < ?2"))?;
    let mut found = 0i64;
    for stretch in 0..STRETCHES {
        let from = first + (width / STRETCHES) * stretch;
        found += statement.query_row([from, from.saturating_add(LENGTH)], |row| row.get::<_, i64>(0))?;
    }
    let estimate = i128::from(width) * i128::from(found) / i128::from(STRETCHES * LENGTH);
    Ok(u64::try_from(estimate).ok())
}

/// Bytes of the rows, from the sizes of a few of them.
fn bytes(db: &Db, table: &str, rows: u64) -> Result<u64> {
    const SAMPLE: u64 = 200;
    let mut names = db.prepare_cached("SELECT name FROM pragma_table_info(?1)")?;
    let columns: Vec<String> =
        names.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let sum: Vec<String> =
        columns.iter().map(|name| format!("ifnull(length(CAST({} AS BLOB)), 0) + 1", ident(name))).collect();
    if sum.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "SELECT ifnull(avg({}), 0) FROM (SELECT * FROM main.{} LIMIT {SAMPLE})",
        sum.join(" + "),
        ident(table)
    );
    let average: f64 = db.query_row(&sql, [], |row| row.get(0))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate"
    )]
    let bytes = ((average + 8.0) * rows as f64) as u64;
    Ok(bytes)
}

/// How long a plain CREATE INDEX over so many rows takes, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn predicted_index(rows: u64) -> f64 {
    rows as f64 / measured().index
}

/// How long it takes to examine so many rows for so many checks, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn predicted_scan(rows: u64, checks: usize) -> f64 {
    rows as f64 / measured().scan * checks as f64
}

/// This machine's rates: measured once in a process, on a table in memory, when there is a table large enough for the
/// difference to matter.
pub(super) fn measured() -> Rates {
    static MEASURED: OnceLock<Rates> = OnceLock::new();
    // What cannot be measured is what another machine had.
    *MEASURED.get_or_init(|| measure().unwrap_or_default())
}

fn measure() -> rusqlite::Result<Rates> {
    const ROWS: u32 = 2_000;
    // A table that fits into the processor's cache, without a log beside it, is this much faster than a real one.
    const FAVOUR: f64 = 2.0;
    let db = Db::open_in_memory()?;
    db.execute_batch(&format!(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT, c TEXT, d NUMERIC, e TEXT, f TEXT); \
         CREATE TABLE z (id INTEGER PRIMARY KEY, b TEXT, c TEXT, d NUMERIC, e TEXT, f TEXT); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) \
         INSERT INTO a SELECT i, 'name of ' || i, hex(i * 2654435761 % 4294967296), i % 1000, '2026-01-01', 'a note' FROM n"
    ))?;
    let rate = |sql: &str| -> rusqlite::Result<f64> {
        let start = Instant::now();
        db.execute_batch(sql)?;
        let millis = start.elapsed().as_secs_f64() * 1_000.0;
        Ok(f64::from(ROWS) / millis.max(0.01) / FAVOUR)
    };
    Ok(Rates {
        scan: rate("SELECT count(*) FROM a WHERE b IS NULL OR d < 0")?,
        update: rate("UPDATE a SET d = d + 1")?,
        copy: rate("INSERT INTO z SELECT id, b, c, d + 1, e, f FROM a")?,
        index: rate("CREATE INDEX c ON a (c)")?,
        // A row that is rewritten keeps its entries.
        maintain: 0.0,
    })
}
