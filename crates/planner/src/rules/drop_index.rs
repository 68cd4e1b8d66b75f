//! An index goes.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// Renamed out of sight, so that the way back need not build it; without retention it is dropped, and built again.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, name: &ObjectName) -> Result<(), PlanError> {
    let index = ladder.schema.index(name).cloned();
    ladder.apply(op)?;
    let Some(index) = index else { return Ok(()) };
    if ladder.options.retain && ladder.caps.definition_edit {
        let hidden = ladder.names.beside("dropped", &index.name);
        let undo = Action::UnhideIndex { index: index.clone(), hidden: hidden.clone() };
        ladder.short(Phase::Cutover, Action::HideIndex { index, hidden }, vec![undo]);
        return Ok(());
    }
    let how = super::add_index::how(ladder, &index)?;
    let undo = ladder.build_index(&index, how)?;
    let costs = ladder.costs(&index.table);
    let estimate = costs.at_once(costs.drop_index(), 0);
    ladder.step(Phase::Cutover, Action::DropIndex { index: index.name }, undo, estimate);
    Ok(())
}

/// PostgreSQL: renamed out of sight, so that the way back need not build it. A unique index would go on to refuse equal
/// keys: it is dropped CONCURRENTLY, and built again on the way back.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    name: &ObjectName,
) -> Result<(), PlanError> {
    let index = ladder.schema.index(name).cloned();
    ladder.apply(op)?;
    let Some(index) = index else { return Ok(()) };
    if ladder.options.retain && !index.unique {
        let hidden = ladder.names.beside("dropped", &index.name);
        let undo = Action::UnhideIndex { index: index.clone(), hidden: hidden.clone() };
        ladder.short(Phase::Cutover, Action::HideIndex { index, hidden }, vec![undo]);
        return Ok(());
    }
    ladder.drop_index(Phase::Cutover, &index);
    Ok(())
}
