//! Edits of stored definitions: `PRAGMA writable_schema`, in a short transaction, checked before it commits.
//!
//! This is the procedure that SQLite's documentation gives for changes that touch no row. Everything here runs inside
//! a write transaction of the caller's; an error rolls it back and the database has never been otherwise.

use std::collections::BTreeSet;

use rusqlite::{Connection as Db, params};

use super::catalog::{self, Entry};
use crate::error::codes;
use crate::{Error, Result};

/// Writes these rows (told apart by rowid) and makes every connection read the schema again.
pub(super) fn write(db: &Db, entries: &[Entry]) -> Result<()> {
    edit(db, |db| {
        let mut statement = db.prepare_cached(
            "UPDATE main.sqlite_schema SET type = ?2, name = ?3, tbl_name = ?4, rootpage = ?5, sql = ?6 WHERE rowid = ?1",
        )?;
        for entry in entries {
            statement.execute(params![
                entry.rowid,
                entry.kind,
                entry.name,
                entry.table,
                entry.root,
                entry.sql
            ])?;
        }
        Ok(())
    })
}

/// Runs statements on `sqlite_schema` and makes every connection read the schema again.
pub(super) fn edit(db: &Db, work: impl FnOnce(&Db) -> Result<()>) -> Result<()> {
    db.execute_batch("PRAGMA writable_schema = ON")?;
    let outcome = work(db).and_then(|()| {
        let version: i64 = db.query_row("PRAGMA main.schema_version", [], |row| row.get(0))?;
        db.execute_batch(&format!("PRAGMA main.schema_version = {}", version.wrapping_add(1)))?;
        Ok(())
    });
    // RESET also forgets the schema as this connection had it: the next statement reads what was written.
    db.execute_batch("PRAGMA writable_schema = RESET")?;
    outcome?;
    db.query_row("SELECT count(*) FROM main.sqlite_schema", [], |_| Ok(())).map_err(unreadable)
}

fn unreadable(error: rusqlite::Error) -> Error {
    Error::new(
        codes::DATABASE,
        format!("SQLite does not accept the new definition: {}", super::errors::message(&error)),
    )
    .with_help("nothing was changed")
    .with_source(error)
}

/// Fails unless the table can be read, has these columns, and its constraints' indexes are those that are stored.
pub(super) fn verify_table(db: &Db, table: &str, columns: &[&str]) -> Result<()> {
    let quoted = pql_planner::text::ident(table);
    let statement = db.prepare(&format!("SELECT * FROM main.{quoted} LIMIT 0")).map_err(unreadable)?;
    let found: Vec<&str> = statement.column_names().collect();
    if found.len() != columns.len() || found.iter().zip(columns).any(|(a, b)| !a.eq_ignore_ascii_case(b)) {
        return Err(Error::new(
            codes::DATABASE,
            format!(
                "the new definition of {quoted} has the columns ({}), not ({})",
                found.join(", "),
                columns.join(", ")
            ),
        ));
    }
    let mut declared = db.prepare("SELECT name FROM pragma_index_list(?1) WHERE origin IN ('u', 'pk')")?;
    let declared: BTreeSet<String> =
        declared.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let stored: BTreeSet<String> = catalog::of_table(db, table)?
        .into_iter()
        .filter(catalog::is_automatic)
        .map(|entry| entry.name)
        .collect();
    // The primary key of a WITHOUT ROWID table is the table itself: it is declared and not stored apart.
    let apart =
        db.query_row("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'", [table], |row| {
            row.get::<_, bool>(0)
        })?;
    let missing = declared.difference(&stored).count();
    if stored.difference(&declared).count() > 0 || missing > usize::from(apart) {
        return Err(Error::new(
            codes::DATABASE,
            format!("the keys that the new definition of {quoted} declares are not those that are stored"),
        ));
    }
    Ok(())
}
