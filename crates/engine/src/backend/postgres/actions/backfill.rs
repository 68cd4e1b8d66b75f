//! Columns computed for the rows that are there.
//!
//! Each batch is one UPDATE over the rows as they are when it reaches them: one that waited for a row that the
//! application has written is evaluated anew over what was written. A row that has a value already is left alone, and
//! so is one that the application gave NULL (see `capture`).

use pql_planner::{Backfill, Capture};

use super::super::link::Session;
use super::super::run::Run;
use super::batches::{self, CHANGED, Conflict, Work, count};
use super::rows::{self, Key};
use super::statements::{ident, object};
use super::{capture, catalog, record};
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result};

/// Fills.
pub(super) fn backfill(run: &mut Run<'_>, fill: &Backfill) -> Result<()> {
    if let Some(record) = &fill.record {
        record::make(run, fill, record)?;
    }
    let logs = match &fill.capture {
        Some(capture) => catalog::has_relation(run.session, &capture.log)?.then_some(capture),
        None => None,
    };
    let change = |range: &str| changed(fill, logs, range);
    let conflict = logs.filter(|_| !Key::of(&fill.key).is_place()).and_then(|capture| {
        let column = fill.assignments.first().map(|(column, _)| ident(column))?;
        Some(move |range: &str| {
            let name = ident(&fill.table.name);
            let logged = capture::is_logged(capture, &name, range).unwrap_or_default();
            let written = format!(
                "EXISTS (SELECT 1 FROM {} WHERE {range} AND {column} IS NOT NULL AND {logged} AND \
                 {name}.xmin::text = (pg_catalog.pg_current_xact_id()::text::numeric % 4294967296)::text)",
                object(&fill.table)
            );
            (capture::names_any(capture, range), written)
        })
    });
    let work = Work {
        table: &fill.table,
        columns: fill.assignments.iter().map(|(column, _)| column.clone()).collect(),
        key: Key::of(&fill.key),
        change: &change,
        left: left(fill, logs),
        conflict: conflict.as_ref().map(|conflict| conflict as &Conflict<'_>),
    };
    batches::all(run, &work).map_err(|error| failing_row(run.session, fill, error))
}

/// What one batch changes, as the list of a WITH.
fn changed(fill: &Backfill, logs: Option<&Capture>, range: &str) -> String {
    let update = update(fill, logs, range);
    match &fill.record {
        Some(into) => record::noting(fill, into, &update),
        None => format!("{CHANGED} AS ({update} RETURNING 1)"),
    }
}

/// The statement of one batch.
fn update(fill: &Backfill, logs: Option<&Capture>, range: &str) -> String {
    let name = ident(&fill.table.name);
    let set: Vec<String> =
        fill.assignments.iter().map(|(column, value)| format!("{} = {value}", ident(column))).collect();
    let mut conditions = vec![format!("({range})")];
    conditions.extend(fill.filter.iter().map(|filter| format!("({filter})")));
    conditions.extend(
        logs.and_then(|capture| capture::is_logged(capture, &name, range))
            .map(|logged| format!("NOT {logged}")),
    );
    format!("UPDATE {} SET {} WHERE {}", object(&fill.table), set.join(", "), conditions.join(" AND "))
}

/// A condition of the rows that are still to be filled.
fn left(fill: &Backfill, logs: Option<&Capture>) -> String {
    let name = ident(&fill.table.name);
    let mut conditions: Vec<String> = fill.filter.iter().map(|filter| format!("({filter})")).collect();
    conditions.extend(
        logs.and_then(|capture| capture::is_logged(capture, &name, "true"))
            .map(|logged| format!("NOT {logged}")),
    );
    let valued: Vec<String> = fill
        .assignments
        .iter()
        .filter(|(_, value)| !value.as_str().to_ascii_lowercase().contains("nextval"))
        .map(|(_, value)| format!("({value}) IS NOT NULL"))
        .collect();
    conditions.extend(valued);
    if conditions.is_empty() { "false".to_owned() } else { conditions.join(" AND ") }
}

/// The statement, for showing.
pub(super) fn shown(fill: &Backfill) -> String {
    let upto = format!("{} <= :upto", Key::of(&fill.key).list(""));
    match &fill.record {
        Some(_) => count(&changed(fill, fill.capture.as_ref(), &upto)),
        None => update(fill, fill.capture.as_ref(), &upto),
    }
}

/// The error of an expression that cannot be computed for some row: with that row and what it reads.
pub(super) fn failing_row(session: &mut Session, fill: &Backfill, error: Error) -> Error {
    let values: Vec<String> = fill.assignments.iter().map(|(_, value)| value.to_string()).collect();
    let target = fill.assignments.iter().map(|(column, _)| ident(column)).collect::<Vec<_>>().join(", ");
    failing(
        session,
        &fill.table,
        &values,
        fill.filter.as_ref().map(ToString::to_string).as_deref(),
        &target,
        error,
    )
}

/// The same for expressions over the rows of a table.
pub(super) fn failing(
    session: &mut Session,
    table: &pql_schema::ObjectName,
    values: &[String],
    filter: Option<&str>,
    target: &str,
    error: Error,
) -> Error {
    let data = super::super::errors::state(&error)
        .is_some_and(|state| state.starts_with("22") || state.starts_with("23"));
    if !data {
        return error;
    }
    match first_failing(session, table, values, filter) {
        Ok(Some(row)) => {
            let what = format!("{target} cannot be computed ({}) for", error.message().trim_end_matches('.'));
            rows::error(codes::ROWS, &what, &[row])
                .with_help("change that row, or the expression; what was filled before it was taken back")
        }
        _ => error,
    }
}

/// The first row for which an expression fails, found by halving.
fn first_failing(
    session: &mut Session,
    table: &pql_schema::ObjectName,
    values: &[String],
    filter: Option<&str>,
) -> Result<Option<String>> {
    let key = Key::of_table(session, table)?;
    let (name, relation) = (ident(&table.name), object(table));
    let order = key.list(&name);
    let filter = filter.unwrap_or("true");
    let fails = |session: &mut Session, from: u64, count: u64| -> Result<bool> {
        let each: Vec<String> =
            values.iter().map(|value| format!("pg_catalog.count(({value})::text)")).collect();
        // The rows are chosen before anything is computed from them.
        let sql = format!(
            "SELECT {} FROM (SELECT * FROM {relation} AS {name} WHERE {filter} ORDER BY {order} OFFSET {from} \
             LIMIT {count}) AS {name}",
            each.join(", ")
        );
        match session.batch(&sql) {
            Ok(()) => Ok(false),
            Err(error) if error.is_retryable() => Err(error),
            Err(_) => Ok(true),
        }
    };
    let total: u64 = session
        .batch_value(&format!("SELECT pg_catalog.count(*) FROM {relation} AS {name} WHERE {filter}"))?
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    if total == 0 || !fails(session, 0, total)? {
        return Ok(None);
    }
    let (mut from, mut count) = (0, total);
    while count > 1 {
        let half = count / 2;
        if fails(session, from, half)? {
            count = half;
        } else {
            from += half;
            count -= half;
        }
    }
    let found = session.query(
        &format!(
            "SELECT {} FROM {relation} AS {name} WHERE {filter} ORDER BY {order} OFFSET {from} LIMIT 1",
            key.texts(&name)
        ),
        &[],
    )?;
    let row = found.rows.into_iter().next();
    Ok(row.map(|row| key.describe(&row.into_iter().map(catalog::text).collect::<Vec<_>>())))
}
