//! The rows of `sqlite_schema`, as they are.

use rusqlite::{Connection as Db, OptionalExtension, Row};

use crate::Result;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place; the order in which objects are listed and dumped.
    pub(super) rowid: i64,
    /// `table`, `index`, `view` or `trigger`.
    pub(super) kind: String,
    /// The object's name.
    pub(super) name: String,
    /// The table that it is or belongs to.
    pub(super) table: String,
    /// Where its b-tree starts; 0 without one.
    pub(super) root: i64,
    /// Its text; `None` for an index that belongs to a constraint.
    pub(super) sql: Option<String>,
}

const COLUMNS: &str = "SELECT rowid, type, name, tbl_name, rootpage, sql FROM main.sqlite_schema";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        rowid: row.get(0)?,
        kind: row.get(1)?,
        name: row.get(2)?,
        table: row.get(3)?,
        root: row.get::<_, Option<i64>>(4)?.unwrap_or(0),
        sql: row.get(5)?,
    })
}

/// All rows, in their order.
pub(super) fn all(db: &Db) -> Result<Vec<Entry>> {
    let mut statement = db.prepare_cached(&format!("{COLUMNS} ORDER BY rowid"))?;
    let rows = statement.query_map([], entry)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The object of that kind and name.
pub(super) fn find(db: &Db, kind: &str, name: &str) -> Result<Option<Entry>> {
    let mut statement =
        db.prepare_cached(&format!("{COLUMNS} WHERE type = ?1 AND name = ?2 COLLATE NOCASE"))?;
    Ok(statement.query_row([kind, name], entry).optional()?)
}

/// A table's own row and those of its indexes and triggers, in their order.
pub(super) fn of_table(db: &Db, table: &str) -> Result<Vec<Entry>> {
    let mut statement =
        db.prepare_cached(&format!("{COLUMNS} WHERE tbl_name = ?1 COLLATE NOCASE ORDER BY rowid"))?;
    let rows = statement.query_map([table], entry)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether there is a table of that name.
pub(super) fn has_table(db: &Db, name: &str) -> Result<bool> {
    Ok(find(db, "table", name)?.is_some())
}

/// Whether the name is one of ours.
pub(super) fn is_ours(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("_pql_"))
}

/// Whether the name is one that SQLite keeps for itself.
pub(super) fn is_internal(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
}

/// Whether the index belongs to a constraint.
pub(super) fn is_automatic(entry: &Entry) -> bool {
    entry.kind == "index" && entry.sql.is_none()
}
