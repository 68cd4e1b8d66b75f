//! Bringing the target up to date with the log.

use std::time::{Duration, Instant};

use pql_planner::text::ident;
use rusqlite::Connection as Db;

use super::super::cell::Cell;
use super::super::converge;
use super::super::keys::Range;
use super::super::report::Rows;
use super::super::run::{Batch, Run};
use super::flow::{Flow, Placed};
use super::together;
use crate::Result;
use crate::backend::Progress;

/// Drains in paced batches until few keys are left.
pub(super) fn until_few(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    while flow.has_moves(run.db)? {
        let rows = run.batch();
        run.write(|db| Ok((flow.follow_moves(db, rows)?, Progress::default())))?;
    }
    let mut pass = Pass::default();
    converge::until_few(run, flow.log, |run, _| {
        let mut done = pass.go_on(run, flow, converge::ROUND)?;
        if pass.over {
            if pass.in_the_way > 0 && flow.restore.is_empty() && flow.watchers.is_empty() {
                // Rows are in each other's way: first all of the target's that are out of date go, then they come again.
                clear(run, flow)?;
                done += Pass::default().go_on(run, flow, usize::MAX)?;
            }
            pass = Pass::default();
        }
        Ok(done)
    })
}

/// Drains everything, inside a transaction in which nobody adds to the log.
pub(super) fn rest(db: &Db, flow: &Flow<'_>) -> Result<()> {
    let keys = flow.logged(db, None, u64::from(u32::MAX))?;
    if !keys.is_empty() {
        // The first of them may have come just now.
        flow.pair_equal(db)?;
    }
    flow.follow_moves(db, u64::MAX)?;
    let mut bad = Rows::default();
    let stay = keys.iter().map(|key| flow.stays(db, key)).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for (key, stays) in keys.iter().zip(stay) {
        flow.tell(db, key, stays)?;
        rows.push((key, flow.remove(db, key)?, stays));
    }
    // Rows that have been there go first: one that is new may be given any number that is free.
    let (known, new): (Vec<_>, Vec<_>) = rows.iter().partition(|(_, kept, _)| kept.is_some());
    for (key, kept, stays) in known.into_iter().chain(new) {
        flow.watch(db, *stays)?;
        if flow.place(db, key, kept.as_ref(), &mut bad)? == Placed::InTheWay {
            return Err(flow.refuse_duplicate(key));
        }
    }
    flow.refuse(&bad)?;
    db.execute_batch(&format!("DELETE FROM main.{}", ident(flow.log)))?;
    Ok(())
}

/// Every logged key once, in their order.
#[derive(Default)]
struct Pass {
    /// The last that was taken up.
    after: Option<Vec<Cell>>,
    /// There were no more.
    over: bool,
    /// Rows that were in each other's way and are still logged.
    in_the_way: u64,
}

impl Pass {
    /// Takes up the next so many batches; gives the number of rows that are done.
    fn go_on(&mut self, run: &mut Run<'_>, flow: &Flow<'_>, batches: usize) -> Result<u64> {
        let mut done = 0;
        for _ in 0..batches {
            let (rows, enough) = (run.batch(), run.enough());
            let from = self.after.clone();
            let in_the_way = &mut self.in_the_way;
            let batch = &mut done;
            let last = run.write_rows(|db| {
                let (taken, last, blocked) = batch_of(db, flow, from, rows, enough)?;
                *in_the_way += blocked;
                *batch += taken - blocked;
                Ok(Batch { rows: taken, value: last, progress: Progress::default() })
            })?;
            if last.is_none() {
                self.over = true;
                break;
            }
            self.after = last;
        }
        Ok(done)
    }
}

/// Brings the next rows up to date: how many were taken up, the last of them, and how many of them were in the way of
/// others, or others in theirs.
fn batch_of(
    db: &Db,
    flow: &Flow<'_>,
    from: Option<Vec<Cell>>,
    rows: u64,
    enough: Duration,
) -> Result<(u64, Option<Vec<Cell>>, u64)> {
    flow.follow_moves(db, u64::MAX)?;
    let mut keys = flow.logged(db, from.as_deref(), rows)?;
    let range = Range { after: from, upto: keys.last().cloned() };
    if range.upto.is_some() && together::refresh(db, flow, &range)? {
        return Ok((keys.len() as u64, range.upto, 0));
    }
    let mut bad = Rows::default();
    let (start, mut taken, mut in_the_way) = (Instant::now(), 0, 0);
    for key in &keys {
        db.prepare_cached("SAVEPOINT row")?.execute([])?;
        let stays = flow.stays(db, key)?;
        flow.tell(db, key, stays)?;
        let kept = flow.remove(db, key)?;
        match flow.place(db, key, kept.as_ref(), &mut bad)? {
            Placed::Done => flow.strike(db, key)?,
            Placed::InTheWay => {
                // It goes with what it had in columns that are kept, so it stays until its turn comes.
                db.prepare_cached("ROLLBACK TO row")?.execute([])?;
                in_the_way += 1;
            }
            Placed::Bad => {}
        }
        db.prepare_cached("RELEASE row")?.execute([])?;
        taken += 1;
        if start.elapsed() > enough {
            break;
        }
    }
    flow.refuse(&bad)?;
    keys.truncate(taken);
    Ok((taken as u64, keys.pop(), in_the_way))
}

fn clear(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let mut after: Option<Vec<Cell>> = None;
    loop {
        let rows = run.batch();
        let from = after.clone();
        let last = run.write_rows(|db| {
            let mut keys = flow.logged(db, from.as_deref(), rows)?;
            keys.iter().try_for_each(|key| flow.remove(db, key).map(|_| ()))?;
            Ok(Batch { rows: keys.len() as u64, value: keys.pop(), progress: Progress::default() })
        })?;
        match last {
            Some(key) => after = Some(key),
            None => return Ok(()),
        }
    }
}
