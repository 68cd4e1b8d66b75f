//! The swap: one table takes another's name, place, triggers and everything that refers to it by name; the other is kept
//! under a hidden name. Only rows of `sqlite_schema` change.

use std::collections::BTreeMap;

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params};

use super::super::catalog::{self, Entry};
use super::super::errors::moved;
use super::super::metadata::{automatic_name, hidden_entry, shown_index};
use super::super::{edit, texts};
use super::shadow::automatic_number;
use crate::Result;

/// What is swapped.
pub(super) struct Swap<'a> {
    /// The name that the application uses.
    pub(super) table: &'a str,
    /// The hidden table that gets it.
    pub(super) incoming: &'a str,
    /// The hidden name under which the present one is kept.
    pub(super) outgoing: &'a str,
    /// The text of the table after the swap.
    pub(super) sql: String,
    /// The texts of its indexes after the swap, by name, where they are not those of the incoming ones.
    pub(super) indexes: BTreeMap<String, String>,
    /// Whether the table counts its rows (AUTOINCREMENT) after the swap.
    pub(super) counts: bool,
}

impl Swap<'_> {
    /// Does it.
    pub(super) fn run(&self, db: &Db) -> Result<()> {
        let present = rows(db, self.table)?;
        let incoming = rows(db, self.incoming)?;
        let mut next = next_rowid(db)?;
        let mut coming: Vec<Entry> = incoming.iter().map(|entry| self.shown(entry)).collect();
        let mut going = Vec::new();
        for entry in &present {
            let mut hidden = hidden_entry(entry, self.outgoing)?;
            // Each takes the other's place: rows of a table must stand after the table's own.
            let other = coming.iter_mut().find(|other| other.kind == entry.kind && other.name == entry.name);
            if let Some(other) = other {
                std::mem::swap(&mut other.rowid, &mut hidden.rowid);
            } else {
                hidden.rowid = next;
                next += 1;
            }
            going.push(hidden);
        }
        write(db, &[present, incoming].concat(), &[going, coming].concat())?;
        self.counters(db)
    }

    /// A row of the incoming table as it is after the swap.
    fn shown(&self, entry: &Entry) -> Entry {
        let mut shown = Entry { table: self.table.to_owned(), ..entry.clone() };
        if entry.kind == "table" {
            shown.name.clone_from(&shown.table);
            shown.sql = Some(self.sql.clone());
        } else if let Some(number) = automatic_number(self.incoming, &entry.name) {
            shown.name = automatic_name(&format!("_{number}"), self.table);
            shown.sql = None;
        } else if let Some(sql) = &entry.sql {
            shown.name = shown_index(self.incoming, &entry.name);
            shown.sql = self
                .indexes
                .get(&shown.name)
                .cloned()
                .or_else(|| texts::index_moved(sql, &shown.name, self.table));
        } else {
            shown.name = automatic_name(&entry.name, self.table);
        }
        shown
    }

    /// The counter of an AUTOINCREMENT table never goes back.
    fn counters(&self, db: &Db) -> Result<()> {
        if !catalog::has_table(db, "sqlite_sequence")? {
            return Ok(());
        }
        let highest: Option<i64> = db.query_row(
            "SELECT max(seq) FROM main.sqlite_sequence WHERE name IN (?1, ?2) COLLATE NOCASE",
            [self.table, self.incoming],
            |row| row.get(0),
        )?;
        db.execute("DELETE FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", [self.incoming])?;
        let Some(highest) = highest else { return Ok(()) };
        // A table that no longer counts leaves its counter with the one that is kept.
        let (name, other) =
            if self.counts { (self.table, self.outgoing) } else { (self.outgoing, self.table) };
        if !self.counts {
            db.execute("DELETE FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", [other])?;
        }
        let changed = db.execute(
            "UPDATE main.sqlite_sequence SET seq = ?2 WHERE name = ?1 COLLATE NOCASE",
            params![name, highest],
        )?;
        if changed == 0 {
            db.execute(
                "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)",
                params![name, highest],
            )?;
        }
        Ok(())
    }
}

fn write(db: &Db, before: &[Entry], after: &[Entry]) -> Result<()> {
    edit::edit(db, |db| {
        let mut remove = db.prepare_cached("DELETE FROM main.sqlite_schema WHERE rowid = ?1")?;
        for entry in before {
            remove.execute([entry.rowid])?;
        }
        let mut add = db.prepare_cached(
            "INSERT INTO main.sqlite_schema (rowid, type, name, tbl_name, rootpage, sql) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for entry in after {
            add.execute(params![entry.rowid, entry.kind, entry.name, entry.table, entry.root, entry.sql])?;
        }
        Ok(())
    })
}

/// A table's row and its indexes', the table's first; triggers stay where they are.
fn rows(db: &Db, table: &str) -> Result<Vec<Entry>> {
    let mut rows = catalog::of_table(db, table)?;
    rows.retain(|entry| entry.kind != "trigger");
    if rows.first().is_none_or(|entry| entry.kind != "table") {
        return Err(moved(format!("there is no table {}", ident(table))));
    }
    Ok(rows)
}

fn next_rowid(db: &Db) -> Result<i64> {
    Ok(db.query_row("SELECT ifnull(max(rowid), 0) + 1 FROM main.sqlite_schema", [], |row| row.get(0))?)
}
