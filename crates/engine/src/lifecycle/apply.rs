//! MIGRATE APPLY.

use pql_schema::{MigrationId, MigrationStatus};

use crate::journal::{Heading, Intent, Record, Retention, Run, StoredPlan, Totals};
use crate::lease::Lease;
use crate::options::ApplyOptions;
use crate::runner::Observer;
use crate::{Engine, Error, Report, Result, codes};

use super::planning::Planned;
use super::status::ways_on;

impl Engine {
    /// Applies a migration; one that was interrupted or paused goes on where it stopped.
    pub fn apply(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let mut record = self.record(id)?;
        if is_unfinished(&record) && !options.dry_run {
            let report = self.resume(id, options, observer)?;
            // What had failed, and was still being taken back, is taken back now: it begins again.
            if !matches!(report.status, MigrationStatus::Failed | MigrationStatus::Cancelled) {
                return Ok(report);
            }
            record = self.record(id)?;
        }
        self.may_start(&record)?;
        if options.dry_run {
            let schema = self.backend.introspect()?;
            let planned = self.planned(&record, &schema, options)?;
            let mut report = Report::new(&record, self.version()?, planned.plan.steps.len());
            report.strategy = options.strategy;
            return Ok(report);
        }
        let lease = Lease::acquire(
            self.backend.as_mut(),
            self.journal,
            &self.actor,
            Some(id),
            options.run.retry_for,
        )?;
        match self.start(id, options, &lease) {
            Ok((record, stored)) => self.drive(lease, record, &stored, options, observer),
            Err(error) => {
                // The lease ends by itself when it cannot be given back; the error matters more.
                let _ = lease.release(self.backend.as_mut());
                Err(error)
            }
        }
    }

    /// Plans the run and records that it begins.
    fn start(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        lease: &Lease,
    ) -> Result<(Record, StoredPlan)> {
        // Only now can nobody else change it any more.
        let mut record = self.record(id)?;
        self.may_start(&record)?;
        self.purge_due(lease)?;
        let schema = self.backend.introspect()?;
        let Planned { plan, base, expected } = self.planned(&record, &schema, options)?;
        let stored = StoredPlan { plan, base, expected };
        record.attempt += 1;
        record.migration.status = MigrationStatus::Running;
        record.run = Some(Run { intent: Intent::Apply, heading: Heading::Forward, reason: None });
        record.strategy = Some(options.strategy);
        record.retain = options.retain;
        record.retention = Retention::Kept;
        record.totals = Totals::default();
        record.failure = None;
        let (journal, actor) = (self.journal, &self.actor);
        lease.transact(self.backend.as_mut(), |connection| {
            // What the first migration, or one by hand, found is what a later question about that version is about.
            let version = journal.version(connection)?;
            if journal.schema_at(connection, version)?.is_none() {
                journal.set_version(connection, version, None, &schema)?;
            }
            journal.insert_plan(connection, id, record.attempt, &stored)?;
            journal.update(connection, &record)?;
            journal.record(connection, actor, Some(id), "started", Some(options.strategy.as_str()))
        })?;
        Ok((record, stored))
    }

    /// Whether a migration can be applied from its beginning.
    pub(super) fn may_start(&mut self, record: &Record) -> Result<()> {
        let id = record.migration.id;
        not_applied(record)?;
        self.none_unfinished_but(id)?;
        self.not_done_by_another(record)
    }

    /// What is to be done once (a file of migrations that two runners begin at the same time) may be done by now.
    fn not_done_by_another(&mut self, record: &Record) -> Result<()> {
        let once = record.attributes.as_ref().and_then(|it| it.get("once")?.as_str());
        let Some(what) = once else { return Ok(()) };
        match self.journal.in_force(self.backend.connection(), what)? {
            Some((other, MigrationStatus::Applied)) => Err(Error::new(
                codes::ALREADY_APPLIED,
                format!("\"{what}\" is applied already, by migration {other}"),
            )
            .with_help("there is nothing left to do for this one")),
            _ => Ok(()),
        }
    }

    /// Fails when another migration stands half way.
    pub(super) fn none_unfinished_but(&mut self, id: MigrationId) -> Result<()> {
        let unfinished = self.journal.unfinished(self.backend.connection())?;
        let Some(other) = unfinished.iter().find(|other| other.migration.id != id) else { return Ok(()) };
        if let Some(holder) = crate::lease::holder(self.journal, self.backend.connection())?
            && holder.migration_id == Some(other.migration.id)
        {
            return Err(holder.refusal());
        }
        let what = if other.migration.status == MigrationStatus::Paused { "paused" } else { "interrupted" };
        let ways_on = ways_on(other.migration.id, other.run.as_ref());
        let other = &other.migration;
        Err(Error::new(
            codes::INTERRUPTED,
            format!("migration {} ({}) was {what} and is not finished", other.id, other.name),
        )
        .with_help(ways_on))
    }
}

/// Fails when there is nothing left to do.
pub(super) fn not_applied(record: &Record) -> Result<()> {
    let migration = &record.migration;
    if migration.status != MigrationStatus::Applied {
        return Ok(());
    }
    let version = migration.version.unwrap_or_default();
    Err(Error::new(
        codes::ALREADY_APPLIED,
        format!("migration {} ({}) is applied already, as version {version}", migration.id, migration.name),
    )
    .with_help("to do it again, roll it back first"))
}

pub(super) fn is_unfinished(record: &Record) -> bool {
    matches!(record.migration.status, MigrationStatus::Running | MigrationStatus::Paused)
}
