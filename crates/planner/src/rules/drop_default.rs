//! A default goes; the rows that are there keep their values.

use pql_schema::{MigrationOp, ObjectName};

use crate::PlanError;

use super::ladder::Ladder;

/// As for another default: what rows only read from the definition is written into them first.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    super::set_default::change(ladder, op, table, column, None)
}

/// PostgreSQL: a change of the definition.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    super::set_default::postgres(ladder, op, table, column)
}
