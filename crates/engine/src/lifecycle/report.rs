//! What a run came to.

use std::time::Duration;

use pql_schema::{MigrationId, MigrationStatus, MigrationStrategy};
use serde::Serialize;

use crate::journal::Record;

/// The answer to APPLY, ROLLBACK, RESUME and CANCEL.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The migration.
    pub migration_id: MigrationId,
    /// Its name.
    pub name: String,
    /// The database's version now.
    pub version: u64,
    /// Where the migration is now.
    pub status: MigrationStatus,
    /// How it was run.
    pub strategy: MigrationStrategy,
    /// The number of steps of its plan.
    pub steps: usize,
    /// Rows written.
    pub rows: u64,
    /// How long it ran, pauses not counted.
    pub duration: Duration,
    /// The longest time that a lock was held.
    pub longest_lock: Duration,
    /// The error that the run turned round at, when it did.
    pub error: Option<String>,
    /// What else the user should know of the run.
    pub notes: Vec<String>,
}

impl Report {
    pub(super) fn new(record: &Record, version: u64, steps: usize) -> Self {
        Self {
            migration_id: record.migration.id,
            name: record.migration.name.clone(),
            version,
            status: record.migration.status,
            strategy: record.strategy.unwrap_or_default(),
            steps,
            rows: record.totals.rows,
            duration: Duration::from_micros(record.totals.micros),
            longest_lock: Duration::from_micros(record.totals.longest_lock_micros),
            error: record.failure.as_ref().map(|failure| failure.message.clone()),
            notes: Vec::new(),
        }
    }
}
