//! Files that are not what they should be.

use std::fs;
use std::time::Duration;

use pql_engine::backend::sqlite::Sqlite;
use pql_engine::backend::{Backend, RunOptions};
use pql_engine::error::codes;
use pql_planner::Action;

use crate::support::{Place, Runner, online};

#[test]
fn what_cannot_be_opened_is_said_plainly() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(&text, "not a database at all").unwrap();
    let short = directory.path().join("short.db");
    fs::write(&short, "x").unwrap();
    for (path, create, code) in [
        (text, true, codes::NOT_A_DATABASE),
        (short, true, codes::NOT_A_DATABASE),
        (directory.path().to_owned(), true, codes::CANNOT_OPEN),
        (directory.path().join("none/app.db"), true, codes::CANNOT_OPEN),
        (directory.path().join("none.db"), false, codes::CANNOT_OPEN),
    ] {
        let Err(error) = Sqlite::open(&path, create, false) else { panic!("{} was opened", path.display()) };
        assert_eq!(error.code(), code, "{error}");
    }
    Sqlite::open(&directory.path().join("new.db"), true, false).unwrap();
}

/// A process loses all its locks on a file with the first descriptor of it that it closes. Without them others delete
/// the log of a database that is in use, or take its journal for one that was left behind.
#[cfg(target_os = "linux")]
#[test]
fn to_open_a_database_again_costs_no_lock() {
    use std::os::unix::fs::MetadataExt;

    let place = Place::new("CREATE TABLE t (a)");
    let _first = place.backend();
    let file = format!(":{} ", fs::metadata(&place.path).unwrap().ino());
    let own = format!(" {} ", std::process::id());
    let locks = || {
        let all = fs::read_to_string("/proc/locks").unwrap();
        all.lines().filter(|line| line.contains(&file) && line.contains(&own)).count()
    };
    let before = locks();
    assert!(before > 0, "a database with a log is locked as long as it is open");
    let mut again = place.backend();
    let mut opener = again.companion().unwrap();
    opener().unwrap().query("SELECT 1", &[]).unwrap();
    drop(again);
    assert_eq!(locks(), before);
}

#[test]
fn a_read_only_database_stays_as_it_is() {
    let place = Place::new("CREATE TABLE t (a)");
    let mut backend = Sqlite::open(&place.path, false, true).unwrap();
    assert_eq!(backend.introspect().unwrap().tables.len(), 1);
    let action = Action::RenameTable { from: "t".into(), to: "u".into() };
    let error = backend.execute(&online(), &action, &mut Runner::new()).unwrap_err();
    assert_eq!(error.code(), codes::READ_ONLY, "{error}");
}

#[test]
fn a_lock_is_waited_for_and_reported() {
    let place = Place::new("CREATE TABLE t (a)");
    let other = place.db();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut runner = Runner::with(RunOptions {
        lock_timeout: Duration::from_millis(150),
        retry_for: Duration::from_millis(400),
        ..RunOptions::default()
    });
    let action = Action::RenameTable { from: "t".into(), to: "u".into() };
    let mut backend = place.backend();
    let error = backend.execute(&online(), &action, &mut runner).unwrap_err();
    assert_eq!(error.code(), codes::LOCKED);
    assert!(error.is_retryable() && runner.waits.len() > 1);
    other.execute_batch("COMMIT").unwrap();
    backend.execute(&online(), &action, &mut runner).unwrap();
}

#[test]
fn virtual_tables_and_what_belongs_to_them_are_not_modelled() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE VIRTUAL TABLE f USING fts5(a, content='t'); CREATE VIRTUAL TABLE r USING rtree(id, x, y);",
    );
    let mut backend = place.backend();
    let schema = backend.introspect().unwrap();
    assert_eq!(schema.tables.keys().map(|name| name.name.as_str()).collect::<Vec<_>>(), ["t"]);
}

#[test]
fn a_full_disk_leaves_the_database_as_it_was() {
    let place = Place::new("CREATE TABLE t (a); INSERT INTO t SELECT value FROM json_each('[1,2,3]')");
    let before = place.state();
    let mut backend = place.backend();
    let pages: i64 = place.db().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    // SQLite reports the limit as it reports a full disk.
    backend.connection().query(&format!("PRAGMA max_page_count = {pages}"), &[]).unwrap();
    let action = Action::Execute {
        sql: "CREATE TABLE large AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT randomblob(1000) AS x FROM n".into(),
        outside_transaction: false,
    };
    let error = backend.execute(&online(), &action, &mut Runner::new()).unwrap_err();
    assert_eq!(error.code(), codes::DISK_FULL, "{error}");
    assert_eq!(place.state(), before);
    place.check();
}
