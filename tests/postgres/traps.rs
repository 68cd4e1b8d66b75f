//! Ways in which tools that change schemas of PostgreSQL databases lost writes or did what nobody had asked for; each is a
//! test here.

use std::sync::mpsc::channel;
use std::thread::spawn;
use std::time::Duration;

use pql_engine::{ApplyOptions, OnFailure, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use crate::rows::{careful, generate, one};
use crate::support::Database;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, other int DEFAULT 0); \
     INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i;";

/// Runs `write` once, when a fill is under way.
fn meanwhile(write: impl FnOnce()) -> impl FnMut(&RunProgress) -> Signal {
    let mut write = Some(write);
    move |progress: &RunProgress| {
        if progress.phase == "backfill" && progress.rows > 0 && progress.action != "validate" {
            write.take().into_iter().for_each(|write| write());
        }
        Signal::Go
    }
}

/// Every way in which rows are written, to rows that are filled already and to rows that are not yet.
fn write_in_every_way(database: &Database) {
    let mut client = database.client();
    client
        .batch_execute(
            "SET session_replication_role = replica; UPDATE t SET n = 101 WHERE id IN (1, 2901);
             INSERT INTO t (id, n) VALUES (3001, 102); RESET session_replication_role;
             INSERT INTO t (id, n) VALUES (2, 103), (2902, 103), (3002, 103) ON CONFLICT (id) DO UPDATE SET n = excluded.n;
             INSERT INTO t (id, n) SELECT 3003, 105; UPDATE t SET n = NULL WHERE id IN (4, 2904);
             UPDATE t SET other = 1 WHERE id IN (5, 2905);
             DELETE FROM t WHERE id IN (6, 2906); INSERT INTO t (id, n) VALUES (6, 106), (2906, 106);
             UPDATE t SET id = -id WHERE id IN (7, 2907); INSERT INTO t (id, n) VALUES (0, 107);
             DELETE FROM t WHERE id IN (8, 2908)",
        )
        .unwrap();
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::int", &[]).unwrap().get(0);
    client
        .batch_execute(if version >= 150_000 {
            "MERGE INTO t USING (VALUES (9), (2909), (3009)) v(k) ON t.id = v.k \
             WHEN MATCHED THEN UPDATE SET n = 109 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (v.k, 109)"
        } else {
            "UPDATE t SET n = 109 WHERE id IN (9, 2909); INSERT INTO t (id, n) VALUES (3009, 109)"
        })
        .unwrap();
    let mut copy = client.copy_in("COPY t (id, n) FROM STDIN").unwrap();
    std::io::Write::write_all(&mut copy, b"3010\t110\n3011\t\\N\n").unwrap();
    copy.finish().unwrap();
}

/// The rows as such writes leave them.
const WRITTEN: &str = "SELECT string_agg(format('%s:%s:%s', id, n, other), ' ' ORDER BY id) FROM t";

fn written_alone() -> String {
    let database = Database::with(TABLE);
    write_in_every_way(&database);
    one(&database, WRITTEN)
}

#[test]
fn whatever_writes_a_row_is_seen() {
    let expected = written_alone();
    // While the new column is filled, and while the old one is retained.
    for during in [true, false] {
        let database = Database::with(TABLE);
        let mut engine = database.engine();
        let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT");
        let mut options = careful();
        options.run.batch_rows = Some(100);
        if during {
            let mut written = false;
            let mut observer = meanwhile(|| {
                written = true;
                write_in_every_way(&database);
            });
            engine.apply(id, &options, &mut observer).unwrap();
            drop(observer);
            assert!(written);
        } else {
            engine.apply(id, &options, &mut Silent).unwrap();
            write_in_every_way(&database);
        }
        assert_eq!(one(&database, WRITTEN), expected, "applied, written during: {during}");
        engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
        assert_eq!(one(&database, WRITTEN), expected, "rolled back, written during: {during}");
    }
    // A table that is emptied stays empty.
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id =
        generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT, ADD COLUMN t.m INTEGER BACKFILL other + 1");
    let mut options = careful();
    options.run.batch_rows = Some(100);
    let mut observer = meanwhile(|| {
        database.client().batch_execute("TRUNCATE t; INSERT INTO t (id, n) VALUES (1, 5)").unwrap();
    });
    engine.apply(id, &options, &mut observer).unwrap();
    assert_eq!(one(&database, WRITTEN), "1:5:0");
    database.client().batch_execute("TRUNCATE t; INSERT INTO t (id, n) VALUES (2, 6)").unwrap();
    engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
    assert_eq!(one(&database, WRITTEN), "2:6:0");
}

/// Triggers must see what a transaction writes that was open when they were made: making them waits for it.
#[test]
fn a_writer_that_was_there_first_is_waited_for() {
    for statement in ["CHANGE COLUMN t.n TYPE BIGINT", "ADD COLUMN t.m BIGINT BACKFILL n"] {
        let database = Database::with(TABLE);
        let (go, begun) = channel();
        let (say, met) = channel();
        let mut writer = database.client();
        let writing = spawn(move || {
            writer.batch_execute("BEGIN; UPDATE t SET n = -1 WHERE id IN (10, 2990)").unwrap();
            go.send(()).unwrap();
            let _ = met.recv_timeout(Duration::from_secs(30));
            writer.batch_execute("UPDATE t SET n = -2 WHERE id IN (11, 2991); COMMIT").unwrap();
        });
        begun.recv().unwrap();
        let mut engine = database.engine();
        let id = generate(&mut engine, statement);
        let mut observer = |progress: &RunProgress| {
            if progress.waiting.is_some() {
                let _ = say.send(());
            }
            Signal::Go
        };
        engine.apply(id, &careful(), &mut observer).unwrap();
        writing.join().unwrap();
        let column = if statement.starts_with("ADD") { "m" } else { "n" };
        let found = format!(
            "SELECT string_agg({column}::text, ' ' ORDER BY id) FROM t WHERE id IN (10, 11, 2990, 2991)"
        );
        assert_eq!(one(&database, &found), "-1 -2 -1 -2", "{statement}");
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        assert_eq!(one(&database, "SELECT sum(n) FROM t WHERE id IN (10, 11, 2990, 2991)"), "-6");
    }
}

#[test]
fn the_users_triggers_do_not_fire_for_our_touches() {
    let database = Database::with(&format!(
        "{TABLE} CREATE TABLE seen (what text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
           $$ BEGIN INSERT INTO seen VALUES (TG_OP); NEW.other := NEW.other + 1; RETURN NEW; END $$;
         CREATE TRIGGER \"~last\" BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
         CREATE TRIGGER \"A first\" BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();"
    ));
    let before = database.dump();
    let mut engine = database.engine();
    for statement in [
        "CHANGE COLUMN t.n TYPE BIGINT",
        "ADD COLUMN t.m INTEGER BACKFILL n + 1",
        "SET NOT NULL t.other BACKFILL 7",
    ] {
        let id = generate(&mut engine, statement);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        assert_eq!(one(&database, "SELECT count(*) FROM seen"), "0", "{statement}");
        assert_eq!(one(&database, "SELECT sum(other) FROM t"), "0", "{statement}");
        assert_eq!(database.dump(), before, "{statement}");
    }
}

#[test]
fn of_two_runners_one_runs() {
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
    let mut options = careful();
    options.run.batch_rows = Some(100);
    let mut other = Some(database.pooled_engine());
    let mut refused = None;
    let mut observer = |progress: &RunProgress| {
        if progress.rows > 0
            && let Some(mut other) = other.take()
        {
            refused = Some(other.apply(id, &options, &mut Silent).unwrap_err());
        }
        Signal::Go
    };
    engine.apply(id, &options, &mut observer).unwrap();
    let refused = refused.expect("it was tried");
    assert_eq!(refused.code(), codes::LEASE, "{refused}");
    assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied);
    assert_eq!(one(&database, "SELECT count(*) FROM t WHERE m = n + 1"), "3000");
}

/// Keys that come to be equal while a unique index is built end the build, and nobody loses a row.
#[test]
fn duplicates_that_arrive_late_lose_no_row() {
    let database = Database::with(TABLE);
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT, ADD CONSTRAINT t.one UNIQUE (n)");
    let mut options = careful();
    options.run.batch_rows = Some(100);
    let mut observer = meanwhile(|| {
        database.client().batch_execute("UPDATE t SET n = 1 WHERE id IN (2, 2999)").unwrap();
    });
    let error = engine.apply(id, &options, &mut observer).unwrap_err();
    assert_eq!(error.code(), codes::ROWS, "{error}");
    assert!(error.message().contains("n = 1"), "{error}");
    assert_eq!(one(&database, "SELECT count(*) || ' ' || sum(n) FROM t"), "3000 4498501");
    assert_eq!(database.dump(), before);
}

/// A key that runs out of numbers is why its type is changed; what counts for it must not run out where the old one did.
#[test]
fn what_counts_for_a_column_counts_as_far_as_its_type() {
    for kind in [
        "serial",
        "int GENERATED ALWAYS AS IDENTITY",
        "int GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY 2)",
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id {kind} PRIMARY KEY, a text); INSERT INTO t (a) VALUES ('x')"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, "CHANGE COLUMN t.id TYPE BIGINT");
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let mut client = database.client();
        client
            .batch_execute("SELECT setval('t_id_seq', 2147483647); INSERT INTO t (a) VALUES ('y')")
            .unwrap();
        assert_eq!(one(&database, "SELECT max(id) > 2147483647 FROM t"), "true", "{kind}");
        let back = RollbackTarget::Migration(id);
        let error = engine.rollback(back, &careful(), &mut Silent).unwrap_err();
        assert_eq!(error.code(), codes::ROWS, "{kind}: {error}");
        client.batch_execute("DELETE FROM t WHERE a = 'y'; SELECT setval('t_id_seq', 5)").unwrap();
        engine.rollback(back, &careful(), &mut Silent).unwrap();
        assert_eq!(database.dump(), before, "{kind}");
        assert_eq!(one(&database, "SELECT nextval('t_id_seq') / 2 = 3"), "true", "{kind}");
        // The other way round.
        let id = generate(&mut engine, "CHANGE COLUMN t.id TYPE SMALLINT");
        engine.apply(id, &careful(), &mut Silent).unwrap();
        client.batch_execute("INSERT INTO t (a) VALUES ('z')").unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        assert_eq!(database.dump(), before, "{kind}");
    }
}

/// Columns that differ are never exchanged, however often it is tried.
#[test]
fn a_comparison_that_fails_is_not_passed_by_trying_again() {
    let database = Database::with(TABLE);
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT");
    let mut options = careful();
    options.on_failure = OnFailure::Pause;
    let mut client = database.client();
    let mut spoilt = false;
    let mut observer = |progress: &RunProgress| {
        if progress.phase == "validate" && !spoilt {
            spoilt = true;
            let shadow: String = client
                .query_one(
                    "SELECT quote_ident(attname) FROM pg_attribute WHERE attname LIKE '\\_pql%new%'",
                    &[],
                )
                .unwrap()
                .get(0);
            client.batch_execute(&format!("UPDATE t SET {shadow} = -1 WHERE id = 2000")).unwrap();
        }
        Signal::Go
    };
    let error = engine.apply(id, &options, &mut observer).unwrap_err();
    assert!(spoilt && error.message().contains("id = 2000"), "{error}");
    for _ in 0..2 {
        let again = engine.resume(id, &options, &mut Silent).unwrap_err();
        assert!(again.message().contains("id = 2000"), "{again}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Paused);
    }
    engine.cancel(id, &options, &mut Silent).unwrap();
    assert_eq!(database.dump(), before);
    assert_eq!(one(&database, "SELECT count(*) FROM t WHERE n = id"), "3000");
}

/// A rollback that is called off at any of its steps leaves the migration applied, whole.
#[test]
fn a_rollback_that_is_called_off_leaves_everything_applied() {
    const CHANGE: &str = "ADD COLUMN t.m INTEGER BACKFILL n + 1, SET NOT NULL t.m, ADD CONSTRAINT t.one UNIQUE (n), \
         ADD CONSTRAINT t.both PRIMARY KEY (m, n)";
    let start = "CREATE TABLE t (id int, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 300) i";
    for at in 1.. {
        let database = Database::with(start);
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, CHANGE);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let applied = database.dump();
        let mut seen = 0;
        let mut observer = |_: &RunProgress| {
            seen += 1;
            if seen == at { Signal::Cancel } else { Signal::Go }
        };
        let outcome = engine.rollback(RollbackTarget::Migration(id), &careful(), &mut observer);
        if outcome.is_ok() {
            assert!(at > 3, "it was called off {at} times");
            assert_eq!(database.dump(), before);
            return;
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), codes::CANCELLED, "at {at}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "at {at}");
        assert_eq!(database.dump(), applied, "at {at}");
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        assert_eq!(database.dump(), before, "at {at}");
    }
}

/// To whom sees the database as it was before the rows were filled, the new column would be empty, or the new table.
#[test]
fn whoever_sees_the_past_is_waited_for() {
    let indexes =
        "CREATE INDEX a ON t (n); CREATE INDEX b ON t (other); CREATE INDEX c ON t (n, other); ANALYZE t";
    for (indexes, kept) in [("", "0"), (indexes, "1")] {
        let database = Database::with(&format!("{TABLE} {indexes}"));
        seen_from_the_past(&database);
        let hidden = "SELECT count(*) FROM pg_class \
                      WHERE relname = 't' AND relnamespace::regnamespace::text LIKE '\\_pql\\_%'";
        assert_eq!(one(&database, hidden), kept);
    }
}

fn seen_from_the_past(database: &Database) {
    let mut reader = database.client();
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    let mut idle = database.client();
    idle.batch_execute("BEGIN; SELECT 1").unwrap();
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT");
    let mut seen: Option<i64> = None;
    let mut observer = |progress: &RunProgress| {
        if progress.waiting.is_some() && seen.is_none() {
            seen = Some(reader.query_one("SELECT count(n) FROM t", &[]).unwrap().get(0));
            reader.batch_execute("COMMIT").unwrap();
        }
        Signal::Go
    };
    engine.apply(id, &careful(), &mut observer).unwrap();
    assert_eq!(seen, Some(3000));
    // Who begins to look only now is nobody's business.
    idle.batch_execute("SELECT count(n) FROM t; COMMIT").unwrap();
}

#[test]
fn whoever_goes_on_seeing_the_past_is_named() {
    let database = Database::with(TABLE);
    let before = database.dump();
    let mut reader = database.client();
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'old views'").unwrap();
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT");
    let mut options = careful();
    (options.run.lock_timeout, options.run.retry_for) =
        (Duration::from_millis(50), Duration::from_millis(300));
    let error = engine.apply(id, &options, &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::LOCKED, "{error}");
    assert!(error.to_string().contains("old views"), "{error}");
    assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Failed);
    reader.batch_execute("COMMIT").unwrap();
    assert_eq!(database.dump(), before);
}

/// Few rows with large values are much to read, and the lock on them long.
#[test]
fn few_large_rows_are_not_taken_for_a_small_table() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, body text); ALTER TABLE t ALTER body SET STORAGE EXTERNAL;
         INSERT INTO t SELECT i, repeat('x', 100000) FROM generate_series(1, 300) i; ANALYZE t",
    );
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD INDEX t_body ON t (length(body))");
    let (plan, _) = engine.plan(id, &ApplyOptions::default()).unwrap();
    assert!(format!("{plan:?}").contains("CreateIndexConcurrently"), "{plan:?}");
}
