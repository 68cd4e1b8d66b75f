//! Giving up a large index without freeing all its pages under one lock: what filling it does, backwards. Its b-tree is
//! declared to be a hidden table, which a purge empties in pieces.

use pql_planner::text::ident;
use rusqlite::Connection as Db;

use super::super::catalog::{self, Entry};
use super::super::retained::{self, Kind, Memory};
use super::super::run::Run;
use super::super::{edit, keys, metadata, model, purge, rates};
use super::layout::{self, Layout};
use crate::Result;
use crate::backend::Progress;

/// Drops an index if it is there; with that the action is `done`.
pub(in super::super) fn drop_index(run: &mut Run<'_>, name: &str, done: bool) -> Result<()> {
    let entry = catalog::find(run.db, "index", name)?;
    let mut layout = None;
    if let Some(entry) = &entry
        && run.online()
        && rates::rows(run.reader, &entry.table)? > purge::SMALL
    {
        layout = convertible(run.db, entry)?;
    }
    run.write(|db| {
        metadata::within(db, |db| match (&entry, &layout) {
            (Some(entry), Some(layout)) if !starts_with_null(db, entry, layout)? => {
                to_table(db, entry, layout)
            }
            _ => metadata::drop_index(db, name),
        })?;
        Ok(((), Progress { done, ..Progress::default() }))
    })
}

/// The layout, when the b-tree can be a table's as far as its definition tells: the key of a table has no NULLs.
fn convertible(db: &Db, entry: &Entry) -> Result<Option<Layout>> {
    let indexes = model::indexes_of(db, &entry.table)?;
    let index = indexes.into_iter().find(|index| index.name.name.eq_ignore_ascii_case(&entry.name));
    let Some(index) = index.filter(|index| index.predicate.is_none()) else { return Ok(None) };
    let table = model::table_of(db, &entry.table)?;
    let rowid = keys::integer_key(db, &entry.table)?;
    let never_null = |name: &str| {
        if rowid.as_ref().is_some_and(|rowid| rowid.eq_ignore_ascii_case(name)) {
            return true;
        }
        let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        column.is_none_or(|column| column.not_null)
    };
    // Whether the first column has a NULL is asked of the index.
    let fits = |(at, column): (usize, &layout::Column)| {
        !column.is_expression() && (at == 0 || !column.key || never_null(&column.name))
    };
    Ok(layout::layout(db, &index)?.filter(|layout| layout.columns.iter().enumerate().all(fits)))
}

fn starts_with_null(db: &Db, entry: &Entry, layout: &Layout) -> Result<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM main.{} INDEXED BY {} WHERE {} IS NULL)",
        ident(&entry.table),
        ident(&entry.name),
        ident(&layout.columns[0].name)
    );
    Ok(db.query_row(&sql, [], |row| row.get(0))?)
}

fn to_table(db: &Db, entry: &Entry, layout: &Layout) -> Result<()> {
    let hidden = format!("_pql_dropped_{}", entry.root);
    for table in metadata::statistics(db)? {
        db.execute(&format!("DELETE FROM main.{table} WHERE idx = ?1 COLLATE NOCASE"), [&entry.name])?;
    }
    edit::write(
        db,
        &[Entry {
            kind: "table".to_owned(),
            name: hidden.clone(),
            table: hidden.clone(),
            sql: Some(layout.as_table(&hidden)),
            ..entry.clone()
        }],
    )?;
    retained::remember(db, Kind::Garbage, &Memory::new(&hidden))
}
