//! A column that is replaced by another one beside the application.
//!
//! - `forth`: the new column, its triggers, its fill and the comparison;
//! - `exchange`: the short transaction in which the columns take each other's places, and the one back;
//! - `definition`: what the old one is to be still when that comes;
//! - `functions`: what keeps the one that is out of sight true;
//! - `carried`: what hangs on the column itself and goes from one to the other.
//!
//! The hidden column is always written by a trigger of ours that cannot make the application's write fail: a value that
//! cannot be computed is NULL there, and is found before anything depends on it.

pub(super) mod carried;
mod definition;
mod exchange;
mod forth;
mod functions;

use pql_planner::{Action, ColumnSwap, Hold, Plan};

use super::super::holds;
use super::super::link::Session;
use super::super::run::Run;
use super::statements::{ident, object};
use super::views;
use crate::error::codes;
use crate::{Error, Result};

pub(super) use forth::{fill, prepare, verify};

/// Puts the new column in the place of the old.
pub(super) fn exchange(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    super::snapshots::outlast(run)?;
    run.write_last(|session| exchange::forth(session, swap))
}

/// All of it in one transaction.
pub(super) fn at_once(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    forth::possible(run.session, swap)?;
    let silence = super::silence::of(run.session, &swap.before.name, std::slice::from_ref(&swap.shadow))?;
    let outcome = run.write_last(|session| forth::at_once(session, swap, &silence));
    outcome.map_err(|error| forth::explained(run.session, swap, error))
}

/// Puts the old column back.
pub(super) fn back(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    run.write_last(|session| {
        unneeded(session, swap, &swap.new.name)?;
        fits(session, swap, &swap.new.name)?;
        exchange::back(session, swap)
    })
}

/// Fails with what hangs on the new column and would be lost with it, and with a view that reads the old one by the name
/// that it has out of sight.
fn unneeded(session: &mut Session, swap: &ColumnSwap, column: &str) -> Result<()> {
    let table = &swap.before.name;
    let all = holds::of_one(session, table)?;
    let lost = all.iter().find(|held| {
        matches!(held.hold, Hold::ExtendedStatistics | Hold::Policy | Hold::Publication)
            && held.columns.iter().any(|name| name == column)
    });
    if let Some(held) = lost {
        let what = format!(
            "{} {} names {}.{}, which another column takes the place of",
            held.hold.as_str(),
            held.name,
            object(table),
            ident(&swap.new.name)
        );
        let error = Error::new(codes::UNSUPPORTED, what);
        return Err(error.with_help("take it away, roll back again, and make it again after"));
    }
    views::none_seen_over(session, table, &swap.retained)
}

/// Removes the new column and what fills it, whatever its table is called by now; and what followed the old one, where the
/// table was dropped since they changed places.
pub(super) fn abandon(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    let mut sql = functions::drop_forward(swap);
    sql.extend(functions::drop_backward(swap));
    let table = run.read(|session| super::hidden::table_of(session, &swap.shadow))?;
    sql.extend(table.map(|table| exchange::drop_column(&table, &swap.shadow)));
    run.write_text(&sql.join("; "))
}

/// Removes the old column and what keeps it true.
pub(super) fn forget(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    run.write_last(|session| give_up(session, swap))
}

/// The same, in a transaction of whoever asks for it.
pub(super) fn give_up(session: &mut Session, swap: &ColumnSwap) -> Result<()> {
    session.batch(&functions::drop_backward(swap).join("; "))?;
    super::hidden::drop_column(session, &swap.retained)
}

/// The statements that remove the old column.
fn forget_statements(swap: &ColumnSwap) -> Vec<String> {
    let mut all = functions::drop_backward(swap);
    all.push(exchange::drop_column(&swap.before.name, &swap.retained));
    all
}

/// Fails with the rows that were written since and whose values do not fit the old column; `column`: what the new one is
/// called.
pub(super) fn fits(session: &mut Session, swap: &ColumnSwap, column: &str) -> Result<()> {
    functions::fits(session, swap, column)
}

/// The same before any action of the rollback, and with what hangs on the column; but what an EXECUTE made may be taken
/// back before its turn comes.
pub(super) fn fits_at_all(session: &mut Session, plan: &Plan, at: usize) -> Result<()> {
    let Some(swap) = plan.column_swaps.get(at) else { return Ok(()) };
    let column = called_now(session, plan, at)?;
    if !plan.steps.iter().any(|step| matches!(step.action, Action::Execute { .. })) {
        unneeded(session, swap, &column)?;
    }
    fits(session, swap, &column)
}

/// What the new column is called by now: a later step of the plan may have put it out of sight in its turn.
fn called_now(session: &mut Session, plan: &Plan, at: usize) -> Result<String> {
    let swap = &plan.column_swaps[at];
    let exchanges = |action: &Action| match action {
        Action::SwapColumns { swap } | Action::SwapAtOnce { swap } => Some(*swap),
        _ => None,
    };
    let own = |step: &pql_planner::Step| exchanges(&step.action) == Some(at);
    let later = plan.steps.iter().skip_while(|step| !own(step)).skip(1);
    let hidden = later.filter_map(|step| match &step.action {
        Action::HideColumn { before, column, hidden, .. } => {
            (before.name == swap.before.name && *column == swap.new.name).then_some(hidden)
        }
        action => {
            let other = plan.column_swaps.get(exchanges(action)?)?;
            (other.before.name == swap.before.name && other.old.name == swap.new.name)
                .then_some(&other.retained)
        }
    });
    for name in hidden {
        if super::catalog::has_column(session, &swap.before.name, name)? {
            return Ok(name.clone());
        }
    }
    Ok(swap.new.name.clone())
}

/// Whether the new column is in its place.
pub(super) fn is_exchanged(session: &mut Session, swap: &ColumnSwap) -> Result<bool> {
    super::catalog::has_column(session, &swap.before.name, &swap.retained)
}

/// Whether the new column is there, out of sight.
pub(super) fn is_prepared(session: &mut Session, swap: &ColumnSwap) -> Result<bool> {
    super::catalog::has_column(session, &swap.before.name, &swap.shadow)
}

/// What an action runs, for showing.
pub(super) fn shown(swap: &ColumnSwap, action: &Action) -> Vec<String> {
    match action {
        Action::SwapPrepare { .. } => forth::prepare_statements(swap),
        Action::SwapFill { .. } => vec![super::backfill::shown(&forth::as_backfill(swap))],
        Action::SwapVerify { .. } => vec![forth::verify_statement(swap)],
        Action::SwapColumns { .. } => exchange::forth_statements(swap, functions::FIRST),
        Action::SwapAtOnce { .. } => {
            [forth::at_once_statements(swap), exchange::forth_statements(swap, functions::FIRST)].concat()
        }
        Action::SwapBack { .. } => exchange::back_statements(swap),
        Action::SwapAbandon { .. } => {
            let mut all = functions::drop_forward(swap);
            all.push(exchange::drop_column(&swap.before.name, &swap.shadow));
            all
        }
        _ => forget_statements(swap),
    }
}
