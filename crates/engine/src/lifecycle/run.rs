//! From the beginning of a run to its end: forward, back again when something stops it, and what the journal says of
//! it afterwards.
//!
//! A run has an intent (apply or roll back) and a heading. An error or a CANCEL turns it round once; a second error
//! leaves it paused where it is. So a migration ends either in its new schema or in its old one, or it waits, with
//! the reason, for somebody to remove the obstacle.

use pql_planner::codes::HIDDEN_COLUMN;
use pql_planner::{Hazard, Severity};
use pql_schema::{MigrationId, MigrationOp, MigrationStatus, Schema};

use crate::backend::{Backend, RunOptions};
use crate::journal::{Failure, Heading, Intent, Reason, Record, Run, StoredPlan, now};
use crate::lease::Lease;
use crate::options::{ApplyOptions, OnFailure, Retain};
use crate::runner::{Job, Observer, Runner};
use crate::{Engine, Error, Report, Result, codes};

use super::drift::Drift;
use super::left;
use super::planning::{names, unmet};
use super::status::ways_on;

impl Engine {
    /// Runs a migration whose run is recorded to the end of it, and gives the lease back.
    pub(super) fn drive(
        &mut self,
        lease: Lease,
        mut record: Record,
        stored: &StoredPlan,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let outcome = self.drive_leased(&lease, &mut record, stored, options, observer);
        // A lease that cannot be given back ends by itself; what the run came to matters more.
        let _ = lease.release(self.backend.as_mut());
        outcome
    }

    fn drive_leased(
        &mut self,
        lease: &Lease,
        record: &mut Record,
        stored: &StoredPlan,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let mut cause = None;
        loop {
            let run = record.run.clone().expect("a migration that is driven has a run");
            // What is taken back because of an error or a CANCEL is not stopped by what may have been its cause.
            let statement_timeout = options.run.statement_timeout.filter(|_| run.reason.is_none());
            let run_options = RunOptions { statement_timeout, ..options.run.clone() };
            let job = Job {
                journal: self.journal,
                id: record.migration.id,
                plan: &stored.plan,
                names: names(&stored.plan, &stored.expected),
                lease,
                options: &run_options,
                side_by_side: options.max_concurrent_ops,
            };
            let mut runner = Runner::new(self.backend.as_mut(), &mut *observer, job);
            let mut left = Vec::new();
            let result = departing(runner.backend(), stored, &run)
                .and_then(|()| runner.run(run.heading, run.reason.is_none()))
                .and_then(|()| arrived(runner.backend(), record, stored, run.heading, &mut left));
            record.totals = runner.totals(record.totals);
            let mut notes = runner.take_notes();
            notes.extend(left);
            let spent = result.is_err() && run.heading == Heading::Backward && runner.has_spent()?;
            let barrier =
                if result.is_err() && run.heading == Heading::Forward { runner.barrier()? } else { None };
            let error = match result {
                Ok(schema) => {
                    let mut report = self.conclude(lease, record, stored, &run, &schema)?;
                    report.notes.splice(..0, notes);
                    if record.migration.status == MigrationStatus::Applied && record.retain == Retain::No {
                        // The migration is applied whatever becomes of this; the next run would try it again.
                        let _ = self.purge_one(lease, record.migration.id, options, observer);
                    }
                    return match cause {
                        Some(cause) => Err(noted(cause, &report.notes)),
                        None => Ok(report),
                    };
                }
                Err(error) => error,
            };
            if error.code() == codes::LEASE_LOST {
                return Err(error);
            }
            if error.code() == codes::PAUSED {
                self.rest(lease, record, None)?;
                return Err(error);
            }
            let cancelled = error.code() == codes::CANCELLED;
            let stays = run.reason.is_some()
                || error.code() == codes::DRIFTED
                || (spent && !cancelled)
                || (!cancelled && options.on_failure == OnFailure::Pause);
            if stays || barrier.is_some() {
                let error = match (barrier, run.reason) {
                    (_, Some(_)) => stuck(error, cause.as_ref(), record.migration.id, &run),
                    (Some(step), None) if !stays => barred(error, stored, step),
                    (None, None) if spent => stuck(error, None, record.migration.id, &run),
                    _ => error,
                };
                return Err(match self.rest(lease, record, Some(Failure::from(&error))) {
                    Ok(()) => error,
                    Err(lost) => unrecorded(error, lost, record.migration.id, &run),
                });
            }
            let reason = if cancelled { Reason::Cancelled } else { Reason::Failed };
            record.failure = (!cancelled).then(|| Failure::from(&error));
            if let Err(lost) = self.turn(lease, record, reason) {
                return Err(unrecorded(error, lost, record.migration.id, &run));
            }
            cause = Some(settle(error, run.intent));
        }
    }

    /// Turns a run round.
    pub(super) fn turn(&mut self, lease: &Lease, record: &mut Record, reason: Reason) -> Result<()> {
        let run = record.run.as_mut().expect("a run is turned round while it lasts");
        run.heading = match run.heading {
            Heading::Forward => Heading::Backward,
            Heading::Backward => Heading::Forward,
        };
        run.reason = Some(reason);
        let event = match reason {
            Reason::Failed => "turned_by_error",
            Reason::Cancelled => "turned_by_cancel",
        };
        let detail = record.failure.as_ref().map(|failure| failure.message.clone());
        self.write(lease, record, event, detail.as_deref())
    }

    /// Leaves a run where it is.
    fn rest(&mut self, lease: &Lease, record: &mut Record, failure: Option<Failure>) -> Result<()> {
        record.migration.status = MigrationStatus::Paused;
        let detail = failure.as_ref().map(|failure| failure.message.clone());
        if failure.is_some() {
            record.failure = failure;
        }
        self.write(lease, record, "paused", detail.as_deref())
    }

    /// Writes a migration's state and what led to it, under the lease.
    pub(super) fn write(
        &mut self,
        lease: &Lease,
        record: &Record,
        event: &str,
        detail: Option<&str>,
    ) -> Result<()> {
        let (journal, actor) = (self.journal, &self.actor);
        lease.transact(self.backend.as_mut(), |connection| {
            journal.update(connection, record)?;
            journal.record(connection, actor, Some(record.migration.id), event, detail)
        })
    }

    /// Records that a run has reached its end.
    fn conclude(
        &mut self,
        lease: &Lease,
        record: &mut Record,
        stored: &StoredPlan,
        run: &Run,
        schema: &Schema,
    ) -> Result<Report> {
        self.backend.sweep()?;
        let (journal, actor) = (self.journal, &self.actor);
        record.run = None;
        let version = lease.transact(self.backend.as_mut(), |connection| {
            let id = record.migration.id;
            let event = match (run.heading, run.intent) {
                (Heading::Forward, Intent::Apply) => {
                    let version = journal.version(connection)? + 1;
                    record.migration.version = Some(version);
                    record.migration.applied_at = Some(now());
                    record.failure = None;
                    record.migration.status = MigrationStatus::Applied;
                    journal.set_version(connection, version, Some(id), schema)?;
                    "applied"
                }
                (Heading::Forward, Intent::Rollback) => {
                    record.migration.status = MigrationStatus::Applied;
                    "rollback_abandoned"
                }
                (Heading::Backward, Intent::Rollback) => {
                    record.migration.status = MigrationStatus::RolledBack;
                    record.failure = None;
                    journal.cut_versions(connection, record.migration.version.unwrap_or(u64::MAX))?;
                    "rolled_back"
                }
                (Heading::Backward, Intent::Apply) if run.reason == Some(Reason::Cancelled) => {
                    record.migration.status = MigrationStatus::Cancelled;
                    "cancelled"
                }
                (Heading::Backward, Intent::Apply) => {
                    record.migration.status = MigrationStatus::Failed;
                    "failed"
                }
            };
            journal.update(connection, record)?;
            let detail = record.failure.as_ref().map(|failure| failure.message.clone());
            journal.record(connection, actor, Some(id), event, detail.as_deref())?;
            journal.version(connection)
        })?;
        let notes = if record.migration.status == MigrationStatus::Applied && run.intent == Intent::Apply {
            seen_by_place(stored)
        } else {
            Vec::new()
        };
        Ok(Report { notes, ..Report::new(record, version, stored.plan.steps.len()) })
    }
}

/// What statements of the application's that name no columns come to from then on.
fn seen_by_place(stored: &StoredPlan) -> Vec<String> {
    let hazards = stored.plan.hazards.iter().chain(stored.plan.steps.iter().flat_map(|step| &step.hazards));
    let meant = |hazard: &&Hazard| hazard.code == HIDDEN_COLUMN && hazard.severity == Severity::Warning;
    hazards.filter(meant).map(|hazard| hazard.message.clone()).collect()
}

/// What must be so before a run is taken back: there is only one try at each of its steps.
fn departing(backend: &mut dyn Backend, stored: &StoredPlan, run: &Run) -> Result<()> {
    match run.heading {
        Heading::Forward => Ok(()),
        Heading::Backward => left::none_elsewhere(backend, stored),
    }
}

/// The schema that a run came out with, if that is where it should have: the database is asked, not the model. What others
/// made of the tables meanwhile is theirs; of a run that was taken back it is noted.
fn arrived(
    backend: &mut dyn Backend,
    record: &Record,
    stored: &StoredPlan,
    heading: Heading,
    notes: &mut Vec<String>,
) -> Result<Schema> {
    let schema = backend.introspect()?;
    if record.migration.operations.iter().any(|op| matches!(op, MigrationOp::Execute { .. })) {
        return Ok(schema);
    }
    let wrong = match heading {
        Heading::Forward => unmet(&schema, &stored.expected),
        Heading::Backward => {
            let found = left::since(stored, &schema);
            if !found.foreign.is_empty() {
                notes.push(format!("left as others have made it meanwhile: {}", said(&found.foreign)));
            }
            found.own.iter().map(ToString::to_string).collect()
        }
    };
    if wrong.is_empty() {
        return Ok(schema);
    }
    if heading == Heading::Forward {
        let besides = left::besides(stored, &schema);
        if besides.own.is_empty() && !besides.foreign.is_empty() {
            let what = said(&besides.foreign);
            return Err(Error::new(
                codes::MOVED,
                format!("the migration's tables were changed by others while it ran: {what}"),
            )
            .with_help("it was taken back, and their change was left; generate the migration again"));
        }
    }
    Err(Error::new(
        codes::UNEXPECTED_SCHEMA,
        format!("the steps ran, but the schema is not what they should have made: {}", wrong.join("; ")),
    )
    .with_help("this is a defect of PQL or of the database; please report it with this message"))
}

fn said(drifts: &[Drift]) -> String {
    drifts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The error of a run that was taken back, as its caller sees it.
fn settle(error: Error, intent: Intent) -> Error {
    if error.help().is_some() {
        return error;
    }
    error.with_help(match intent {
        Intent::Apply => "what the migration had done was taken back; the database is as it was before",
        Intent::Rollback => "the migration stays applied; nothing was lost",
    })
}

/// The same with what taking it back has left.
fn noted(error: Error, notes: &[String]) -> Error {
    if notes.is_empty() {
        return error;
    }
    let all: Vec<&str> = error.help().into_iter().chain(notes.iter().map(String::as_str)).collect();
    let all = all.join("; ");
    error.with_help(all)
}

/// The error of a run that cannot go either way, with what turned it round.
fn stuck(error: Error, cause: Option<&Error>, id: MigrationId, run: &Run) -> Error {
    let cause = cause.map_or_else(String::new, |cause| format!("{cause}; and then, "));
    Error::new(
        codes::STUCK,
        format!("the migration could neither be finished nor taken back: {cause}{error}"),
    )
    .with_help(format!("remove the cause; then {}", ways_on(id, Some(run))))
    .with_source(error)
}

/// The error of a run that stays where it is, because not even that could be written down: the disk is full, or somebody
/// has the lock.
fn unrecorded(error: Error, lost: Error, id: MigrationId, run: &Run) -> Error {
    if lost.code() == codes::LEASE_LOST {
        return lost;
    }
    let ways =
        format!("the migration stays where it stopped, and nothing is lost: {}", ways_on(id, Some(run)));
    let help = error.help().map_or_else(|| ways.clone(), |help| format!("{help}; {ways}"));
    error.with_help(help)
}

fn barred(error: Error, stored: &StoredPlan, step: usize) -> Error {
    let verb = stored.plan.steps[step].action.verb();
    Error::new(
        codes::STUCK,
        format!("{error}; step {} ({verb}) is done and has no way back, so the migration waits", step + 1),
    )
    .with_help("remove the cause; then MIGRATE RESUME finishes it")
    .with_source(error)
}
