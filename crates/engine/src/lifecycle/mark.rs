//! A migration that was done by other means: recorded as applied, after the database has been asked.

use std::time::Duration;

use pql_schema::{Migration, MigrationId, MigrationStatus};

use crate::journal::{Retention, now};
use crate::lease::Lease;
use crate::{Engine, Error, Result, codes};

use super::drift::differences;

/// How long another runner is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// Records a migration as applied without running it. Refused unless its tables are as it would have left them;
    /// as nothing was retained, it cannot be rolled back.
    pub fn mark_applied(&mut self, id: MigrationId) -> Result<Migration> {
        let lease = Lease::acquire(self.backend.as_mut(), self.journal, &self.actor, Some(id), PATIENCE)?;
        let marked = self.mark_leased(&lease, id);
        // A lease that cannot be given back ends by itself.
        let _ = lease.release(self.backend.as_mut());
        marked
    }

    fn mark_leased(&mut self, lease: &Lease, id: MigrationId) -> Result<Migration> {
        let mut record = self.record(id)?;
        self.may_start(&record)?;
        let schema = self.backend.introspect()?;
        let mut expected = record.base.clone();
        let fits = expected.apply_all(&record.migration.operations);
        let mut names = record.touches.clone();
        names.extend(expected.tables.keys().chain(expected.views.keys()).cloned());
        let differing = differences(&expected, &schema.part(&names));
        if let Some(first) =
            differing.first().map(ToString::to_string).or_else(|| fits.err().map(|(_, e)| e.to_string()))
        {
            return Err(Error::new(
                codes::UNEXPECTED_SCHEMA,
                format!("the database is not as this migration would have left it: {first}"),
            )
            .with_help("apply the migration, or make the rest of its changes first"));
        }
        let (journal, actor) = (self.journal, &self.actor);
        lease.transact(self.backend.as_mut(), |connection| {
            let version = journal.version(connection)? + 1;
            record.migration.version = Some(version);
            record.migration.applied_at = Some(now());
            record.migration.status = MigrationStatus::Applied;
            record.retention = Retention::Purged;
            record.failure = None;
            journal.set_version(connection, version, Some(id), &schema)?;
            journal.update(connection, &record)?;
            journal.record(connection, actor, Some(id), "marked_applied", None)
        })?;
        Ok(record.migration)
    }
}
