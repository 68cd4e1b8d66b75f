//! A new view.

use pql_schema::{MigrationOp, View};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// CREATE VIEW.
pub(super) fn plain(ladder: &mut Ladder<'_>, op: &MigrationOp, view: &View) -> Result<(), PlanError> {
    ladder.apply(op)?;
    let undo = Action::DropView { view: view.name.clone(), materialized: view.materialized };
    ladder.short(Phase::Cutover, Action::CreateView { view: view.clone() }, vec![undo]);
    Ok(())
}
