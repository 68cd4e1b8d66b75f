//! What SQLite does when a NULL meets NOT NULL.

use pql_schema::{MigrationOp, ObjectName, Table};

use crate::{Action, Change, Phase, PlanError, codes};

use super::declare::Demands;
use super::ladder::Ladder;

/// An edit of the definition.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, table: &ObjectName) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    ladder.declare(&before, &after, Demands::default())
}

/// PostgreSQL: the column counts by itself, or does no longer.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    let names = ladder.schema.names;
    let identity = |table: &Table| table.column(column, names).and_then(|column| column.identity);
    let (from, to) = (identity(&before), identity(&after));
    if from == to {
        return Ok(());
    }
    if to.is_some() && before.column(column, names).is_some_and(|column| column.default.is_some()) {
        return Err(PlanError::new(
            codes::INCOMPATIBLE,
            format!("{}.{column} has a default, and an identity has none", before.name),
            "DROP DEFAULT in the same migration, before",
        ));
    }
    let change = |from, to| Action::Alter {
        table: before.name.clone(),
        changes: vec![Change::SetIdentity { column: column.to_owned(), from, to }],
    };
    let tight = before.column(column, names).is_some_and(|column| column.not_null);
    if to.is_some() && !tight {
        ladder.require_not_null(&before, column, None);
    }
    ladder.short(Phase::Cutover, change(from, to), vec![change(to, from)]);
    Ok(())
}
