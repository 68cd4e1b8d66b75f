//! Draining a log that others go on filling, until what is left can be drained under one short lock.
//!
//! What comes while some of it is drained is less than that, or the end comes no nearer. Where the application writes
//! about as fast as batches of the usual length follow, these become longer, and at last the gaps between them shorter:
//! all wait more often then, and nobody waits for a long last batch.

use super::capture;
use super::run::Run;
use super::validate::FEW;
use crate::Result;

/// Batches of a round: a log may grow for as long as somebody writes, so its end is no measure.
pub(super) const ROUND: usize = 20;

/// After so many rounds in a row in which as much came as was drained, the rest is met under the lock.
const IN_VAIN: u32 = 12;

/// Rounds of draining until little is left. A round is told how much is logged, and gives how much of it is done.
pub(super) fn until_few(
    run: &mut Run<'_>,
    log: &str,
    round: impl FnMut(&mut Run<'_>, u64) -> Result<u64>,
) -> Result<()> {
    let outcome = rounds(run, log, round);
    run.pacer.release();
    outcome
}

fn rounds(
    run: &mut Run<'_>,
    log: &str,
    mut round: impl FnMut(&mut Run<'_>, u64) -> Result<u64>,
) -> Result<()> {
    let pending = |run: &Run<'_>| capture::pending(run.db, log, i64::MAX.unsigned_abs());
    let mut left = pending(run)?;
    let mut in_vain = 0;
    // What the last batches have shown to be the work of one lock is left for it.
    let mut few = FEW;
    while left > few && in_vain < IN_VAIN {
        let found = left;
        let done = round(run, found)?;
        few = FEW.max(run.batch());
        left = pending(run)?;
        let came = (left + done).saturating_sub(found);
        if came > done / 2 {
            run.pacer.press();
        }
        in_vain = if came >= done - done / 10 { in_vain + 1 } else { 0 };
    }
    Ok(())
}
