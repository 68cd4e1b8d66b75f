//! The word for what an action does, as PLAN and progress show it.

use crate::Action;

impl Action {
    /// Two or three words.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateTable { .. } => "create table",
            Self::RetireTable { .. } => "retire table",
            Self::HideTable { .. } => "hide table",
            Self::UnhideTable { .. } => "bring back table",
            Self::DropTable { .. } => "drop table",
            Self::RenameTable { .. } => "rename table",
            Self::AddColumn { .. } => "add column",
            Self::DropColumn { .. } => "drop column",
            Self::HideColumn { .. } => "hide column",
            Self::UnhideColumn { .. } => "bring back column",
            Self::RenameColumn { .. } => "rename column",
            Self::Redefine { .. } => "redefine table",
            Self::CreateIndex { .. } => "create index",
            Self::DropIndex { .. } => "drop index",
            Self::HideIndex { .. } => "hide index",
            Self::UnhideIndex { .. } => "bring back index",
            Self::RenameIndex { .. } => "rename index",
            Self::CreateView { .. } => "create view",
            Self::DropView { .. } => "drop view",
            Self::Execute { .. } => "execute",
            Self::StartCapture { .. } => "start capture",
            Self::StopCapture { .. } => "stop capture",
            Self::Backfill(_) => "backfill",
            Self::RevertBackfill(_) => "revert backfill",
            Self::Validate { .. } => "validate",
            Self::RebuildPrepare { .. } => "prepare rebuild",
            Self::RebuildCopy { .. } => "copy rows",
            Self::RebuildVerify { .. } => "verify rows",
            Self::RebuildSwap { .. } => "swap tables",
            Self::RebuildAbandon { .. } => "abandon rebuild",
            Self::RebuildUnswap { .. } => "swap tables back",
            Self::RebuildAtOnce { .. } => "rebuild table",
            Self::IndexPrepare { .. } => "prepare index",
            Self::IndexFill { .. } => "fill index",
            Self::IndexVerify { .. } => "verify index",
            Self::IndexPublish { .. } => "publish index",
            Self::IndexAbandon { .. } => "abandon index",
            Self::Alter { .. } => "alter table",
            Self::ValidateConstraint { .. } => "validate constraint",
            Self::CreateIndexConcurrently { .. } => "create index concurrently",
            Self::DropIndexConcurrently { .. } => "drop index concurrently",
            Self::HideView { .. } => "hide view",
            Self::UnhideView { .. } => "bring back view",
            Self::SwapPrepare { .. } => "prepare column",
            Self::SwapFill { .. } => "fill column",
            Self::SwapVerify { .. } => "verify column",
            Self::SwapColumns { .. } => "swap columns",
            Self::SwapAtOnce { .. } => "replace column",
            Self::SwapBack { .. } => "swap columns back",
            Self::SwapAbandon { .. } => "abandon column",
            Self::SwapForget { .. } => "forget column",
        }
    }

    /// Whether it works without a transaction of its own, so that only the database can tell how far it came.
    pub fn is_outside_transaction(&self) -> bool {
        matches!(
            self,
            Self::Execute { outside_transaction: true, .. }
                | Self::CreateIndexConcurrently { .. }
                | Self::DropIndexConcurrently { .. }
        )
    }

    /// Whether it is one transaction that looks at definitions only: it has happened or it has not, and there is nothing
    /// to go on with.
    pub fn is_momentary(&self) -> bool {
        match self {
            Self::CreateTable { .. }
            | Self::HideTable { .. }
            | Self::UnhideTable { .. }
            | Self::RenameTable { .. }
            | Self::AddColumn { .. }
            | Self::DropColumn { .. }
            | Self::HideColumn { .. }
            | Self::RenameColumn { .. }
            | Self::HideIndex { .. }
            | Self::RenameIndex { .. }
            | Self::CreateView { .. }
            | Self::DropView { .. }
            | Self::HideView { .. }
            | Self::UnhideView { .. }
            | Self::Alter { .. } => true,
            Self::Redefine { checks, captured, .. } => checks.is_empty() && captured.is_none(),
            _ => false,
        }
    }
}
