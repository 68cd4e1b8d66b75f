//! Tables whose rows are on several nodes (Citus), and servers without triggers: what cannot be done there is refused
//! before anything is, with the reason. What needs no trigger is done as on any table.

use pql_schema::{Column, Constraint, ConstraintKind, MigrationOp, ObjectName, Table};

use crate::capabilities::REFERENCE_TABLE;
use crate::{PlanError, RowKey, codes};

use super::ladder::Ladder;

/// Refuses what the nodes could not do each by itself.
pub(super) fn examine(ladder: &Ladder<'_>, op: &MigrationOp) -> Result<(), PlanError> {
    let by = |table: &ObjectName| ladder.distributed_by(table).filter(|column| *column != REFERENCE_TABLE);
    match op {
        MigrationOp::DropColumn { table, column } if by(table) == Some(column) => Err(refused(
            format!("{table}.{column} cannot be dropped: it says on which node a row is"),
            "distribute the table by another column first",
        )),
        MigrationOp::AddIndex { index } if index.unique => {
            let columns: Vec<&str> = index.parts.iter().filter_map(|part| part.column.as_deref()).collect();
            by(&index.table)
                .map_or(Ok(()), |column| key_has(&index.table, &index.name.name, &columns, column))
        }
        MigrationOp::AddConstraint { table, constraint } => {
            by(table).map_or(Ok(()), |column| examine_key(table, constraint, column))
        }
        MigrationOp::AddColumn { table, constraints, .. } => by(table).map_or(Ok(()), |column| {
            constraints.iter().try_for_each(|constraint| examine_key(table, constraint, column))
        }),
        MigrationOp::SetNotNull { table, backfill: Some(_), .. } => match ladder.distributed_by(table) {
            Some(_) => Err(refused(
                format!(
                    "the rows of {table} that get a value cannot be noted for a rollback: they are on several nodes"
                ),
                "fill them by UPDATE before, and SET NOT NULL without BACKFILL",
            )),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Refuses a fill that could not be told from what the application writes meanwhile.
///
/// Only what takes no NULL is safe without a trigger: there a NULL is a row that was not filled yet. Where NULL is a
/// value like others, one that the application writes would be overwritten.
pub(super) fn fill(
    ladder: &Ladder<'_>,
    table: &Table,
    column: &Column,
    key: &RowKey,
) -> Result<(), PlanError> {
    let Some(why) = ladder.without_triggers(&table.name).filter(|_| !ladder.is_offline()) else {
        return Ok(());
    };
    let what = format!("{}.{} cannot be filled beside the application", table.name, column.name);
    if !column.not_null {
        return Err(refused(
            format!(
                "{what}: {why}, which would tell a NULL that the application writes from a row not filled yet"
            ),
            "make the column NOT NULL; or add it without a value and fill it by hand; or use strategy = 'offline' \
             while nobody writes",
        ));
    }
    if !matches!(key, RowKey::Columns(_)) {
        return Err(refused(
            format!("{what}: {why}, and no key by which its rows could be visited in order"),
            "add a primary key first",
        ));
    }
    Ok(())
}

fn examine_key(table: &ObjectName, constraint: &Constraint, column: &str) -> Result<(), PlanError> {
    match &constraint.kind {
        ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_) => {
            let columns = constraint.columns();
            let columns: Vec<&str> = columns.iter().map(|name| &**name).collect();
            key_has(table, &constraint.effective_name(&table.name), &columns, column)
        }
        _ => Ok(()),
    }
}

fn key_has(table: &ObjectName, name: &str, columns: &[&str], column: &str) -> Result<(), PlanError> {
    if columns.contains(&column) {
        return Ok(());
    }
    Err(refused(
        format!(
            "{name} cannot be unique over all nodes: {table} is distributed by {column}, which it does not name"
        ),
        &format!("add {column} to the columns of the key"),
    ))
}

fn refused(message: String, help: &str) -> PlanError {
    PlanError::new(codes::UNSUPPORTED, message, help)
}
