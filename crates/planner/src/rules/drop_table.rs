//! A table goes. What else names it (foreign keys of others, views, triggers) stops that in the model.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Check, Phase, PlanError};

use super::declare::check_of;
use super::hindrances;
use super::ladder::Ladder;

/// A rename out of sight, so that the rows can come back; without retention, they go when all else is done.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    let dropped = ladder.table(table)?;
    hindrances::of_virtual(ladder, &dropped.name, None, "dropped")?;
    let table = dropped.name.clone();
    let costs = ladder.costs(&table);
    ladder.apply(op)?;
    let message = format!("the rows of {table} are not kept");
    let hidden = ladder.names.beside("dropped", &table);
    // Out of sight it refers to nothing, so that the rows that it referred to may be gone.
    let keys = dropped.constraints.iter().filter(|c| c.foreign_key().is_some_and(|key| key.table != table));
    let checks: Vec<Check> = keys.filter_map(|constraint| check_of(&dropped, constraint)).collect();
    let look = |table: &ObjectName| Action::Validate {
        table: table.clone(),
        checks: checks.clone(),
        captured: None,
    };
    let unhide = Action::UnhideTable { table: table.clone(), hidden: hidden.clone() };
    // From when it is back on, nobody can remove what it refers to.
    let undo = if checks.is_empty() { vec![unhide] } else { vec![look(&hidden), unhide, look(&table)] };
    ladder.short(Phase::Cutover, Action::HideTable { table, hidden: hidden.clone() }, undo);
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
