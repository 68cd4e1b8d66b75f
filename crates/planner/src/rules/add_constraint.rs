//! A new constraint.

use pql_schema::{Constraint, ConstraintKind, MigrationOp, ObjectName};

use crate::{Capabilities, PlanError};

use super::declare::{Demands, check_of};
use super::ladder::Ladder;

/// Keys have a b-tree of their own, which only a new table gets.
pub(super) fn rebuilds(constraint: &Constraint, caps: &Capabilities) -> bool {
    matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
        || !caps.definition_edit
}

/// CHECK and FOREIGN KEY: the rows are examined and the definition is edited.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    constraint: &Constraint,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    let check = check_of(&after, constraint);
    ladder.declare(&before, &after, Demands { checks: check.into_iter().collect(), ..Demands::default() })
}

/// PostgreSQL: declared NOT VALID and examined afterwards; a key over an index that was built before.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    let Some(constraint) = after.constraints.last().cloned() else { return Ok(()) };
    ladder.constrain(&before, &constraint, false);
    Ok(())
}
