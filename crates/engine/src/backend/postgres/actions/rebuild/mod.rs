//! A table that is filled anew beside the application, and then takes the place of the old one.
//!
//! - `form`: the new table, made after the old one, with its keys, indexes and checks;
//! - `changes`: the log of the rows that change meanwhile; `flow`: how it is caught up with; `compare`: the proof;
//! - `exchange`: the short transaction in which the tables change places, and the one back; `dress`: what goes along.
//!
//! The copy comes after the log has begun, so whatever a batch does not see is in the log. Indexes come after the copy.
//! The application is never in the way of any of it: only keys are noted of what it writes, and a value that has no place
//! in the new table is found when its row is caught up with.

mod changes;
mod compare;
mod dress;
mod exchange;
mod flow;
mod form;

use pql_planner::{Action, Rebuild};

use super::super::link::Session;
use super::super::run::Run;
use super::super::transaction::printed;
use super::batches::{self, CHANGED, Work};
use super::catalog;
use super::rows::Key;
use super::snapshots;
use super::statements::object;
use crate::backend::Progress;
use crate::error::codes;
use crate::{Error, Result};

pub(super) use changes::{Noting, start as start_changes, stop as stop_changes};
use exchange::Attempt;
use flow::Flow;

/// How many rows are caught up with while everybody waits; twice as many each time that more have come.
const FEW: u64 = 100;
/// How often that is tried: the last time it takes some ten milliseconds.
const ATTEMPTS: u32 = 4;

/// Makes the new table, and begins to log.
pub(super) fn prepare(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let sql = form::create(rebuild).join("; ");
    let log = changes::start(&rebuild.forward, Noting::Each).join("; ");
    let (forth, possible) = (flow::forth(rebuild), flow::forth(rebuild).copy("true"));
    let outcome = run.write_last(|session| {
        session.batch(&sql)?;
        let storage = form::storage(session, rebuild)?;
        session.batch(&storage.join("; "))?;
        // What has no place in the new table at all is an error now.
        session.batch(&format!("EXPLAIN {possible}"))?;
        way_back(session, rebuild)?;
        form::remember(session, rebuild, &rebuild.shadow)?;
        // Last, since it waits for whoever writes, and keeps whoever wants to.
        session.batch(&log)
    });
    outcome.map_err(|error| forth.explained(run.session, error))
}

/// Fails when the way back means nothing.
fn way_back(session: &mut Session, rebuild: &Rebuild) -> Result<()> {
    // The tables are not yet where they are then, and are called alike.
    let turned = Rebuild {
        after: pql_schema::Table { name: rebuild.shadow.clone(), ..rebuild.after.clone() },
        retained: rebuild.before.name.clone(),
        ..rebuild.clone()
    };
    let back = flow::back(&turned);
    let fits = back
        .fits()
        .map_or_else(String::new, |fits| format!("; EXPLAIN SELECT {fits} FROM {}", object(back.source)));
    session.batch(&format!("EXPLAIN {}{fits}", back.copy("true"))).map_err(|error| {
        if error.is_retryable() {
            return error;
        }
        Error::new(
            codes::INVALID,
            format!("the way back of {} cannot be computed: {error}", object(&rebuild.before.name)),
        )
        .with_help("say with REVERT USING how the old value comes from the new one")
    })
}

/// Copies the rows that are there.
pub(super) fn copy(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let flow = flow::forth(rebuild);
    let change = |range: &str| format!("{CHANGED} AS ({} RETURNING 1)", flow.copy(range));
    let work = Work {
        table: &rebuild.before.name,
        columns: Vec::new(),
        key: Key::of(&rebuild.forward.key),
        change: &change,
        // Rows that moved past the copy are in the log.
        left: "false".to_owned(),
        conflict: None,
    };
    batches::all(run, &work).map_err(|error| flow.explained(run.session, error))
}

/// Gives the new table its keys, indexes and checks, catches up, and compares.
pub(super) fn verify(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let flow = flow::forth(rebuild);
    let mut parts = run.read(|session| printed(session, |session| form::parts(session, rebuild)))?;
    // The key first: rows are found by it.
    parts.sort_by_key(|part| !part.finds(&flow.key));
    for (at, part) in parts.iter().enumerate() {
        if at == 1 {
            flow::until_few(run, &flow, FEW, false)?;
        }
        if run.read(|session| part.is_there(session, rebuild))? {
            continue;
        }
        if at > 0 && part.is_unique {
            // The copy saw the rows at different times; from then on it is as they are at one.
            flow::once(run, &flow, false)?;
        }
        let built = run.write(|session| {
            session.batch(&part.sql)?;
            Ok(((), Progress::default()))
        });
        built.map_err(|error| form::explained(run.session, rebuild, error))?;
    }
    let (table, shadow) = (&rebuild.before.name, &rebuild.shadow);
    run.write(|session| {
        let mut all = dress::between(session, table, shadow, shadow)?;
        all.push(format!("ALTER TABLE {} SET (autovacuum_enabled = false)", object(shadow)));
        all.push(format!("ANALYZE {}", object(shadow)));
        session.batch(&all.join(";\n"))?;
        Ok(((), Progress::default()))
    })?;
    flow::until_few(run, &flow, FEW, false)?;
    while run.step.options().verify && !run.read(|session| flow.compare(session))? {
        flow::once(run, &flow, false)?;
    }
    // What was changed meanwhile is said before anybody has to wait.
    run.read(|session| form::unchanged(session, rebuild, shadow))?;
    run.finish()
}

/// Puts the new table in the place of the old one.
pub(super) fn swap(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let flow = flow::forth(rebuild);
    meet(run, &flow, &mut |session, few| exchange::forth(session, rebuild, few))
}

/// Puts the old table, true to what was written since, in the place of the new one.
pub(super) fn unswap(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    if !catalog::has_relation(run.session, &rebuild.retained)? {
        return run.finish();
    }
    fits(run.session, rebuild)?;
    let flow = flow::back(rebuild);
    if !flow.is_followed(run.session)? {
        flow.follow_again(run)?;
    }
    if !catalog::has_relation(run.session, &rebuild.forward.log)? {
        // What is drained must not be what the application waits for.
        let again = pql_planner::Capture { table: rebuild.after.name.clone(), ..rebuild.forward.clone() };
        let mut sql = changes::start(&again, Noting::Each);
        sql.extend(changes::end(&rebuild.reverse));
        let sql = sql.join("; ");
        run.write(|session| {
            form::remember(session, rebuild, &rebuild.retained)?;
            session.batch(&sql)?;
            Ok(((), Progress::default()))
        })?;
    }
    meet(run, &flow, &mut |session, few| exchange::back(session, rebuild, few))
}

/// Catches up until what is left is little enough for the transaction in which everybody waits.
fn meet(
    run: &mut Run<'_>,
    flow: &Flow<'_>,
    exchange: &mut dyn FnMut(&mut Session, u64) -> Result<Attempt>,
) -> Result<()> {
    flow::until_few(run, flow, FEW, true)?;
    snapshots::outlast(run)?;
    for attempt in 0..ATTEMPTS {
        let few = FEW << attempt;
        flow::until_few(run, flow, FEW, true)?;
        let mut behind = false;
        let outcome = run.write_last(|session| match exchange(session, few)? {
            Attempt::Done => Ok(()),
            Attempt::Behind => {
                behind = true;
                Err(fast(flow))
            }
        });
        match outcome {
            Err(_) if behind => run.step.listen()?,
            outcome => return outcome.map_err(|error| flow.explained(run.session, error)),
        }
    }
    Err(fast(flow))
}

fn fast(flow: &Flow<'_>) -> Error {
    Error::new(
        codes::LOCKED,
        format!("{} is written faster than another table can follow it", object(flow.source)),
    )
    .with_help("try again when less is written")
}

/// Removes the new table and what follows it; and the old one, where others dropped the new one from its place.
pub(super) fn abandon(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let mut sql = exchange::abandon_statements(rebuild);
    sql.extend(exchange::forget_statements(rebuild));
    let sql = sql.join("; ");
    run.write_last(|session| session.batch(&sql))
}

/// The statements that remove the old table.
pub(super) fn forget_statements(rebuild: &Rebuild) -> Vec<String> {
    exchange::forget_statements(rebuild)
}

/// Fails with what hangs on the table that the old one could not have, and with the rows that were written since and
/// whose values do not fit it.
pub(super) fn fits(session: &mut Session, rebuild: &Rebuild) -> Result<()> {
    if !catalog::has_relation(session, &rebuild.retained)? {
        return Ok(());
    }
    form::examine(session, rebuild).map_err(|error| match error.code() {
        codes::DRIFTED => Error::new(codes::UNSUPPORTED, error.message().to_owned())
            .with_help("take it away, roll back again, and make it again after"),
        _ => error,
    })?;
    flow::back(rebuild).refuse(session)
}

/// What an action runs, for showing.
pub(super) fn shown(rebuild: &Rebuild, action: &Action) -> Vec<String> {
    let (forth, back) = (flow::forth(rebuild), flow::back(rebuild));
    let upto = |flow: &Flow<'_>| flow.copy(&format!("({}) <= (:upto)", flow.key.list("")));
    match action {
        Action::RebuildPrepare { .. } => {
            [form::create(rebuild), changes::start(&rebuild.forward, Noting::Each)].concat()
        }
        Action::RebuildCopy { .. } => vec![upto(&forth)],
        Action::RebuildVerify { .. } => form::planned(rebuild),
        Action::RebuildSwap { .. } => {
            let caught_up = forth.statements(&[&rebuild.forward.log], true);
            [caught_up, exchange::forth_statements(rebuild)].concat()
        }
        Action::RebuildUnswap { .. } => {
            let caught_up = back.statements(&[&rebuild.reverse.log], true);
            [caught_up, exchange::back_statements(rebuild)].concat()
        }
        _ => exchange::abandon_statements(rebuild),
    }
}
