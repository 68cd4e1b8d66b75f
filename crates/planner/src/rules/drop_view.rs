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
    let drop = Action::DropView { view: view.name.clone() };
    let mut undo = vec![Action::CreateView { view }];
    undo.extend(triggers.into_iter().map(|trigger| Action::Execute {
        sql: trigger.definition.as_str().to_owned(),
        outside_transaction: false,
    }));
    ladder.short(Phase::Cutover, drop, undo);
    Ok(())
}
