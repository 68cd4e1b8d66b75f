//! The runner's side of one action.

use std::time::Duration;

use pql_schema::MigrationId;

use crate::backend::{Connection, Progress, RunOptions, Step};
use crate::journal::Journal;
use crate::lease::Lease;
use crate::{Error, Result, codes};

use super::meter::Meter;
use super::{Observer, Signal, Unit};

/// An action that is being executed.
pub(super) struct StepRun<'r> {
    pub(super) journal: Journal,
    pub(super) id: MigrationId,
    pub(super) unit: Unit,
    /// With this action the whole step is taken back, and its rows in the journal go.
    pub(super) last_undo: bool,
    /// A CANCEL would be news.
    pub(super) cancellable: bool,
    pub(super) cursor: Option<String>,
    /// What was last given to a transaction; it has been committed if the action returned without an error.
    pub(super) last: Option<Progress>,
    pub(super) lease: &'r Lease,
    pub(super) options: &'r RunOptions,
    pub(super) meter: &'r mut Meter,
    pub(super) observer: &'r mut dyn Observer,
}

impl StepRun<'_> {
    /// Writes progress to the journal.
    pub(super) fn write(&self, connection: &mut dyn Connection, progress: &Progress) -> Result<()> {
        if progress.done && self.last_undo {
            self.journal.step_undone(connection, self.id, self.unit.step)
        } else {
            self.journal.step_progress(connection, self.id, self.unit.key(), progress)
        }
    }

    /// Whether to go on.
    pub(super) fn listen(&mut self) -> Result<()> {
        let seen = self.meter.report(self.observer);
        let asked = if seen == Signal::Go { self.lease.control().signal() } else { seen };
        match asked {
            Signal::Pause => Err(Error::new(codes::PAUSED, "The migration was paused.")
                .with_help("MIGRATE RESUME goes on where it stopped; MIGRATE CANCEL takes it back.")),
            Signal::Cancel if self.cancellable => {
                Err(Error::new(codes::CANCELLED, "The migration was cancelled and taken back."))
            }
            Signal::Cancel | Signal::Go => Ok(()),
        }
    }
}

impl Step for StepRun<'_> {
    fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    fn commit(&mut self, connection: &mut dyn Connection, progress: &Progress) -> Result<()> {
        self.lease.verify(connection)?;
        self.write(connection, progress)?;
        self.meter.advance(progress);
        self.last = Some(progress.clone());
        Ok(())
    }

    fn breathe(&mut self, progress: &Progress) -> Result<()> {
        self.meter.advance(progress);
        self.listen()
    }

    fn options(&self) -> &RunOptions {
        self.options
    }

    fn held(&mut self, lock: Duration) {
        self.meter.held(lock);
    }

    fn waiting(&mut self, what: &str) {
        self.meter.waiting(what);
        self.meter.report(self.observer);
    }
}
