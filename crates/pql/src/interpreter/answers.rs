//! The promised columns of every answer.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use pql_engine::{Change, Drift, Event, MigrationInfo, Report, Value};
use pql_planner::PlanRow;
use pql_schema::Migration;

use super::number;
use crate::output::ResultSet;

/// DETECT.
pub(crate) fn detect(changes: &[Change]) -> ResultSet {
    let mut rows = ResultSet::with_columns(&[
        "position",
        "operation",
        "object",
        "statement",
        "online",
        "reversible",
        "destructive",
        "warning",
    ]);
    for (at, change) in changes.iter().enumerate() {
        rows.push(vec![
            number(at + 1),
            change.op.kind().into(),
            change.object.clone().into(),
            change.statement.clone().into(),
            Value::Boolean(change.online),
            Value::Boolean(change.reversible),
            Value::Boolean(change.destructive),
            change.warning.clone().into(),
        ]);
    }
    rows
}

/// GENERATE.
pub(crate) fn generate(migration: Option<&Migration>) -> ResultSet {
    let mut rows = ResultSet::with_columns(&["migration_id", "name", "version", "operations"]);
    if let Some(migration) = migration {
        rows.push(vec![
            migration.id.to_string().into(),
            migration.name.clone().into(),
            migration.version.map_or(Value::Null, number),
            number(migration.operations.len()),
        ]);
    }
    rows
}

/// PLAN.
pub(crate) fn plan(steps: &[PlanRow]) -> ResultSet {
    let mut rows =
        ResultSet::with_columns(&["step", "phase", "action", "sql", "lock", "rows", "estimate", "hazard"]);
    for step in steps {
        rows.push(vec![
            step.step.map_or(Value::Null, number),
            step.phase.clone().into(),
            step.action.clone().into(),
            step.sql.clone().into(),
            step.lock.clone().into(),
            number(step.rows),
            step.estimate.clone().into(),
            Some(step.hazard.clone()).filter(|hazard| !hazard.is_empty()).into(),
        ]);
    }
    rows
}

/// APPLY, ROLLBACK, RESUME, CANCEL, and DDL.
pub(crate) fn reports<'a>(reports: impl IntoIterator<Item = &'a Report>) -> ResultSet {
    let mut rows = ResultSet::with_columns(&[
        "migration_id",
        "version",
        "status",
        "strategy",
        "steps",
        "rows",
        "duration_ms",
        "longest_lock_ms",
    ]);
    for report in reports {
        rows.push(vec![
            report.migration_id.to_string().into(),
            number(report.version),
            report.status.as_str().into(),
            report.strategy.as_str().into(),
            number(report.steps),
            number(report.rows),
            millis(report.duration),
            millis(report.longest_lock),
        ]);
    }
    rows
}

/// STATUS.
pub(crate) fn status(migrations: &[MigrationInfo]) -> ResultSet {
    let mut rows = ResultSet::with_columns(&[
        "migration_id",
        "name",
        "version",
        "status",
        "operations",
        "progress",
        "created_at",
        "applied_at",
        "error",
    ]);
    for info in migrations {
        let progress = info.progress.to_string();
        rows.push(vec![
            info.migration_id.to_string().into(),
            info.name.clone().into(),
            info.version.map_or(Value::Null, number),
            info.status.as_str().into(),
            number(info.operations),
            Some(progress).filter(|text| !text.is_empty()).into(),
            time(info.created_at).into(),
            info.applied_at.map(time).into(),
            info.error.clone().into(),
        ]);
    }
    rows
}

/// HISTORY.
pub(crate) fn history(events: &[Event]) -> ResultSet {
    let mut rows = ResultSet::with_columns(&["at", "migration_id", "event", "detail", "actor"]);
    for event in events {
        rows.push(vec![
            time(event.at).into(),
            event.migration_id.map(|id| id.to_string()).into(),
            event.event.clone().into(),
            event.detail.clone().into(),
            event.actor.clone().into(),
        ]);
    }
    rows
}

/// VERIFY.
pub(crate) fn verify(drifts: &[Drift]) -> ResultSet {
    let mut rows = ResultSet::with_columns(&["object", "expected", "found"]);
    for drift in drifts {
        rows.push(vec![
            drift.object.clone().into(),
            drift.expected.clone().into(),
            drift.found.clone().into(),
        ]);
    }
    rows
}

/// Milliseconds with as many digits as mean something.
fn millis(duration: Duration) -> Value {
    Value::Real((duration.as_secs_f64() * 1e6).round() / 1e3)
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
