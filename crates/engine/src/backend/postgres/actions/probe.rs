//! Whether the database already is as an action leaves it.

use pql_planner::text::postgres_type_name;
use pql_planner::{Action, Change, Plan};
use pql_schema::{DataType, ObjectName};

use super::super::link::Session;
use super::super::transaction::{Settings, transact};
use super::{catalog, indexes, swap};
use crate::Result;

/// Asks the database; `None` where it cannot tell.
pub(in super::super) fn probe(session: &mut Session, plan: &Plan, action: &Action) -> Result<Option<bool>> {
    let mut relation = |name: &ObjectName| catalog::has_relation(session, name);
    Ok(Some(match action {
        Action::CreateTable { table } => relation(&table.name)?,
        Action::CreateView { view } => relation(&view.name)?,
        Action::RetireTable { table: name, .. }
        | Action::DropTable { table: name }
        | Action::DropView { view: name, .. } => !relation(name)?,
        Action::HideTable { table: name, hidden } | Action::HideView { view: name, hidden } => {
            !relation(name)? && relation(hidden)?
        }
        Action::UnhideTable { table: name, hidden } | Action::UnhideView { view: name, hidden } => {
            relation(name)? && !relation(hidden)?
        }
        Action::RenameTable { from, to } => relation(to)? && !relation(from)?,
        Action::AddColumn { table, column } => catalog::has_column(session, table, &column.name)?,
        Action::DropColumn { table, column } => !catalog::has_column(session, table, column)?,
        Action::RenameColumn { table, from, to } => {
            catalog::has_column(session, table, to)? && !catalog::has_column(session, table, from)?
        }
        Action::HideColumn { before, hidden, .. } => catalog::has_column(session, &before.name, hidden)?,
        Action::UnhideColumn { before, hidden, .. } => !catalog::has_column(session, &before.name, hidden)?,
        // One that is not valid was left by an attempt: it costs every write, and a unique one refuses some.
        Action::CreateIndex { index } | Action::CreateIndexConcurrently { index } => {
            match indexes::validity(session, &index.name)? {
                Some(false) => return Ok(None),
                there => there.is_some(),
            }
        }
        Action::DropIndex { index } | Action::DropIndexConcurrently { index } => {
            !indexes::exists(session, index)?
        }
        Action::HideIndex { index, .. } => !indexes::exists(session, &index.name)?,
        Action::UnhideIndex { index, .. } => indexes::exists(session, &index.name)?,
        Action::RenameIndex { from, to } => indexes::exists(session, to)? && !indexes::exists(session, from)?,
        Action::ValidateConstraint { table, constraint, .. } => {
            catalog::has_constraint(session, table, constraint, true)?
        }
        Action::Alter { table, changes } => return altered(session, table, changes),
        Action::StartCapture { capture } => relation(&capture.log)?,
        Action::StopCapture { capture } => !relation(&capture.log)?,
        Action::RebuildPrepare { rebuild } => match plan.rebuilds.get(*rebuild) {
            Some(planned) => relation(&planned.shadow)?,
            None => return Ok(None),
        },
        Action::RebuildSwap { rebuild } => match plan.rebuilds.get(*rebuild) {
            Some(planned) => relation(&planned.retained)?,
            None => return Ok(None),
        },
        Action::RebuildUnswap { rebuild } => match plan.rebuilds.get(*rebuild) {
            Some(planned) => !relation(&planned.retained)?,
            None => return Ok(None),
        },
        Action::SwapPrepare { swap } => match plan.column_swaps.get(*swap) {
            Some(planned) => swap::is_prepared(session, planned)?,
            None => return Ok(None),
        },
        Action::SwapColumns { swap } | Action::SwapAtOnce { swap } => match plan.column_swaps.get(*swap) {
            Some(planned) => swap::is_exchanged(session, planned)?,
            None => return Ok(None),
        },
        Action::SwapBack { swap } | Action::SwapForget { swap } => match plan.column_swaps.get(*swap) {
            Some(planned) => !swap::is_exchanged(session, planned)?,
            None => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

/// A type as the server spells it, which has several names for some.
fn spelt(session: &mut Session, data_type: &DataType) -> Result<Option<String>> {
    let settings = Settings { discard: true, ..Settings::default() };
    transact(session, &settings, |session| {
        session.batch(&format!("CREATE TEMP TABLE pql_type (c {})", postgres_type_name(data_type)))?;
        let table = ObjectName { schema: Some("pg_temp".to_owned()), name: "pql_type".to_owned() };
        catalog::type_of(session, &table, "c")
    })
}

/// Told from a type that is another one, from a constraint or column that comes or goes; a change of another kind leaves
/// nothing that tells.
fn altered(session: &mut Session, table: &ObjectName, changes: &[Change]) -> Result<Option<bool>> {
    for change in changes {
        if let Change::SetType { column, to, .. } = change {
            let found = catalog::type_of(session, table, column)?;
            return Ok(match spelt(session, to) {
                Ok(wanted) => Some(found.is_some() && found == wanted),
                Err(error) if error.is_retryable() => return Err(error),
                // Not every relative of PostgreSQL has temporary tables.
                Err(_) => None,
            });
        }
    }
    let last = changes.iter().rev().find_map(|change| match change {
        Change::AddColumn { column } => Some((true, None, Some(column.name.clone()))),
        Change::AddConstraint { constraint } | Change::AttachConstraint { constraint, .. } => {
            Some((true, constraint.name.clone(), None))
        }
        Change::DropConstraint { name } => Some((false, Some(name.clone()), None)),
        Change::RenameConstraint { to, .. } => Some((true, Some(to.clone()), None)),
        _ => None,
    });
    Ok(match last {
        Some((there, Some(constraint), _)) => {
            Some(catalog::has_constraint(session, table, &constraint, false)? == there)
        }
        Some((there, None, Some(column))) => Some(catalog::has_column(session, table, &column)? == there),
        _ => None,
    })
}
