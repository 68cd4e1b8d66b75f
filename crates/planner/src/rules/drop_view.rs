//! A view goes, and its triggers with it.

use pql_schema::{MigrationOp, ObjectName, Trigger};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// DROP VIEW. The way back makes it again, and its triggers.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, name: &ObjectName) -> Result<(), PlanError> {
    let view = ladder.schema.view(name).cloned();
    let triggers: Vec<Trigger> = ladder.schema.triggers_of(name).cloned().collect();
    ladder.apply(op)?;
    let Some(view) = view else { return Ok(()) };
    let drop = Action::DropView { view: view.name.clone(), materialized: false };
    let mut undo = vec![Action::CreateView { view }];
    undo.extend(triggers.into_iter().map(|trigger| Action::Execute {
        sql: trigger.definition.as_str().to_owned(),
        outside_transaction: false,
    }));
    ladder.short(Phase::Cutover, drop, undo);
    Ok(())
}

/// PostgreSQL: moved out of sight with all that belongs to it; without retention it is dropped.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    name: &ObjectName,
) -> Result<(), PlanError> {
    let view = ladder.schema.view(name).cloned();
    ladder.apply(op)?;
    let Some(view) = view else { return Ok(()) };
    if !ladder.options.retain {
        let undo = vec![Action::CreateView { view: view.clone() }];
        let drop = Action::DropView { view: view.name, materialized: view.materialized };
        ladder.short(Phase::Cutover, drop, undo);
        return Ok(());
    }
    let hidden = ladder.names.apart("dropped", &view.name);
    let undo = Action::UnhideView { view: view.name.clone(), hidden: hidden.clone() };
    ladder.short(Phase::Cutover, Action::HideView { view: view.name, hidden }, vec![undo]);
    Ok(())
}
