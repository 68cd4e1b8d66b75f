//! Stored definitions as models. The same text always means the same, so each is read once per connection.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use pql_planner::lower::stored;
use pql_planner::text::ident;
use pql_schema::{Index, NameRule, Schema, Table, View};
use rusqlite::Connection as Db;

use super::catalog::{self, Entry};
use super::errors::moved;
use super::guards;
use crate::error::codes;
use crate::{Error, Result};

/// Models by the text that they were read from.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) tables: HashMap<String, Arc<Table>>,
    pub(super) indexes: HashMap<String, Arc<Index>>,
    pub(super) views: HashMap<String, Arc<View>>,
    /// The whole schema and SQLite's count of its changes when it was read.
    pub(super) whole: Option<(i64, Schema)>,
}

impl Cache {
    /// More texts than this are not kept: something generates them.
    const MOST: usize = 100_000;

    pub(super) fn table(&mut self, entry: &Entry) -> Result<Arc<Table>> {
        cached(&mut self.tables, entry, |sql| {
            let mut table = table(sql)?;
            for column in &mut table.columns {
                column.retained = catalog::is_ours(&column.name);
            }
            Ok(table)
        })
    }

    pub(super) fn index(&mut self, entry: &Entry, schema: &Schema) -> Result<Arc<Index>> {
        cached(&mut self.indexes, entry, |sql| index(sql, schema))
    }

    pub(super) fn view(&mut self, entry: &Entry) -> Result<Arc<View>> {
        cached(&mut self.views, entry, view)
    }
}

fn cached<T>(
    map: &mut HashMap<String, Arc<T>>,
    entry: &Entry,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<Arc<T>> {
    let sql = entry.sql.as_deref().unwrap_or_default();
    if let Some(found) = map.get(sql) {
        return Ok(Arc::clone(found));
    }
    let model = Arc::new(read(sql)?);
    if map.len() >= Cache::MOST {
        map.clear();
    }
    map.insert(sql.to_owned(), Arc::clone(&model));
    Ok(model)
}

/// A table from its text.
pub(super) fn table(sql: &str) -> Result<Table> {
    Ok(read(sql)?.as_ref().clone())
}

/// The same, from the last time that this thread read the text: a step compares its table with every form that earlier
/// steps gave it.
pub(super) fn read(sql: &str) -> Result<Arc<Table>> {
    /// More texts than this are not kept.
    const MOST: usize = 1_000;
    thread_local! {
        static READ: RefCell<HashMap<String, Arc<Table>>> = RefCell::default();
    }
    READ.with_borrow_mut(|known| {
        if let Some(table) = known.get(sql) {
            return Ok(Arc::clone(table));
        }
        let table = stored::stored_table(sql).map_err(|error| unreadable(sql, &error))?;
        let table = Arc::new(table);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(sql.to_owned(), Arc::clone(&table));
        Ok(table)
    })
}

/// An index from its text.
pub(super) fn index(sql: &str, schema: &Schema) -> Result<Index> {
    stored::stored_index(sql, schema).map_err(|error| unreadable(sql, &error))
}

/// A view from its text.
pub(super) fn view(sql: &str) -> Result<View> {
    stored::stored_view(sql).map_err(|error| unreadable(sql, &error))
}

/// A schema in which there is one table: enough to read its indexes in.
pub(super) fn schema_of(table: &Table) -> Schema {
    let mut schema = Schema::new(NameRule::AsciiInsensitive);
    schema.tables.insert(table.name.clone(), table.clone());
    schema
}

/// A stored table as a model.
pub(super) fn table_of(db: &Db, name: &str) -> Result<Table> {
    let entry = catalog::find(db, "table", name)?
        .ok_or_else(|| moved(format!("there is no table {}", ident(name))))?;
    table(entry.sql.as_deref().unwrap_or_default())
}

/// The indexes that were made on a table by CREATE INDEX.
pub(super) fn indexes_of(db: &Db, name: &str) -> Result<Vec<Index>> {
    let entries = catalog::of_table(db, name)?;
    let Some(entry) = entries.iter().find(|entry| entry.kind == "table") else { return Ok(Vec::new()) };
    let schema = schema_of(&table(entry.sql.as_deref().unwrap_or_default())?);
    entries
        .iter()
        .filter(|entry| entry.kind == "index" && !guards::is_guard(entry))
        .filter_map(|entry| entry.sql.as_deref())
        .map(|sql| index(sql, &schema))
        .collect()
}

fn unreadable(sql: &str, error: &pql_syntax::Diagnostic) -> Error {
    Error::new(
        codes::UNREADABLE,
        format!("a definition in the database cannot be read: {} in: {}", error.message, shortened(sql)),
    )
    .with_help("please report it: what SQLite accepts should be understood")
}

fn shortened(sql: &str) -> String {
    let mut text: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > 200 {
        text = text.chars().take(200).chain(['…']).collect();
    }
    text
}
