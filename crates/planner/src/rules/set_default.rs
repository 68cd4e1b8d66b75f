//! Another default; the rows that are there keep their values.

use pql_schema::{Expr, MigrationOp, ObjectName, Table};

use crate::exprs::short_value;
use crate::{Action, Change, Phase, PlanError};

use super::declare::Demands;
use super::ladder::{Ladder, refill};
use super::row_key::stored_in_every_row;

/// An edit of the definition, after the column's value has been written into the rows that only read it from there.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
    default: &Expr,
) -> Result<(), PlanError> {
    change(ladder, op, table, column, Some(default))
}

/// The same for a default that goes.
pub(super) fn change(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
    default: Option<&Expr>,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    if before == after {
        return Ok(());
    }
    materialise(ladder, &before, column, default)?;
    ladder.declare(&before, &after, Demands::default())
}

/// A row that was written before the column was added has no value for it and reads the constant default from the
/// definition. Before that changes, every row is written anew, with its value.
fn materialise(
    ladder: &mut Ladder<'_>,
    before: &Table,
    column: &str,
    default: Option<&Expr>,
) -> Result<(), PlanError> {
    let Some(known) = before.column(column, ladder.schema.names) else { return Ok(()) };
    let unchanged = short_value(known.default.as_ref()) == short_value(default);
    if unchanged {
        return Ok(());
    }
    if stored_in_every_row(before, &known.name) {
        return Ok(());
    }
    let rewrite = refill(before, &known.name, Expr::column(&known.name))?;
    let estimate = ladder.backfill_estimate(&before.name, 0);
    ladder.step(Phase::Backfill, Action::Backfill(rewrite), Vec::new(), estimate);
    Ok(())
}

/// PostgreSQL: a change of the definition; the rows that are there have their values.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    if before == after {
        return Ok(());
    }
    let names = ladder.schema.names;
    let change = |table: &Table| {
        let default = table.column(column, names).and_then(|column| column.default.clone());
        let column = column.to_owned();
        let change = match default {
            Some(default) => Change::SetDefault { column, default },
            None => Change::DropDefault { column },
        };
        Action::Alter { table: before.name.clone(), changes: vec![change] }
    };
    ladder.short(Phase::Cutover, change(&after), vec![change(&before)]);
    Ok(())
}
