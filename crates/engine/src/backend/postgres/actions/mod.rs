//! What the steps of a plan do on PostgreSQL.
//!
//! - `statements`: definitions as statements, for running and for showing;
//! - `rows`, `examine`: rows told apart, named, and asked whether they fulfil something;
//! - `alter`, `indexes`, `batches`, `lanes`, `silence`, `snapshots`, `backfill`, `capture`, `views`, `swap`, `rebuild`: what takes
//!   more than a statement;
//! - `followers`: what our triggers on a table call its columns; `hidden`: what is kept in it, whatever it is called;
//! - `by_place`: what an INSERT gives to that by its place;
//! - `probe`, `fits`, `purge`: what is asked before, after and long after.

mod alter;
mod backfill;
mod batches;
mod by_place;
mod capture;
mod catalog;
mod examine;
mod fits;
mod followers;
mod hidden;
mod identity;
mod indexes;
mod lanes;
mod probe;
mod purge;
mod raw;
mod rebuild;
mod record;
mod rows;
mod silence;
mod snapshots;
mod statements;
mod swap;
mod views;

use pql_planner::{Action, ColumnSwap, Plan, Rebuild};
use pql_schema::ObjectName;

use super::run::Run;
use crate::error::codes;
use crate::{Error, Result};

pub(super) use catalog::has_relation;
pub(super) use fits::fits;
pub(super) use followers::silenced;
pub(super) use hidden::forget;
pub(super) use probe::probe;
pub(super) use purge::{may_purge, purge};
pub(super) use statements::shown as statements;

/// Does it.
pub(super) fn execute(run: &mut Run<'_>, action: &Action) -> Result<()> {
    match action {
        Action::RetireTable { table, hidden } => retire(run, table, hidden),
        Action::Alter { table, changes } => alter::alter(run, table, changes),
        Action::CreateIndex { index } => indexes::create(run, index),
        Action::CreateIndexConcurrently { index } => indexes::create_concurrently(run, index),
        Action::DropIndexConcurrently { index } => indexes::drop_concurrently(run, index),
        Action::Validate { table, checks, .. } => {
            run.read(|session| examine::all(session, table, checks))?;
            run.finish()
        }
        Action::ValidateConstraint { table, check, .. } => {
            let sql = statements::of(action).join("; ");
            run.write_text(&sql).map_err(|error| examine::explained(run.session, table, check, error))
        }
        Action::StartCapture { capture } => run.write_text(&capture::start_statements(capture).join("; ")),
        Action::StopCapture { capture } => run.write_text(&capture::stop_statements(capture).join("; ")),
        Action::Backfill(fill) => backfill::backfill(run, fill),
        Action::RevertBackfill(fill) => record::revert(run, fill),
        Action::Execute { sql, outside_transaction } => raw::execute(run, sql, *outside_transaction),
        // Its table may be called otherwise since it was hidden.
        Action::DropColumn { column, .. } if column.starts_with(pql_planner::HIDDEN_PREFIX) => {
            run.write_last(|session| hidden::drop_column(session, column))
        }
        Action::DropColumn { table, column } => {
            let sql = statements::of(action).join("; ");
            run.write_last(|session| {
                views::none_over(session, table, column)?;
                session.batch(&sql)
            })
        }
        Action::HideColumn { before, column, hidden, .. } => {
            let sql = statements::of(action).join("; ");
            run.write_last(|session| {
                session.batch(&sql)?;
                followers::rename(session, &before.name, column, hidden)
            })
        }
        Action::UnhideColumn { after, column, hidden, .. } => {
            let sql = statements::of(action).join("; ");
            run.write_last(|session| {
                session.batch(&sql)?;
                followers::rename(session, &after.name, hidden, column)
            })
        }
        Action::RenameColumn { table, from, to } => {
            let sql = statements::rename_column(table, from, to);
            run.write_last(|session| {
                session.batch(&sql)?;
                followers::rename(session, table, from, to)
            })
        }
        Action::RebuildPrepare { rebuild } => rebuild::prepare(run, rebuilt(run.plan, *rebuild)?),
        Action::RebuildCopy { rebuild } => rebuild::copy(run, rebuilt(run.plan, *rebuild)?),
        Action::RebuildVerify { rebuild } => rebuild::verify(run, rebuilt(run.plan, *rebuild)?),
        Action::RebuildSwap { rebuild } => rebuild::swap(run, rebuilt(run.plan, *rebuild)?),
        Action::RebuildUnswap { rebuild } => rebuild::unswap(run, rebuilt(run.plan, *rebuild)?),
        Action::RebuildAbandon { rebuild } => rebuild::abandon(run, rebuilt(run.plan, *rebuild)?),
        Action::SwapPrepare { swap } => swap::prepare(run, planned(run.plan, *swap)?),
        Action::SwapFill { swap } => swap::fill(run, planned(run.plan, *swap)?),
        Action::SwapVerify { swap } => swap::verify(run, planned(run.plan, *swap)?),
        Action::SwapColumns { swap } => swap::exchange(run, planned(run.plan, *swap)?),
        Action::SwapAtOnce { swap } => swap::at_once(run, planned(run.plan, *swap)?),
        Action::SwapBack { swap } => swap::back(run, planned(run.plan, *swap)?),
        Action::SwapAbandon { swap } => swap::abandon(run, planned(run.plan, *swap)?),
        Action::SwapForget { swap } => swap::forget(run, planned(run.plan, *swap)?),
        other => {
            let statements = statements::of(other);
            if statements.is_empty() {
                return Err(Error::new(
                    codes::UNREADABLE,
                    format!("the plan wants to {}, which is not done on PostgreSQL", other.verb()),
                ));
            }
            run.write_text(&statements.join("; "))
        }
    }
}

fn planned(plan: &Plan, position: usize) -> Result<&ColumnSwap> {
    plan.column_swaps.get(position).ok_or_else(|| {
        Error::new(
            codes::UNREADABLE,
            format!("the plan refers to column swap {position}, which it does not have"),
        )
    })
}

fn rebuilt(plan: &Plan, position: usize) -> Result<&Rebuild> {
    plan.rebuilds.get(position).ok_or_else(|| {
        Error::new(
            codes::UNREADABLE,
            format!("the plan refers to rebuild {position}, which it does not have"),
        )
    })
}

/// A table that a rollback takes away: dropped while it is empty, kept out of sight otherwise.
fn retire(run: &mut Run<'_>, table: &ObjectName, hidden: &ObjectName) -> Result<()> {
    let (drop, hide) = (statements::drop_table(table), statements::move_away(table, hidden));
    let name = statements::object(table);
    run.write_last(|session| {
        session.batch(&format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))?;
        let empty = catalog::is_true(session, &format!("SELECT NOT EXISTS (SELECT 1 FROM {name})"))?;
        session.batch(&if empty { drop.clone() } else { hide.join("; ") })
    })
}
