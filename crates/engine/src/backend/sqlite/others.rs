//! Whether other writers still get their turn. Gaps are as long as a sleeper needs that wakes in time; on a machine
//! whose processors are busy it may wake late, again and again. What shows is that writers who committed all the time
//! commit no more; then the file is left alone until one does, at most for the nap that it is in by now.

use std::time::{Duration, Instant};

use super::pacing::nap_after;

/// Writers who commit rarely are not missed before this.
const SOON: Duration = Duration::from_millis(6);

/// They are missed after so many times the usual time between two of their commits.
const LATE: u32 = 2;

/// The weight of one such time in the usual one.
const WEIGHT: f64 = 0.1;

/// What is known of the other writers.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// The version of the data that was seen last (`PRAGMA data_version`: it changes with others' commits only).
    version: Option<i64>,
    /// When it had changed; none when nobody is expected.
    last: Option<Instant>,
    /// The usual time between two changes.
    usual: Duration,
}

impl Others {
    /// Takes note of the version seen now; true when somebody has committed since the last look.
    pub(super) fn look(&mut self, version: i64, now: Instant) -> bool {
        let known = self.version.replace(version);
        if known.is_none_or(|known| known == version) {
            return false;
        }
        if let Some(last) = self.last.replace(now) {
            self.usual = self.usual.mul_f64(1.0 - WEIGHT) + (now - last).mul_f64(WEIGHT);
        }
        true
    }

    /// How long to wait for somebody who should have committed by now; none when nobody is missed.
    pub(super) fn missed(&self, now: Instant) -> Option<Duration> {
        let silent = now.saturating_duration_since(self.last?);
        (silent > SOON.max(self.usual * LATE)).then(|| nap_after(silent))
    }

    /// Nobody came: those who wrote have stopped.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_all_the_time_is_missed() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut others = Others::default();
        assert!(!others.look(1, at(0)) && others.missed(at(500)).is_none(), "nobody was seen yet");
        for beat in 1..100_u64 {
            assert!(others.look(beat.cast_signed() + 1, at(beat * 5)));
        }
        assert!(!others.look(100, at(500)));
        assert_eq!(others.missed(at(504)), None);
        // Who met the lock 12 ms ago sleeps from the 8th to the 18th.
        assert_eq!(others.missed(at(507)), Some(Duration::from_millis(10) + super::super::pacing::SLACK));
        others.forget();
        assert_eq!(others.missed(at(600)), None);
        assert!(others.look(101, at(601)) && others.missed(at(602)).is_none());
    }
}
