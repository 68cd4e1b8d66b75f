//! Batches that meet somebody: an application that holds rows, a connection that ends, another runner.

use std::thread::spawn;
use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, RunProgress, Signal, codes};

use crate::rows::{careful, generate, one};
use crate::support::Database;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, other int); \
     INSERT INTO t SELECT i, i FROM generate_series(1, 4000) i; ANALYZE";

const CHANGE: &str = "ADD COLUMN t.m INTEGER BACKFILL n + 1";

/// How many rows are filled, and how many the journal says are.
const FILLED: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM t WHERE m = n + 1), \
     (SELECT max(row_count) FROM _pql.steps))";

/// How many batches wait for a lock. The server shows the beginning of a message only.
const WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
     AND wait_event_type = 'Lock' AND query LIKE 'BEGIN%synchronous_commit = off%' AND pid <> pg_backend_pid()";

fn small() -> ApplyOptions {
    let mut options = careful();
    options.run.batch_rows = Some(20);
    options
}

#[test]
fn a_batch_gives_way_before_the_application_is_made_to() {
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    let mut clients = Some((database.client(), database.client()));
    let mut application = None;
    let mut observer = |progress: &RunProgress| {
        if progress.action == "backfill"
            && let Some((mut client, mut onlooker)) = clients.take()
        {
            client.batch_execute("BEGIN; UPDATE t SET other = 1 WHERE id = 3995").unwrap();
            // Wants a row that the batch has changed on its way to the row that it waits for now.
            application = Some(spawn(move || {
                let start = Instant::now();
                while onlooker.query_one(WAITS, &[]).unwrap().get::<_, i64>(0) == 0 {
                    assert!(start.elapsed() < Duration::from_secs(20), "no batch waits");
                }
                let start = Instant::now();
                client.batch_execute("UPDATE t SET other = 2 WHERE id = 3985; COMMIT").unwrap();
                start.elapsed()
            }));
        }
        Signal::Go
    };
    let mut options = small();
    options.run.throttle = 0.5;
    let report = engine.apply(id, &options, &mut observer).unwrap();
    let waited = application.unwrap().join().unwrap();
    // The server looks for deadlocks after a second.
    assert!(waited < Duration::from_millis(700), "{waited:?}");
    assert_eq!(report.rows, 4000);
    assert_eq!(one(&database, FILLED), "4000 4000");
    assert_eq!(one(&database, "SELECT string_agg(other::text, ' ' ORDER BY id) FROM t"), "2 1");
}

#[test]
fn a_connection_that_ends_is_followed_by_another_from_where_the_journal_is() {
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    let mut client = database.client();
    let mut ended = 0;
    let mut observer = |progress: &RunProgress| {
        if progress.action == "backfill" && progress.rows > 0 && ended < 3 {
            let found = client
                .query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'BEGIN%synchronous_commit = off%' \
                       AND pid <> pg_backend_pid()",
                    &[],
                )
                .unwrap();
            ended += found.len();
        }
        Signal::Go
    };
    let mut options = small();
    options.run.throttle = 0.9;
    engine.apply(id, &options, &mut observer).unwrap();
    assert!(ended > 0);
    assert_eq!(one(&database, FILLED), "4000 4000");
}

#[test]
fn nothing_is_written_once_the_lease_is_another_s() {
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    let mut client = database.client();
    let mut taken = None;
    let mut observer = |progress: &RunProgress| {
        if progress.action == "backfill" && progress.rows > 0 && taken.is_none() {
            client.batch_execute("UPDATE _pql.lease SET fence = fence + 1").unwrap();
            taken = Some(one(&database, FILLED));
        }
        Signal::Go
    };
    let mut options = small();
    options.run.throttle = 0.9;
    let error = engine.apply(id, &options, &mut observer).unwrap_err();
    assert_eq!(error.code(), codes::LEASE_LOST, "{error}");
    assert_eq!(taken, Some(one(&database, FILLED)));
    let filled = one(&database, "SELECT count(*) FROM t WHERE m IS NOT NULL");
    assert_eq!(one(&database, FILLED), format!("{filled} {filled}"));
}
