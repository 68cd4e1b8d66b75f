//! Taking back what others have changed or dropped meanwhile.

use pql_planner::{Action, Change, Plan};
use pql_schema::ObjectName;

/// The table without which there is nothing left for an action to take back. What removes things of ours finds them by
/// their own names, so it has none.
pub(crate) fn table<'p>(plan: &'p Plan, action: &'p Action) -> Option<&'p ObjectName> {
    let swap = |at: &usize| Some(&plan.column_swaps.get(*at)?.before.name);
    let rebuild = |at: &usize| Some(&plan.rebuilds.get(*at)?.after.name);
    match action {
        Action::DropColumn { column, .. } if column.starts_with(pql_planner::HIDDEN_PREFIX) => None,
        Action::AddColumn { table, .. }
        | Action::DropColumn { table, .. }
        | Action::RenameColumn { table, .. }
        | Action::Alter { table, .. }
        | Action::Validate { table, .. }
        | Action::ValidateConstraint { table, .. }
        | Action::RenameTable { from: table, .. } => Some(table),
        Action::HideColumn { before, .. }
        | Action::UnhideColumn { before, .. }
        | Action::Redefine { before, .. } => Some(&before.name),
        Action::CreateIndex { index }
        | Action::CreateIndexConcurrently { index }
        | Action::HideIndex { index, .. }
        | Action::UnhideIndex { index, .. } => Some(&index.table),
        Action::StartCapture { capture } => Some(&capture.table),
        Action::Backfill(fill) => Some(&fill.table),
        Action::SwapBack { swap: at } => swap(at),
        Action::RebuildUnswap { rebuild: at } => rebuild(at),
        _ => None,
    }
}

/// Whether a table is one that is kept out of sight.
pub(super) fn is_hidden(table: &ObjectName) -> bool {
    [Some(&table.name), table.schema.as_ref()]
        .into_iter()
        .flatten()
        .any(|name| name.starts_with(pql_planner::HIDDEN_PREFIX))
}

/// Whether an action removes what was added, and nothing else: it does so whatever others made of the table.
pub(super) fn only_removes(action: &Action) -> bool {
    match action {
        Action::DropColumn { .. }
        | Action::DropIndex { .. }
        | Action::DropIndexConcurrently { .. }
        | Action::DropView { .. }
        | Action::RetireTable { .. }
        | Action::StopCapture { .. }
        | Action::RevertBackfill(_)
        | Action::RebuildAbandon { .. }
        | Action::IndexAbandon { .. }
        | Action::SwapAbandon { .. } => true,
        Action::Alter { changes, .. } => {
            changes.iter().all(|change| matches!(change, Change::DropConstraint { .. }))
        }
        _ => false,
    }
}
