//! Whether the rows there are would let an action of a rollback be done, before any of it is begun.
//!
//! Only what can be asked now is: a definition that names columns which do not exist yet comes after other actions,
//! and is examined when its turn comes.

use pql_planner::{Action, Change, Check, Plan};
use pql_schema::{KeyPart, ObjectName};

use super::super::errors::state;
use super::super::link::Session;
use super::{alter, catalog, examine, rebuild, swap};
use crate::Result;

/// Fails with the rows that stand in the way.
pub(in super::super) fn fits(session: &mut Session, plan: &Plan, action: &Action) -> Result<()> {
    match look(session, plan, action) {
        // Of a column that is not there yet, or is of another type still.
        Err(error) if matches!(state(&error), Some("42703" | "42804" | "42846" | "42883" | "42P01")) => {
            Ok(())
        }
        looked => looked,
    }
}

fn look(session: &mut Session, plan: &Plan, action: &Action) -> Result<()> {
    match action {
        Action::Validate { table, checks, .. } => {
            checks.iter().try_for_each(|check| examine(session, table, check))
        }
        Action::Alter { table, changes } => {
            alter::fits(session, table, changes)?;
            changes.iter().try_for_each(|change| match change {
                Change::SetNotNull { column } => {
                    examine(session, table, &Check::NotNull { column: column.clone(), fill: None })
                }
                _ => Ok(()),
            })
        }
        Action::CreateIndex { index } | Action::CreateIndexConcurrently { index }
            if index.unique && index.predicate.is_none() =>
        {
            let columns: Option<Vec<KeyPart>> =
                index.parts.iter().map(|part| part.column.as_ref().map(KeyPart::new)).collect();
            match columns {
                Some(columns) => examine(
                    session,
                    &index.table,
                    &Check::Distinct { name: index.name.name.clone(), columns },
                ),
                None => Ok(()),
            }
        }
        Action::RebuildUnswap { rebuild } => match plan.rebuilds.get(*rebuild) {
            Some(planned) => rebuild::fits(session, planned),
            None => Ok(()),
        },
        Action::SwapBack { swap } => swap::fits_at_all(session, plan, *swap),
        _ => Ok(()),
    }
}

fn examine(session: &mut Session, table: &ObjectName, check: &Check) -> Result<()> {
    if !catalog::has_relation(session, table)? {
        return Ok(());
    }
    let columns = catalog::columns(session, table)?;
    let known = |name: &String| columns.contains(name);
    let asked = match check {
        Check::NotNull { column, fill } => fill.is_none() && known(column),
        Check::Distinct { columns, .. } => columns.iter().all(|part| known(&part.column)),
        Check::References { key, .. } => {
            key.columns.iter().all(known) && catalog::has_relation(session, &key.table)?
        }
        // What an expression names may be there only later; until then what is called like the table is the whole row.
        Check::Holds { expr, .. } if expr.mentions(&table.name) && !known(&table.name) => false,
        Check::Holds { .. } => {
            let condition = examine::query(table, check).replace(":key", "1") + " LIMIT 0";
            session.batch(&condition).is_ok()
        }
    };
    if asked { examine::one(session, table, check) } else { Ok(()) }
}
