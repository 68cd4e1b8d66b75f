//! Runs a plan: forward, step by step, or backward, by the undo lists of the steps that are in effect. Both are the
//! same walk over [`Unit`]s, journalled in the same way, so both can be interrupted anywhere and go on.
//!
//! What is in effect is exactly what the journal has rows for. The runner decides neither why it runs nor what an
//! error leads to: that is the lifecycle's.

mod backoff;
mod beside;
mod gone;
mod meter;
mod observer;
mod reach;
mod rewind;
mod step;

use std::time::{Duration, Instant};

use pql_planner::{Action, Change, Phase, Plan};
use pql_schema::{Fingerprint, MigrationId, ObjectName};

use crate::backend::{Backend, Connection, FAILED, Progress, RunOptions, Step as _};
use crate::journal::{Heading, Journal, State, StepRow, Totals};
use crate::lease::Lease;
use crate::{Error, Result, codes};

pub(crate) use backoff::Backoff;
pub(crate) use gone::table as table_of;
use meter::Meter;
pub use observer::{Observer, RunProgress, Signal, Silent};
use reach::alters;
use step::StepRun;

/// Runs one transaction and gives what the work gave.
pub(crate) fn transact<T>(
    backend: &mut dyn Backend,
    mut work: impl FnMut(&mut dyn Connection) -> Result<T>,
) -> Result<T> {
    let mut outcome = None;
    backend.transaction(&mut |connection| {
        outcome = Some(work(connection)?);
        Ok(())
    })?;
    Ok(outcome.expect("a transaction that committed has run its work"))
}

/// The same, tried again for a while when a lock is in the way.
pub(crate) fn transact_patiently<T>(
    backend: &mut dyn Backend,
    patience: Duration,
    mut work: impl FnMut(&mut dyn Connection) -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    let mut backoff = Backoff::new();
    loop {
        match transact(backend, &mut work) {
            Err(error) if error.is_retryable() && started.elapsed() < patience => {
                backoff.wait(&mut || Ok(()))?;
            }
            outcome => return outcome,
        }
    }
}

/// One action of a plan: a step's own, or one of those that take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    step: usize,
    undo: Option<usize>,
}

impl Unit {
    fn key(self) -> (usize, Option<usize>) {
        (self.step, self.undo)
    }

    fn action(self, plan: &Plan) -> &Action {
        let step = &plan.steps[self.step];
        self.undo.map_or(&step.action, |undo| &step.undo[undo])
    }
}

/// A run of one plan.
pub(crate) struct Runner<'r> {
    backend: &'r mut dyn Backend,
    journal: Journal,
    id: MigrationId,
    plan: &'r Plan,
    /// The names of what the plan touches, before and after.
    names: Vec<ObjectName>,
    lease: &'r Lease,
    options: &'r RunOptions,
    observer: &'r mut dyn Observer,
    meter: Meter,
    cancellable: bool,
    /// How many steps may run at the same time.
    side_by_side: usize,
    /// Other steps of the plan run at the same time as this run's own.
    beside: bool,
}

/// What a run needs.
pub(crate) struct Job<'r> {
    pub(crate) journal: Journal,
    pub(crate) id: MigrationId,
    pub(crate) plan: &'r Plan,
    pub(crate) names: Vec<ObjectName>,
    pub(crate) lease: &'r Lease,
    pub(crate) options: &'r RunOptions,
    /// How many steps may run at the same time, where the database has more than one writer.
    pub(crate) side_by_side: usize,
}

impl<'r> Runner<'r> {
    pub(crate) fn new(backend: &'r mut dyn Backend, observer: &'r mut dyn Observer, job: Job<'r>) -> Self {
        let Job { journal, id, plan, names, lease, options, side_by_side } = job;
        let meter = Meter::new(id, plan.steps.len());
        Self {
            backend,
            journal,
            id,
            plan,
            names,
            lease,
            options,
            observer,
            meter,
            cancellable: true,
            side_by_side,
            beside: false,
        }
    }

    /// Goes to the end that the heading names.
    pub(crate) fn run(&mut self, heading: Heading, cancellable: bool) -> Result<()> {
        self.cancellable = cancellable;
        match heading {
            Heading::Forward => self.forward(),
            Heading::Backward => self.backward(),
        }
    }

    /// What the run has cost, on top of `before`.
    pub(crate) fn totals(&self, before: Totals) -> Totals {
        self.meter.totals(before)
    }

    /// What the user should know of it.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        self.meter.take_notes()
    }

    /// The database that is being changed.
    pub(crate) fn backend(&mut self) -> &mut dyn Backend {
        self.backend
    }

    /// Whether a step has been taken back by something that gave up what the application wrote since: to do the step
    /// again would not bring that back.
    pub(crate) fn has_spent(&mut self) -> Result<bool> {
        let rows = self.rows()?;
        let spends = |action: &Action| {
            let converts = |change: &Change| matches!(change, Change::SetType { using: Some(_), .. });
            alters(action, &converts)
                || matches!(
                    action,
                    Action::DropColumn { .. }
                        | Action::RetireTable { .. }
                        | Action::DropTable { .. }
                        | Action::RebuildUnswap { .. }
                        | Action::SwapBack { .. }
                        | Action::Execute { .. }
                )
        };
        Ok(self.plan.steps.iter().enumerate().any(|(step, planned)| {
            let gone = rows.iter().all(|row| row.step != step);
            planned.undo.iter().enumerate().any(|(undo, action)| {
                let done =
                    find(&rows, Unit { step, undo: Some(undo) }).is_some_and(|row| row.state == State::Done);
                (gone || done) && spends(action)
            })
        }))
    }

    /// The first step in effect that has no way back.
    pub(crate) fn barrier(&mut self) -> Result<Option<usize>> {
        Ok(barrier(&self.rows()?, self.plan))
    }

    /// Removes what the plan, once applied, retained.
    pub(crate) fn purge(&mut self) -> Result<()> {
        self.cancellable = false;
        self.meter.enter(self.plan.steps.len(), false, Phase::Contract.as_str(), "purge", 0);
        let plan = self.plan;
        let (backend, mut step) = self.step(None, false, None);
        step.listen()?;
        backend.purge(plan, &mut step)
    }

    fn forward(&mut self) -> Result<()> {
        if !self.cancellable {
            self.rewind()?;
        }
        let rows = self.rows()?;
        let mut step = 0;
        while step < self.plan.steps.len() {
            if let Some(group) = self.group(step, &rows)
                && self.execute_beside(&group, &rows)?
            {
                step = group.end;
                continue;
            }
            let unit = Unit { step, undo: None };
            let row = find(&rows, unit);
            if row.is_none_or(|row| row.state != State::Done) {
                self.execute(unit, row, false)?;
            }
            step += 1;
        }
        Ok(())
    }

    fn backward(&mut self) -> Result<()> {
        let rows = self.rows()?;
        let apart = self.backend.capabilities().lacks.transactional_ddl;
        for step in (0..self.plan.steps.len()).rev() {
            let unit = Unit { step, undo: None };
            let Some(row) = find(&rows, unit) else { continue };
            let untouched = match row.state {
                State::Done => false,
                // Outside a transaction the journal cannot tell; the database may.
                State::Started if !apart && !unit.action(self.plan).is_outside_transaction() => true,
                State::Started | State::Partial => {
                    self.backend.probe(self.plan, unit.action(self.plan))? == Some(false)
                }
            };
            let begun = rows.iter().any(|row| row.step == step && row.undo.is_some());
            if untouched && !begun {
                self.forget(step)?;
            } else {
                self.take_back(step, &rows)?;
            }
        }
        Ok(())
    }

    /// Takes one step back, from where that was left.
    fn take_back(&mut self, step: usize, rows: &[StepRow]) -> Result<()> {
        let planned = &self.plan.steps[step];
        if planned.irreversible && find(rows, Unit { step, undo: None }).is_some_and(has_failed) {
            self.meter.note(&format!(
                "except for what step {} ({}) had done when it failed: it runs outside a transaction, so look what it \
                 has left",
                step + 1,
                planned.action.verb()
            ));
            return self.forget(step);
        }
        if planned.irreversible {
            return Err(Error::new(
                codes::IRREVERSIBLE,
                format!("step {} ({}) has no way back", step + 1, planned.action.verb()),
            )
            .with_help("write the opposite change as a new migration"));
        }
        let count = planned.undo.len();
        for undo in 0..count {
            let unit = Unit { step, undo: Some(undo) };
            let row = find(rows, unit);
            if row.is_some_and(|row| row.state == State::Done) {
                continue;
            }
            if self.is_gone(unit)? {
                self.backend.forget(unit.action(self.plan))?;
                self.finish(unit, undo + 1 == count)?;
            } else {
                self.execute(unit, row, undo + 1 == count)?;
            }
        }
        if count == 0 {
            self.forget(step)?;
        }
        Ok(())
    }

    /// Whether others have dropped the table that an action works on, and with it what there was to take back.
    fn is_gone(&mut self, unit: Unit) -> Result<bool> {
        let plan = self.plan;
        // What is out of sight is no part of a schema.
        let Some(table) = gone::table(plan, unit.action(plan)).filter(|table| !gone::is_hidden(table)) else {
            return Ok(false);
        };
        // An index may be a materialised view's.
        Ok(!self.backend.exists(table)?)
    }

    fn forget(&mut self, step: usize) -> Result<()> {
        let (journal, id, lease) = (self.journal, self.id, self.lease);
        self.write(&mut |connection| {
            lease.verify(connection)?;
            journal.step_undone(connection, id, step)
        })
    }

    /// Executes one action to its end, waiting out what can be waited out.
    ///
    /// That it begins is recorded before, so that whoever goes on after an interruption knows; of one that happens in a
    /// moment or not at all there is nothing to know, unless it is stopped here.
    fn execute(&mut self, unit: Unit, row: Option<&StepRow>, last_undo: bool) -> Result<()> {
        let action = unit.action(self.plan);
        let phase = self.plan.steps[unit.step].phase.as_str();
        self.meter.enter(unit.step, unit.undo.is_some(), phase, action.verb(), row.map_or(0, |row| row.rows));
        let apart = self.backend.capabilities().lacks.transactional_ddl;
        if apart
            && action.is_momentary()
            && row.is_some_and(|row| row.state == State::Started)
            && self.backend.probe(self.plan, action)? == Some(true)
        {
            // It was done; what ended the run came before the journal knew.
            return self.finish(unit, last_undo);
        }
        let noted = row.is_some() || apart || !action.is_momentary();
        if noted {
            self.begin(unit, row)?;
        }
        let outcome = self.attempts(unit, row.and_then(|row| row.cursor.clone()), last_undo);
        let Err(error) = &outcome else { return outcome };
        // The error matters more than a note that cannot be made; without it the action is as if never reached.
        let stopped = [codes::LEASE_LOST, codes::PAUSED, codes::CANCELLED].contains(&error.code());
        if error.code() == codes::DRIFTED || unit.undo.is_some() && !error.is_retryable() && !stopped {
            // What others changed may be what stopped it: then the tables should not stay like that.
            let _ = self.note(unit, None);
        } else if !noted && !error.is_retryable() {
            let _ = self.begin(unit, None);
        }
        outcome
    }

    fn attempts(&mut self, unit: Unit, mut cursor: Option<String>, last_undo: bool) -> Result<()> {
        let plan = self.plan;
        let action = unit.action(plan);
        let started = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let (backend, mut step) = self.step(Some(unit), last_undo, cursor.take());
            step.listen()?;
            let outcome = backend.execute(plan, action, &mut step);
            let done = step.done;
            let error = match outcome {
                Ok(()) => {
                    if !done {
                        self.finish(unit, last_undo)?;
                    }
                    self.meter.leave();
                    return Ok(());
                }
                Err(error) => error,
            };
            if !error.is_retryable() || started.elapsed() >= self.options.retry_for {
                return Err(error);
            }
            self.meter.waiting(error.message());
            let (_, mut step) = self.step(Some(unit), last_undo, None);
            backoff.wait(&mut || step.listen())?;
            // The attempt that failed may have committed part of the work, or even all of it.
            let rows = self.rows()?;
            let row = find(&rows, unit);
            if row.is_some_and(|row| row.state == State::Done)
                || last_undo && rows.iter().all(|row| row.step != unit.step)
            {
                return Ok(());
            }
            cursor = row.and_then(|row| row.cursor.clone());
        }
    }

    /// Records that an action begins, and that the tables are as they were left.
    fn begin(&mut self, unit: Unit, row: Option<&StepRow>) -> Result<()> {
        let schema = if self.beside { None } else { Some(self.undisturbed(unit, row)?) };
        self.note(unit, schema.as_ref())
    }

    /// Records that an action has begun, and how the tables were then.
    fn note(&mut self, unit: Unit, schema: Option<&Fingerprint>) -> Result<()> {
        let (journal, id, lease) = (self.journal, self.id, self.lease);
        self.write(&mut |connection| {
            lease.verify(connection)?;
            journal.step_started(connection, id, unit.key(), schema.map(|schema| schema.0.as_str()))
        })
    }

    /// How the tables are; an error when others have changed them since the action was begun.
    fn undisturbed(&mut self, unit: Unit, row: Option<&StepRow>) -> Result<Fingerprint> {
        let schema = self.backend.introspect_part(&self.names)?.fingerprint_of(&self.names);
        if let Some(before) = row.and_then(|row| row.schema.as_deref())
            && before != schema.0
            && !unit.action(self.plan).is_outside_transaction()
            && !(unit.undo.is_some() && gone::only_removes(unit.action(self.plan)))
            // It may have been interrupted between its visible act and its end.
            && self.backend.probe(self.plan, unit.action(self.plan))? != Some(true)
        {
            return Err(Error::new(
                codes::DRIFTED,
                "the migration's tables were changed by others while it was interrupted",
            )
            .with_help(
                "undo those changes by hand, then resume or cancel the migration; its progress is kept",
            ));
        }
        Ok(schema)
    }

    /// Records the end of an action that had no transaction to do so in.
    fn finish(&mut self, unit: Unit, last_undo: bool) -> Result<()> {
        let (journal, id, lease) = (self.journal, self.id, self.lease);
        let row = journal.step(self.backend.connection(), id, unit.key())?;
        let (rows, total) = row.map_or((0, None), |row| (row.rows, row.total));
        let progress = Progress { cursor: None, rows, total, done: true };
        self.write(&mut |connection| {
            lease.verify(connection)?;
            if last_undo {
                journal.step_undone(connection, id, unit.step)
            } else {
                journal.step_progress(connection, id, unit.key(), &progress)
            }
        })
    }

    /// Writes to the journal between actions, listening while a lock is in the way.
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Result<()>) -> Result<()> {
        let started = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            match self.backend.transaction(work) {
                Err(error) if error.is_retryable() && started.elapsed() < self.options.retry_for => {
                    self.meter.waiting(error.message());
                    let (_, mut step) = self.step(None, false, None);
                    backoff.wait(&mut || step.listen())?;
                }
                outcome => return outcome,
            }
        }
    }

    /// The backend, and our side of what it is to do.
    fn step(
        &mut self,
        unit: Option<Unit>,
        last_undo: bool,
        cursor: Option<String>,
    ) -> (&mut dyn Backend, StepRun<'_>) {
        let step = StepRun {
            journal: self.journal,
            id: self.id,
            unit,
            last_undo,
            cancellable: self.cancellable,
            cursor,
            done: false,
            lease: self.lease,
            options: self.options,
            meter: &mut self.meter,
            observer: self.observer,
        };
        (self.backend, step)
    }

    fn rows(&mut self) -> Result<Vec<StepRow>> {
        self.journal.steps(self.backend.connection(), self.id)
    }
}

/// The first of the steps in effect that has no way back.
pub(crate) fn barrier(rows: &[StepRow], plan: &Plan) -> Option<usize> {
    rows.iter()
        .filter(|row| row.undo.is_none() && row.state != State::Started && !has_failed(row))
        .map(|row| row.step)
        .find(|&step| plan.steps[step].irreversible)
}

/// SQL of the user's that ran outside a transaction, to an error.
fn has_failed(row: &StepRow) -> bool {
    row.state == State::Partial && row.cursor.as_deref() == Some(FAILED)
}

fn find(rows: &[StepRow], unit: Unit) -> Option<&StepRow> {
    rows.iter().find(|row| (row.step, row.undo) == unit.key())
}
