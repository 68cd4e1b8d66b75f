//! What a run tells while it goes on, and what it can be told.

use std::time::Duration;

use pql_schema::MigrationId;
use serde::Serialize;

/// Sees a run's progress and steers it. Called several times a second at most, between transactions.
pub trait Observer {
    /// Takes note, and says whether to go on.
    fn progress(&mut self, progress: &RunProgress) -> Signal;
}

/// What a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signal {
    /// Go on.
    #[default]
    Go,
    /// Stop here; can be resumed.
    Pause,
    /// Stop and take back what was done.
    Cancel,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunProgress {
    /// Of which migration.
    pub migration_id: MigrationId,
    /// It takes back what was done.
    pub undoing: bool,
    /// The phase of the step.
    pub phase: &'static str,
    /// What the step does, in one word.
    pub action: &'static str,
    /// The step's number, from 1.
    pub step: usize,
    /// The number of steps.
    pub steps: usize,
    /// Rows of this step that are done.
    pub rows: u64,
    /// Rows of this step in all, when known.
    pub total: Option<u64>,
    /// Rows a second, in this step.
    pub rows_per_second: f64,
    /// Since the run began.
    pub elapsed: Duration,
    /// The longest lock so far.
    pub longest_lock: Duration,
    /// What the run waits for, when it does.
    pub waiting: Option<String>,
}

impl RunProgress {
    /// Of a migration that has not begun.
    pub fn before(migration_id: MigrationId) -> Self {
        Self {
            migration_id,
            undoing: false,
            phase: "",
            action: "",
            step: 0,
            steps: 0,
            rows: 0,
            total: None,
            rows_per_second: 0.0,
            elapsed: Duration::ZERO,
            longest_lock: Duration::ZERO,
            waiting: None,
        }
    }
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &RunProgress) -> Signal {
        Signal::Go
    }
}

impl<F: FnMut(&RunProgress) -> Signal> Observer for F {
    fn progress(&mut self, progress: &RunProgress) -> Signal {
        self(progress)
    }
}
