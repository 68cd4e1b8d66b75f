//! The short transaction in which two columns take each other's places.
//!
//! Everything it declares was proved before: a NOT NULL by a check that was validated, a key by an index that was built,
//! a constraint by its twin under another name. So it touches no row.

use pql_planner::{Change, ColumnSwap};
use pql_schema::ObjectName;

use super::super::super::holds;
use super::super::super::link::Session;
use super::super::super::transaction::printed;
use super::super::statements::{self, alter_column, ident, object, rename_column, rename_index};
use super::super::{followers, views};
use super::{carried, definition, forth, functions};
use crate::Result;

/// The new column takes the old one's place.
pub(super) fn forth(session: &mut Session, swap: &ColumnSwap) -> Result<()> {
    let table = &swap.before.name;
    session.batch(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", object(table)))?;
    definition::unchanged(session, swap)?;
    // What was written since the comparison.
    if functions::is_filled_beside(session, swap)?
        && !followers::is_always_called(session, &functions::forward_name(swap), 2)?
    {
        return Err(followers::unfollowed(table));
    }
    let named = functions::unconverted(session, swap)?;
    if !named.is_empty() {
        return Err(forth::misfit(swap, &named));
    }
    let down = views::take_down(session, table, &[&swap.old.name], true)?;
    let carried = carried::read(session, table, &swap.old.name)?;
    let attached = attached(session, swap)?;
    // What keeps an older column true by this one goes on to read it, and does so after it was written.
    followers::rename(session, table, &swap.old.name, &swap.retained)?;
    let place = functions::place(session, table)?;
    let mut all = without_identity(table, &attached);
    all.extend(forth_statements(swap, place));
    all.extend(carried.onto(table, &swap.new, &swap.retained));
    all.extend(attached);
    session.batch(&all.join(";\n"))?;
    down.put_back(session)?;
    down.remember(session, &object(&functions::memory(swap)))
}

/// The old column takes its place again.
pub(super) fn back(session: &mut Session, swap: &ColumnSwap) -> Result<()> {
    let table = &swap.before.name;
    session.batch(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", object(table)))?;
    // What was written between the first look and the lock.
    functions::fits(session, swap, &swap.new.name)?;
    let mut down = views::take_down(session, table, &[&swap.new.name], true)?;
    down.recall(session, &functions::memory(swap))?;
    let carried = carried::read(session, table, &swap.new.name)?;
    let attached = attached(session, swap)?;
    let mut all = without_identity(table, &attached);
    all.extend(back_statements(swap));
    all.extend(carried.onto(table, &swap.old, &swap.shadow));
    all.extend(attached);
    session.batch(&all.join(";\n"))?;
    followers::rename(session, table, &swap.retained, &swap.old.name)?;
    down.put_back(session)
}

/// What hangs on the indexes and constraints that are replaced, as statements for those that are called like them then.
fn attached(session: &mut Session, swap: &ColumnSwap) -> Result<Vec<String>> {
    let replaced = |name: &String| {
        swap.indexes.iter().any(|twin| twin.index.name.name == *name)
            || swap.declared.iter().chain(&swap.declared_back).any(|declared| declared.name == *name)
    };
    let all = printed(session, |session| holds::attached(session, &swap.before.name))?;
    Ok(all.into_iter().filter(|(name, _)| replaced(name)).map(|(_, sql)| sql).collect())
}

/// A column of the index that is the replica identity cannot lose its NOT NULL: another index is it for a moment.
fn without_identity(table: &ObjectName, attached: &[String]) -> Vec<String> {
    let moves = attached.iter().any(|sql| sql.starts_with("ALTER") && sql.contains(" REPLICA IDENTITY "));
    moves.then(|| format!("ALTER TABLE {} REPLICA IDENTITY DEFAULT", object(table))).into_iter().collect()
}

/// The statements of the way forth; `place`: that of the old column among those of the table that are kept true.
pub(super) fn forth_statements(swap: &ColumnSwap, place: u16) -> Vec<String> {
    let table = &swap.before.name;
    let change = |change: Change| statements::change(table, &change);
    let (name, shadow, retained) = (&swap.new.name, &swap.shadow, &swap.retained);
    let mut all = functions::drop_forward(swap);
    if swap.new.not_null {
        all.push(change(Change::SetNotNull { column: shadow.clone() }));
    }
    all.extend(swap.not_null.iter().map(|check| change(Change::DropConstraint { name: check.clone() })));
    all.extend(
        swap.constraints
            .iter()
            .filter_map(|constraint| constraint.name.clone())
            .map(|name| change(Change::DropConstraint { name })),
    );
    // An identity gives it up together with its counting.
    if swap.old.not_null && swap.old.identity.is_none() {
        all.push(alter_column(table, name, "DROP NOT NULL"));
    }
    if swap.old.default.is_some() {
        all.push(alter_column(table, name, "DROP DEFAULT"));
    }
    all.push(rename_column(table, name, retained));
    all.push(rename_column(table, shadow, name));
    if let Some(default) = &swap.new.default {
        all.push(change(Change::SetDefault { column: name.clone(), default: default.clone() }));
    }
    for declared in &swap.declared {
        let from = declared.twin.name.clone().unwrap_or_default();
        all.push(change(Change::RenameConstraint { from, to: declared.name.clone() }));
    }
    for twin in &swap.indexes {
        if let Some(constraint) = &twin.constraint {
            let attach = statements::attach(constraint, &twin.twin.name.name);
            all.push(format!("ALTER TABLE {} {attach}", object(table)));
            continue;
        }
        all.push(if twin.index.unique {
            format!("DROP INDEX {}", object(&twin.index.name))
        } else {
            rename_index(&twin.index.name, &twin.back.name.name)
        });
        all.push(rename_index(&twin.twin.name, &twin.index.name.name));
    }
    all.extend(functions::create_backward(swap, place));
    all
}

/// The statements of the way back.
pub(super) fn back_statements(swap: &ColumnSwap) -> Vec<String> {
    let table = &swap.before.name;
    let change = |change: Change| statements::change(table, &change);
    let (name, shadow, retained) = (&swap.old.name, &swap.shadow, &swap.retained);
    let mut all = functions::drop_backward(swap);
    if swap.old.not_null {
        all.push(change(Change::SetNotNull { column: retained.clone() }));
    }
    all.extend(swap.old_not_null.iter().map(|check| change(Change::DropConstraint { name: check.clone() })));
    for twin in swap.indexes.iter().filter(|twin| twin.constraint.is_some()) {
        all.push(change(Change::DropConstraint { name: twin.index.name.name.clone() }));
    }
    for declared in &swap.declared {
        // What is left of it goes with the column, or by its own way back, which knows it by that name.
        let to = declared.twin.name.clone().unwrap_or_default();
        all.push(change(Change::RenameConstraint { from: declared.name.clone(), to }));
    }
    if swap.new.not_null && swap.new.identity.is_none() {
        all.push(alter_column(table, name, "DROP NOT NULL"));
    }
    if swap.new.default.is_some() {
        all.push(alter_column(table, name, "DROP DEFAULT"));
    }
    all.push(rename_column(table, name, shadow));
    all.push(rename_column(table, retained, name));
    if let Some(default) = &swap.old.default {
        all.push(change(Change::SetDefault { column: name.clone(), default: default.clone() }));
    }
    for declared in &swap.declared_back {
        let from = declared.twin.name.clone().unwrap_or_default();
        all.push(change(Change::RenameConstraint { from, to: declared.name.clone() }));
    }
    for twin in &swap.indexes {
        if let Some(constraint) = &twin.constraint {
            let attach = statements::attach(constraint, &twin.back.name.name);
            all.push(format!("ALTER TABLE {} {attach}", object(table)));
            continue;
        }
        all.push(rename_index(&twin.index.name, &twin.twin.name.name));
        all.push(rename_index(&twin.back.name, &twin.index.name.name));
    }
    all
}

/// Removes a column, with its indexes and constraints.
pub(super) fn drop_column(table: &ObjectName, column: &str) -> String {
    format!("ALTER TABLE {} DROP COLUMN IF EXISTS {}", object(table), ident(column))
}
