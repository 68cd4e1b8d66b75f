//! Steps on different tables run side by side, as many as `max_concurrent_ops` allows.

use std::sync::mpsc::channel;
use std::thread::spawn;
use std::time::Duration;

use pql_engine::{ApplyOptions, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use crate::rows::{careful, generate, one};
use crate::support::Database;

const TABLES: &str = "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int);
     INSERT INTO a SELECT i, i FROM generate_series(1, 500) i; INSERT INTO b SELECT i, i / 2 FROM generate_series(1, 500) i;";

const BUILT: &str = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = to_regclass('b_n')";

fn patient(max_concurrent_ops: usize) -> ApplyOptions {
    let mut options = ApplyOptions { max_concurrent_ops, ..careful() };
    options.run.retry_for = Duration::from_mins(2);
    options
}

/// A build on one table that has to wait for a writer does not keep back one on another table, unless one at a time is
/// all that is allowed.
#[test]
fn an_index_does_not_wait_for_one_of_another_table() {
    for (at_once, expected) in [(4, "1"), (1, "0")] {
        let database = Database::with(TABLES);
        let (go, begun) = channel();
        let (let_go, told) = channel();
        let mut writer = database.client();
        let writing = spawn(move || {
            writer.batch_execute("BEGIN; UPDATE a SET n = 0 WHERE id = 1").unwrap();
            go.send(()).unwrap();
            let _ = told.recv_timeout(Duration::from_mins(1));
            writer.batch_execute("COMMIT").unwrap();
        });
        begun.recv().unwrap();
        let mut engine = database.engine();
        let id = generate(&mut engine, "ADD INDEX a_n ON a (n), ADD INDEX b_n ON b (n)");
        let mut seen = None;
        let mut observer = |progress: &RunProgress| {
            // The builds side by side end when they are done, so it is looked at until then; the first of a row waits.
            let built = one(&database, BUILT);
            if seen.is_none() && progress.waiting.is_some() && (at_once == 1 || built == "1") {
                seen = Some(built);
                let_go.send(()).unwrap();
            }
            Signal::Go
        };
        let report = engine.apply(id, &patient(at_once), &mut observer).unwrap();
        assert_eq!((report.status, seen.as_deref()), (MigrationStatus::Applied, Some(expected)), "{at_once}");
        writing.join().unwrap();
        engine.rollback(RollbackTarget::Migration(id), &patient(at_once), &mut Silent).unwrap();
        assert_eq!(one(&database, BUILT), "0");
    }
}

/// What one of them runs into is what is said; what the others have built by then is taken back.
#[test]
fn an_error_of_one_stops_all() {
    let database = Database::with(TABLES);
    let mut engine = database.engine();
    let before = database.dump();
    let id = generate(&mut engine, "ADD INDEX a_n ON a (n), ADD UNIQUE INDEX b_n ON b (n)");
    let error = engine.apply(id, &patient(4), &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::ROWS, "{error}");
    assert!(error.to_string().contains("b_n"), "{error}");
    assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Failed);
    assert_eq!(database.dump(), before);
}

/// A pause reaches each of them, and the run goes on from where each was.
#[test]
fn all_are_paused_and_go_on() {
    let database = Database::with(TABLES);
    let mut blocker = database.client();
    blocker.batch_execute("BEGIN; UPDATE a SET n = 0 WHERE id = 1; UPDATE b SET n = 0 WHERE id = 1").unwrap();
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD INDEX a_n ON a (n), ADD INDEX b_n ON b (n)");
    let mut observer = |progress: &RunProgress| match progress.waiting {
        Some(_) => Signal::Pause,
        None => Signal::Go,
    };
    let error = engine.apply(id, &patient(4), &mut observer).unwrap_err();
    assert_eq!(error.code(), codes::PAUSED, "{error}");
    blocker.batch_execute("COMMIT").unwrap();
    let report = engine.resume(id, &patient(4), &mut Silent).unwrap();
    assert_eq!(report.status, MigrationStatus::Applied);
    assert_eq!(one(&database, BUILT), "1");
}
