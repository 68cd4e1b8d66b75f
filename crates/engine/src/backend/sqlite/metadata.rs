//! Actions that change definitions and touch no row: one short transaction each.

use pql_planner::text::{SQLITE, ident};
use pql_schema::{Column, ConstraintKind, Index, ObjectName, Table, View};
use rusqlite::Connection as Db;

use super::catalog::{self, Entry};
use super::errors::moved;
use super::retained::{self, Kind, Memory};
use super::run::{Run, with_triggers};
use super::{capture, edit, exprs, guards, model, texts};
use crate::Result;

/// Changes definitions in one transaction. What they were is remembered; what becomes again what it was gets its old
/// text and place; captures follow.
pub(super) fn change(run: &mut Run<'_>, work: impl FnOnce(&Db) -> Result<()>) -> Result<()> {
    run.write_last(|db| within(db, work))
}

/// The same inside a transaction of the caller's.
pub(super) fn within(db: &Db, work: impl FnOnce(&Db) -> Result<()>) -> Result<()> {
    let before = catalog::all(db)?;
    capture::suspend(db)?;
    work(db)?;
    capture::resume(db)?;
    retained::reconcile(db, &before, &catalog::all(db)?)
}

pub(super) fn create_table(db: &Db, table: &Table) -> Result<()> {
    Ok(db.execute_batch(&SQLITE.create_table(table))?)
}

/// The undo of a creation: an empty table goes, one with rows is hidden.
pub(super) fn retire_table(db: &Db, table: &ObjectName, hidden: &ObjectName) -> Result<()> {
    if !catalog::has_table(db, &table.name)? {
        return Ok(());
    }
    let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{})", ident(&table.name));
    if db.query_row(&sql, [], |row| row.get(0))? {
        return hide_table(db, &table.name, &hidden.name);
    }
    Ok(db.execute_batch(&format!("DROP TABLE main.{}", ident(&table.name)))?)
}

/// Renames a table out of sight: nothing follows it, its triggers are taken down, and it no longer refers to other
/// tables, so that it cannot stand in the way of what the application does to those.
pub(super) fn hide_table(db: &Db, table: &str, hidden: &str) -> Result<()> {
    let entries = catalog::of_table(db, table)?;
    if !entries.iter().any(|entry| entry.kind == "table") {
        return Err(moved(format!("there is no table {}", ident(table))));
    }
    take_down_triggers(db, &entries, hidden)?;
    let mut changed = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.kind != "trigger") {
        if !guards::is_guard(&entry) {
            retained::remember_text(db, &entry)?;
        }
        changed.push(hidden_entry(&entry, hidden)?);
    }
    edit::write(db, &changed)?;
    move_statistics(db, table, hidden, true)?;
    retained::change_owner(db, table, hidden)
}

/// Takes [`hide_table`] back.
pub(super) fn unhide_table(db: &Db, table: &str, hidden: &str) -> Result<()> {
    let mut changed = Vec::new();
    for entry in catalog::of_table(db, hidden)? {
        changed.push(shown_entry(db, &entry, hidden, table)?);
    }
    if changed.is_empty() {
        return Err(moved(format!("the retained table {} is gone", ident(hidden))));
    }
    edit::write(db, &changed)?;
    move_statistics(db, hidden, table, true)?;
    retained::change_owner(db, hidden, table)?;
    put_up_triggers(db, table)
}

/// A table's or index's row under its hidden name.
pub(super) fn hidden_entry(entry: &Entry, hidden: &str) -> Result<Entry> {
    let mut changed = Entry { table: hidden.to_owned(), ..entry.clone() };
    match (entry.kind.as_str(), entry.sql.as_deref()) {
        ("table", Some(sql)) => {
            changed.name.clone_from(&changed.table);
            changed.sql = Some(without_references(sql, hidden)?);
        }
        ("index", Some(sql)) => {
            changed.name = hidden_index(hidden, &entry.name);
            changed.sql = texts::index_moved(sql, &changed.name, hidden);
        }
        _ => changed.name = automatic_name(&entry.name, hidden),
    }
    Ok(changed)
}

/// A hidden table's or index's row under the name it had; the text is the remembered one.
fn shown_entry(db: &Db, entry: &Entry, hidden: &str, table: &str) -> Result<Entry> {
    let mut changed = Entry { table: table.to_owned(), ..entry.clone() };
    match (entry.kind.as_str(), entry.sql.as_deref()) {
        ("table", Some(sql)) => {
            changed.name.clone_from(&changed.table);
            changed.sql =
                Some(match retained::text(db, "table", table, |text| is_hidden_form(text, sql, hidden))? {
                    Some((text, _)) => text,
                    None => texts::renamed(sql, table).unwrap_or_else(|| sql.to_owned()),
                });
        }
        ("index", Some(sql)) => {
            changed.name = shown_index(hidden, &entry.name);
            changed.sql = texts::index_moved(sql, &changed.name, table);
            let now = changed.sql.clone().unwrap_or_default();
            if let Some((text, _)) =
                retained::text(db, "index", &changed.name, |text| texts::same_meaning(text, &now))?
            {
                changed.sql = Some(text);
            }
        }
        _ => changed.name = automatic_name(&entry.name, table),
    }
    Ok(changed)
}

fn is_hidden_form(text: &str, sql: &str, hidden: &str) -> bool {
    without_references(text, hidden).is_ok_and(|form| texts::same_meaning(&form, sql))
}

/// The name under which a hidden table's index is kept. A guard keeps its own, by which its owner finds it.
pub(super) fn hidden_index(hidden: &str, index: &str) -> String {
    if guards::is_name(index) { index.to_owned() } else { format!("{hidden}_ix_{index}") }
}

/// The name that it has otherwise.
pub(super) fn shown_index(hidden: &str, name: &str) -> String {
    name.strip_prefix(&hidden_index(hidden, "")).unwrap_or(name).to_owned()
}

/// The name that the index of a constraint has on a table of that name.
pub(super) fn automatic_name(name: &str, table: &str) -> String {
    let number = name.rsplit('_').next().unwrap_or("1");
    format!("sqlite_autoindex_{table}_{number}")
}

/// A table's text under another name and without foreign keys.
pub(super) fn without_references(sql: &str, name: &str) -> Result<String> {
    if !texts::has_word(sql, "references") {
        return texts::renamed(sql, name)
            .ok_or_else(|| moved(format!("the definition of a table is odd: {sql}")));
    }
    let mut table = model::table(sql)?;
    table.name = ObjectName::new(name);
    table.constraints.retain(|constraint| !matches!(constraint.kind, ConstraintKind::ForeignKey(_)));
    Ok(SQLITE.create_table(&table))
}

/// Takes the user's triggers of a table down and remembers them with the name under which the table is kept.
fn take_down_triggers(db: &Db, entries: &[Entry], hidden: &str) -> Result<()> {
    for entry in entries.iter().filter(|entry| entry.kind == "trigger" && !catalog::is_ours(&entry.name)) {
        let memory = Memory {
            owner: Some(hidden.to_owned()),
            position: Some(entry.rowid),
            sql: entry.sql.clone(),
            ..Memory::new(&entry.name)
        };
        retained::remember(db, Kind::Trigger, &memory)?;
        db.execute_batch(&format!("DROP TRIGGER main.{}", ident(&entry.name)))?;
    }
    Ok(())
}

fn put_up_triggers(db: &Db, table: &str) -> Result<()> {
    for memory in retained::owned(db, Kind::Trigger, table)? {
        if let Some(sql) = &memory.sql {
            with_triggers(db, || Ok(db.execute_batch(sql)?))?;
        }
        retained::forget(db, memory.id)?;
    }
    Ok(())
}

/// What SQLite keeps about a table by its name goes with it: its row counter, and the statistics of ANALYZE.
pub(super) fn move_statistics(db: &Db, from: &str, to: &str, counter: bool) -> Result<()> {
    let mut owners = vec![("sqlite_stat1", "tbl"), ("sqlite_stat4", "tbl")];
    if counter {
        owners.push(("sqlite_sequence", "name"));
    }
    for (table, column) in owners {
        if catalog::has_table(db, table)? {
            let sql = format!("UPDATE main.{table} SET {column} = ?2 WHERE {column} = ?1 COLLATE NOCASE");
            db.prepare_cached(&sql)?.execute([from, to])?;
        }
    }
    Ok(())
}

/// ALTER TABLE. It reads every view and trigger, and fails where one of them was broken before, whatever that is about;
/// then it is told to leave alone what it cannot read.
fn alter(db: &Db, sql: &str) -> Result<()> {
    let Err(error) = db.execute_batch(sql) else { return Ok(()) };
    let said = super::errors::message(&error);
    let elsewhere = ["error in view ", "error in trigger "].iter().any(|start| said.starts_with(start));
    // "After rename" or "after drop column" it is this change that would break something.
    if !elsewhere || said.contains(" after ") {
        return Err(error.into());
    }
    db.execute_batch("PRAGMA writable_schema = ON")?;
    let outcome = db.execute_batch(sql);
    db.execute_batch("PRAGMA writable_schema = RESET")?;
    Ok(outcome?)
}

pub(super) fn rename_table(db: &Db, from: &ObjectName, to: &ObjectName) -> Result<()> {
    let rename = |from: &str, to: &str| {
        alter(db, &format!("ALTER TABLE main.{} RENAME TO {}", ident(from), ident(to)))
    };
    if from.name.eq_ignore_ascii_case(&to.name) {
        // SQLite takes the other spelling for another table that is in the way.
        let between = format!("_pql_{}", to.name);
        rename(&from.name, &between)?;
        rename(&between, &to.name)?;
    } else {
        rename(&from.name, &to.name)?;
    }
    move_statistics(db, &from.name, &to.name, true)?;
    retained::change_owner(db, &from.name, &to.name)
}

pub(super) fn add_column(db: &Db, table: &ObjectName, column: &Column) -> Result<()> {
    alter(db, &add_column_sql(db, table, column)?)
}

/// `ALTER TABLE … ADD COLUMN …`, as that table would declare it.
pub(super) fn add_column_sql(db: &Db, table: &ObjectName, column: &Column) -> Result<String> {
    let model = model::table_of(db, &table.name)?;
    let definition = SQLITE.column_def(column, &model, &[]);
    Ok(format!("ALTER TABLE main.{} ADD COLUMN {definition}", ident(&table.name)))
}

/// Drops a column with what the table's definition says of it apart, which the plain statement refuses to drop.
pub(super) fn drop_column(db: &Db, table: &ObjectName, column: &str) -> Result<()> {
    if let Some(entry) = catalog::find(db, "table", &table.name)? {
        let before = model::table(entry.sql.as_deref().unwrap_or_default())?;
        let mut without = before.clone();
        without.constraints.retain(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey(key) => {
                !key.columns.iter().any(|name| name.eq_ignore_ascii_case(column))
            }
            ConstraintKind::Check { expr } => !expr.mentions(column),
            _ => true,
        });
        if without != before {
            edit::write(db, &[Entry { sql: Some(SQLITE.create_table(&without)), ..entry }])?;
        }
    }
    alter(db, &format!("ALTER TABLE main.{} DROP COLUMN {}", ident(&table.name), ident(column)))
}

pub(super) fn rename_column(db: &Db, table: &ObjectName, from: &str, to: &str) -> Result<()> {
    let sql =
        format!("ALTER TABLE main.{} RENAME COLUMN {} TO {}", ident(&table.name), ident(from), ident(to));
    let before = catalog::all(db)?;
    alter(db, &sql)?;
    keep_rowid_words(db, &before)?;
    capture::column_renamed(db, &table.name, from, to)
}

/// SQLite writes the new name also where a text says `rowid` for the column that is the rowid. The way back would not
/// make it `rowid` again, so those words stay.
fn keep_rowid_words(db: &Db, before: &[Entry]) -> Result<()> {
    let mut entries = Vec::new();
    for entry in catalog::all(db)? {
        let was = before.iter().find(|was| was.kind == entry.kind && was.name == entry.name);
        let texts = was.and_then(|was| Some((was.sql.as_deref()?, entry.sql.as_deref()?)));
        if let Some(sql) = texts.and_then(|(was, now)| texts::with_rowid_words(was, now)) {
            entries.push(Entry { sql: Some(sql), ..entry });
        }
    }
    if entries.is_empty() { Ok(()) } else { edit::write(db, &entries) }
}

pub(super) fn drop_index(db: &Db, index: &str) -> Result<()> {
    Ok(db.execute_batch(&format!("DROP INDEX IF EXISTS main.{}", ident(index)))?)
}

/// Whether keeping the index up to date can fail or surprise: one over expressions computes them at every write, so
/// it cannot be kept when it is meant to be gone.
pub(super) fn must_really_go(index: &Index) -> bool {
    index.predicate.is_some() || index.parts.iter().any(|part| exprs::as_column(&part.expr).is_none())
}

pub(super) fn hide_index(db: &Db, index: &Index, hidden: &ObjectName) -> Result<()> {
    let Some(entry) = catalog::find(db, "index", &index.name.name)? else {
        return Err(moved(format!("there is no index {}", ident(&index.name.name))));
    };
    if must_really_go(index) {
        return drop_index(db, &index.name.name);
    }
    let sql =
        entry.sql.as_deref().and_then(texts::not_unique).and_then(|sql| texts::renamed(&sql, &hidden.name));
    edit::write(db, &[Entry { name: hidden.name.clone(), sql, ..entry }])
}

/// Gives a hidden index its name and its text back.
pub(super) fn unhide_index(db: &Db, index: &Index, hidden: &ObjectName) -> Result<()> {
    let sql = index_text(db, index)?;
    match catalog::find(db, "index", &hidden.name)? {
        Some(entry) => edit::write(db, &[Entry { name: index.name.name.clone(), sql: Some(sql), ..entry }]),
        None => Ok(db.execute_batch(&sql)?),
    }
}

/// The statement that makes an index, in its author's words where it has been there before.
pub(super) fn index_text(db: &Db, index: &Index) -> Result<String> {
    let Ok(table) = model::table_of(db, &index.table.name) else { return Ok(SQLITE.create_index(index)) };
    let schema = model::schema_of(&table);
    let means = |sql: &str| model::index(sql, &schema).is_ok_and(|known| known == *index);
    let before = retained::text(db, "index", &index.name.name, means)?;
    Ok(before.map_or_else(|| SQLITE.create_index(index), |(sql, _)| sql))
}

pub(super) fn rename_index(db: &Db, from: &ObjectName, to: &ObjectName) -> Result<()> {
    let Some(entry) = catalog::find(db, "index", &from.name)? else {
        return Err(moved(format!("there is no index {}", ident(&from.name))));
    };
    let sql = entry.sql.as_deref().and_then(|sql| texts::renamed(sql, &to.name));
    edit::write(db, &[Entry { name: to.name.clone(), sql, ..entry }])?;
    for table in statistics(db)? {
        db.execute(
            &format!("UPDATE main.{table} SET idx = ?2 WHERE idx = ?1 COLLATE NOCASE"),
            [&from.name, &to.name],
        )?;
    }
    Ok(())
}

/// The tables in which ANALYZE has left something, of those that are about indexes.
pub(super) fn statistics(db: &Db) -> Result<Vec<&'static str>> {
    let mut there = Vec::new();
    for table in ["sqlite_stat1", "sqlite_stat4"] {
        if catalog::has_table(db, table)? {
            there.push(table);
        }
    }
    Ok(there)
}

pub(super) fn create_view(db: &Db, view: &View) -> Result<()> {
    Ok(db.execute_batch(&SQLITE.create_view(view))?)
}

pub(super) fn drop_view(db: &Db, view: &ObjectName) -> Result<()> {
    Ok(db.execute_batch(&format!("DROP VIEW main.{}", ident(&view.name)))?)
}
