//! Whether the database already is as an action leaves it.

use pql_planner::{Action, Plan};
use pql_schema::{Expr, NameRule};
use rusqlite::Connection as Db;

use super::redefine::means;
use super::{catalog, model, rebuild};
use crate::Result;

/// Asks the database; `None` where it cannot tell.
pub(super) fn probe(db: &Db, plan: &Plan, action: &Action) -> Result<Option<bool>> {
    let table = |name: &str| catalog::has_table(db, name);
    let index = |name: &str| Ok::<_, crate::Error>(catalog::find(db, "index", name)?.is_some());
    let defined = |expected: &pql_schema::Table| -> Result<bool> {
        let name = &expected.name.name;
        Ok(table(name)? && means(&model::table_of(db, name)?, expected))
    };
    let column = |of: &str, name: &str| -> Result<bool> {
        Ok(table(of)? && model::table_of(db, of)?.column(name, NameRule::AsciiInsensitive).is_some())
    };
    Ok(Some(match action {
        Action::CreateTable { table } => defined(table)?,
        Action::RetireTable { table: name, .. } | Action::DropTable { table: name } => !table(&name.name)?,
        Action::HideTable { table: name, hidden } => !table(&name.name)? && table(&hidden.name)?,
        Action::UnhideTable { table: name, hidden } => table(&name.name)? && !table(&hidden.name)?,
        Action::RenameTable { from, to } => table(&to.name)? && !table(&from.name)?,
        Action::AddColumn { table, column: added } => column(&table.name, &added.name)?,
        Action::DropColumn { table, column: name } => !column(&table.name, name)?,
        Action::RenameColumn { table, from, to } => column(&table.name, to)? && !column(&table.name, from)?,
        Action::HideColumn { after, .. }
        | Action::UnhideColumn { after, .. }
        | Action::Redefine { after, .. } => defined(after)?,
        Action::CreateIndex { index: made } => {
            let wanted = Expr::statement(pql_planner::text::SQLITE.create_index(made));
            catalog::find(db, "index", &made.name.name)?
                .and_then(|entry| entry.sql)
                .is_some_and(|sql| Expr::statement(sql) == wanted)
        }
        Action::DropIndex { index: name } => !index(&name.name)?,
        Action::HideIndex { index: hidden, .. } => !index(&hidden.name.name)?,
        Action::UnhideIndex { index: shown, .. } => index(&shown.name.name)?,
        Action::RenameIndex { from, to } => index(&to.name)? && !index(&from.name)?,
        Action::CreateView { view } => catalog::find(db, "view", &view.name.name)?.is_some(),
        Action::DropView { view, .. } => catalog::find(db, "view", &view.name)?.is_none(),
        Action::StartCapture { capture } => table(&capture.log.name)?,
        Action::StopCapture { capture } => !table(&capture.log.name)?,
        Action::RebuildSwap { rebuild } | Action::RebuildAtOnce { rebuild } => {
            match plan.rebuilds.get(*rebuild) {
                Some(planned) => rebuild::is_swapped(db, planned)?,
                None => return Ok(None),
            }
        }
        Action::RebuildUnswap { rebuild } => match plan.rebuilds.get(*rebuild) {
            Some(planned) => !rebuild::is_swapped(db, planned)?,
            None => return Ok(None),
        },
        Action::IndexPublish { build } => match plan.index_builds.get(*build) {
            Some(planned) => index(&planned.index.name.name)?,
            None => return Ok(None),
        },
        Action::Execute { .. }
        | Action::Backfill(_)
        | Action::RevertBackfill(_)
        | Action::Validate { .. }
        | Action::RebuildPrepare { .. }
        | Action::RebuildCopy { .. }
        | Action::RebuildVerify { .. }
        | Action::RebuildAbandon { .. }
        | Action::IndexPrepare { .. }
        | Action::IndexFill { .. }
        | Action::IndexVerify { .. }
        | Action::IndexAbandon { .. }
        | Action::Alter { .. }
        | Action::ValidateConstraint { .. }
        | Action::CreateIndexConcurrently { .. }
        | Action::DropIndexConcurrently { .. }
        | Action::HideView { .. }
        | Action::UnhideView { .. }
        | Action::SwapPrepare { .. }
        | Action::SwapFill { .. }
        | Action::SwapVerify { .. }
        | Action::SwapColumns { .. }
        | Action::SwapAtOnce { .. }
        | Action::SwapBack { .. }
        | Action::SwapAbandon { .. }
        | Action::SwapForget { .. } => return Ok(None),
    }))
}
