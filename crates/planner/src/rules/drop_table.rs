//! A table goes. What else names it (foreign keys of others, views, triggers) stops that in the model.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// A rename out of sight, so that the rows can come back; without retention, the rows go.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    let table = ladder.table(table)?.name;
    let costs = ladder.costs(&table);
    ladder.apply(op)?;
    if ladder.options.retain {
        let hidden = ladder.names.beside("dropped", &table);
        let undo = Action::UnhideTable { table: table.clone(), hidden: hidden.clone() };
        ladder.short(Phase::Cutover, Action::HideTable { table, hidden }, vec![undo]);
        return Ok(());
    }
    let message = format!("the rows of {table} are not kept");
    let millis = costs.update();
    let estimate = if ladder.is_brief(millis) { costs.at_once(millis, 0) } else { costs.paced(millis, 0) };
    ladder.step(Phase::Cutover, Action::DropTable { table }, Vec::new(), estimate);
    ladder.irreversible(message);
    Ok(())
}
