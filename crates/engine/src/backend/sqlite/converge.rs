//! Draining a log that others go on filling, until what is left can be drained under one short lock.
//!
//! A pass brings up to date what was logged when it began; what is left after it is what was written meanwhile. While
//! each pass leaves at most half of what it found, that comes to an end by itself. Where the application writes about as
//! fast as batches of the usual length follow, the batches become longer instead: all wait a little more often then, and
//! nobody waits for a long last batch.

use super::capture;
use super::run::Run;
use super::validate::FEW;
use crate::Result;

/// After so many passes in a row that have left as much as they found, the rest is met under the lock.
const IN_VAIN: u32 = 8;

/// Passes over the log until little is left in it.
pub(super) fn until_few(
    run: &mut Run<'_>,
    log: &str,
    pass: impl FnMut(&mut Run<'_>, u64) -> Result<()>,
) -> Result<()> {
    let outcome = passes(run, log, pass);
    run.pacer.release();
    outcome
}

fn passes(run: &mut Run<'_>, log: &str, mut pass: impl FnMut(&mut Run<'_>, u64) -> Result<()>) -> Result<()> {
    let mut left = capture::pending(run.db, log, i64::MAX.unsigned_abs())?;
    let mut in_vain = 0;
    // What the last batches have shown to be the work of one lock is left for it.
    let mut few = FEW;
    while left > few && in_vain < IN_VAIN {
        pass(run, left)?;
        few = FEW.max(run.batch());
        let found = left;
        left = capture::pending(run.db, log, i64::MAX.unsigned_abs())?;
        if left > found / 2 {
            run.pacer.press();
        }
        in_vain = if left > found - found / 10 { in_vain + 1 } else { 0 };
    }
    Ok(())
}
