//! Whether an index is what it should be.
//!
//! - Its entries are those of its table's rows: by their number and a sum of hashes, each computed in the order in which
//!   it is stored. Rows in the log are left out on both sides.
//! - SQLite's own check finds its pages whole and its entries in order. As long as it is a table, that is one pass over
//!   it, where the check of an index looks up every row of its table.
//! - What it is declared to be orders entries as it was filled.

use std::hash::{DefaultHasher, Hasher};

use pql_planner::text::ident;
use rusqlite::Connection as Db;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;

use super::super::run::Run;
use super::job::Job;
use super::layout::{list, place_names};
use super::log;
use crate::Result;
use crate::error::codes;

/// Fails unless they are.
pub(super) fn compare(db: &Db, job: &Job<'_>) -> Result<()> {
    register(db)?;
    let table = ident(&job.names.table);
    let unlogged = |of: &str| match &job.names.log {
        Some(log) => log::unlogged(job, log, of),
        None => "1".to_owned(),
    };
    let rows = format!(
        "SELECT count(*), _pql_sum({}) FROM main.{table} WHERE {} AND {}",
        list(job.layout.values(&table)),
        job.layout.holds(&table),
        unlogged(&table)
    );
    let fill = ident(&job.names.fill);
    let entries = format!(
        "SELECT count(*), _pql_sum({}) FROM main.{fill} WHERE {}",
        list(place_names(job.layout.columns.len())),
        match &job.names.log {
            Some(log) => log::unlogged_entries(job, log, &fill),
            None => "1".to_owned(),
        }
    );
    let nulls = ident(&job.names.nulls);
    let names = job.layout.columns.iter().map(|column| format!("{nulls}.{}", ident(&column.name)));
    let waiting =
        format!("SELECT count(*), _pql_sum({}) FROM main.{nulls} WHERE {}", list(names), unlogged(&nulls));
    let read = |sql: &str| db.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let (of_rows, filled, waiting) = (read(&rows)?, read(&entries)?, read(&waiting)?);
    let of_entries = (filled.0 + waiting.0, filled.1.wrapping_add(waiting.1));
    if of_rows == of_entries {
        return Ok(());
    }
    Err(crate::Error::new(
        codes::VERIFY,
        format!(
            "the index {} does not have the entries that it should: {} for {} rows",
            ident(&job.names.index),
            of_entries.0,
            of_rows.0
        ),
    )
    .with_help(
        "it was not published; please report it; strategy = 'offline' builds it by the plain statement",
    ))
}

/// Fails unless SQLite finds the unfinished index, which is a table as yet, whole and in its order.
pub(super) fn check(db: &Db, job: &Job<'_>) -> Result<()> {
    whole(db, &job.names.fill, &job.names.index)
}

/// SQLite's check of a table and all its indexes, in a snapshot.
pub(super) fn check_all(run: &mut Run<'_>, table: &str, index: &str) -> Result<()> {
    run.read_at_random(|db| whole(db, table, index))
}

fn whole(db: &Db, table: &str, index: &str) -> Result<()> {
    let sql = format!("PRAGMA main.integrity_check({})", ident(table));
    let found: String = db.query_row(&sql, [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(crate::Error::new(codes::VERIFY, format!("the index {} failed its check: {found}", ident(index)))
        .with_help("take the migration back if it is in effect; please report it; strategy = 'offline' builds the index by the plain statement"))
}

/// In which order a b-tree has its entries: of each part, whether it is descending and by which collation.
pub(super) fn order(db: &Db, index: &str) -> Result<Vec<(bool, String)>> {
    let mut statement =
        db.prepare("SELECT \"desc\", coll FROM pragma_index_xinfo(?1, 'main') ORDER BY seqno")?;
    let parts = statement.query_map([index], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    Ok(parts
        .map(|part| part.map(|(descending, collation)| (descending, collation.to_ascii_uppercase())))
        .collect::<rusqlite::Result<_>>()?)
}

fn register(db: &Db) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    Ok(db.create_aggregate_function("_pql_sum", -1, flags, Sum)?)
}

/// The sum of the hashes of rows: the same for the same rows in any order.
struct Sum;

impl Aggregate<u64, i64> for Sum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<u64> {
        Ok(0)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut u64) -> rusqlite::Result<()> {
        let mut hasher = DefaultHasher::new();
        for at in 0..context.len() {
            match context.get_raw(at) {
                ValueRef::Null => hasher.write_u8(0),
                ValueRef::Integer(number) => number_to(&mut hasher, number),
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::float_cmp,
                    clippy::cast_precision_loss,
                    reason = "exactly those that are integers"
                )]
                ValueRef::Real(number) => {
                    // An index keeps 2.0 of a REAL column as 2.
                    if number as i64 as f64 == number {
                        number_to(&mut hasher, number as i64);
                    } else {
                        hasher.write_u8(2);
                        hasher.write_u64(number.to_bits());
                    }
                }
                ValueRef::Text(bytes) => bytes_to(&mut hasher, 3, bytes),
                ValueRef::Blob(bytes) => bytes_to(&mut hasher, 4, bytes),
            }
        }
        *sum = sum.wrapping_add(hasher.finish());
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<u64>) -> rusqlite::Result<i64> {
        Ok(sum.unwrap_or(0).cast_signed())
    }
}

fn number_to(hasher: &mut DefaultHasher, number: i64) {
    hasher.write_u8(1);
    hasher.write_i64(number);
}

fn bytes_to(hasher: &mut DefaultHasher, kind: u8, bytes: &[u8]) {
    hasher.write_u8(kind);
    hasher.write_usize(bytes.len());
    hasher.write(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_in_another_order_than_declared_are_found() {
        let db = Db::open_in_memory().expect("a database in memory");
        let run = |sql: &str| db.execute_batch(sql).expect(sql);
        run("CREATE TABLE fill (a COLLATE binary PRIMARY KEY, b) WITHOUT ROWID; \
             INSERT INTO fill VALUES ('A', 1), ('B', 2), ('a', 3)");
        whole(&db, "fill", "ix").expect("it is whole");
        run("PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = replace(sql, 'binary', 'nocase') WHERE name = 'fill'; \
             PRAGMA writable_schema = RESET");
        let error = whole(&db, "fill", "ix").expect_err("B stands before a");
        assert_eq!(error.code(), codes::VERIFY);
        assert!(error.to_string().contains("order"), "{error}");
    }

    #[test]
    fn an_order_is_that_of_each_part() {
        let db = Db::open_in_memory().expect("a database in memory");
        db.execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE TABLE fill (a, b, id, PRIMARY KEY (a COLLATE NOCASE, b DESC, id)) WITHOUT ROWID; \
             CREATE INDEX same ON t (a COLLATE nocase, b DESC); CREATE INDEX up ON t (a COLLATE nocase, b); CREATE INDEX plain ON t (a, b DESC)",
        )
        .expect("three indexes");
        let of = |index| order(&db, index).expect(index);
        let filled = of("sqlite_autoindex_fill_1");
        assert_eq!(filled.len(), 3);
        assert_eq!(of("same"), filled);
        assert_ne!(of("up"), filled);
        assert_ne!(of("plain"), filled);
    }
}
