//! The schema as it is: one query over `sqlite_schema`, and the meaning of each text.

use std::collections::BTreeSet;

use pql_planner::lower::stored;
use pql_schema::{NameRule, Schema};
use rusqlite::Connection as Db;

use super::catalog::{self, Entry};
use super::model::Cache;
use super::texts;
use crate::Result;

/// The schema, from the last time it was read if it is still that one. SQLite counts every change of it; inside a
/// transaction the count may yet be taken back and given to another change, so there nothing is kept.
pub(super) fn schema(db: &Db, cache: &mut Cache) -> Result<Schema> {
    let settled = db.is_autocommit();
    let version: i64 = db.query_row("PRAGMA main.schema_version", [], |row| row.get(0))?;
    if let Some((_, known)) = cache.whole.as_ref().filter(|(at, _)| settled && *at == version) {
        return Ok(known.clone());
    }
    let schema = read(db, cache)?;
    // Somebody may have changed it while it was read.
    let after: i64 = db.query_row("PRAGMA main.schema_version", [], |row| row.get(0))?;
    cache.whole = (settled && after == version).then(|| (version, schema.clone()));
    Ok(schema)
}

/// Reads it. Retained columns are included and marked; PQL's own tables and indexes, SQLite's, and virtual tables
/// with what they keep their data in are not.
fn read(db: &Db, cache: &mut Cache) -> Result<Schema> {
    let entries = catalog::all(db)?;
    let foreign = foreign_tables(db, &entries)?;
    let ours = |entry: &&Entry| {
        entry.sql.is_some()
            && !catalog::is_ours(&entry.name)
            && !catalog::is_ours(&entry.table)
            && !catalog::is_internal(&entry.name)
            && !foreign.contains(&entry.table.to_ascii_lowercase())
    };
    let mut schema = Schema::new(NameRule::AsciiInsensitive);
    for entry in entries.iter().filter(ours).filter(|entry| entry.kind == "table") {
        let table = cache.table(entry)?;
        schema.tables.insert_shared(table.name.clone(), table);
    }
    let mut indexes = Vec::new();
    for entry in entries.iter().filter(ours) {
        match entry.kind.as_str() {
            "index" => indexes.push(cache.index(entry, &schema)?),
            "view" => {
                let view = cache.view(entry)?;
                schema.views.insert_shared(view.name.clone(), view);
            }
            "trigger" => {
                if let Some(trigger) = entry.sql.as_deref().and_then(stored::trigger) {
                    schema.triggers.insert(trigger.name.clone(), trigger);
                }
            }
            _ => {}
        }
    }
    for index in indexes {
        schema.indexes.insert_shared(index.name.clone(), index);
    }
    Ok(schema)
}

/// Virtual tables and the tables that belong to them, in lower case.
fn foreign_tables(db: &Db, entries: &[Entry]) -> Result<BTreeSet<String>> {
    let is_virtual = |entry: &&Entry| {
        entry.kind == "table"
            && entry.root == 0
            && entry.sql.as_deref().is_some_and(|sql| texts::has_word(sql, "virtual"))
    };
    if !entries.iter().any(|entry| is_virtual(&entry)) {
        return Ok(BTreeSet::new());
    }
    let mut statement = db.prepare_cached(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('virtual', 'shadow')",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut foreign: BTreeSet<String> =
        names.map(|name| name.map(|name| name.to_ascii_lowercase())).collect::<rusqlite::Result<_>>()?;
    // A module that is not loaded here is not listed as virtual by every version.
    foreign.extend(entries.iter().filter(is_virtual).map(|entry| entry.name.to_ascii_lowercase()));
    Ok(foreign)
}
