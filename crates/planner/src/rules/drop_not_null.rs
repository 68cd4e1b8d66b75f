//! NULL is accepted.

use pql_schema::{MigrationOp, ObjectName, Table};

use crate::{Action, Change, Check, Phase, PlanError, Severity, codes};

use super::declare::Demands;
use super::ladder::Ladder;

/// An edit of the definition. On the way back, rows that got a NULL in between are named.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    if before == after {
        return Ok(());
    }
    warn(ladder, &before, column);
    let back = Check::NotNull { column: column.to_owned(), fill: None };
    ladder.declare(&before, &after, Demands { back: vec![back], ..Demands::default() })
}

/// PostgreSQL: a change of the definition. On the way back the rows are examined while they are read and written.
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
    super::hindrances::of_null(ladder, &before, column)?;
    warn(ladder, &before, column);
    let undo = ladder.set_not_null_actions(&before, column);
    let change = Change::DropNotNull { column: column.to_owned() };
    ladder.short(Phase::Cutover, Action::Alter { table: before.name, changes: vec![change] }, undo);
    Ok(())
}

fn warn(ladder: &mut Ladder<'_>, table: &Table, column: &str) {
    let message = format!("a ROLLBACK is refused while rows of {} have NULL in {column}", table.name);
    ladder.warn(codes::ROLLBACK_REFUSES, Severity::Note, message);
}
