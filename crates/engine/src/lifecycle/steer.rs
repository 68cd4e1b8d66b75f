//! MIGRATE PAUSE, RESUME and CANCEL: of a run in another session, by a word left in the journal; of one whose runner
//! is gone, or that is paused, by going on with it here.

use std::thread::sleep;
use std::time::{Duration, Instant};

use pql_schema::{MigrationId, MigrationStatus};

use crate::journal::{Heading, Intent, Reason, Record, StoredPlan};
use crate::lease::{Lease, holder};
use crate::options::ApplyOptions;
use crate::runner::{Observer, barrier, transact};
use crate::{Engine, Error, MigrationInfo, Report, Result, codes};

use super::apply::is_unfinished;

/// How long a PAUSE or CANCEL waits for the other session to obey before it answers.
const PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    /// Asks the session that runs a migration to pause it.
    pub fn pause(&mut self, id: MigrationId) -> Result<MigrationInfo> {
        let record = self.record(id)?;
        match record.migration.status {
            MigrationStatus::Paused => {}
            MigrationStatus::Running if self.runs_elsewhere(id)? => self.ask(id, "pause")?,
            MigrationStatus::Running => {
                let lease =
                    Lease::acquire(self.backend.as_mut(), self.journal, &self.actor, Some(id), PATIENCE)?;
                let written = self.pause_abandoned(&lease, id);
                lease.release(self.backend.as_mut())?;
                written?;
            }
            _ => return Err(not_running(&record, "paused")),
        }
        self.info(id)
    }

    /// The runner may have come to its end, or another may have, before the lease was ours.
    fn pause_abandoned(&mut self, lease: &Lease, id: MigrationId) -> Result<()> {
        let mut record = self.record(id)?;
        if record.migration.status != MigrationStatus::Running {
            return Ok(());
        }
        record.migration.status = MigrationStatus::Paused;
        self.write(lease, &record, "paused", Some("its runner was gone"))
    }

    /// Goes on with a migration that is paused or was interrupted.
    pub fn resume(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let record = self.record(id)?;
        if !is_unfinished(&record) {
            return Err(not_running(&record, "resumed"));
        }
        self.go_on(id, options, observer, None)
    }

    /// Takes back a migration that is running elsewhere, paused or interrupted; gives up one that was never applied.
    pub fn cancel(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let record = self.record(id)?;
        match record.migration.status {
            MigrationStatus::Generated if self.give_up(id)? => {
                Ok(Report::new(&self.record(id)?, self.version()?, 0))
            }
            MigrationStatus::Generated | MigrationStatus::Running if self.runs_elsewhere(id)? => {
                self.ask(id, "cancel")?;
                let record = self.record(id)?;
                let steps =
                    self.journal.plan(self.backend.connection(), id, record.attempt)?.plan.steps.len();
                Ok(Report::new(&record, self.version()?, steps))
            }
            MigrationStatus::Running | MigrationStatus::Paused => {
                self.go_on(id, options, observer, Some(Reason::Cancelled))
            }
            _ => Err(not_running(&record, "cancelled")),
        }
    }

    /// Takes back a run that stands half way, whichever way it was going.
    pub fn take_back(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let forward = self.record(id)?.run.is_some_and(|run| run.heading == Heading::Forward);
        self.go_on(id, options, observer, forward.then_some(Reason::Cancelled))
    }

    /// Gives up a migration that was never begun; `false` when somebody begins it at this moment.
    pub(super) fn give_up(&mut self, id: MigrationId) -> Result<bool> {
        let (journal, actor) = (self.journal, &self.actor);
        transact(self.backend.as_mut(), |connection| {
            let begun = holder(journal, connection)?.is_some_and(|holder| holder.migration_id == Some(id));
            let Some(mut record) = journal.get(connection, id)?.filter(|_| !begun) else { return Ok(false) };
            if record.migration.status != MigrationStatus::Generated {
                return Ok(false);
            }
            record.migration.status = MigrationStatus::Cancelled;
            journal.update(connection, &record)?;
            journal.record(connection, actor, Some(id), "cancelled", None)?;
            Ok(true)
        })
    }

    /// Takes over a run where it was left, and turns it round when that is asked.
    fn go_on(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
        turn: Option<Reason>,
    ) -> Result<Report> {
        let patience = options.run.retry_for;
        let lease = Lease::acquire(self.backend.as_mut(), self.journal, &self.actor, Some(id), patience)?;
        let prepared = self.prepare(id, &lease, turn);
        match prepared {
            Ok((record, stored)) => self.drive(lease, record, &stored, options, observer),
            Err(error) => {
                // The lease ends by itself when it cannot be given back; the error matters more.
                let _ = lease.release(self.backend.as_mut());
                Err(error)
            }
        }
    }

    pub(super) fn prepare(
        &mut self,
        id: MigrationId,
        lease: &Lease,
        turn: Option<Reason>,
    ) -> Result<(Record, StoredPlan)> {
        let mut record = self.record(id)?;
        let (Some(run), true) = (record.run.clone(), is_unfinished(&record)) else {
            return Err(not_running(&record, "resumed"));
        };
        let stored = self.journal.plan(self.backend.connection(), id, record.attempt)?;
        let as_asked = match run.intent {
            Intent::Apply => run.heading == Heading::Forward,
            Intent::Rollback => run.heading == Heading::Backward,
        };
        let turn = turn.filter(|_| as_asked);
        if turn.is_some() && run.heading == Heading::Forward {
            let rows = self.journal.steps(self.backend.connection(), id)?;
            if let Some(step) = barrier(&rows, &stored.plan) {
                let verb = stored.plan.steps[step].action.verb();
                return Err(Error::new(
                    codes::IRREVERSIBLE,
                    format!(
                        "step {} ({verb}) is done and has no way back, so the migration cannot be cancelled",
                        step + 1
                    ),
                )
                .with_help("MIGRATE RESUME finishes it"));
            }
        }
        record.migration.status = MigrationStatus::Running;
        self.write(lease, &record, "resumed", None)?;
        if let Some(reason) = turn {
            self.turn(lease, &mut record, reason)?;
        }
        Ok((record, stored))
    }

    /// Leaves a word for the session that runs a migration, and gives it a moment to act on it.
    fn ask(&mut self, id: MigrationId, word: &str) -> Result<()> {
        let (journal, actor) = (self.journal, &self.actor);
        transact(self.backend.as_mut(), |connection| {
            journal.set_control(connection, id, Some(word))?;
            journal.record(connection, actor, Some(id), &format!("{word}_asked"), None)
        })?;
        let asked = Instant::now();
        let busy = [MigrationStatus::Generated, MigrationStatus::Running];
        while asked.elapsed() < PATIENCE
            && busy.contains(&self.record(id)?.migration.status)
            && self.runs_elsewhere(id)?
        {
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether a living runner is at work on a migration.
    pub(super) fn runs_elsewhere(&mut self, id: MigrationId) -> Result<bool> {
        let holder = holder(self.journal, self.backend.connection())?;
        Ok(holder.is_some_and(|holder| holder.migration_id == Some(id)))
    }
}

fn not_running(record: &Record, verb: &str) -> Error {
    let migration = &record.migration;
    let error = Error::new(
        codes::NOT_RUNNING,
        format!(
            "migration {} ({}) cannot be {verb}: it is {}",
            migration.id,
            migration.name,
            migration.status.as_str().replace('_', " ")
        ),
    );
    error.with_help(match migration.status {
        MigrationStatus::Applied => "MIGRATE ROLLBACK takes an applied migration back",
        MigrationStatus::Running | MigrationStatus::Paused => "MIGRATE STATUS shows how far it is",
        _ => "MIGRATE APPLY runs it",
    })
}
