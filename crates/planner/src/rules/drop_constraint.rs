//! A constraint goes.

use pql_schema::{ConstraintKind, MigrationOp, ObjectName, Schema, Table};

use crate::{Capabilities, PlanError, Severity, codes};

use super::declare::{Demands, check_of};
use super::ladder::Ladder;

/// Keys have a b-tree of their own.
pub(super) fn rebuilds(before: &Schema, table: &ObjectName, name: &str, caps: &Capabilities) -> bool {
    let constraint = before.table(table).and_then(|table| table.constraint(name, before.names));
    constraint.is_some_and(|constraint| {
        matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
            || !caps.definition_edit
    })
}

/// An edit of the definition. On the way back the rows are examined, since some may not fit any more.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    name: &str,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    let back =
        before.constraint(name, ladder.schema.names).and_then(|constraint| check_of(&before, constraint));
    warn(ladder, &before, name);
    ladder.declare(&before, &after, Demands { back: back.into_iter().collect(), ..Demands::default() })
}

/// PostgreSQL: a change of the definition. The way back is that of a new constraint.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    name: &str,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    let Some(constraint) = before.constraint(name, ladder.schema.names).cloned() else { return Ok(()) };
    warn(ladder, &before, name);
    ladder.unconstrain(&after, &constraint);
    Ok(())
}

fn warn(ladder: &mut Ladder<'_>, table: &Table, constraint: &str) {
    let message = format!("a ROLLBACK is refused while rows of {} do not fulfil {constraint}", table.name);
    ladder.warn(codes::ROLLBACK_REFUSES, Severity::Note, message);
}
