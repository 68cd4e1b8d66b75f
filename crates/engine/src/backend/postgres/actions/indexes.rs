//! Indexes that are built and dropped while the table is written.
//!
//! CONCURRENTLY works without a transaction: the journal is told before that it begins, so that an index which is
//! found later under the name is known to be ours, and what an attempt left invalid is dropped before the next.

use std::thread;
use std::time::Duration;

use pql_planner::{Action, Check};
use pql_schema::{Index, KeyPart, ObjectName};

use super::super::blockers::literal;
use super::super::errors::{moved, state};
use super::super::link::Session;
use super::super::run::Run;
use super::examine;
use super::statements::{self, object};
use crate::backend::{Connection as _, Progress};
use crate::error::codes;
use crate::{Error, Result, Value};

/// What the journal says once a build has begun.
const BEGUN: &str = "begun";

/// How often a build that goes on elsewhere is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// CREATE INDEX in a transaction.
pub(super) fn create(run: &mut Run<'_>, index: &Index) -> Result<()> {
    let sql = statements::of(&Action::CreateIndex { index: index.clone() }).join("; ");
    run.write_last(|session| session.batch(&sql)).map_err(|error| explained(run.session, index, error))
}

/// CREATE INDEX CONCURRENTLY.
pub(super) fn create_concurrently(run: &mut Run<'_>, index: &Index) -> Result<()> {
    let begun = run.step.cursor() == Some(BEGUN);
    match found(run.session, &index.name)? {
        Some(there) if begun && there.is(index) => return run.finish(),
        Some(there) if begun || !there.valid => drop_it(run, &index.name)?,
        Some(_) => {
            return Err(moved(format!("there is an index {} already", object(&index.name))));
        }
        None => {}
    }
    let progress = Progress { cursor: Some(BEGUN.to_owned()), ..Progress::default() };
    run.write(|_| Ok(((), progress.clone())))?;
    let sql = statements::of(&Action::CreateIndexConcurrently { index: index.clone() }).join("; ");
    if let Err(error) = beside(run, &sql, &index.table) {
        // An index that was left half built would cost every write and serve nobody.
        let _ = drop_it(run, &index.name);
        return Err(explained(run.session, index, error));
    }
    match found(run.session, &index.name)? {
        Some(there) if there.valid => run.finish(),
        _ => {
            drop_it(run, &index.name)?;
            let message = format!("the index {} came out invalid", object(&index.name));
            Err(Error::new(codes::DATABASE, message).retryable())
        }
    }
}

/// DROP INDEX CONCURRENTLY.
pub(super) fn drop_concurrently(run: &mut Run<'_>, index: &ObjectName) -> Result<()> {
    let progress = Progress { cursor: Some(BEGUN.to_owned()), ..Progress::default() };
    run.write(|_| Ok(((), progress.clone())))?;
    drop_it(run, index)?;
    run.finish()
}

fn drop_it(run: &mut Run<'_>, index: &ObjectName) -> Result<()> {
    let sql = statements::of(&Action::DropIndexConcurrently { index: index.clone() }).join("; ");
    beside(run, &sql, index)
}

/// Runs a statement that may take long on a connection of its own, and says meanwhile what it waits for. A word to stop
/// is passed on to the server.
fn beside(run: &mut Run<'_>, sql: &str, table: &ObjectName) -> Result<()> {
    let mut worker = run.another()?;
    let pid = worker.batch_value("SELECT pg_catalog.pg_backend_pid()")?.unwrap_or_default();
    let canceller = worker.canceller()?;
    let outcome = thread::scope(|scope| {
        let task = scope.spawn(move || worker.batch(sql));
        let mut stopped = None;
        let mut glances = 0u32;
        while !task.is_finished() {
            thread::sleep(if glances < 10 { GLANCE / 10 } else { GLANCE });
            glances += 1;
            if stopped.is_some() || glances.is_multiple_of(10) && glances > 0 {
                let told = match waited_for(run.session, &pid) {
                    Some(what) => {
                        run.step.waiting(&what);
                        run.step.breathe(&Progress::default())
                    }
                    None => run.step.breathe(&Progress::default()),
                };
                if let Err(error) = told {
                    // Also when the first word came too early for the statement.
                    let _ = canceller.cancel();
                    stopped.get_or_insert(error);
                }
            }
        }
        let ended =
            task.join().unwrap_or_else(|_| Err(Error::new(codes::DATABASE, "the connection gave up")));
        match (ended, stopped) {
            (Err(_), Some(why)) => Err(why),
            (ended, _) => ended,
        }
    });
    outcome.map_err(|error| match state(&error) {
        Some("57014") => {
            Error::new(codes::LOCKED, format!("somebody cancelled the work on {}", object(table))).retryable()
        }
        _ => error,
    })
}

/// Who a session waits for, in words.
fn waited_for(session: &mut Session, pid: &str) -> Option<String> {
    let found = session.batch_value(&format!(
        "SELECT pg_catalog.format('process %s (%s, %s) has had its transaction open for %s s: %s', a.pid, a.usename, \
         a.state, pg_catalog.round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1), \
         pg_catalog.left(a.query, 80)) \
         FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (pg_catalog.pg_blocking_pids({pid})) LIMIT 1"
    ));
    found.ok().flatten()
}

/// An index as it is.
struct There {
    valid: bool,
    table: String,
    unique: bool,
    parts: usize,
    method: String,
}

impl There {
    /// Whether it is, as far as can be told without reading its expressions, the one that is wanted.
    fn is(&self, index: &Index) -> bool {
        self.valid
            && self.table == index.table.name
            && self.unique == index.unique
            && self.parts == index.parts.len()
            && self.method == index.method.as_deref().unwrap_or("btree")
    }
}

fn found(session: &mut Session, name: &ObjectName) -> Result<Option<There>> {
    let schema = name.schema.as_deref().unwrap_or("public");
    let found = session.query(
        &format!(
            "SELECT i.indisvalid AND i.indisready, t.relname::text, i.indisunique, i.indnkeyatts::int4, m.amname::text \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {} AND c.relname = {}",
            literal(schema),
            literal(&name.name)
        ),
        &[],
    )?;
    let Some(row) = found.rows.into_iter().next() else { return Ok(None) };
    Ok(match row.as_slice() {
        [
            Value::Boolean(valid),
            Value::Text(table),
            Value::Boolean(unique),
            Value::Integer(parts),
            Value::Text(method),
        ] => Some(There {
            valid: *valid,
            table: table.clone(),
            unique: *unique,
            parts: usize::try_from(*parts).unwrap_or_default(),
            method: method.clone(),
        }),
        _ => None,
    })
}

/// Whether there is such an index, and it can be used.
pub(super) fn is_valid(session: &mut Session, name: &ObjectName) -> Result<bool> {
    Ok(found(session, name)?.is_some_and(|there| there.valid))
}

/// Whether there is such an index in whatever state.
pub(super) fn exists(session: &mut Session, name: &ObjectName) -> Result<bool> {
    Ok(found(session, name)?.is_some())
}

/// Equal keys, named.
fn explained(session: &mut Session, index: &Index, error: Error) -> Error {
    let columns: Option<Vec<KeyPart>> =
        index.parts.iter().map(|part| part.column.as_ref().map(KeyPart::new)).collect();
    match columns.filter(|_| index.unique && index.predicate.is_none()) {
        Some(columns) => {
            let check = Check::Distinct { name: index.name.name.clone(), columns };
            examine::explained(session, &index.table, &check, error)
        }
        None => error,
    }
}
