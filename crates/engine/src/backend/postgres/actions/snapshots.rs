//! Waiting for those who see the database as it was.
//!
//! A transaction of isolation level REPEATABLE READ or SERIALIZABLE, and any statement that takes long, sees the rows as
//! they were when it began. To one that began before the last row was filled, and comes to the table only after the
//! new took the place of the old, the rows filled since would be empty or missing. So those that have such a view when
//! all rows are there are waited for, as CREATE INDEX CONCURRENTLY waits for them, and the exchange comes after.
//! A transaction that sees anew with each statement is not waited for while it is between two of them.

use std::thread;
use std::time::{Duration, Instant};

use super::super::blockers::{described, literal};
use super::super::link::Session;
use super::super::run::Run;
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result, Value};

/// Between two looks at first, and at most.
const GLANCE: Duration = Duration::from_millis(1);
const LONG_GLANCE: Duration = Duration::from_millis(100);

/// How many are named.
const NAMED: usize = 3;

/// A transaction with a view of the database.
struct Viewer {
    /// Its virtual number, which no other transaction gets while it lasts.
    number: String,
    /// In words.
    said: String,
    /// Whether it has one, as far as we may know.
    known: bool,
}

/// Waits until nobody sees the database as it was before this call; gives up after `retry_for`.
pub(super) fn outlast(run: &mut Run<'_>) -> Result<()> {
    if !run.online() {
        return Ok(());
    }
    let mut older = viewers(run.session, None)?;
    if older.iter().any(|viewer| !viewer.known) {
        run.step.note(
            "some transactions are of other roles, so that it could not be seen whether they still look at the rows as \
             they were before; to those the new column may seem empty until they end. GRANT pg_read_all_stats lets it \
             be seen, and waited for",
        );
        older.retain(|viewer| viewer.known);
    }
    let start = Instant::now();
    let mut glance = GLANCE;
    while !older.is_empty() {
        let options = run.step.options();
        let patience = options.retry_for.max(options.lock_timeout);
        let said: Vec<&str> = older.iter().take(NAMED).map(|viewer| viewer.said.as_str()).collect();
        let said = said.join("; ");
        if start.elapsed() >= patience {
            return Err(Error::new(
                codes::LOCKED,
                format!(
                    "for {:.1} s others have gone on seeing the rows as they were before: {said}",
                    start.elapsed().as_secs_f64()
                ),
            )
            .with_help(
                "nothing was exchanged yet: to them the rows would seem to be gone; end the session that is named, or \
                 allow more time with retry_for",
            ));
        }
        if glance >= LONG_GLANCE {
            run.step.waiting(&said);
        }
        run.step.listen()?;
        thread::sleep(glance);
        glance = (glance * 2).min(LONG_GLANCE);
        let numbers: Vec<String> = older.into_iter().map(|viewer| viewer.number).collect();
        older = viewers(run.session, Some(&numbers))?;
    }
    Ok(())
}

/// The transactions of others in this database that have a view of it now; of some, those that still have.
fn viewers(session: &mut Session, among: Option<&[String]>) -> Result<Vec<Viewer>> {
    let among = among.map_or_else(String::new, |numbers| {
        let each: Vec<String> = numbers.iter().map(|number| literal(number)).collect();
        format!(" AND l.virtualtransaction IN ({}) AND a.backend_xmin IS NOT NULL", each.join(", "))
    });
    // What a session does is NULL to those who may not know. Whoever has no user is one of the server's own processes.
    let found = session.query(
        &format!(
            "SELECT l.virtualtransaction::text, \
                    {}, a.state IS NOT NULL \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock' \
               AND a.datname = pg_catalog.current_database() AND a.usesysid IS NOT NULL \
               AND a.pid <> pg_catalog.pg_backend_pid() AND (a.backend_xmin IS NOT NULL OR a.state IS NULL){among} \
               AND a.pid NOT IN (SELECT v.pid FROM pg_catalog.pg_stat_progress_vacuum v) \
             ORDER BY a.xact_start",
            described("a.pid")
        ),
        &[],
    )?;
    let viewer = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(number), said, Value::Boolean(known)] => Some(Viewer {
            number: number.clone(),
            said: super::catalog::text(said.clone()).unwrap_or_default(),
            known: *known,
        }),
        _ => None,
    };
    Ok(found.rows.into_iter().filter_map(viewer).collect())
}
