//! What is remembered between steps and migrations, in the table `_pql_retained`: texts and places of definitions that
//! were changed, triggers that were taken down, captures that are running, tables that wait to be emptied.
//!
//! It is written in the transaction of the change that it belongs to.

use rusqlite::{Connection as Db, params};

use super::catalog::{self, Entry};
use super::{edit, model, texts};
use crate::Result;

/// What a remembered row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text and place that an object of `sqlite_schema` had.
    Text,
    /// A trigger that was taken down with its table, the owner.
    Trigger,
    /// A capture: its log's name, the table it is on (the owner), itself.
    Capture,
    /// A capture that lives no longer than one action.
    Transient,
    /// A hidden table that nothing needs any more.
    Garbage,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Trigger => "trigger",
            Self::Capture => "capture",
            Self::Transient => "transient",
            Self::Garbage => "garbage",
        }
    }
}

/// A remembered row.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) position: Option<i64>,
    pub(super) sql: Option<String>,
    pub(super) extra: Option<String>,
}

impl Memory {
    /// A row that has no id yet.
    pub(super) fn new(name: &str) -> Self {
        Self { id: 0, name: name.to_owned(), owner: None, position: None, sql: None, extra: None }
    }
}

/// The table's name.
pub(super) const TABLE: &str = "_pql_retained";

/// Whether anything was ever remembered.
pub(super) fn exists(db: &Db) -> Result<bool> {
    catalog::has_table(db, TABLE)
}

/// Remembers.
pub(super) fn remember(db: &Db, kind: Kind, memory: &Memory) -> Result<()> {
    if !exists(db)? {
        db.execute_batch(
            "CREATE TABLE _pql_retained (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, \
             owner TEXT, position INTEGER, sql TEXT, extra TEXT)",
        )?;
    }
    db.prepare_cached(
        "INSERT INTO main._pql_retained (kind, name, owner, position, sql, extra) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![kind.as_str(), memory.name, memory.owner, memory.position, memory.sql, memory.extra])?;
    Ok(())
}

/// Everything of a kind.
pub(super) fn all(db: &Db, kind: Kind) -> Result<Vec<Memory>> {
    if !exists(db)? {
        return Ok(Vec::new());
    }
    let mut statement = db.prepare_cached(
        "SELECT id, name, owner, position, sql, extra FROM main._pql_retained WHERE kind = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([kind.as_str()], |row| {
        Ok(Memory {
            id: row.get(0)?,
            name: row.get(1)?,
            owner: row.get(2)?,
            position: row.get(3)?,
            sql: row.get(4)?,
            extra: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is remembered of a kind with that owner.
pub(super) fn owned(db: &Db, kind: Kind, owner: &str) -> Result<Vec<Memory>> {
    let mut found = all(db, kind)?;
    found.retain(|memory| memory.owner.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(owner)));
    Ok(found)
}

/// Forgets one row.
pub(super) fn forget(db: &Db, id: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM main._pql_retained WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Forgets by kind and name.
pub(super) fn forget_named(db: &Db, kind: Kind, name: &str) -> Result<()> {
    if exists(db)? {
        db.prepare_cached("DELETE FROM main._pql_retained WHERE kind = ?1 AND name = ?2 COLLATE NOCASE")?
            .execute([kind.as_str(), name])?;
    }
    Ok(())
}

/// Whether a table waits to be purged.
pub(super) fn is_garbage(db: &Db, table: &str) -> Result<bool> {
    Ok(all(db, Kind::Garbage)?.iter().any(|memory| memory.name.eq_ignore_ascii_case(table)))
}

/// What belonged to a table belongs to another name now.
pub(super) fn change_owner(db: &Db, from: &str, to: &str) -> Result<()> {
    if exists(db)? {
        db.prepare_cached("UPDATE main._pql_retained SET owner = ?2 WHERE owner = ?1 COLLATE NOCASE")?
            .execute([from, to])?;
    }
    Ok(())
}

/// Writes the extra part of a row again.
pub(super) fn set_extra(db: &Db, id: i64, extra: &str) -> Result<()> {
    db.prepare_cached("UPDATE main._pql_retained SET extra = ?2 WHERE id = ?1")?
        .execute(params![id, extra])?;
    Ok(())
}

/// The newest remembered text of an object for which `fits` holds, with the place it had.
pub(super) fn text(
    db: &Db,
    kind: &str,
    name: &str,
    mut fits: impl FnMut(&str) -> bool,
) -> Result<Option<(String, Option<i64>)>> {
    if !exists(db)? {
        return Ok(None);
    }
    let mut statement = db.prepare_cached(
        "SELECT sql, position FROM main._pql_retained \
         WHERE kind = 'text' AND extra = ?1 AND name = ?2 COLLATE NOCASE ORDER BY id DESC",
    )?;
    let mut rows = statement.query([kind, name])?;
    while let Some(row) = rows.next()? {
        let sql: String = row.get(0)?;
        if fits(&sql) {
            return Ok(Some((sql, row.get(1)?)));
        }
    }
    Ok(None)
}

/// Compares the schema before and after a change: what changed or went is remembered, and what has come and means the
/// same as something remembered gets that text and that place again.
pub(super) fn reconcile(db: &Db, before: &[Entry], after: &[Entry]) -> Result<()> {
    let known = |list: &[Entry], entry: &Entry| {
        // Both lists are in the order of their rowids.
        list.binary_search_by_key(&entry.rowid, |other| other.rowid).is_ok_and(|at| {
            let other = &list[at];
            other.name == entry.name && other.sql == entry.sql && other.kind == entry.kind
        })
    };
    for entry in before.iter().filter(|entry| is_users(entry) && !known(after, entry)) {
        remember_text(db, entry)?;
    }
    let mut restored = Vec::new();
    for entry in after.iter().filter(|entry| is_users(entry) && !known(before, entry)) {
        let Some(now) = entry.sql.as_deref() else { continue };
        let Some((sql, position)) =
            text(db, &entry.kind, &entry.name, |sql| means_the_same(&entry.kind, sql, now))?
        else {
            continue;
        };
        let place = position.filter(|place| may_stand_at(entry, *place, after));
        if sql != now || place.is_some_and(|place| place != entry.rowid) {
            restored.push((entry.clone(), sql, place));
        }
    }
    if restored.is_empty() {
        return Ok(());
    }
    edit::edit(db, |db| {
        let mut set = db.prepare_cached("UPDATE main.sqlite_schema SET sql = ?2 WHERE rowid = ?1")?;
        let mut place = db.prepare_cached("UPDATE main.sqlite_schema SET rowid = ?2 WHERE rowid = ?1")?;
        for (entry, sql, position) in restored {
            set.execute(params![entry.rowid, sql])?;
            if let Some(position) = position.filter(|position| *position != entry.rowid) {
                place.execute([entry.rowid, position])?;
            }
        }
        Ok(())
    })
}

/// Remembers an object's text, once.
pub(super) fn remember_text(db: &Db, entry: &Entry) -> Result<()> {
    let Some(sql) = entry.sql.as_deref() else { return Ok(()) };
    if text(db, &entry.kind, &entry.name, |known| known == sql)?.is_some() {
        return Ok(());
    }
    let memory = Memory {
        extra: Some(entry.kind.clone()),
        position: Some(entry.rowid),
        sql: Some(sql.to_owned()),
        ..Memory::new(&entry.name)
    };
    remember(db, Kind::Text, &memory)
}

/// Whether two texts of one kind define the same. A table's constraints may be written beside a column or after them all.
fn means_the_same(kind: &str, a: &str, b: &str) -> bool {
    if kind == "table"
        && let (Ok(first), Ok(second)) = (model::read(a), model::read(b))
    {
        let alike = first.columns.len() == second.columns.len();
        return alike && (first == second || texts::same_meaning(a, b));
    }
    texts::same_meaning(a, b)
}

fn is_users(entry: &Entry) -> bool {
    entry.sql.is_some() && !catalog::is_ours(&entry.name) && !catalog::is_internal(&entry.name)
}

/// Whether the place is free, after the table or view that the object needs when the schema is read, and before what
/// needs it.
fn may_stand_at(entry: &Entry, place: i64, all: &[Entry]) -> bool {
    if place == entry.rowid {
        return true;
    }
    let free = all.binary_search_by_key(&place, |other| other.rowid).is_err();
    let owns = |entry: &Entry| matches!(entry.kind.as_str(), "table" | "view");
    let (mut fits, others) = (free, all.iter().filter(|other| other.rowid != entry.rowid));
    for other in others.filter(|other| other.table.eq_ignore_ascii_case(&entry.table)) {
        fits &= match (owns(entry), owns(other)) {
            (false, true) => other.rowid < place,
            (true, false) => other.rowid > place,
            _ => true,
        };
    }
    fits
}
