//! What an executor tells while it works.

use std::fmt;

use pql_engine::{RunProgress, Signal};

use super::MigrationResult;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum ProgressEvent {
    /// A migration begins; `total` is the number of its steps.
    Start {
        /// Which.
        id: String,
        /// Steps.
        total: u64,
    },
    /// Where the run is, many times a second.
    Running(RunProgress),
    /// It goes on.
    Update {
        /// Steps done.
        done: u64,
        /// Where it is.
        message: String,
    },
    /// It is done, or has failed.
    Complete(MigrationResult),
}

type Listener = Box<dyn FnMut(&ProgressEvent) -> Signal + Send>;

/// Passes on to a listener what happens; without one it keeps it to itself.
#[derive(Default)]
pub struct ProgressReporter {
    listener: Option<Listener>,
}

impl ProgressReporter {
    /// Everything is told to this listener from now on; its answer steers the migration that is running.
    pub fn listen(&mut self, listener: impl FnMut(&ProgressEvent) -> Signal + Send + 'static) {
        self.listener = Some(Box::new(listener));
    }

    /// A migration begins.
    pub fn start(&mut self, id: &str, total: u64) -> Signal {
        self.tell(&ProgressEvent::Start { id: id.to_owned(), total })
    }

    /// It goes on.
    pub fn update(&mut self, done: u64, message: impl Into<String>) -> Signal {
        self.tell(&ProgressEvent::Update { done, message: message.into() })
    }

    /// Where the run is.
    pub fn running(&mut self, progress: RunProgress) -> Signal {
        self.tell(&ProgressEvent::Running(progress))
    }

    /// It is done, or has failed.
    pub fn complete(&mut self, result: &MigrationResult) {
        self.tell(&ProgressEvent::Complete(result.clone()));
    }

    fn tell(&mut self, event: &ProgressEvent) -> Signal {
        self.listener.as_mut().map_or(Signal::Go, |listener| listener(event))
    }
}

impl fmt::Debug for ProgressReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressReporter").field("listening", &self.listener.is_some()).finish()
    }
}
