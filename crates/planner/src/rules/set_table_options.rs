//! STRICT and WITHOUT ROWID: another kind of table, so a rebuild (see [`super::rebuilds`]) unless nothing changes.

use pql_schema::{MigrationOp, ObjectName};

use crate::PlanError;

use super::ladder::Ladder;

/// Only asked when the options are those that the table has.
pub(super) fn plain(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    ladder.table(table)?;
    ladder.apply(op)
}
