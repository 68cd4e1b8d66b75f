//! The short transactions in which a table takes the place of another one, and gives it back.
//!
//! Both have the same names, in schemas of their own, for themselves and for all that belongs to them: so one moves out
//! and the other one in, and nothing is renamed. Before that the one that comes in is brought up to date for the last
//! time, while nobody can write.

use pql_planner::Rebuild;

use super::super::super::holds;
use super::super::super::link::Session;
use super::super::super::transaction::printed;
use super::super::statements::{alter_column, drop_own_schema, move_away, move_back, object};
use super::super::{followers, views};
use super::changes::{self, Noting};
use super::flow::{self, Flow, How};
use super::{dress, form};
use crate::error::codes;
use crate::{Error, Result};
use pql_planner::text::POSTGRES;

/// What became of an attempt.
pub(super) enum Attempt {
    Done,
    /// More was logged than should be caught up with while everybody waits.
    Behind,
}

/// The new table takes the place of the old one, unless there is more than a few rows to catch up with.
pub(super) fn forth(session: &mut Session, rebuild: &Rebuild, few: u64) -> Result<Attempt> {
    let (table, flow) = (&rebuild.before.name, flow::forth(rebuild));
    session.batch(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", object(table)))?;
    if flow.pending(session, few + 1)? > few {
        return Ok(Attempt::Behind);
    }
    form::unchanged(session, rebuild, &rebuild.shadow)?;
    if !flow.is_followed(session)? {
        return Err(followers::unfollowed(table));
    }
    complete(session, &flow)?;
    let down = views::take_all_down(session, table)?;
    let dressed = dress::between(session, table, &rebuild.shadow, table)?;
    let counters = dress::counters(session, &rebuild.before)?;
    let attached = printed(session, |session| holds::attached(session, table))?;
    let mut all = changes::stop(&rebuild.forward);
    all.extend(counters.before);
    all.extend(forth_statements(rebuild));
    all.extend(dressed);
    all.extend(counters.after);
    all.extend(attached.into_iter().map(|(_, sql)| sql));
    all.extend(changes::start(&rebuild.reverse, Noting::Once));
    session.batch(&all.join(";\n"))?;
    down.put_back(session)?;
    down.remember(session, &object(&changes::memory(&rebuild.reverse)))?;
    Ok(Attempt::Done)
}

/// The statements that change the places.
pub(super) fn forth_statements(rebuild: &Rebuild) -> Vec<String> {
    let mut all = move_away(&rebuild.before.name, &rebuild.retained);
    // A table that nobody sees must not hold on to sequences.
    all.extend(counted(rebuild).map(|(column, _)| alter_column(&rebuild.retained, column, "DROP DEFAULT")));
    all.extend(move_back(&rebuild.after.name, &rebuild.shadow));
    all
}

/// The old table takes its place again, under the same condition.
pub(super) fn back(session: &mut Session, rebuild: &Rebuild, few: u64) -> Result<Attempt> {
    let (table, flow) = (&rebuild.after.name, flow::back(rebuild));
    session.batch(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", object(table)))?;
    if flow.pending(session, few + 1)? > few {
        return Ok(Attempt::Behind);
    }
    form::unchanged(session, rebuild, &rebuild.retained)?;
    complete(session, &flow)?;
    let mut down = views::take_all_down(session, table)?;
    down.recall(session, &changes::memory(&rebuild.reverse))?;
    let dressed = dress::between(session, table, &rebuild.retained, table)?;
    let counters = dress::counters(session, &rebuild.after)?;
    let attached = printed(session, |session| holds::attached(session, table))?;
    let mut all = changes::stop(&rebuild.forward);
    all.extend(changes::stop(&rebuild.reverse));
    all.extend(counters.before);
    all.extend(back_statements(rebuild));
    all.extend(dressed);
    all.extend(counters.after);
    all.extend(attached.into_iter().map(|(_, sql)| sql));
    session.batch(&all.join(";\n"))?;
    down.put_back(session)?;
    Ok(Attempt::Done)
}

/// The statements of the way back.
pub(super) fn back_statements(rebuild: &Rebuild) -> Vec<String> {
    let mut all = move_away(&rebuild.after.name, &rebuild.shadow);
    all.extend(move_back(&rebuild.before.name, &rebuild.retained));
    all.extend(counted(rebuild).map(|(column, default)| {
        alter_column(
            &rebuild.before.name,
            column,
            &format!("SET DEFAULT {}", POSTGRES.default_value(default)),
        )
    }));
    all
}

/// The columns of the old table whose default counts, with it.
fn counted(rebuild: &Rebuild) -> impl Iterator<Item = (&str, &pql_schema::Expr)> {
    rebuild.before.columns.iter().filter_map(|column| {
        let default = column.default.as_ref()?;
        default.as_str().contains("nextval").then_some((column.name.as_str(), default))
    })
}

/// Catches up for the last time, and proves that nothing is left.
fn complete(session: &mut Session, flow: &Flow<'_>) -> Result<()> {
    flow.catch_up(session, How { examines: true, moves: true })?;
    if flow.pending(session, 1)? == 0 {
        return Ok(());
    }
    Err(Error::new(
        codes::VERIFY,
        format!("{} is written while nobody should be able to; nothing was swapped", object(flow.source)),
    )
    .with_help("please report it"))
}

/// The statements that remove the new table before it is in use, or after it was.
pub(super) fn abandon_statements(rebuild: &Rebuild) -> Vec<String> {
    let mut all = changes::stop(&rebuild.forward);
    all.push(format!("DROP TABLE IF EXISTS {}", object(&rebuild.shadow)));
    all.extend(drop_own_schema(&rebuild.shadow));
    all
}

/// The statements that give the old table up.
pub(super) fn forget_statements(rebuild: &Rebuild) -> Vec<String> {
    let mut all = changes::stop(&rebuild.reverse);
    all.extend(changes::stop(&rebuild.forward));
    all.push(format!("DROP TABLE IF EXISTS {}", object(&rebuild.retained)));
    all.extend(drop_own_schema(&rebuild.retained));
    all
}
