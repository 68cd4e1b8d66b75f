//! The log of an index build: the entries that changed rows had and have. An entry can only be found by its whole key,
//! so the key of the row is not enough.

use pql_planner::text::ident;
use rusqlite::Connection as Db;

use super::super::run::{Batch, Run};
use super::super::{cell, converge, guards, replacing};
use super::job::{Job, Row};
use super::layout::{list, place_names};
use crate::Result;
use crate::backend::Progress;

/// The statements that create the log and its triggers. It has no constraint that could fail.
pub(super) fn statements(db: &Db, job: &Job<'_>, log: &str) -> Result<Vec<String>> {
    let quoted = ident(log);
    let table = ident(&job.names.table);
    let places = list(place_names(job.layout.columns.len()));
    let add =
        |row: &str| format!("INSERT INTO {quoted} ({places}) VALUES ({});", list(job.layout.values(row)));
    let create = |suffix: &str, event: &str, body: &str| {
        format!("CREATE TRIGGER {} {event} BEGIN {body} END", ident(&format!("{log}_{suffix}")))
    };
    let changed: Vec<String> = (job.layout.values("OLD").iter().zip(job.layout.values("NEW")))
        // Letter case may be all that changed, and the entry keeps it.
        .map(|(old, new)| format!("{old} COLLATE BINARY IS NOT {new}"))
        .chain(
            job.layout
                .watched()
                .iter()
                .map(|name| format!("OLD.{0} COLLATE BINARY IS NOT NEW.{0}", ident(name))),
        )
        .collect();
    let mut all: Vec<String> = guards::statement(db, &job.names.table, log)?.into_iter().collect();
    all.extend([
        format!("CREATE TABLE {quoted} (_pql_id INTEGER PRIMARY KEY, {places})"),
        create("ai", &format!("AFTER INSERT ON {table}"), &add("NEW")),
        create("ad", &format!("AFTER DELETE ON {table}"), &add("OLD")),
        create(
            "au",
            &format!("AFTER UPDATE ON {table} WHEN {}", changed.join(" OR ")),
            &format!("{} {}", add("OLD"), add("NEW")),
        ),
    ]);
    let replaced = replacing::keys(db, &job.names.table)?;
    if !replaced.is_empty() {
        let values = list(job.layout.values(&table));
        let body = |update: bool| {
            let parts: Vec<String> = (replaced.iter())
                .map(|unique| {
                    format!(
                        "INSERT INTO {quoted} ({places}) SELECT {values} FROM {table} WHERE {};",
                        unique.condition(&table, update)
                    )
                })
                .collect();
            parts.join(" ")
        };
        all.push(create("bi", &format!("BEFORE INSERT ON {table}"), &body(false)));
        all.push(create("bu", &format!("BEFORE UPDATE ON {table}"), &body(true)));
    }
    Ok(all)
}

/// Drains in paced batches until little is left.
pub(super) fn until_few(run: &mut Run<'_>, job: &Job<'_>, log: &str) -> Result<()> {
    converge::until_few(run, log, |run, logged| {
        let mut done = 0;
        for _ in 0..converge::ROUND {
            if done >= logged {
                break;
            }
            let rows = run.batch();
            let mended = run.write_rows(|db| {
                let mended = batch(db, job, log, rows)?.mended;
                Ok(Batch { value: mended, rows: mended, progress: Progress::default() })
            })?;
            if mended == 0 {
                break;
            }
            done += mended;
        }
        Ok(done)
    })
}

/// Drains everything, inside a transaction in which nobody adds to the log.
pub(super) fn rest(db: &Db, job: &Job<'_>, log: &str) -> Result<()> {
    let mut before = u64::MAX;
    loop {
        let waiting = batch(db, job, log, u64::from(u32::MAX))?.waiting;
        let left = waiting.len() as u64;
        if left == 0 {
            return Ok(());
        }
        if left >= before {
            return Err(job.duplicate(&waiting[0]));
        }
        before = left;
    }
}

/// What became of a batch of logged rows.
struct Mended {
    /// How many there were.
    mended: u64,
    /// Of them, those whose unique key another row has, which stay logged.
    waiting: Vec<Row>,
}

/// Mends the entries of the first logged rows.
fn batch(db: &Db, job: &Job<'_>, log: &str, limit: u64) -> Result<Mended> {
    let quoted = ident(log);
    let width = job.layout.columns.len();
    let places = list(place_names(width));
    let (rows, last) = {
        let mut statement = db.prepare_cached(&format!(
            "SELECT {places}, _pql_id FROM main.{quoted} ORDER BY _pql_id LIMIT ?1"
        ))?;
        let mut found = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut rows: Vec<Row> = Vec::new();
        let mut last = 0i64;
        while let Some(row) = found.next()? {
            rows.push(cell::row(row, width)?);
            last = row.get(width)?;
        }
        (rows, last)
    };
    let state = job.state(db)?;
    for row in &rows {
        job.remove(db, state, row)?;
    }
    db.prepare_cached(&format!("DELETE FROM main.{quoted} WHERE _pql_id <= ?1"))?.execute([last])?;
    let mut waiting = Vec::new();
    for row in &rows {
        let Some(now) = job.current(db, row)? else { continue };
        // A row that was logged twice has got its entry already.
        job.forget(db, state, &now)?;
        if job.is_taken(db, state, &now)? {
            waiting.push(now);
        } else {
            job.add(db, state, &now)?;
        }
    }
    job.note(db, &waiting)?;
    Ok(Mended { mended: rows.len() as u64, waiting })
}

/// The keys of logged rows, as a condition that a row is not one of them.
pub(super) fn unlogged(job: &Job<'_>, log: &str, of: &str) -> String {
    let places = place_names(job.layout.columns.len());
    let key = job.layout.key_positions();
    let own = key.iter().map(|at| format!("{of}.{}", ident(&job.layout.columns[*at].name)));
    not_among(&list(own), &list(key.iter().map(|at| places[*at].clone())), log)
}

/// The same for the table that is filled.
pub(super) fn unlogged_entries(job: &Job<'_>, log: &str, of: &str) -> String {
    let places = place_names(job.layout.columns.len());
    let key = job.layout.key_positions();
    let own = key.iter().map(|at| format!("{of}.{}", places[*at]));
    not_among(&list(own), &list(key.iter().map(|at| places[*at].clone())), log)
}

/// The log has no index; asked in this way, SQLite sorts it once and not for each row.
fn not_among(own: &str, logged: &str, log: &str) -> String {
    format!("({own}) NOT IN (SELECT {logged} FROM main.{})", ident(log))
}
