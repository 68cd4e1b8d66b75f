//! Giving up what a migration retained.

use pql_planner::{Action, Plan};
use pql_schema::ObjectName;

use super::super::link::Session;
use super::super::run::Run;
use super::statements::{self, object};
use super::{catalog, hidden, indexes, rebuild, swap, views};
use crate::Result;
use crate::backend::Progress;

/// Fails when a view reads a column that is out of sight: it has all columns of its table, or somebody named it.
pub(in super::super) fn may_purge(session: &mut Session, plan: &Plan) -> Result<()> {
    for step in &plan.steps {
        let column = match &step.action {
            Action::HideColumn { hidden, .. } => Some(hidden),
            Action::SwapColumns { swap: at } | Action::SwapAtOnce { swap: at } => {
                plan.column_swaps.get(*at).map(|swap| &swap.retained)
            }
            _ => None,
        };
        let Some(column) = column else { continue };
        if let Some(table) = hidden::table_of(session, column)? {
            views::none_seen_over(session, &table, column)?;
        }
    }
    Ok(())
}

/// Removes all of it, each thing in a short transaction of its own.
pub(in super::super) fn purge(run: &mut Run<'_>) -> Result<()> {
    let plan: &Plan = run.plan;
    for step in &plan.steps {
        match &step.action {
            Action::HideTable { hidden, .. } => drop_relation(run, hidden, "TABLE")?,
            Action::HideView { hidden, .. } => drop_view(run, hidden)?,
            Action::HideIndex { hidden, .. } => drop_index(run, &hidden.name)?,
            Action::HideColumn { hidden, .. } => run.write(|session| {
                hidden::drop_column(session, hidden)?;
                Ok(((), Progress::default()))
            })?,
            Action::Backfill(fill) => {
                if let Some(record) = &fill.record {
                    drop_relation(run, record, "TABLE")?;
                }
            }
            Action::RebuildSwap { rebuild: at } => {
                let Some(planned) = plan.rebuilds.get(*at) else { continue };
                write(run, &rebuild::forget_statements(planned).join("; "))?;
            }
            Action::SwapColumns { swap: at } | Action::SwapAtOnce { swap: at } => {
                let Some(planned) = plan.column_swaps.get(*at) else { continue };
                run.write(|session| {
                    swap::give_up(session, planned)?;
                    Ok(((), Progress::default()))
                })?;
            }
            _ => {}
        }
        for action in &step.undo {
            if let Action::RetireTable { hidden, .. } | Action::HideTable { hidden, .. } = action {
                drop_relation(run, hidden, "TABLE")?;
            }
        }
    }
    run.finish()
}

fn write(run: &mut Run<'_>, sql: &str) -> Result<()> {
    run.write(|session| {
        session.batch(sql)?;
        Ok(((), Progress::default()))
    })
}

fn drop_relation(run: &mut Run<'_>, name: &ObjectName, kind: &str) -> Result<()> {
    if !catalog::has_relation(run.session, name)? {
        return Ok(());
    }
    let mut all = vec![format!("DROP {kind} IF EXISTS {}", object(name))];
    all.extend(statements::drop_own_schema(name));
    write(run, &all.join("; "))
}

fn drop_view(run: &mut Run<'_>, name: &ObjectName) -> Result<()> {
    let materialized = catalog::is_relation_of(run.session, name, 'm')?;
    drop_relation(run, name, if materialized { "MATERIALIZED VIEW" } else { "VIEW" })
}

fn drop_index(run: &mut Run<'_>, name: &str) -> Result<()> {
    let Some(index) = hidden::index(run.session, name)? else { return Ok(()) };
    // The server does not do that beside others.
    if catalog::is_relation_of(run.session, &index, 'I')? {
        return write(run, &format!("DROP INDEX {}", object(&index)));
    }
    indexes::drop_it(run, &index)
}
