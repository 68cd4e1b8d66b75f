//! MIGRATE PURGE: gives up what a rollback needs, to free its space.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pql_schema::{MigrationId, MigrationStatus};

use crate::journal::{Kind, Record, Retention, now};
use crate::lease::Lease;
use crate::options::{ApplyOptions, Retain};
use crate::runner::{Job, Observer, Runner, Silent};
use crate::{Engine, Error, Result, codes};

use super::apply::is_unfinished;

impl Engine {
    /// Removes what finished migrations retained: of one, or of all, or of those applied longer ago than `older_than`.
    /// Gives the migrations it was done for.
    pub fn purge(
        &mut self,
        id: Option<MigrationId>,
        older_than: Option<Duration>,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Vec<MigrationId>> {
        if let Some(id) = id {
            let record = self.record(id)?;
            if is_unfinished(&record) {
                return Err(Error::new(
                    codes::INTERRUPTED,
                    format!("migration {id} ({}) is not finished", record.migration.name),
                )
                .with_help("finish it with MIGRATE RESUME or take it back with MIGRATE CANCEL first"));
            }
        }
        let limit = older_than.and_then(|age| chrono::Duration::from_std(age).ok()).map(|age| now() - age);
        let due = |record: &Record| {
            id.is_none_or(|id| record.migration.id == id)
                && limit.is_none_or(|limit| record.migration.applied_at.is_some_and(|at| at <= limit))
        };
        if !self.known()?
            || !self
                .journal
                .all(self.backend.connection())?
                .iter()
                .any(|record| due(record) && retains(record))
        {
            return Ok(Vec::new());
        }
        let lease =
            Lease::acquire(self.backend.as_mut(), self.journal, &self.actor, id, options.run.retry_for)?;
        let purged = self.purge_where(&lease, options, observer, due);
        // The lease ends by itself when it cannot be given back; what was purged matters more.
        let _ = lease.release(self.backend.as_mut());
        purged
    }

    /// Purges what no longer has to be kept, at the beginning of another run.
    pub(super) fn purge_due(&mut self, lease: &Lease) -> Result<()> {
        let time = now();
        self.purge_where(lease, &ApplyOptions::default(), &mut Silent, |record| is_due(record, time))?;
        Ok(())
    }

    /// Purges an applied migration whose data was not to be kept at all.
    pub(super) fn purge_one(
        &mut self,
        lease: &Lease,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        self.purge_where(lease, options, observer, |record| record.migration.id == id)?;
        Ok(())
    }

    fn purge_where(
        &mut self,
        lease: &Lease,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
        due: impl Fn(&Record) -> bool,
    ) -> Result<Vec<MigrationId>> {
        let records = self.journal.all(self.backend.connection())?;
        let mut purged = Vec::new();
        for mut record in records.into_iter().filter(|record| due(record) && retains(record)) {
            let id = record.migration.id;
            let plans = self.journal.plans(self.backend.connection(), id)?;
            for stored in &plans {
                self.backend.may_purge(&stored.plan)?;
            }
            // From here on what is left is no longer enough for a rollback.
            record.retention = Retention::Purging;
            self.write(lease, &record, "purge_started", None)?;
            for stored in plans {
                let job = Job {
                    journal: self.journal,
                    id,
                    plan: &stored.plan,
                    names: Vec::new(),
                    lease,
                    options: &options.run,
                    side_by_side: 1,
                };
                Runner::new(self.backend.as_mut(), &mut *observer, job).purge()?;
            }
            record.retention = Retention::Purged;
            self.write(lease, &record, "purged", None)?;
            purged.push(id);
        }
        Ok(purged)
    }
}

/// Whether a migration may have something to purge.
fn retains(record: &Record) -> bool {
    record.kind == Kind::Migration
        && record.attempt > 0
        && record.retention != Retention::Purged
        && !is_unfinished(record)
}

/// Whether a migration's retention has ended.
fn is_due(record: &Record, time: DateTime<Utc>) -> bool {
    let Some(applied_at) = record.migration.applied_at else { return false };
    record.migration.status == MigrationStatus::Applied
        && match record.retain {
            Retain::Forever => false,
            Retain::No => true,
            Retain::For(age) => {
                chrono::Duration::from_std(age).is_ok_and(|age| time.signed_duration_since(applied_at) >= age)
            }
        }
}
