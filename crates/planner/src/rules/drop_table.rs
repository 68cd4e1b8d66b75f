//! A table goes. What else names it (foreign keys of others, views, triggers) stops that in the model.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// A rename out of sight, so that the rows can come back; without retention, they go when all else is done.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    let table = ladder.table(table)?.name;
    let costs = ladder.costs(&table);
    ladder.apply(op)?;
    let message = format!("the rows of {table} are not kept");
    let hidden = ladder.names.beside("dropped", &table);
    let undo = Action::UnhideTable { table: table.clone(), hidden: hidden.clone() };
    ladder.short(Phase::Cutover, Action::HideTable { table, hidden: hidden.clone() }, vec![undo]);
    if !ladder.options.retain {
        ladder.give_up_table(hidden, costs, &message);
    }
    Ok(())
}

/// PostgreSQL: moved into a schema of its own, with its indexes, sequences and triggers. Its foreign keys go before, or
/// they would go on to guard the rows of other tables.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    let costs = ladder.costs(&before.name);
    let mut free = before.clone();
    for constraint in before.constraints.iter().filter(|constraint| constraint.foreign_key().is_some()) {
        free.constraints.retain(|other| other != constraint);
        ladder.unconstrain(&free, constraint);
    }
    ladder.apply(op)?;
    let table = before.name;
    let message = format!("the rows of {table} are not kept");
    let hidden = ladder.names.apart("dropped", &table);
    let undo = Action::UnhideTable { table: table.clone(), hidden: hidden.clone() };
    ladder.short(Phase::Cutover, Action::HideTable { table, hidden: hidden.clone() }, vec![undo]);
    if !ladder.options.retain {
        ladder.give_up_table(hidden, costs, &message);
    }
    Ok(())
}
