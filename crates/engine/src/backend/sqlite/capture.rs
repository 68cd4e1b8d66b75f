//! Logs of the keys of changed rows, filled by triggers on the application's writes.
//!
//! Invariant: whatever the application does, the log's part of it succeeds. It has no constraint that could fail,
//! because the conflict clause of the application's statement replaces any of ours inside a trigger: a key is looked
//! for before it is added. A REPLACE deletes rows without firing their delete triggers, so the keys of the rows that it
//! is going to delete are added before.

use pql_planner::text::ident;
use pql_planner::{Capture, RowKey};
use rusqlite::{Connection as Db, params_from_iter};

use super::cell::Cell;
use super::keys::{self, Key, qualified};
use super::retained::{self, Kind, Memory};
use super::{catalog, following, guards, model, moves, rates, replacing, witness};
use crate::error::codes;
use crate::{Error, Result};

/// Creates the log and its triggers.
pub(super) fn start(db: &Db, capture: &Capture, kind: Kind, parent: Option<&str>) -> Result<()> {
    stop(db, capture)?;
    let table = &capture.table.name;
    let log = &capture.log.name;
    let key = Key::resolved(db, table, &capture.key)?;
    for sql in tables(capture, &key) {
        db.execute_batch(&sql)?;
    }
    for sql in triggers(db, capture, table, &key)? {
        db.execute_batch(&sql)?;
    }
    witness::note(db, table, log)?;
    let memory = Memory {
        owner: Some(table.clone()),
        sql: parent.map(str::to_owned),
        extra: Some(serde_json::to_string(capture).map_err(unwritable)?),
        ..Memory::new(log)
    };
    retained::remember(db, kind, &memory)
}

/// Drops the triggers and the log, and the captures that were started for the sake of this one.
pub(super) fn stop(db: &Db, capture: &Capture) -> Result<()> {
    let log = &capture.log.name;
    drop_triggers(db, log)?;
    witness::forget(db, log)?;
    for table in [log, &moves::table(log), &moves::newcomers(log)] {
        db.execute_batch(&format!("DROP TABLE IF EXISTS main.{}", ident(table)))?;
    }
    for kind in [Kind::Capture, Kind::Transient] {
        for memory in retained::all(db, kind)? {
            if memory.name.eq_ignore_ascii_case(log) {
                retained::forget(db, memory.id)?;
            } else if memory.sql.as_deref().is_some_and(|parent| parent.eq_ignore_ascii_case(log)) {
                stop(db, &read(&memory)?)?;
            }
        }
    }
    Ok(())
}

/// The statements that [`start`] runs, for showing.
pub(super) fn statements(db: &Db, capture: &Capture) -> Result<Vec<String>> {
    let key = Key::resolved(db, &capture.table.name, &capture.key)?;
    let mut all = tables(capture, &key);
    all.extend(triggers(db, capture, &capture.table.name, &key)?);
    Ok(all)
}

/// Stops what a dead run left of its own.
pub(super) fn stop_transients(db: &Db) -> Result<()> {
    for memory in retained::all(db, Kind::Transient)? {
        stop(db, &read(&memory)?)?;
    }
    Ok(())
}

/// Whether there is anything for [`stop_transients`] to do.
pub(super) fn has_transients(db: &Db) -> Result<bool> {
    Ok(!retained::all(db, Kind::Transient)?.is_empty())
}

/// The captures that run, with the table each is on.
pub(super) fn running(db: &Db) -> Result<Vec<(Memory, Capture)>> {
    let mut found = Vec::new();
    for kind in [Kind::Capture, Kind::Transient] {
        for memory in retained::all(db, kind)? {
            let capture = read(&memory)?;
            found.push((memory, capture));
        }
    }
    Ok(found)
}

/// Takes all triggers of captures down while definitions change; [`resume`] makes them for what is there then.
pub(super) fn suspend(db: &Db) -> Result<()> {
    for (memory, _) in running(db)? {
        drop_triggers(db, &memory.name)?;
    }
    Ok(())
}

/// Takes [`suspend`] back: each capture watches the table that it belongs to now.
pub(super) fn resume(db: &Db) -> Result<()> {
    for (memory, mut capture) in running(db)? {
        let Some(table) = memory.owner.filter(|table| catalog::has_table(db, table).unwrap_or(false)) else {
            continue;
        };
        capture.table.name.clone_from(&table);
        let columns: Vec<String> =
            model::table_of(db, &table)?.columns.into_iter().map(|column| column.name).collect();
        if let Some(watched) = &mut capture.columns {
            watched.retain(|name| columns.iter().any(|column| column.eq_ignore_ascii_case(name)));
        }
        let key = Key::resolved(db, &table, &capture.key)?;
        for sql in triggers(db, &capture, &table, &key)? {
            db.execute_batch(&sql)?;
        }
    }
    Ok(())
}

/// A column got another name: the captures that log it follow.
pub(super) fn column_renamed(db: &Db, table: &str, from: &str, to: &str) -> Result<()> {
    for (memory, mut capture) in running(db)? {
        if memory.owner.as_deref().is_none_or(|owner| !owner.eq_ignore_ascii_case(table)) {
            continue;
        }
        let follow = |name: &mut String| {
            if name.eq_ignore_ascii_case(from) {
                to.clone_into(name);
            }
        };
        match &mut capture.key {
            RowKey::Rowid(name) => follow(name),
            RowKey::Columns(parts) => parts.iter_mut().for_each(|part| follow(&mut part.column)),
        }
        capture.columns.iter_mut().flatten().for_each(follow);
        retained::set_extra(db, memory.id, &serde_json::to_string(&capture).map_err(unwritable)?)?;
    }
    Ok(())
}

/// The captures of a table, but one, that are told of what happens to its rows.
pub(super) fn watching(db: &Db, table: &str, but: Option<&str>) -> Result<Vec<Capture>> {
    let mut found = running(db)?;
    found.retain(|(memory, capture)| {
        let here = memory.owner.as_deref().is_some_and(|owner| owner.eq_ignore_ascii_case(table));
        // A log that follows is about one column that none but its own batches writes.
        here && !capture.follows && !but.is_some_and(|log| log.eq_ignore_ascii_case(&memory.name))
    });
    Ok(found.into_iter().map(|(_, capture)| capture).collect())
}

/// Adds the keys of rows that a batch of ours is changing (triggers are off then) to every capture of the table but
/// one. The condition is over the table, by its own name.
pub(super) fn note(db: &Db, table: &str, but: Option<&str>, condition: &str, params: &[Cell]) -> Result<()> {
    watching(db, table, but)?.iter().try_for_each(|capture| log_rows(db, table, capture, condition, params))
}

/// The same for one capture.
pub(super) fn log_rows(
    db: &Db,
    table: &str,
    capture: &Capture,
    condition: &str,
    params: &[Cell],
) -> Result<()> {
    let key = Key::resolved(db, table, &capture.key)?;
    let (log, of) = (ident(&capture.log.name), ident(table));
    let present: Vec<String> =
        key.names().map(|name| format!("{} IS NOT NULL", qualified(&of, name))).collect();
    let sql = format!(
        "INSERT INTO main.{log} SELECT DISTINCT {} FROM main.{of} WHERE ({condition}) AND {} \
         AND NOT EXISTS (SELECT 1 FROM main.{log} AS _pql_l WHERE {})",
        key.columns(&of),
        present.join(" AND "),
        key.is_logged(&of, "_pql_l"),
    );
    db.prepare_cached(&sql)?.execute(params_from_iter(params))?;
    Ok(())
}

/// How many keys a log holds, counted up to a limit.
pub(super) fn pending(db: &Db, log: &str, limit: u64) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM main.{} LIMIT {limit})", ident(log));
    rates::count(db, &sql)
}

fn drop_triggers(db: &Db, log: &str) -> Result<()> {
    for suffix in ["ai", "ad", "au", "aw", "ak", "bi", "bu", "mu", "md", "mi"] {
        db.execute_batch(&format!("DROP TRIGGER IF EXISTS main.{}", ident(&format!("{log}_{suffix}"))))?;
    }
    guards::lift(db, log)
}

fn tables(capture: &Capture, key: &Key) -> Vec<String> {
    let moves = capture.moves.then(|| moves::definitions(&capture.log.name, key));
    std::iter::once(log_table(capture, key)).chain(moves.into_iter().flatten()).collect()
}

fn log_table(capture: &Capture, key: &Key) -> String {
    let log = ident(&capture.log.name);
    let mark = if capture.follows { format!("{} INTEGER, ", following::MOVED) } else { String::new() };
    match &capture.key {
        RowKey::Rowid(_) => format!("CREATE TABLE {log} ({mark}_pql_k0 INTEGER PRIMARY KEY)"),
        RowKey::Columns(_) => format!("CREATE TABLE {log} ({mark}{}) WITHOUT ROWID", key.log_definition()),
    }
}

fn triggers(db: &Db, capture: &Capture, table: &str, key: &Key) -> Result<Vec<String>> {
    let log = &capture.log.name;
    let on = ident(table);
    let create = |suffix: &str, event: &str, body: &str| {
        format!("CREATE TRIGGER {} {event} BEGIN {body} END", ident(&format!("{log}_{suffix}")))
    };
    let mut all: Vec<String> = guards::statement(db, table, log)?.into_iter().collect();
    if capture.follows {
        let follow = following::triggers(capture, table, key);
        all.extend(follow.iter().map(|(suffix, event, body)| create(suffix, event, body)));
        return Ok(all);
    }
    let old = key.add_to(log, "OLD", "");
    let new = key.add_to(log, "NEW", "");
    let moved: Vec<String> = key.names().map(|name| format!("OLD.{0} IS NOT NEW.{0}", ident(name))).collect();
    let new_if_moved = key.add_to(log, "NEW", &format!(" AND ({})", moved.join(" OR ")));
    all.push(create("ai", &format!("AFTER INSERT ON {on}"), &new));
    if capture.moves {
        all.extend(
            moves::triggers(log, table, key).iter().map(|(suffix, event, body)| create(suffix, event, body)),
        );
    }
    if let Some(columns) = &capture.columns {
        let list: Vec<String> = columns.iter().map(|column| ident(column)).collect();
        if !list.is_empty() {
            let event = format!("AFTER UPDATE OF {} ON {on}", list.join(", "));
            all.push(create("au", &event, &format!("{old} {new_if_moved}")));
        }
        let event = format!("AFTER UPDATE ON {on} WHEN {}", moved.join(" OR "));
        all.push(create("ak", &event, &format!("{old} {new}")));
        return Ok(all);
    }
    all.push(create("ad", &format!("AFTER DELETE ON {on}"), &old));
    all.push(create("au", &format!("AFTER UPDATE ON {on}"), &format!("{old} {new_if_moved}")));
    let mut replaced = replacing::keys(db, table)?;
    // A row with the key itself is logged as the one that takes its place.
    replaced.retain(|unique| !unique.is(key));
    if !replaced.is_empty() {
        let body = |update: bool| {
            let parts: Vec<String> = (replaced.iter())
                .map(|unique| {
                    format!(
                        "INSERT INTO {quoted} SELECT {} FROM {on} WHERE {} AND NOT EXISTS (SELECT 1 FROM {quoted} AS _pql_l WHERE {});",
                        key.columns(&on),
                        unique.condition(&on, update),
                        key.is_logged(&on, "_pql_l"),
                        quoted = ident(log),
                    )
                })
                .collect();
            parts.join(" ")
        };
        all.push(create("bi", &format!("BEFORE INSERT ON {on}"), &body(false)));
        all.push(create("bu", &format!("BEFORE UPDATE ON {on}"), &body(true)));
    }
    Ok(all)
}

fn read(memory: &Memory) -> Result<Capture> {
    serde_json::from_str(memory.extra.as_deref().unwrap_or_default()).map_err(|error| {
        Error::new(codes::UNREADABLE, format!("what is remembered of the log {} cannot be read", memory.name))
            .with_source(error)
    })
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::new(codes::DATABASE, "a capture could not be written down").with_source(error)
}

/// A capture of our own, for as long as one action needs it.
pub(super) fn transient(db: &Db, table: &str, columns: Option<Vec<String>>) -> Result<Capture> {
    Ok(Capture {
        table: table.into(),
        log: format!("_pql_recheck_{table}").as_str().into(),
        key: keys::of_table(db, table)?,
        columns,
        follows: false,
        moves: false,
    })
}
