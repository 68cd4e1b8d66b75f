//! NULL is no longer accepted.

use pql_schema::{Expr, MigrationOp, ObjectName};

use crate::text::postgres_ident;
use crate::{Action, Backfill, Check, Phase, PlanError};

use super::declare::Demands;
use super::ladder::{Ladder, refill};
use super::row_key::postgres_row_key;

/// The rows with NULL are filled, when there is something to fill them with, and noted for the way back; then the
/// rows are examined and the definition is edited.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
    backfill: Option<&Expr>,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    if before == after {
        return Ok(());
    }
    let name = before.column(column, ladder.schema.names).map_or(column, |column| &column.name).to_owned();
    let mut running = None;
    if let Some(value) = backfill {
        if !ladder.is_offline() {
            running = Some(ladder.start(&before, vec![name.clone()], Phase::Expand)?);
        }
        let fill = Backfill {
            filter: Some(Expr::statement(format!("{} IS NULL", Expr::column(&name)))),
            capture: running.clone(),
            record: Some(ladder.names.beside("filled", &before.name)),
            ..refill(&before, &name, value.clone())?
        };
        let estimate = ladder.backfill_estimate(&before.name, 0);
        let undo = vec![Action::RevertBackfill(fill.clone())];
        ladder.step(Phase::Backfill, Action::Backfill(fill), undo, estimate);
    }
    let check = Check::NotNull { column: name, fill: backfill.cloned() };
    ladder.declare(&before, &after, Demands { checks: vec![check], running, ..Demands::default() })
}

/// PostgreSQL: the rows with NULL are filled, when there is something to fill them with; then a CHECK proves that there
/// is none, so that NOT NULL itself need not look.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
    backfill: Option<&Expr>,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    if before == after {
        return Ok(());
    }
    if let Some(value) = backfill {
        let fill = Backfill {
            table: before.name.clone(),
            key: postgres_row_key(&ladder.schema, &before, None),
            assignments: vec![(column.to_owned(), value.clone())],
            filter: Some(Expr::statement(format!("{} IS NULL", postgres_ident(column)))),
            capture: None,
            record: Some(ladder.names.hidden("filled", &before.name)),
        };
        let estimate = ladder.backfill_estimate(&before.name, 0);
        let undo = vec![Action::RevertBackfill(fill.clone())];
        ladder.step(Phase::Backfill, Action::Backfill(fill), undo, estimate);
    }
    ladder.require_not_null(&before, column, backfill);
    Ok(())
}
