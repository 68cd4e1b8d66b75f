//! What a run costs, and what is shown of it.

use std::time::{Duration, Instant};

use pql_schema::MigrationId;

use crate::backend::Progress;
use crate::journal::Totals;

use super::{Observer, RunProgress, Signal};

/// The least time between two reports.
const PERIOD: Duration = Duration::from_millis(50);

/// Measures a run.
pub(super) struct Meter {
    started: Instant,
    rows: u64,
    longest_lock: Duration,
    step_started: Instant,
    step_base: u64,
    reported: Option<Instant>,
    last: Signal,
    view: RunProgress,
    notes: Vec<String>,
}

impl Meter {
    pub(super) fn new(id: MigrationId, steps: usize) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            rows: 0,
            longest_lock: Duration::ZERO,
            step_started: now,
            step_base: 0,
            reported: None,
            last: Signal::Go,
            view: RunProgress { steps, ..RunProgress::before(id) },
            notes: Vec::new(),
        }
    }

    /// An action begins, or is resumed after `rows`.
    pub(super) fn enter(
        &mut self,
        step: usize,
        undoing: bool,
        phase: &'static str,
        action: &'static str,
        rows: u64,
    ) {
        self.step_started = Instant::now();
        self.step_base = rows;
        self.reported = None;
        let view = &mut self.view;
        (view.step, view.undoing, view.phase, view.action) = (step + 1, undoing, phase, action);
        (view.rows, view.total, view.waiting) = (rows, None, None);
    }

    /// An action has ended.
    pub(super) fn leave(&mut self) {
        self.rows += self.view.rows.saturating_sub(self.step_base);
    }

    pub(super) fn advance(&mut self, progress: &Progress) {
        self.view.rows = progress.rows;
        self.view.total = progress.total;
        self.view.waiting = None;
    }

    pub(super) fn held(&mut self, lock: Duration) {
        self.longest_lock = self.longest_lock.max(lock);
    }

    pub(super) fn waiting(&mut self, what: &str) {
        if self.view.waiting.as_deref() != Some(what) {
            self.view.waiting = Some(what.to_owned());
            self.reported = None;
        }
    }

    pub(super) fn note(&mut self, what: &str) {
        if !self.notes.iter().any(|said| said == what) {
            self.notes.push(what.to_owned());
        }
    }

    /// What was noted.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Shows the state, unless it was shown a moment ago; gives the observer's last word.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn report(&mut self, observer: &mut dyn Observer) -> Signal {
        if self.was_just_shown() {
            return self.last;
        }
        let done = self.view.rows.saturating_sub(self.step_base) as f64;
        let seconds = self.step_started.elapsed().as_secs_f64();
        self.view.rows_per_second = if seconds > 0.0 { done / seconds } else { 0.0 };
        self.tell(self.longest_lock, observer)
    }

    /// Adds what a run beside this one has cost.
    pub(super) fn take_in(&mut self, other: &Self) {
        self.rows += other.rows;
        self.held(other.longest_lock);
        other.notes.iter().for_each(|note| self.note(note));
    }

    /// Shows how far one of several runs is that go on side by side.
    pub(super) fn show(&mut self, one: &RunProgress, observer: &mut dyn Observer) -> Signal {
        let what = |view: &RunProgress| (view.step, view.action, view.waiting.clone());
        if what(&self.view) != what(one) {
            self.reported = None;
        }
        self.view.clone_from(one);
        if self.was_just_shown() {
            return self.last;
        }
        self.tell(self.longest_lock.max(one.longest_lock), observer)
    }

    fn was_just_shown(&self) -> bool {
        self.reported.is_some_and(|at| at.elapsed() < PERIOD)
    }

    fn tell(&mut self, longest_lock: Duration, observer: &mut dyn Observer) -> Signal {
        self.reported = Some(Instant::now());
        self.view.elapsed = self.started.elapsed();
        self.view.longest_lock = longest_lock;
        self.last = observer.progress(&self.view);
        self.last
    }

    /// What the run has cost so far, on top of what it had before.
    pub(super) fn totals(&self, before: Totals) -> Totals {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Totals {
            rows: before.rows + self.rows,
            micros: before.micros.saturating_add(micros(self.started.elapsed())),
            longest_lock_micros: before.longest_lock_micros.max(micros(self.longest_lock)),
        }
    }
}
