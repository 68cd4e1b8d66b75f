//! Indexes that are built and dropped while the table is written.
//!
//! CONCURRENTLY works without a transaction: the journal is told before that it begins, so that an index which is
//! found later under the name is known to be ours, and what an attempt left invalid is dropped before the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pql_planner::{Action, Check};
use pql_schema::{Index, KeyPart, ObjectName};

use super::super::blockers::{described, literal};
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

/// At every how many glances it is asked what it waits for.
const LOOK: u32 = 6;

/// How many of those that it waits for are named.
const BLOCKERS: u32 = 3;

/// CREATE INDEX in a transaction.
pub(super) fn create(run: &mut Run<'_>, index: &Index) -> Result<()> {
    let sql = statements::of(&Action::CreateIndex { index: index.clone() }).join("; ");
    run.write_text(&sql).map_err(|error| explained(run.session, index, error))
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
    if let Err(error) = beside(run, &sql, Work::Build, &object(&index.name)) {
        // What it left would cost every write and serve nobody. Whoever kept the build waiting would keep this waiting
        // as well; then it is dropped with the way back, or before the next attempt.
        if error.code() != codes::LOCKED {
            let _ = drop_it(run, &index.name);
        }
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

/// What is done beside the application, outside any transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Build,
    Drop,
    /// A statement of the user's.
    Own,
}

/// Drops an index, or what is left of it: a drop that was given up leaves it invalid, and can be done again.
pub(super) fn drop_it(run: &mut Run<'_>, index: &ObjectName) -> Result<()> {
    let sql = statements::of(&Action::DropIndexConcurrently { index: index.clone() }).join("; ");
    beside(run, &sql, Work::Drop, &object(index))
}

/// Runs a statement that may take long on a connection of its own, and says meanwhile what it waits for. A word to stop
/// is passed on to the server, and so is the end of our patience: such a statement is in no transaction that could have
/// settings of its own.
pub(super) fn beside(run: &mut Run<'_>, sql: &str, work: Work, about: &str) -> Result<()> {
    let mut worker = run.another()?;
    // Behind a pooler the statement may run in another process than any before it: it is known by its text.
    let mark = mark();
    let sql = &format!("{mark} {sql}");
    let canceller = worker.canceller()?;
    let options = run.step.options();
    let (longest, in_line) = (options.retry_for.max(options.lock_timeout), options.lock_timeout);
    let time = options.statement_timeout;
    let begun = Instant::now();
    let outcome = thread::scope(|scope| {
        let task = scope.spawn(move || worker.batch(sql));
        let mut stopped = None;
        let mut kept_since: Option<Instant> = None;
        let mut glances = 0u32;
        while !task.is_finished() {
            thread::sleep(if glances < 10 { GLANCE / 10 } else { GLANCE });
            glances += 1;
            if stopped.is_none() && time.is_some_and(|time| begun.elapsed() >= time) {
                stopped = Some(out_of_time(about));
            }
            if stopped.is_none() && glances.is_multiple_of(LOOK) {
                let holders = waited_for(run.session, &mark);
                let since = holders.as_ref().map(|_| *kept_since.get_or_insert_with(Instant::now));
                kept_since = since;
                if let Some((holders, blocks)) = &holders {
                    run.step.waiting(holders);
                    let waited = since.map(|since| since.elapsed()).unwrap_or_default();
                    if waited >= if *blocks { in_line } else { longest } {
                        stopped = Some(kept_waiting(work, about, waited, holders));
                    }
                }
                if let Err(error) = run.step.listen() {
                    stopped = Some(error);
                }
            }
            if stopped.is_some() {
                // Again and again: the first word may come too early for the statement.
                let _ = canceller.cancel();
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
        // What a statement of the user's has done by then, nobody knows: it is not simply done again.
        Some("57014") if work != Work::Own => {
            Error::new(codes::LOCKED, format!("somebody cancelled the work on {about}")).retryable()
        }
        _ => error,
    })
}

fn kept_waiting(work: Work, about: &str, waited: Duration, holders: &str) -> Error {
    Error::new(
        codes::LOCKED,
        format!(
            "the work on {about} was given up after others had kept it waiting for {:.1} s: {holders}",
            waited.as_secs_f64()
        ),
    )
    .with_help(match work {
        Work::Build => {
            "an index that is built beside the application waits for every transaction that was open before; end the \
             session that is named, or allow more time with retry_for"
        }
        Work::Drop => {
            "an index that is dropped beside the application waits for every transaction that may use it; end the \
             session that is named, or allow more time with retry_for; until it is dropped, queries may not use the \
             index any more, and writes may still keep it up to date"
        }
        Work::Own => {
            "end the session that is named, or allow more time with retry_for (with lock_timeout, where everybody else \
             waits as well); the statement ran outside a transaction, so look what it has left"
        }
    })
}

fn out_of_time(about: &str) -> Error {
    Error::new(codes::TIMEOUT, format!("the work on {about} took longer than statement_timeout allows"))
        .with_help("nothing was kept of it; allow more time with SET statement_timeout, or 0 for no limit")
}

/// A comment that no other statement begins with.
fn mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    format!("/* pql {}.{time}.{} */", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Who the statement that begins with this comment waits for, in words, and whether others wait behind it meanwhile, as
/// they do where it is in line for a lock on a whole table that excludes everybody.
fn waited_for(session: &mut Session, mark: &str) -> Option<(String, bool)> {
    let found = session.query(&format!(
        "SELECT pg_catalog.string_agg(x.said, '; '), pg_catalog.bool_or(x.blocks) FROM ( \
             SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = w.pid AND NOT l.granted \
                     AND l.locktype = 'relation' AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock')) AS blocks, \
                 CASE WHEN b.pid = 0 THEN pg_catalog.format('a prepared transaction, to be ended by COMMIT PREPARED or \
                     ROLLBACK PREPARED: %s', (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(p.gid), ', ') \
                     FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database())) \
                 ELSE {} END AS said \
             FROM pg_catalog.pg_stat_activity w \
             CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b(pid) \
             LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid \
             WHERE pg_catalog.starts_with(w.query, {}) AND w.state = 'active' \
             ORDER BY a.xact_start LIMIT {BLOCKERS}) x",
        described("b.pid"),
        literal(mark)
    ), &[]);
    match found.ok()?.rows.into_iter().next()?.as_slice() {
        [Value::Text(said), Value::Boolean(blocks)] => Some((said.clone(), *blocks)),
        _ => None,
    }
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

/// Whether such an index can be used; none when there is none.
pub(super) fn validity(session: &mut Session, name: &ObjectName) -> Result<Option<bool>> {
    Ok(found(session, name)?.map(|there| there.valid))
}

/// Whether there is such an index in whatever state.
pub(super) fn exists(session: &mut Session, name: &ObjectName) -> Result<bool> {
    Ok(validity(session, name)?.is_some())
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
