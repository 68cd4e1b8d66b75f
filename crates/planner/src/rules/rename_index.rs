//! An index gets another name.

use pql_schema::{Index, MigrationOp, ObjectName};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// An edit of the definition; where none is allowed, a second index takes the place of the first.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    from: &ObjectName,
    to: &ObjectName,
) -> Result<(), PlanError> {
    let old = ladder.schema.index(from).cloned();
    ladder.apply(op)?;
    let Some(old) = old else { return Ok(()) };
    if ladder.caps.definition_edit {
        let rename =
            |from: &ObjectName, to: &ObjectName| Action::RenameIndex { from: from.clone(), to: to.clone() };
        ladder.short(Phase::Cutover, rename(&old.name, to), vec![rename(to, &old.name)]);
        return Ok(());
    }
    let new = Index { name: to.clone(), ..old.clone() };
    super::add_index::build(ladder, &new)?;
    let how = super::add_index::how(ladder, &old)?;
    let undo = ladder.build_index(&old, how)?;
    let costs = ladder.costs(&old.table);
    let estimate = costs.at_once(costs.drop_index(), 0);
    ladder.step(Phase::Cutover, Action::DropIndex { index: old.name }, undo, estimate);
    Ok(())
}

/// PostgreSQL: the plain statement, which touches no row and keeps nobody waiting.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    from: &ObjectName,
    to: &ObjectName,
) -> Result<(), PlanError> {
    let old = ladder.schema.index(from).map_or_else(|| from.clone(), |index| index.name.clone());
    ladder.apply(op)?;
    let rename =
        |from: &ObjectName, to: &ObjectName| Action::RenameIndex { from: from.clone(), to: to.clone() };
    ladder.short(Phase::Cutover, rename(&old, to), vec![rename(to, &old)]);
    Ok(())
}
