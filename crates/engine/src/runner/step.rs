//! The runner's side of one action.

use std::time::Duration;

use pql_schema::MigrationId;

use crate::backend::{Connection, Entry, Progress, RunOptions, Step, Ticket};
use crate::journal::Journal;
use crate::lease::Lease;
use crate::{Error, Result, codes};

use super::meter::Meter;
use super::{Observer, Signal, Unit};

/// An action that is being executed.
pub(super) struct StepRun<'r> {
    pub(super) journal: Journal,
    pub(super) id: MigrationId,
    /// The action in the plan; `None`: a purge, of which the journal keeps no cursor.
    pub(super) unit: Option<Unit>,
    /// With this action the whole step is taken back, and its rows in the journal go.
    pub(super) last_undo: bool,
    /// A CANCEL would be news.
    pub(super) cancellable: bool,
    pub(super) cursor: Option<String>,
    /// Its last transaction has recorded that it is complete.
    pub(super) done: bool,
    pub(super) lease: &'r Lease,
    pub(super) options: &'r RunOptions,
    pub(super) meter: &'r mut Meter,
    pub(super) observer: &'r mut dyn Observer,
}

impl StepRun<'_> {
    fn write(&self, connection: &mut dyn Connection, progress: &Progress) -> Result<()> {
        match self.entry(progress) {
            Entry::Nothing => Ok(()),
            Entry::Undone { step } => self.journal.step_undone(connection, self.id, step),
            Entry::Progress { step, undo } => {
                self.journal.step_progress(connection, self.id, (step, undo), progress)
            }
        }
    }

    /// What the journal is to say of such progress.
    fn entry(&self, progress: &Progress) -> Entry {
        match self.unit {
            None => Entry::Nothing,
            Some(unit) if progress.done && self.last_undo => Entry::Undone { step: unit.step },
            Some(unit) => Entry::Progress { step: unit.step, undo: unit.undo },
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
        self.done = progress.done;
        self.meter.advance(progress);
        Ok(())
    }

    fn ticket(&mut self, progress: &Progress) -> Result<Ticket> {
        self.done = progress.done;
        self.meter.advance(progress);
        Ok(Ticket { fence: self.lease.fence(), migration: self.id, entry: self.entry(progress) })
    }

    fn breathe(&mut self, progress: &Progress) -> Result<()> {
        self.meter.advance(progress);
        self.listen()
    }

    fn listen(&mut self) -> Result<()> {
        let seen = self.meter.report(self.observer);
        let asked = if seen == Signal::Go { self.lease.control().signal() } else { seen };
        match asked {
            Signal::Pause => Err(Error::new(codes::PAUSED, "the migration was paused")
                .with_help("MIGRATE RESUME goes on where it stopped; MIGRATE CANCEL takes it back")),
            Signal::Cancel if self.cancellable => {
                Err(Error::new(codes::CANCELLED, "the migration was cancelled and taken back"))
            }
            Signal::Cancel | Signal::Go => Ok(()),
        }
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

    fn note(&mut self, what: &str) {
        self.meter.note(what);
    }
}
