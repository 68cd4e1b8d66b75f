//! MIGRATE STATUS.

use std::fmt;

use chrono::{DateTime, Utc};
use pql_schema::{MigrationId, MigrationStatus, MigrationStrategy, Schema};
use serde::Serialize;

use crate::journal::{Heading, Intent, Kind, Record, Retention, Run, State};
use crate::lease::holder;
use crate::{Engine, Error, Result, codes};

use super::apply::is_unfinished;

/// A migration as STATUS shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MigrationInfo {
    /// Its id.
    pub migration_id: MigrationId,
    /// Its name.
    pub name: String,
    /// The version that it made, when it was ever applied.
    pub version: Option<u64>,
    /// Where it is in its life.
    pub status: MigrationStatus,
    /// It takes the database as it was found.
    pub baseline: bool,
    /// The number of its operations.
    pub operations: usize,
    /// How far it is.
    pub progress: StepProgress,
    /// How it was last run.
    pub strategy: Option<MigrationStrategy>,
    /// When it was generated.
    pub created_at: DateTime<Utc>,
    /// When it was last applied.
    pub applied_at: Option<DateTime<Utc>>,
    /// How long it ran, in milliseconds.
    pub duration_ms: f64,
    /// It can be rolled back, as far as the retained data goes.
    pub retained: bool,
    /// The code of the error that its last run ended with.
    pub error_code: Option<String>,
    /// That error.
    pub error: Option<String>,
    /// What the caller keeps with it.
    pub attributes: Option<serde_json::Value>,
}

/// How far a run is, or was left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StepProgress {
    /// Steps in effect.
    pub done: usize,
    /// Steps in all.
    pub steps: usize,
    /// Rows done in the step that is being done.
    pub rows: u64,
    /// Rows of that step in all, when known.
    pub total: Option<u64>,
}

impl fmt::Display for StepProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps == 0 {
            return Ok(());
        }
        write!(f, "{}/{} steps", self.done, self.steps)?;
        match (self.rows, self.total) {
            (0, None) => Ok(()),
            (rows, None) => write!(f, ", {rows} rows"),
            (rows, Some(total)) => write!(f, ", {rows} of {total} rows"),
        }
    }
}

/// A migration that was begun and not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interrupted {
    /// Its id.
    pub migration_id: MigrationId,
    /// Its name.
    pub name: String,
    /// It was paused on purpose (or by an error that it shows), rather than left by a process that ended.
    pub paused: bool,
    /// It was on its way back.
    pub undoing: bool,
    /// The statements with which it comes to an end, and which end that is.
    pub ways_on: String,
    /// The error it stopped at, when it did.
    pub error: Option<String>,
}

impl Engine {
    /// One row per migration, oldest first.
    pub fn status(&mut self) -> Result<Vec<MigrationInfo>> {
        if !self.known()? {
            return Ok(Vec::new());
        }
        let records = self.journal.all(self.backend.connection())?;
        records.into_iter().map(|record| self.info_of(record)).collect()
    }

    /// The row of one migration.
    pub fn info(&mut self, id: MigrationId) -> Result<MigrationInfo> {
        let record = self.record(id)?;
        self.info_of(record)
    }

    /// The migration itself.
    pub fn migration(&mut self, id: MigrationId) -> Result<pql_schema::Migration> {
        Ok(self.record(id)?.migration)
    }

    /// The schema that a migration leads to, from the one that it was generated for.
    pub fn schema_after(&mut self, id: MigrationId) -> Result<Schema> {
        let record = self.record(id)?;
        let mut schema = record.base.clone();
        schema.apply_all(&record.migration.operations).map_err(|(position, error)| {
            Error::new(codes::INVALID, format!("operation {} of migration {id}: {error}", position + 1))
        })?;
        Ok(schema)
    }

    /// The migration in force, applied or standing half way, that its caller's attributes name so (`"once"`).
    pub fn in_force(&mut self, once: &str) -> Result<Option<(MigrationId, MigrationStatus)>> {
        if !self.known()? {
            return Ok(None);
        }
        self.journal.in_force(self.backend.connection(), once)
    }

    /// Migrations that nobody is at work on and that are not finished: to be told when a session begins.
    pub fn interrupted(&mut self) -> Result<Vec<Interrupted>> {
        if !self.known()? {
            return Ok(Vec::new());
        }
        let connection = self.backend.connection();
        let running = holder(self.journal, connection)?.and_then(|holder| holder.migration_id);
        let unfinished = self.journal.unfinished(connection)?;
        Ok(unfinished
            .into_iter()
            .filter(|record| Some(record.migration.id) != running)
            .map(|record| Interrupted {
                migration_id: record.migration.id,
                paused: record.migration.status == MigrationStatus::Paused,
                undoing: record.run.as_ref().is_some_and(|run| run.heading == Heading::Backward),
                ways_on: ways_on(record.migration.id, record.run.as_ref()),
                name: record.migration.name,
                error: record.failure.map(|failure| failure.message),
            })
            .collect())
    }

    fn info_of(&mut self, record: Record) -> Result<MigrationInfo> {
        let progress = if is_unfinished(&record) { self.progress(&record)? } else { StepProgress::default() };
        let Record { migration, kind, attributes, strategy, retention, totals, failure, .. } = record;
        let (error_code, error) = failure.map(|failure| (failure.code, failure.message)).unzip();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
        let duration_ms = totals.micros as f64 / 1000.0;
        Ok(MigrationInfo {
            migration_id: migration.id,
            name: migration.name,
            version: migration.version,
            status: migration.status,
            baseline: kind == Kind::Baseline,
            operations: migration.operations.len(),
            progress,
            strategy,
            created_at: migration.created_at,
            applied_at: migration.applied_at,
            duration_ms,
            retained: migration.status == MigrationStatus::Applied
                && kind == Kind::Migration
                && retention == Retention::Kept,
            error_code,
            error,
            attributes,
        })
    }

    fn progress(&mut self, record: &Record) -> Result<StepProgress> {
        let id = record.migration.id;
        let connection = self.backend.connection();
        let steps = self.journal.plan(connection, id, record.attempt)?.plan.steps.len();
        let rows = self.journal.steps(connection, id)?;
        let done = rows.iter().filter(|row| row.undo.is_none() && row.state == State::Done).count();
        let current = rows.iter().find(|row| row.state != State::Done);
        Ok(StepProgress {
            done,
            steps,
            rows: current.map_or(0, |row| row.rows),
            total: current.and_then(|row| row.total),
        })
    }
}

/// How a migration that stands half way comes to an end: a run that was turned round goes on back only.
pub(super) fn ways_on(id: MigrationId, run: Option<&Run>) -> String {
    let [resume, cancel] = ["RESUME", "CANCEL"].map(|verb| format!("MIGRATE {verb} migration_id = '{id}'"));
    match run.map_or((Intent::Apply, Heading::Forward), |run| (run.intent, run.heading)) {
        (Intent::Apply, Heading::Forward) => format!("{resume} finishes it, {cancel} takes it back"),
        (Intent::Apply, Heading::Backward) => format!("{resume} takes the rest of it back"),
        (Intent::Rollback, Heading::Backward) => {
            format!("{resume} finishes its rollback, {cancel} leaves it applied")
        }
        (Intent::Rollback, Heading::Forward) => format!("{resume} leaves it applied"),
    }
}
