//! A new index.

use pql_schema::{Index, MigrationOp};

use crate::{Action, Phase, PlanError, Severity, codes};

use super::ladder::{How, Ladder};

/// CREATE INDEX where that is short, otherwise in pieces beside the application.
pub(super) fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp, index: &Index) -> Result<(), PlanError> {
    ladder.apply(op)?;
    build(ladder, index)
}

/// The steps that build an index of the model.
pub(super) fn build(ladder: &mut Ladder<'_>, index: &Index) -> Result<(), PlanError> {
    let table = ladder.table(&index.table)?;
    let index = Index { table: table.name.clone(), ..index.clone() };
    let how = how(ladder, &index)?;
    let costs = ladder.costs(&table.name);
    let bytes = costs.index_bytes(index.parts.len(), table.columns.len());
    let drop = Action::DropIndex { index: index.name.clone() };
    let actions = ladder.build_index(&index, how)?;
    for action in actions {
        let (phase, undo, estimate) = match &action {
            Action::IndexPrepare { build } => {
                (Phase::Expand, vec![Action::IndexAbandon { build: *build }], crate::estimate::metadata())
            }
            Action::IndexFill { .. } => (Phase::Backfill, Vec::new(), costs.paced(costs.index(), bytes)),
            Action::IndexVerify { .. } => (Phase::Validate, Vec::new(), costs.unlocked(costs.index())),
            Action::IndexPublish { .. } => (Phase::Cutover, vec![drop.clone()], crate::estimate::metadata()),
            _ => (Phase::Expand, vec![drop.clone()], costs.at_once(costs.index(), bytes)),
        };
        ladder.step(phase, action, undo, estimate);
    }
    Ok(())
}

/// Which way an index is built, and why not the other one.
pub(super) fn how(ladder: &mut Ladder<'_>, index: &Index) -> Result<How, PlanError> {
    let table = ladder.table(&index.table)?;
    if ladder.is_brief(ladder.costs(&table.name).index()) {
        return Ok(How::Plain);
    }
    let unstable =
        index.parts.iter().map(|part| &part.expr).chain(&index.predicate).any(crate::exprs::is_unstable);
    let reason = if !ladder.caps.definition_edit {
        "this database does not allow its stored definitions to be edited"
    } else if unstable {
        "its key gives another value each time"
    } else {
        return Ok(How::Online);
    };
    let message = format!("index {} cannot be built beside the application: {reason}", index.name);
    ladder.warn(codes::NOT_ONLINE, Severity::Warning, message);
    Ok(How::Plain)
}

/// PostgreSQL: CONCURRENTLY, unless the table is so small that the plain statement keeps nobody waiting.
pub(super) fn postgres(ladder: &mut Ladder<'_>, op: &MigrationOp, index: &Index) -> Result<(), PlanError> {
    ladder.apply(op)?;
    // The rows of a materialised view are indexed as those of a table are.
    let name = match ladder.schema.view(&index.table).filter(|view| view.materialized) {
        Some(view) => view.name.clone(),
        None => ladder.table(&index.table)?.name,
    };
    let index = Index { table: name, ..index.clone() };
    ladder.index(Phase::Expand, &index);
    Ok(())
}
