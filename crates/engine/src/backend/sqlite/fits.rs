//! Whether the rows there are would let an action of a rollback be done, before any of it is begun.
//!
//! Only what can be asked now is: a definition that names columns which do not exist yet comes after other actions,
//! and is examined when its turn comes.

use std::collections::BTreeMap;

use pql_planner::{Action, Check, Plan, Rebuild};
use pql_schema::{ForeignKey, Index, KeyPart, Table};
use rusqlite::Connection as Db;

use super::checks::{Among, Subject};
use super::redefine::new_demands;
use super::{catalog, model, rebuild, witness};
use crate::{Error, Result};

/// Fails with the rows that stand in the way.
pub(super) fn fits(db: &Db, plan: &Plan, action: &Action) -> Result<()> {
    match action {
        Action::Redefine { before, checks, .. } => examine(db, plan, before, checks),
        Action::Validate { table, checks, captured: None }
            if checks.iter().all(|check| matches!(check, Check::References { .. })) =>
        {
            examine(db, plan, &Table::new(table.clone()), checks)
        }
        Action::UnhideColumn { before, after, .. } => examine(db, plan, before, &new_demands(before, after)),
        Action::UnhideIndex { index, .. } => unique(db, plan, index),
        Action::RevertBackfill(backfill) => match &backfill.record {
            Some(record) => witness::check(db, &backfill.table.name, &record.name),
            None => Ok(()),
        },
        Action::RebuildUnswap { rebuild } => match plan.rebuilds.get(*rebuild) {
            Some(rebuild) => rebuild::turned_back(db, rebuild),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn examine(db: &Db, plan: &Plan, table: &Table, checks: &[Check]) -> Result<()> {
    let name = &table.name.name;
    if checks.is_empty() || !catalog::has_table(db, name)? {
        return Ok(());
    }
    let now = model::table_of(db, name)?;
    let known = |column: &str| now.column(column, pql_schema::NameRule::AsciiInsensitive).is_some();
    let subject = Subject::of(db, name)?;
    let hidden = hidden(plan, name);
    for check in checks {
        let renamed = by_hidden_columns(check, known, &hidden);
        let asked = match renamed.as_ref().unwrap_or(check) {
            Check::NotNull { column, fill } => fill.is_none() && known(column),
            Check::Holds { expr, .. } => {
                table.columns.iter().all(|column| known(&column.name) || !expr.mentions(&column.name))
            }
            Check::References { key, .. } => {
                // A parent that is rebuilt may have another key until it is taken back itself.
                let rebuilt =
                    |rebuild: &Rebuild| rebuild.after.name == key.table || rebuild.before.name == key.table;
                !plan.rebuilds.iter().any(rebuilt)
                    && has_columns(db, &key.table.name, &key.referenced)?
                    && key.columns.iter().all(|column| known(column))
            }
            Check::Distinct { columns, .. } => columns.iter().all(|part| known(&part.column)),
        };
        match &renamed {
            _ if !asked => {}
            Some(check) => {
                subject.examine(db, check, Among::All).map_err(|error| unhidden(&error, &hidden))?;
            }
            None => subject.examine(db, check, Among::All)?,
        }
    }
    Ok(())
}

fn has_columns(db: &Db, table: &str, columns: &[String]) -> Result<bool> {
    if !catalog::has_table(db, table)? {
        return Ok(false);
    }
    let now = model::table_of(db, table)?;
    Ok(columns.iter().all(|column| now.column(column, pql_schema::NameRule::AsciiInsensitive).is_some()))
}

fn unique(db: &Db, plan: &Plan, index: &Index) -> Result<()> {
    let columns: Option<Vec<KeyPart>> = (index.parts.iter())
        .map(|part| {
            let column = part.column.clone()?;
            Some(KeyPart { column, collation: part.collation.clone(), order: part.order })
        })
        .collect();
    let Some(columns) = columns.filter(|_| index.unique && index.predicate.is_none()) else { return Ok(()) };
    let before = Table::new(index.table.clone());
    examine(db, plan, &before, &[Check::Distinct { name: index.name.name.clone(), columns }])
}

/// The dropped columns of a table that come back, with the names that they have meanwhile.
fn hidden<'p>(plan: &'p Plan, table: &str) -> BTreeMap<&'p String, &'p String> {
    let undo = plan.steps.iter().flat_map(|step| &step.undo);
    undo.filter_map(|action| match action {
        Action::UnhideColumn { before, column, hidden, .. } if before.name.name == table => {
            Some((column, hidden))
        }
        _ => None,
    })
    .collect()
}

/// The check of a foreign key by the names that its columns have until they come back.
fn by_hidden_columns(
    check: &Check,
    known: impl Fn(&str) -> bool,
    hidden: &BTreeMap<&String, &String>,
) -> Option<Check> {
    let Check::References { name, key } = check else { return None };
    let is_hidden = |column: &String| !known(column) && hidden.contains_key(column);
    let now = |column: &String| if is_hidden(column) { hidden[column].clone() } else { column.clone() };
    let columns = key.columns.iter().map(now).collect();
    let key = ForeignKey { columns, ..key.clone() };
    key.columns
        .iter()
        .any(|column| hidden.values().any(|hidden| *hidden == column))
        .then(|| Check::References { name: name.clone(), key })
}

/// The error with the names that everybody knows.
fn unhidden(error: &Error, hidden: &BTreeMap<&String, &String>) -> Error {
    let shown = |text: &str| {
        hidden.iter().fold(text.to_owned(), |text, (column, hidden)| text.replace(hidden.as_str(), column))
    };
    let plain = Error::new(error.code(), shown(error.message()));
    match error.help() {
        Some(help) => plain.with_help(shown(help)),
        None => plain,
    }
}
