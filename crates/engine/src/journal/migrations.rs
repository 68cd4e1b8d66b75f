//! The journal's migrations.

use chrono::{DateTime, Utc};
use pql_schema::{
    Fingerprint, Migration, MigrationId, MigrationStatus, MigrationStrategy, ObjectName, Schema,
};
use serde::{Deserialize, Serialize};

use crate::backend::Connection;
use crate::options::Retain;
use crate::{Error, Result, Value};

use super::row::{damaged, json, number};
use super::{Journal, Row, time_text};

/// A migration with all that the journal knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The public part.
    pub(crate) migration: Migration,
    /// How it came about.
    pub(crate) kind: Kind,
    /// The tables and views it was made for.
    pub(crate) touches: Vec<ObjectName>,
    /// Those, as they were then.
    pub(crate) base: Schema,
    /// What the layer above keeps with it.
    pub(crate) attributes: Option<serde_json::Value>,
    /// How many times it has been started.
    pub(crate) attempt: u64,
    /// The run that it is in.
    pub(crate) run: Option<Run>,
    /// How it was last applied.
    pub(crate) strategy: Option<MigrationStrategy>,
    /// How long what it replaced is to be kept.
    pub(crate) retain: Retain,
    /// Whether that is still there.
    pub(crate) retention: Retention,
    /// What its last run cost.
    pub(crate) totals: Totals,
    /// The error of its last run.
    pub(crate) failure: Option<Failure>,
    /// Who generated it.
    pub(crate) actor: String,
}

/// How a migration came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By operations.
    Migration,
    /// It takes the database as it was found.
    Baseline,
}

/// A run that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What was asked for.
    pub(crate) intent: Intent,
    /// Which way it goes now.
    pub(crate) heading: Heading,
    /// Why it goes the other way than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
}

/// What a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Intent {
    /// To apply.
    Apply,
    /// To roll back.
    Rollback,
}

/// Which way a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Heading {
    /// Towards the new schema.
    Forward,
    /// Towards the old one.
    Backward,
}

/// Why a run turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// An error.
    Failed,
    /// Somebody wanted it.
    Cancelled,
}

/// What became of the data that a migration replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    /// Still there, as far as there is any.
    Kept,
    /// Being removed: no longer complete.
    Purging,
    /// Gone.
    Purged,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Rows written.
    pub(crate) rows: u64,
    /// Duration, pauses not counted.
    pub(crate) micros: u64,
    /// The longest lock.
    pub(crate) longest_lock_micros: u64,
}

/// An error, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// Its code.
    pub(crate) code: String,
    /// Its message.
    pub(crate) message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            help: error.help().map(str::to_owned),
        }
    }
}

const COLUMNS: &str = "id, name, kind, version, status, operations, digest, touches, base, attributes, attempt, run, \
     strategy, retain, retention, row_count, duration_us, longest_lock_us, failure, actor, created_at, applied_at";

impl Journal {
    /// Saves a new migration.
    pub(crate) fn insert(self, connection: &mut dyn Connection, record: &Record) -> Result<()> {
        let migration = &record.migration;
        let operations = json(&migration.operations);
        connection.execute(
            &self.sql(
                "INSERT INTO {migrations} (id, name, kind, version, status, operations, digest, touches, base, \
                 attributes, attempt, retention, actor, created_at, applied_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 'kept', ?11, ?12, ?13)",
            ),
            &[
                migration.id.to_string().into(),
                migration.name.clone().into(),
                kind_text(record.kind).into(),
                migration.version.map_or(Value::Null, number),
                migration.status.as_str().into(),
                operations.clone(),
                digest(&operations).into(),
                json(&record.touches),
                json(&record.base),
                record.attributes.as_ref().map_or(Value::Null, json),
                record.actor.clone().into(),
                time_text(migration.created_at).into(),
                migration.applied_at.map(time_text).into(),
            ],
        )?;
        Ok(())
    }

    /// Writes what a run changes of a migration: all but its operations, its name and where it came from.
    pub(crate) fn update(self, connection: &mut dyn Connection, record: &Record) -> Result<()> {
        let migration = &record.migration;
        connection.execute(
            &self.sql(
                "UPDATE {migrations} SET version = ?2, status = ?3, attempt = ?4, run = ?5, strategy = ?6, \
                 retain = ?7, retention = ?8, row_count = ?9, duration_us = ?10, longest_lock_us = ?11, \
                 failure = ?12, applied_at = ?13 WHERE id = ?1",
            ),
            &[
                migration.id.to_string().into(),
                migration.version.map_or(Value::Null, number),
                migration.status.as_str().into(),
                number(record.attempt),
                record.run.as_ref().map_or(Value::Null, json),
                record.strategy.map(MigrationStrategy::as_str).into(),
                json(&record.retain),
                retention_text(record.retention).into(),
                number(record.totals.rows),
                number(record.totals.micros),
                number(record.totals.longest_lock_micros),
                record.failure.as_ref().map_or(Value::Null, json),
                migration.applied_at.map(time_text).into(),
            ],
        )?;
        Ok(())
    }

    /// The migration of that id.
    pub(crate) fn get(self, connection: &mut dyn Connection, id: MigrationId) -> Result<Option<Record>> {
        let found = self.select(connection, "WHERE id = ?1", &[id.to_string().into()])?;
        Ok(found.into_iter().next())
    }

    /// Every migration, oldest first.
    pub(crate) fn all(self, connection: &mut dyn Connection) -> Result<Vec<Record>> {
        self.select(connection, "ORDER BY created_at, id", &[])
    }

    /// The applied ones, by version.
    pub(crate) fn applied(self, connection: &mut dyn Connection) -> Result<Vec<Record>> {
        self.select(connection, "WHERE status = 'applied' ORDER BY version", &[])
    }

    /// Those that are running, paused, or were left running.
    pub(crate) fn unfinished(self, connection: &mut dyn Connection) -> Result<Vec<Record>> {
        self.select(connection, "WHERE status IN ('running', 'paused') ORDER BY created_at, id", &[])
    }

    /// The number of applied migrations.
    pub(crate) fn version(self, connection: &mut dyn Connection) -> Result<u64> {
        let found = connection.query(
            &self.sql("SELECT coalesce(max(version), 0) FROM {migrations} WHERE status = 'applied'"),
            &[],
        )?;
        found.rows.into_iter().next().map_or(Ok(0), |row| Row::new(row).number())
    }

    /// Id and name of every migration, newest first.
    pub(crate) fn names(self, connection: &mut dyn Connection) -> Result<Vec<(MigrationId, String)>> {
        let found = connection
            .query(&self.sql("SELECT id, name FROM {migrations} ORDER BY created_at DESC, id DESC"), &[])?;
        found
            .rows
            .into_iter()
            .map(|row| {
                let mut row = Row::new(row);
                Ok((row.parse()?, row.text()?))
            })
            .collect()
    }

    /// Leaves a word for the runner of a migration, or takes away one that was meant for a run before.
    pub(crate) fn set_control(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        control: Option<&str>,
    ) -> Result<()> {
        connection.execute(
            &self.sql("UPDATE {migrations} SET control = ?2 WHERE id = ?1"),
            &[id.to_string().into(), control.into()],
        )?;
        Ok(())
    }

    /// The word that was left.
    pub(crate) fn control(self, connection: &mut dyn Connection, id: MigrationId) -> Result<Option<String>> {
        let found = connection
            .query(&self.sql("SELECT control FROM {migrations} WHERE id = ?1"), &[id.to_string().into()])?;
        found.rows.into_iter().next().map_or(Ok(None), |row| Row::new(row).opt_text())
    }

    /// Changes what the layer above keeps with a migration.
    pub(crate) fn set_attributes(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        attributes: &serde_json::Value,
    ) -> Result<()> {
        connection.execute(
            &self.sql("UPDATE {migrations} SET attributes = ?2 WHERE id = ?1"),
            &[id.to_string().into(), json(attributes)],
        )?;
        Ok(())
    }

    /// The migration in force (applied, or standing half way) of those that are to be done once, by what its caller
    /// calls it. Only that is read: other callers keep thousands, each with its schema.
    pub(crate) fn in_force(
        self,
        connection: &mut dyn Connection,
        once: &str,
    ) -> Result<Option<(MigrationId, MigrationStatus)>> {
        let found = connection.query(
            &self.sql(
                "SELECT id, status, attributes FROM {migrations} \
                 WHERE status IN ('applied', 'running', 'paused') AND attributes IS NOT NULL ORDER BY created_at, id",
            ),
            &[],
        )?;
        for row in found.rows {
            let mut row = Row::new(row);
            let (id, status) = (row.parse()?, row.parse()?);
            let attributes: Option<serde_json::Value> = row.opt_json()?;
            if attributes.is_some_and(|it| it.get("once").and_then(serde_json::Value::as_str) == Some(once)) {
                return Ok(Some((id, status)));
            }
        }
        Ok(None)
    }

    fn select(self, connection: &mut dyn Connection, tail: &str, params: &[Value]) -> Result<Vec<Record>> {
        let found =
            connection.query(&self.sql(&format!("SELECT {COLUMNS} FROM {{migrations}} {tail}")), params)?;
        found.rows.into_iter().map(|row| read(Row::new(row))).collect()
    }
}

fn read(mut row: Row) -> Result<Record> {
    let id: MigrationId = row.parse()?;
    let name = row.text()?;
    let kind = match row.text()?.as_str() {
        "migration" => Kind::Migration,
        "baseline" => Kind::Baseline,
        other => return Err(damaged(&format!("migration {id} is of the unknown kind {other:?}"))),
    };
    let version = row.opt_number()?;
    let status: MigrationStatus = row.parse()?;
    let operations = Value::Text(row.text()?);
    if row.text()? != digest(&operations) {
        return Err(damaged(&format!("the operations of migration {id} do not agree with their digest")));
    }
    let operations = Row::new(vec![operations]).json()?;
    let touches = row.json()?;
    let base = row.json()?;
    let attributes = row.opt_json()?;
    let attempt = row.number()?;
    let run = row.opt_json()?;
    let strategy = match row.opt_text()?.as_deref() {
        None => None,
        Some("online") => Some(MigrationStrategy::Online),
        Some("offline") => Some(MigrationStrategy::Offline),
        Some(other) => return Err(damaged(&format!("migration {id} has the unknown strategy {other:?}"))),
    };
    let retain = row.opt_json()?.unwrap_or_default();
    let retention = match row.text()?.as_str() {
        "kept" => Retention::Kept,
        "purging" => Retention::Purging,
        "purged" => Retention::Purged,
        other => return Err(damaged(&format!("migration {id} has the unknown retention {other:?}"))),
    };
    let totals = Totals {
        rows: row.opt_number()?.unwrap_or_default(),
        micros: row.opt_number()?.unwrap_or_default(),
        longest_lock_micros: row.opt_number()?.unwrap_or_default(),
    };
    let failure = row.opt_json()?;
    let actor = row.text()?;
    let created_at: DateTime<Utc> = row.time()?;
    let applied_at = row.opt_time()?;
    let migration = Migration { id, name, version, operations, status, created_at, applied_at };
    Ok(Record {
        migration,
        kind,
        touches,
        base,
        attributes,
        attempt,
        run,
        strategy,
        retain,
        retention,
        totals,
        failure,
        actor,
    })
}

fn digest(operations: &Value) -> String {
    let Value::Text(text) = operations else { return String::new() };
    Fingerprint::of_text(text).0
}

fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Migration => "migration",
        Kind::Baseline => "baseline",
    }
}

fn retention_text(retention: Retention) -> &'static str {
    match retention {
        Retention::Kept => "kept",
        Retention::Purging => "purging",
        Retention::Purged => "purged",
    }
}
