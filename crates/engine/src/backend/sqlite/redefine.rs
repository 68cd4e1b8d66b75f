//! Giving a table another definition without touching its rows.

use pql_planner::text::{Affinity, SQLITE, ident};
use pql_planner::{Capture, Check};
use pql_schema::{Column, Constraint, ConstraintKind, NameRule, SortOrder, Table};
use rusqlite::Connection as Db;

use super::catalog::{self, Entry};
use super::errors::moved;
use super::run::Run;
use super::{edit, guards, metadata, model, retained, validate};
use crate::error::codes;
use crate::{Error, Result};

const NAMES: NameRule = NameRule::AsciiInsensitive;

/// Replaces the definition once the checks hold for all rows.
pub(super) fn redefine(
    run: &mut Run<'_>,
    before: &Table,
    after: &Table,
    checks: &[Check],
    captured: Option<&Capture>,
) -> Result<()> {
    same_rows(before, after)?;
    validate::declare(run, &before.name.name, checks, captured, |db| replace(db, before, after))
}

/// What a definition demands of rows that the one before did not.
pub(super) fn new_demands(before: &Table, after: &Table) -> Vec<Check> {
    let pairs = pairs(before, after);
    // What is examined still has the old definition.
    let old_of = |name: &str| pairs.iter().find(|(_, new)| NAMES.same(&new.name, name)).map(|(old, _)| *old);
    let old_name = |name: &str| old_of(name).map_or_else(|| name.to_owned(), |old| old.name.clone());
    let mut checks = Vec::new();
    for column in after.columns.iter().filter(|column| column.not_null) {
        if old_of(&column.name).is_none_or(|old| !old.not_null) {
            checks.push(Check::NotNull { column: old_name(&column.name), fill: None });
        }
    }
    for constraint in after.constraints.iter().filter(|constraint| !before.constraints.contains(constraint)) {
        let name = constraint.effective_name(&after.name.name);
        match &constraint.kind {
            ConstraintKind::Check { expr } => {
                let expr =
                    renames(&pairs).fold(expr.clone(), |expr, (old, new)| expr.renamed(NAMES, new, old));
                checks.push(Check::Holds { name, expr });
            }
            ConstraintKind::ForeignKey(key) => {
                let mut key = key.clone();
                key.columns.iter_mut().for_each(|column| *column = old_name(column));
                checks.push(Check::References { name, key });
            }
            _ => {}
        }
    }
    checks
}

/// The columns of the old definition with what they are in the new one. Those that are stored are known by their
/// place in a row; virtual ones have none, and are known by their names or, when only names differ, by their order.
fn pairs<'t>(before: &'t Table, after: &'t Table) -> Vec<(&'t Column, &'t Column)> {
    let (old, new): (Vec<_>, Vec<_>) = (virtual_columns(before).collect(), virtual_columns(after).collect());
    let as_many = old.len() == new.len();
    let virtual_pairs = new.iter().enumerate().filter_map(|(at, new)| {
        let named = old.iter().find(|old| NAMES.same(&old.name, &new.name));
        Some((*named.or(old.get(at).filter(|_| as_many))?, *new))
    });
    stored_columns(before).zip(stored_columns(after)).chain(virtual_pairs).collect()
}

/// The names that change, old and new.
fn renames<'p>(pairs: &'p [(&Column, &Column)]) -> impl Iterator<Item = (&'p str, &'p str)> {
    pairs
        .iter()
        .map(|(old, new)| (old.name.as_str(), new.name.as_str()))
        .filter(|(old, new)| !NAMES.same(old, new))
}

/// Writes the new text. The text that the table had when it was last defined so is preferred to a new one.
fn replace(db: &Db, before: &Table, after: &Table) -> Result<()> {
    let name = &before.name.name;
    let entry = catalog::find(db, "table", name)?
        .ok_or_else(|| moved(format!("there is no table {}", ident(name))))?;
    let now = model::table(entry.sql.as_deref().unwrap_or_default())?;
    if let Some(column) = added(before, after).filter(|_| !has_columns(&now, before)) {
        // What others did to the other columns meanwhile is theirs.
        return metadata::drop_column(db, &before.name, &column.name);
    }
    if !has_columns(&now, before) {
        return Err(moved(format!(
            "the columns of {} are no longer those that the plan was made for",
            ident(name)
        )));
    }
    let known =
        retained::text(db, "table", name, |sql| model::read(sql).is_ok_and(|table| means(&table, after)))?;
    let sql = match known {
        Some((sql, _)) => sql,
        None => SQLITE.create_table(after),
    };
    if !means(&model::table(&sql)?, after) {
        return Err(Error::new(
            codes::UNREADABLE,
            format!("the new definition of {} does not say what it should: {sql}", ident(name)),
        ));
    }
    let mut entries = indexes_after(db, before, after)?;
    entries.push(Entry { sql: Some(sql), ..entry });
    edit::write(db, &entries)?;
    let columns: Vec<&str> = after.columns.iter().map(|column| column.name.as_str()).collect();
    edit::verify_table(db, name, &columns)
}

/// The table's indexes that name a column which gets another name, in the words of the new definition.
fn indexes_after(db: &Db, before: &Table, after: &Table) -> Result<Vec<Entry>> {
    let pairs = pairs(before, after);
    let renamed: Vec<(&str, &str)> = renames(&pairs).collect();
    let known = model::schema_of(before);
    let mut changed = Vec::new();
    let indexes = (catalog::of_table(db, &before.name.name)?.into_iter())
        .filter(|entry| entry.kind == "index" && !guards::is_guard(entry));
    for entry in indexes {
        let Some(sql) = entry.sql.as_deref().filter(|_| !renamed.is_empty()) else { continue };
        let found = model::index(sql, &known)?;
        let mut index = found.clone();
        for (old, new) in &renamed {
            index.for_each_expr(&mut |expr| *expr = expr.renamed(NAMES, old, new));
            for part in index.parts.iter_mut().filter_map(|part| part.column.as_mut()) {
                if NAMES.same(part, old) {
                    (*new).clone_into(part);
                }
            }
        }
        if index != found {
            changed.push(Entry { sql: Some(SQLITE.create_index(&index)), ..entry });
        }
    }
    Ok(changed)
}

fn has_columns(now: &Table, expected: &Table) -> bool {
    now.columns.len() == expected.columns.len()
        && now.columns.iter().zip(&expected.columns).all(|(a, b)| NAMES.same(&a.name, &b.name))
}

/// The column that the definition has at its end, and the one after it has not.
fn added<'t>(before: &'t Table, after: &Table) -> Option<&'t Column> {
    let (last, others) = before.columns.split_last()?;
    let others = Table { columns: others.to_vec(), ..before.clone() };
    has_columns(&others, after).then_some(last)
}

/// Whether two tables are the same apart from the mark of retained columns, which no text carries.
pub(super) fn means(a: &Table, b: &Table) -> bool {
    let plain = |table: &Table| {
        let mut table = table.clone();
        table.columns.iter_mut().for_each(|column| column.retained = false);
        table
    };
    plain(a) == plain(b)
}

/// A definition can only be replaced by one under which the same bytes are the same rows.
fn same_rows(before: &Table, after: &Table) -> Result<()> {
    let keys = |table: &Table| -> Vec<Constraint> {
        let mut keys: Vec<Constraint> = (table.constraints.iter())
            .filter(|constraint| {
                matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
            })
            .cloned()
            .collect();
        // Columns by position: one may have another name on the other side.
        for key in &mut keys {
            key.name = None;
            let parts = match &mut key.kind {
                ConstraintKind::PrimaryKey(key) => &mut key.columns,
                ConstraintKind::Unique(unique) => &mut unique.columns,
                _ => continue,
            };
            for part in parts {
                if let Some(at) =
                    stored_columns(table).position(|column| NAMES.same(&column.name, &part.column))
                {
                    part.column = at.to_string();
                }
            }
        }
        keys
    };
    let stored = |column: &Column, table: &Table| {
        // INTEGER and NUMERIC store alike; they differ in what CAST makes of a value.
        let affinity = match Affinity::of(column, table) {
            Affinity::Integer => Affinity::Numeric,
            other => other,
        };
        (affinity, column.collation.as_ref().map(|name| name.to_ascii_lowercase()))
    };
    // A column more at the end reads as NULL; a column less leaves its values out of sight.
    let same = stored_columns(before).count().abs_diff(stored_columns(after).count()) <= 1
        && stored_columns(before)
            .zip(stored_columns(after))
            .all(|(a, b)| stored(a, before) == stored(b, after))
        && keys(before) == keys(after)
        && before.options.without_rowid == after.options.without_rowid
        && rowid_place(before) == rowid_place(after);
    if same {
        return Ok(());
    }
    Err(Error::new(
        codes::UNSUPPORTED,
        format!(
            "{} cannot get its new definition without its rows being written again",
            ident(&before.name.name)
        ),
    ))
}

/// The columns that a row has bytes for, in their order: a virtual one may come and go anywhere between them.
fn stored_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !is_virtual(column))
}

fn virtual_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| is_virtual(column))
}

fn is_virtual(column: &Column) -> bool {
    column.generated.as_ref().is_some_and(|generated| !generated.stored)
}

/// The position of the column that is the rowid, among those that are stored.
fn rowid_place(table: &Table) -> Option<usize> {
    let name = &table.columns[rowid_column(table)?].name;
    stored_columns(table).position(|column| column.name == *name)
}

/// The position of the column that is the rowid, if one is.
pub(super) fn rowid_column(table: &Table) -> Option<usize> {
    let key = table.primary_key().filter(|_| !table.options.without_rowid)?;
    let [part] = key.columns.as_slice() else { return None };
    let position = table.columns.iter().position(|column| NAMES.same(&column.name, &part.column))?;
    let declared = (SQLITE.type_name)(&table.columns[position], table);
    (declared.eq_ignore_ascii_case("INTEGER") && part.order == SortOrder::Asc).then_some(position)
}
