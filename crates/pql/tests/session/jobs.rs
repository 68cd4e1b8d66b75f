//! Long migrations that are watched and steered.

use pql::{Event, Job, Session};

use super::{Database, rows, text};

/// Enough rows, and slow enough, that there is time to interfere.
async fn slow() -> (Database, Session) {
    let database = Database::with(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO t (a) SELECT i FROM n;",
    );
    let mut session = database.session().await;
    session.execute("SET batch_rows = 100").await.expect("settings");
    (database, session)
}

const STATEMENT: &str =
    "MIGRATE GENERATE ADD COLUMN t.b INTEGER BACKFILL a * 2 AS 'slow'; MIGRATE APPLY migration_id = 'slow'";

/// Waits until rows are being written.
async fn until_it_writes(job: &mut Job) {
    while let Some(event) = job.next().await {
        match event {
            Event::Progress(progress) if progress.rows > 0 => return,
            Event::Finished(result) => panic!("it ended too soon: {result:?}"),
            _ => {}
        }
    }
}

async fn until_it_is_paused(job: &mut Job) {
    while let Some(event) = job.next().await {
        match event {
            Event::Paused => return,
            Event::Finished(result) => panic!("it ended instead: {result:?}"),
            _ => {}
        }
    }
}

async fn status(session: &mut Session) -> String {
    let outputs = session.execute("MIGRATE STATUS").await.expect("it runs");
    text(rows(&outputs), 0, "status")
}

#[tokio::test]
async fn a_job_is_paused_and_goes_on() {
    let (database, mut session) = slow().await;
    let mut job = session.start(STATEMENT).expect("it starts");
    until_it_writes(&mut job).await;
    job.pause();
    until_it_is_paused(&mut job).await;
    let mut other = database.session().await;
    assert_eq!(status(&mut other).await, "paused");
    let outputs = other.execute("SELECT 1").await.expect("it runs");
    assert!(outputs.len() == 1);

    job.resume();
    let outputs = job.finish().await.expect("it goes on to the end");
    assert_eq!(text(rows(&outputs), 0, "status"), "applied");
    assert_eq!(database.number("SELECT count(*) FROM t WHERE b = a * 2"), 6_000);
}

#[tokio::test]
async fn a_job_is_cancelled_and_leaves_nothing() {
    let (database, mut session) = slow().await;
    let mut job = session.start(STATEMENT).expect("it starts");
    until_it_writes(&mut job).await;
    job.cancel();
    // Whether a cancelled script is an error or an answer that says so: the table is as it was.
    let _ = job.finish().await;
    assert_eq!(status(&mut session).await, "cancelled");
    assert_eq!(database.number("SELECT count(*) FROM pragma_table_xinfo('t')"), 2);
}

#[tokio::test]
async fn dropping_a_job_pauses_it_and_the_next_session_says_so() {
    let (database, mut session) = slow().await;
    let mut job = session.start(STATEMENT).expect("it starts");
    until_it_writes(&mut job).await;
    drop(job);
    // The session's next statement waits until the job has come to rest.
    assert_eq!(status(&mut session).await, "paused");

    let mut other = database.session().await;
    let outputs = other.execute("SELECT 1").await.expect("it runs");
    assert!(outputs[0].warnings.iter().any(|warning| warning.contains("MIGRATE RESUME")), "{outputs:?}");
    other.execute("MIGRATE RESUME migration_id = 'slow'").await.expect("it is finished");
    assert_eq!(database.number("SELECT count(*) FROM t WHERE b = a * 2"), 6_000);
}

#[tokio::test]
async fn another_session_pauses_and_cancels() {
    let (database, mut session) = slow().await;
    let mut job = session.start(STATEMENT).expect("it starts");
    until_it_writes(&mut job).await;
    let mut other = database.session().await;
    other.execute("MIGRATE PAUSE migration_id = 'slow'").await.expect("it pauses");
    let error = job.finish().await.expect_err("it was paused from outside");
    assert!(error.is_paused(), "{error:?}");
    other.execute("MIGRATE CANCEL migration_id = 'slow'").await.expect("it cancels");
    assert_eq!(database.number("SELECT count(*) FROM pragma_table_xinfo('t')"), 2);
}
