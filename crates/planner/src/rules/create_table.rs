//! A new table: nobody knows it yet, so it is simply there.

use pql_schema::{MigrationOp, Table};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// CREATE TABLE. The way back drops it while it is empty, and keeps it out of sight once it has rows.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &Table) -> Result<(), PlanError> {
    ladder.apply(op)?;
    let table = ladder.table(&table.name)?;
    let hidden = ladder.names.beside("new", &table.name);
    let undo = Action::RetireTable { table: table.name.clone(), hidden };
    ladder.short(Phase::Expand, Action::CreateTable { table }, vec![undo]);
    Ok(())
}
