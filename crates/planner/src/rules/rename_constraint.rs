//! A constraint gets another name.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Change, Phase, PlanError};

use super::declare::Demands;
use super::ladder::Ladder;

/// An edit of the definition.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    ladder.declare(&before, &after, Demands::default())
}

/// PostgreSQL: a change of the definition.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    from: &str,
    to: &str,
) -> Result<(), PlanError> {
    let table = ladder.table(table)?.name;
    ladder.apply(op)?;
    let rename = |from: &str, to: &str| Action::Alter {
        table: table.clone(),
        changes: vec![Change::RenameConstraint { from: from.to_owned(), to: to.to_owned() }],
    };
    ladder.short(Phase::Cutover, rename(from, to), vec![rename(to, from)]);
    Ok(())
}
