//! What makes a backfill wait: a standby that does not keep up, and a disk that is nearly full.

use std::time::Duration;

use pql_engine::backend::ReplicationLag;
use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use crate::rows::{careful, generate};
use crate::support::{Database, Server};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int); \
     INSERT INTO t SELECT i, i FROM generate_series(1, 4000) i; ANALYZE";

/// Batches so small that there are many looks.
fn small() -> ApplyOptions {
    let mut options = careful();
    options.run.batch_rows = Some(20);
    options
}

#[test]
fn a_late_standby_is_waited_for() {
    let (server, url) = Server::alone();
    let (_keeper, port) = server.standby();
    let mut primary = server.connect(server.port, "postgres").unwrap();
    let mut standby = server.connect(port, "postgres").unwrap();
    primary.batch_execute(TABLE).unwrap();
    let mut engine = Engine::open(&url, &OpenOptions::default()).unwrap();
    for limit in [ReplicationLag::Bytes(1 << 16), ReplicationLag::Time(Duration::from_millis(300))] {
        standby.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
        let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
        let mut options = small();
        options.run.max_replication_lag = Some(limit);
        // Longer than the limit in time.
        options.run.throttle = 0.95;
        let (mut said, mut rows, mut looks) = (String::new(), Vec::new(), 0);
        let mut observer = |progress: &RunProgress| {
            if let Some(waiting) = &progress.waiting {
                said.clone_from(waiting);
                rows.push(progress.rows);
                looks += 1;
                if looks == 5 {
                    standby.batch_execute("SELECT pg_wal_replay_resume()").unwrap();
                }
            }
            Signal::Go
        };
        let report = engine.apply(id, &options, &mut observer).unwrap();
        assert_eq!(report.status, MigrationStatus::Applied);
        assert!(said.contains("the standby walreceiver") && said.contains("max_replication_lag"), "{said}");
        assert!(rows.len() >= 5 && rows[..5].iter().all(|count| *count == rows[0]), "{rows:?}");
        let filled: i64 = primary.query_one("SELECT count(*) FROM t WHERE m = n + 1", &[]).unwrap().get(0);
        assert_eq!(filled, 4000);
        engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
    }
    // A migration that waits can be taken back, and a role that sees nothing is told so.
    standby.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    let mut options = small();
    options.run.max_replication_lag = Some(ReplicationLag::Bytes(1));
    let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
    let mut observer = |progress: &RunProgress| {
        if progress.waiting.is_some() { Signal::Cancel } else { Signal::Go }
    };
    let error = engine.apply(id, &options, &mut observer).unwrap_err();
    assert_eq!(error.code(), codes::CANCELLED, "{error}");
    primary
        .batch_execute(
            "CREATE ROLE plain LOGIN; ALTER TABLE t OWNER TO plain; ALTER DATABASE postgres OWNER TO plain; \
                        ALTER SCHEMA public OWNER TO plain; DROP SCHEMA _pql CASCADE",
        )
        .unwrap();
    let url = url.replace("postgres@", "plain@");
    let mut engine = Engine::open(&url, &OpenOptions::default()).unwrap();
    let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
    let report = engine.apply(id, &options, &mut Silent).unwrap();
    assert!(report.notes.len() == 1 && report.notes[0].contains("pg_monitor"), "{:?}", report.notes);
}

#[test]
fn a_disk_that_is_nearly_full_is_waited_for() {
    let database = Database::with(TABLE);
    let before = database.dump();
    let mut engine = database.engine();
    let mut options = small();
    options.run.min_free_disk = u64::MAX;
    let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
    let mut said = String::new();
    let mut observer = |progress: &RunProgress| match &progress.waiting {
        Some(waiting) => {
            said.clone_from(waiting);
            Signal::Cancel
        }
        None => Signal::Go,
    };
    let error = engine.apply(id, &options, &mut observer).unwrap_err();
    assert_eq!(error.code(), codes::CANCELLED, "{error}");
    assert!(said.contains("disk space") && said.contains("min_free_disk"), "{said}");
    assert_eq!(database.dump(), before);
    // Where it cannot be known, that is said of a limit that somebody has set.
    let (name, role) = (&database.name, format!("blind_{}", database.name));
    database
        .client()
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN; ALTER TABLE t OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}; \
             ALTER DATABASE {name} OWNER TO {role}; DROP SCHEMA _pql CASCADE"
        ))
        .unwrap();
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let mut engine = Engine::open(&url, &OpenOptions::default()).unwrap();
    let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
    let report = engine.apply(id, &options, &mut Silent).unwrap();
    assert!(report.notes.len() == 1 && report.notes[0].contains("min_free_disk"), "{:?}", report.notes);
    let id = generate(&mut engine, "ADD COLUMN t.o INTEGER BACKFILL n + 1");
    assert_eq!(engine.apply(id, &small(), &mut Silent).unwrap().notes, [] as [String; 0]);
}
