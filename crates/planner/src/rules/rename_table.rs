//! A table gets another name; foreign keys, indexes, views and triggers follow it.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Phase, PlanError, Severity, codes};

use super::hindrances;
use super::ladder::Ladder;

/// The plain statement, which touches no row.
pub(super) fn plain(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    from: &ObjectName,
    to: &ObjectName,
) -> Result<(), PlanError> {
    let from = ladder.table(from)?.name;
    hindrances::of_virtual(ladder, &from, None, "renamed")?;
    ladder.apply(op)?;
    ladder.warn(codes::RENAMES, Severity::Warning, format!("statements that name {from} fail from then on"));
    let undo = Action::RenameTable { from: to.clone(), to: from.clone() };
    ladder.short(Phase::Cutover, Action::RenameTable { from, to: to.clone() }, vec![undo]);
    Ok(())
}
