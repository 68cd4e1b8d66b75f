//! A new table: nobody knows it yet, so it is simply there.

use pql_schema::{MigrationOp, ObjectName, Table};

use crate::{Action, Phase, PlanError};

use super::ladder::Ladder;

/// CREATE TABLE. The way back drops it while it is empty, and keeps it out of sight once it has rows.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &Table) -> Result<(), PlanError> {
    let hidden = ladder.names.beside("new", &table.name);
    create(ladder, op, table, hidden)
}

/// The same; out of sight is a schema of its own. Where a table cannot be locked, nobody can know that it stays empty
/// until it is dropped, so it is kept in any case.
pub(super) fn postgres(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &Table) -> Result<(), PlanError> {
    let hidden = ladder.names.apart("new", &table.name);
    create(ladder, op, table, hidden)
}

fn create(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &Table,
    hidden: ObjectName,
) -> Result<(), PlanError> {
    ladder.apply(op)?;
    let table = ladder.table(&table.name)?;
    let name = table.name.clone();
    let undo = if ladder.caps.lacks.table_locks {
        Action::HideTable { table: name, hidden }
    } else {
        Action::RetireTable { table: name, hidden }
    };
    ladder.short(Phase::Expand, Action::CreateTable { table }, vec![undo]);
    Ok(())
}
