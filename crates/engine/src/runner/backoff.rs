//! Waiting between attempts: longer each time, and never in step with somebody who waits for the same.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// How often the run listens while it waits.
const SLICE: Duration = Duration::from_millis(20);

/// The next waiting time.
pub(crate) struct Backoff {
    next: Duration,
    random: RandomState,
    count: u64,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST, random: RandomState::new(), count: 0 }
    }

    /// Waits, calling `listen` again and again; its error ends the wait.
    pub(crate) fn wait(&mut self, listen: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let until = Instant::now() + self.step();
        loop {
            listen()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(SLICE));
        }
    }

    /// Between half of the present waiting time and all of it, which then doubles.
    fn step(&mut self) -> Duration {
        let mut hasher = self.random.build_hasher();
        hasher.write_u64(self.count);
        self.count += 1;
        let half = self.next / 2;
        self.next = (self.next * 2).min(LONGEST);
        let share = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
        half + half * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let mut backoff = Backoff::new();
        let mut most = FIRST;
        for _ in 0..20 {
            let step = backoff.step();
            assert!(step >= most / 2 && step <= most, "{step:?}");
            most = (most * 2).min(LONGEST);
        }
    }
}
