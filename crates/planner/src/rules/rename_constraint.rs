//! A constraint gets another name.

use pql_schema::{MigrationOp, ObjectName};

use crate::PlanError;

use super::declare::Demands;
use super::ladder::Ladder;

/// An edit of the definition.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    ladder.apply(op)?;
    let after = ladder.table(table)?;
    ladder.declare(&before, &after, Demands::default())
}
