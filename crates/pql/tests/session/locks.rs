//! How long statements wait for a lock that somebody else holds.

use std::time::{Duration, Instant};

use pql::{Error, Output, Session};

use crate::Database;

const STATEMENTS: [&str; 5] = [
    "INSERT INTO users (n) VALUES ('x')",
    "SELECT count(*) FROM users",
    "MIGRATE GENERATE ADD COLUMN users.a TEXT AS 'a'",
    "MIGRATE APPLY migration_id = 'ready'",
    "ALTER TABLE users ADD COLUMN w TEXT",
];

type Outcome = Result<Vec<Output>, Error>;

/// Without WAL, where a writer can keep readers out, too.
fn database() -> Database {
    let database = Database::with("CREATE TABLE users (id INTEGER PRIMARY KEY, n TEXT)");
    database.plain().pragma_update(None, "journal_mode", "DELETE").expect("a journal mode");
    database
}

/// Lets nobody write or read for this long.
fn hold(database: &Database, time: Duration) -> std::thread::JoinHandle<()> {
    let connection = rusqlite::Connection::open(database.path()).expect("the file opens");
    connection.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    connection.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    std::thread::spawn(move || {
        std::thread::sleep(time);
        connection.execute_batch("ROLLBACK").expect("the end of the lock");
    })
}

/// Runs a statement on a database that is locked already when the session is opened.
async fn blocked(text: &str, (attempt, total): (&str, &str), held: Duration) -> (Outcome, Duration) {
    let database = database();
    let mut before = database.session().await;
    before.execute("MIGRATE GENERATE ADD COLUMN users.r TEXT AS 'ready'").await.expect("a migration");
    drop(before);
    let lock = hold(&database, held);
    let start = Instant::now();
    let builder = Session::builder().database(database.url());
    let builder = builder.set("lock_timeout", attempt).and_then(|it| it.set("retry_for", total));
    let mut session = builder.and_then(pql::SessionBuilder::connect_lazily).expect("a session");
    let outcome = session.execute(text).await;
    let took = start.elapsed();
    lock.join().expect("the lock's thread");
    (outcome, took)
}

/// The same for every kind of statement at once, each on a thread and a database of its own.
fn each_blocked(
    patience: (&'static str, &'static str),
    held: Duration,
) -> Vec<(&'static str, Outcome, Duration)> {
    let one = move |text| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (outcome, took) = runtime.block_on(blocked(text, patience, held));
        (text, outcome, took)
    };
    let threads = STATEMENTS.map(|text| std::thread::spawn(move || one(text)));
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

#[test]
fn a_lock_is_waited_for_as_long_as_the_settings_say() {
    // Longer than any default below the settings' own.
    for (text, outcome, took) in each_blocked(("20s", "60s"), Duration::from_millis(5_500)) {
        assert!(outcome.is_ok(), "{text}: {outcome:?}");
        assert!(took >= Duration::from_secs(5), "{text} did not meet the lock: {took:?}");
    }
}

#[test]
fn a_lock_is_not_waited_for_any_longer() {
    for (text, outcome, took) in each_blocked(("100ms", "700ms"), Duration::from_secs(4)) {
        let error = outcome.expect_err("the lock is held for longer");
        assert_eq!(error.code(), pql_engine::codes::LOCKED, "{text}: {error}");
        assert!(took >= Duration::from_millis(700) && took < Duration::from_secs(3), "{text}: {took:?}");
    }
}

#[tokio::test]
async fn a_statement_s_own_options_hold_for_it() {
    let text = "MIGRATE APPLY migration_id = 'ready' WITH retry_for = '30s'";
    let database = database();
    let mut session = database.session().await;
    session.execute("SET retry_for = '300ms'; SET lock_timeout = '300ms'").await.expect("settings");
    session.execute("MIGRATE GENERATE ADD COLUMN users.r TEXT AS 'ready'").await.expect("a migration");
    let lock = hold(&database, Duration::from_millis(1_500));
    session.execute(text).await.expect("it waits");
    lock.join().expect("the lock's thread");
}
