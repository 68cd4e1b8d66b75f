//! How much to do under one lock, and how long to leave the file alone afterwards.
//!
//! A writer that meets our lock sleeps in SQLite's busy handler, in steps of known lengths. Batches back to back would
//! take the lock again while it sleeps; so after a lock of h milliseconds the file stays free for the whole step in
//! which such a sleeper is, and it wakes inside the gap. Short locks meet short steps: they cost little.

use std::time::Duration;

use crate::backend::RunOptions;

/// The naps of SQLite's busy handler, in milliseconds.
const NAPS: [u32; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/// Left free beyond the nap, for the sleeper to wake and take the lock.
pub(super) const SLACK: Duration = Duration::from_micros(400);

/// How long a batch should hold the lock among many writers when `max_stall` is at its default.
const TARGET: Duration = Duration::from_millis(1);

/// How many times that where hardly anybody else writes: one writer does not starve between holds of this length,
/// and more of the time goes into work than into gaps.
const ALONE: f64 = 2.7;

/// An attempt to take the lock that lasts this long has met another writer.
const MET: Duration = Duration::from_micros(150);

/// With more than this share of such attempts there is more than one writer, or a busy one.
const CROWD: f64 = 0.08;

/// The longest that a batch holds the lock where the usual length does not do.
const PRESSED: Duration = Duration::from_millis(20);

/// The weight of one attempt in that share.
const WEIGHT: f64 = 0.02;

/// How many times the target the work of a batch may take when its COMMIT takes longer still.
const WORTH: u32 = 20;

/// Rows of the first batch.
const FIRST: f64 = 64.0;

/// More rows than this in one batch gain nothing.
const MOST: f64 = 50_000.0;

/// Adapts batches to the time that they hold the lock.
#[derive(Debug, Clone)]
pub(super) struct Pacer {
    rows: f64,
    fixed: Option<u64>,
    target: Duration,
    throttle: f64,
    /// The share of attempts to take the lock that met another writer, of late.
    met: f64,
    /// How many times longer than usual a batch may hold the lock.
    pressure: f64,
}

impl Pacer {
    /// For a run with these options.
    pub(super) fn new(options: &RunOptions) -> Self {
        let target = (options.max_stall / 10).clamp(TARGET / 4, TARGET * 4);
        Self {
            rows: FIRST,
            fixed: options.batch_rows,
            target,
            throttle: options.throttle.clamp(0.0, 0.95),
            met: CROWD,
            pressure: 1.0,
        }
    }

    /// Learns from how long it took to get the lock.
    pub(super) fn waited(&mut self, wait: Duration) {
        let met = if wait >= MET { 1.0 } else { 0.0 };
        self.met += (met - self.met) * WEIGHT;
    }

    /// How long the next batch should hold the lock.
    fn hold(&self) -> Duration {
        let usual = self.usual();
        usual.max(usual.mul_f64(self.pressure).min(PRESSED))
    }

    /// How long it holds the lock where nothing presses.
    fn usual(&self) -> Duration {
        if self.met < CROWD { self.target.mul_f64(ALONE) } else { self.target }
    }

    /// Longer batches from now on: in those of this length the work does not come to an end.
    pub(super) fn press(&mut self) {
        self.pressure = (self.pressure * 2.0).min(1_000.0);
    }

    /// Batches of the usual length again.
    pub(super) fn release(&mut self) {
        self.pressure = 1.0;
    }

    /// Rows for the next batch.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    pub(super) fn rows(&self) -> u64 {
        self.fixed.unwrap_or(self.rows.clamp(1.0, MOST) as u64).max(1)
    }

    /// For how long a batch may go on with more of its rows.
    pub(super) fn enough(&self) -> Duration {
        self.hold() * 2
    }

    /// Learns from a batch of so many rows (none known: as many as it was given) whose work and COMMIT held the lock for
    /// so long. That few rows take little time does not say that many do.
    ///
    /// Where COMMIT waits for a disk (a rollback journal, or `synchronous = FULL`) no batch is small enough to be short:
    /// then each does about as much work as its COMMIT costs, or most of the time would go into committing.
    pub(super) fn learn(&mut self, rows: u64, work: Duration, commit: Duration) {
        let target = self.hold();
        let goal = target.saturating_sub(commit).max(commit.min(target * WORTH));
        let ratio = goal.as_secs_f64() * 0.9 / work.as_secs_f64().max(1e-6);
        // Slow growth, quick retreat: one row may be a thousand times larger than the next.
        let most = match ratio {
            _ if rows < self.rows() => 1.0,
            ratio if ratio > 4.0 => 2.0,
            _ => 1.2,
        };
        self.rows = (self.rows * ratio.clamp(0.4, most)).clamp(1.0, MOST);
    }

    /// How long the file is left alone after a lock of this length.
    pub(super) fn gap(&self, hold: Duration) -> Duration {
        let share = hold.mul_f64(self.throttle / (1.0 - self.throttle));
        // What longer batches could not do, shorter gaps must.
        let beyond = (self.usual().mul_f64(self.pressure).as_secs_f64() / PRESSED.as_secs_f64()).max(1.0);
        nap_after(hold).div_f64(beyond).max(share)
    }
}

/// The whole nap of a sleeper that met the lock so long ago, and a little for it to wake.
pub(super) fn nap_after(met: Duration) -> Duration {
    let mut passed = Duration::ZERO;
    let nap = NAPS.into_iter().map(|millis| Duration::from_millis(millis.into())).find(|nap| {
        passed += *nap;
        met <= passed
    });
    nap.unwrap_or(Duration::from_millis(100)) + SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_nap_that_a_sleeper_is_in() {
        let pacer = Pacer::new(&RunOptions::default());
        for (hold, gap) in [(300, 1_400), (1_000, 1_400), (1_100, 2_400), (3_100, 5_400), (40_000, 20_400)] {
            assert_eq!(pacer.gap(Duration::from_micros(hold)), Duration::from_micros(gap), "{hold}");
        }
        assert_eq!(pacer.gap(Duration::from_secs(2)), Duration::from_micros(100_400));
    }

    #[test]
    fn a_slow_commit_is_made_worth_its_time() {
        let mut pacer = Pacer::new(&RunOptions::default());
        for _ in 0..80 {
            let work = Duration::from_micros(pacer.rows() * 2);
            pacer.learn(pacer.rows(), work, Duration::from_millis(15));
        }
        assert!((6_000..=8_000).contains(&pacer.rows()), "{}", pacer.rows());
    }

    #[test]
    fn pressure_lengthens_batches_up_to_a_limit() {
        let mut pacer = Pacer::new(&RunOptions::default());
        assert_eq!(pacer.hold(), Duration::from_millis(1));
        pacer.press();
        assert_eq!(pacer.hold(), Duration::from_millis(2));
        assert_eq!(pacer.gap(Duration::from_millis(1)), Duration::from_micros(1_400));
        (0..20).for_each(|_| pacer.press());
        assert_eq!(pacer.hold(), PRESSED);
        assert!(pacer.gap(PRESSED) < Duration::from_millis(1), "then the gaps are what is left to take from");
        pacer.release();
        assert_eq!(pacer.hold(), Duration::from_millis(1));
    }

    #[test]
    fn throttle_leaves_its_share() {
        let pacer = Pacer::new(&RunOptions { throttle: 0.9, ..RunOptions::default() });
        assert!(pacer.gap(Duration::from_millis(1)) >= Duration::from_micros(8_900));
    }

    #[test]
    fn batches_follow_the_measured_hold() {
        let mut pacer = Pacer::new(&RunOptions::default());
        for _ in 0..50 {
            let hold = Duration::from_micros(pacer.rows() * 2);
            pacer.learn(pacer.rows(), hold, Duration::ZERO);
        }
        assert!((400..=500).contains(&pacer.rows()), "{}", pacer.rows());
        for _ in 0..20 {
            pacer.learn(3, Duration::from_micros(6), Duration::ZERO);
        }
        assert!(pacer.rows() <= 500, "a few rows teach nothing about many");
        pacer.learn(u64::MAX, Duration::from_millis(50), Duration::ZERO);
        assert!(pacer.rows() < 250);
        let fixed = Pacer::new(&RunOptions { batch_rows: Some(7), ..RunOptions::default() });
        assert_eq!(fixed.rows(), 7);
    }
}
