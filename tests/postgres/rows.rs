//! Rows that stand in the way of a change or of its way back, and rows that are written while one runs.

use std::sync::mpsc::channel;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, Engine, Error, Retain, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::{MigrationId, MigrationStatus};
use pql_syntax::ast::Statement;

use crate::support::Database;

/// The application, which commits when it is waited for.
pub(crate) fn committing(client: &mut postgres::Client) -> impl FnMut(&RunProgress) -> Signal {
    |progress| {
        if progress.waiting.is_some() {
            client.batch_execute("COMMIT").unwrap();
        }
        Signal::Go
    }
}

/// Every table is as good as large.
pub(crate) fn careful() -> ApplyOptions {
    let mut options = ApplyOptions::default();
    options.run.max_stall = Duration::ZERO;
    options
}

/// One migration of these operations.
pub(crate) fn generate(engine: &mut Engine, statement: &str) -> MigrationId {
    try_generate(engine, statement).unwrap()
}

/// The same, if the plan can be made.
pub(crate) fn try_generate(engine: &mut Engine, statement: &str) -> Result<MigrationId, Error> {
    let schema = engine.schema().unwrap();
    let context = Context { dialect: Dialect::Postgres, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {statement}"));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{statement}") };
    let ops = lower::operations(&generate, context).unwrap().ops;
    Ok(engine.generate(ops, None)?.id)
}

fn refused(database: &Database, statement: &str) -> Error {
    let dump = database.dump();
    let mut engine = database.engine();
    let id = generate(&mut engine, statement);
    let error = engine.apply(id, &careful(), &mut Silent).expect_err(statement);
    assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Failed, "{statement}: {error}");
    assert_eq!(dump, database.dump(), "{statement} leaves something");
    error
}

/// The only value of a query.
pub(crate) fn one(database: &Database, sql: &str) -> String {
    database.client().query_one(&format!("SELECT ({sql})::text"), &[]).unwrap().get(0)
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let database = Database::with(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
         CREATE TABLE t (k text PRIMARY KEY, a text, n int, d numeric, f int);
         INSERT INTO t SELECT 'k' || i, i::text, i, i, 1 FROM generate_series(1, 2000) i;
         UPDATE t SET a = 'x7' WHERE k = 'k77'; UPDATE t SET a = NULL WHERE k = 'k5';
         UPDATE t SET n = 3 WHERE k = 'k4'; UPDATE t SET d = 1.5 WHERE k = 'k9'; UPDATE t SET f = 8 WHERE k = 'k8'",
    );
    for (statement, row) in [
        ("CHANGE COLUMN t.a TYPE INTEGER", "k = 'k77'"),
        ("ADD COLUMN t.b INTEGER BACKFILL a::int", "k = 'k77'"),
        ("CHANGE COLUMN t.d TYPE INTEGER", "k = 'k9'"),
        ("CHANGE COLUMN t.k TYPE VARCHAR(4)", "k = 'k1"),
        ("SET NOT NULL t.a", "k = 'k5'"),
        ("ADD CONSTRAINT t.k1 CHECK (a <> 'x7')", "k = 'k77'"),
        ("ADD CONSTRAINT t.k2 UNIQUE (n)", "n = 3"),
        ("ADD UNIQUE INDEX t_n ON t (n)", "n = 3"),
        ("ADD CONSTRAINT t.k3 FOREIGN KEY (f) REFERENCES p (id)", "k = 'k8'"),
    ] {
        let error = refused(&database, statement);
        assert_eq!(error.code(), codes::ROWS, "{statement}: {error}");
        assert!(error.message().contains(row), "{statement}: {error}");
    }
    let error = refused(&database, "CHANGE COLUMN t.n TYPE UUID");
    assert!(error.message().contains("cannot cast") || error.message().contains("Cannot cast"), "{error}");
}

#[test]
fn values_without_an_old_form_stop_the_rollback() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i",
    );
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE DECIMAL(8,2)");
    engine.apply(id, &careful(), &mut Silent).unwrap();
    let mut client = database.client();
    client
        .batch_execute(
            "UPDATE t SET n = 1.5 WHERE id = 7; UPDATE t SET n = 2.5 WHERE id = 8; UPDATE t SET n = 80 WHERE id = 9;
             UPDATE t SET n = 3 WHERE id = 8; UPDATE t SET id = 700 WHERE id = 7; INSERT INTO t (id, n) VALUES (101, 5)",
        )
        .unwrap();
    let back = |engine: &mut Engine| engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent);
    let error = back(&mut engine).unwrap_err();
    assert_eq!(error.code(), codes::ROWS, "{error}");
    assert!(error.message().contains("1 row: id = 700 (\"n\" is 1.50)"), "{error}");
    assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied);
    client.batch_execute("UPDATE t SET n = 1 WHERE id = 700").unwrap();
    back(&mut engine).unwrap();
    assert_eq!(one(&database, "SELECT sum(n) FROM t"), (5050 - 7 + 1 - 8 + 3 - 9 + 80 + 5).to_string());
    assert_eq!(one(&database, "SELECT pg_typeof(n) FROM t LIMIT 1"), "integer");
    assert_eq!(one(&database, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '\\_pql\\_%'"), "0");
    assert_eq!(one(&database, "SELECT count(*) FROM pg_proc WHERE proname LIKE '\\_pql\\_%'"), "0");
}

/// A column that is replaced twice has had two old forms, and one that is dropped is called otherwise since.
#[test]
fn values_without_an_old_form_stop_the_rollback_of_what_was_changed_more_than_once() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int, m int); INSERT INTO t SELECT i, i, i FROM generate_series(1, 100) i",
    );
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(
        &mut engine,
        "CHANGE COLUMN t.n TYPE BIGINT, CHANGE COLUMN t.n TYPE TEXT, CHANGE COLUMN t.m TYPE TEXT, DROP COLUMN t.m",
    );
    engine.apply(id, &careful(), &mut Silent).unwrap();
    let mut client = database.client();
    client
        .batch_execute(
            "UPDATE t SET n = '99999999999' WHERE id = 7; UPDATE t SET n = 'many' WHERE id = 8;
             UPDATE t SET n = '900' WHERE id = 9; INSERT INTO t (id, n) VALUES (101, '5')",
        )
        .unwrap();
    for (row, mend) in [
        ("id = 8", "UPDATE t SET n = '80' WHERE id = 8"),
        ("id = 7 (\"n\" is 99999999999)", "UPDATE t SET n = '70' WHERE id = 7"),
    ] {
        let error = engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect_err(mend);
        assert_eq!(error.code(), codes::ROWS, "{error}");
        assert!(error.message().contains(row), "{error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied);
        client.batch_execute(mend).unwrap();
    }
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
    assert_eq!(database.dump(), before);
    assert_eq!(one(&database, "SELECT sum(n) FROM t"), (5050 - 7 + 70 - 8 + 80 - 9 + 900 + 5).to_string());
    assert_eq!(one(&database, "SELECT sum(m) FROM t"), "5050");
}

/// The order of numbers is not the one of their texts.
#[test]
fn a_batch_is_never_larger_than_it_should_be() {
    for (rows, size) in [(3_000, 100), (30_000, 1_000)] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, {rows}) i;
             CREATE TABLE p (a int, b bigint, n int, PRIMARY KEY (a, b));
             INSERT INTO p SELECT i % 12, i, i FROM generate_series(1, {rows}) i; ANALYZE",
        ));
        let mut engine = database.engine();
        let id = generate(
            &mut engine,
            "ADD COLUMN t.m INTEGER BACKFILL n + 1, ADD COLUMN p.m INTEGER BACKFILL n + 1",
        );
        let mut options = careful();
        options.run.batch_rows = Some(size);
        engine.apply(id, &options, &mut Silent).unwrap();
        for table in ["t", "p"] {
            assert_eq!(
                one(&database, &format!("SELECT count(*) FROM {table} WHERE m = n + 1")),
                rows.to_string()
            );
            // Each batch is a transaction.
            let largest = one(
                &database,
                &format!("SELECT max(c) FROM (SELECT count(*) AS c FROM {table} GROUP BY xmin::text) x"),
            );
            assert_eq!(largest, size.to_string(), "{table} of {rows} rows");
        }
    }
}

#[test]
fn a_null_that_is_written_stays_null() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i",
    );
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD COLUMN t.m INTEGER BACKFILL n + 1");
    let mut options = careful();
    options.run.batch_rows = Some(100);
    let mut client = database.client();
    let mut written = false;
    let mut observer = |progress: &RunProgress| {
        if progress.action == "backfill" && !written {
            written = true;
            // Far from where the batches are: set to NULL, to a value, and moved away and back below them.
            client
                .batch_execute(
                    "UPDATE t SET m = NULL WHERE id = 2500; UPDATE t SET m = 7 WHERE id = 2600; \
                     UPDATE t SET n = 50 WHERE id = 2700; UPDATE t SET id = -5 WHERE id = 2800; \
                     UPDATE t SET m = NULL WHERE id = 2900; UPDATE t SET id = -6 WHERE id = 2900; \
                     INSERT INTO t VALUES (-7, 1, NULL), (-8, 1, 9)",
                )
                .unwrap();
        }
        Signal::Go
    };
    engine.apply(id, &options, &mut observer).unwrap();
    assert!(written);
    let found = one(
        &database,
        "SELECT string_agg(format('%s:%s', id, m), ' ' ORDER BY id) FROM t WHERE id IN (2500, 2600, 2700, -5, -6, -7, -8)",
    );
    assert_eq!(found, "-8:9 -7: -6: -5:2801 2500: 2600:7 2700:51");
    assert_eq!(one(&database, "SELECT count(*) FROM t WHERE m IS NULL"), "3");
}

#[test]
fn whoever_holds_a_lock_is_named_and_nobody_else_waits_long() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (go, wait) = channel();
    let (let_go, seen) = channel();
    let mut holder = database.client();
    let held = spawn(move || {
        holder.batch_execute("BEGIN; SELECT * FROM t").unwrap();
        go.send(()).unwrap();
        // Until it has been named.
        let _ = seen.recv_timeout(Duration::from_secs(30));
        holder.batch_execute("COMMIT").unwrap();
    });
    wait.recv().unwrap();
    let mut reader = database.client();
    let reading = spawn(move || {
        let (start, mut longest) = (Instant::now(), Duration::ZERO);
        while start.elapsed() < Duration::from_secs(1) {
            let one = Instant::now();
            reader.batch_execute("SELECT * FROM t").unwrap();
            longest = longest.max(one.elapsed());
            sleep(Duration::from_millis(5));
        }
        longest
    });
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD COLUMN t.a INTEGER DEFAULT 1");
    let mut said = String::new();
    let mut observer = |progress: &RunProgress| {
        if let Some(waiting) = &progress.waiting {
            said.clone_from(waiting);
            let _ = let_go.send(());
        }
        Signal::Go
    };
    let mut options = careful();
    options.run.lock_timeout = Duration::from_millis(100);
    engine.apply(id, &options, &mut observer).unwrap();
    held.join().unwrap();
    assert!(said.contains("process") && said.contains("SELECT * FROM t"), "{said}");
    assert!(reading.join().unwrap() < Duration::from_secs(2));
}

/// No session has it, so there is none to be ended.
#[test]
fn a_prepared_transaction_that_holds_a_lock_is_named() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut client = database.client();
    client.batch_execute("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'left over'").unwrap();
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD COLUMN t.a INTEGER");
    let mut options = careful();
    options.run.lock_timeout = Duration::from_millis(100);
    options.run.retry_for = Duration::from_millis(300);
    let error = engine.apply(id, &options, &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::LOCKED, "{error}");
    assert!(error.message().contains("ROLLBACK PREPARED 'left over'"), "{error}");
    client.batch_execute("ROLLBACK PREPARED 'left over'").unwrap();
}

#[test]
fn an_index_is_given_up_when_others_do_not_end() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 5000) i",
    );
    let before = database.dump();
    let mut engine = database.engine();
    let mut options = careful();
    options.run.lock_timeout = Duration::from_millis(100);
    options.run.retry_for = Duration::from_secs(1);
    let mut holder = database.client();
    // One that has written the table, one that has only a snapshot, which the build waits for at its end, and one that
    // has read the table and keeps a snapshot, so that what is left of the index cannot be dropped either.
    for hold in [
        "BEGIN; UPDATE t SET n = n WHERE id = 1",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'elsewhere'",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t",
    ] {
        holder.batch_execute(hold).unwrap();
        let id = generate(&mut engine, "ADD UNIQUE INDEX t_n ON t (n)");
        let (mut said, start) = (String::new(), Instant::now());
        let mut observer = |progress: &RunProgress| {
            if let Some(waiting) = &progress.waiting {
                said.clone_from(waiting);
            }
            Signal::Go
        };
        let error = engine.apply(id, &options, &mut observer).expect_err(hold);
        let stuck = !hold.contains("elsewhere");
        assert_eq!(error.code(), if stuck { codes::STUCK } else { codes::LOCKED }, "{error}");
        let last = hold.rsplit("; ").next().unwrap();
        assert!(error.message().contains("process") && error.message().contains(last), "{error}");
        assert!(said.contains(last), "{said}");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        holder.batch_execute("ROLLBACK").unwrap();
        let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
        assert_eq!(one(&database, invalid) != "0", stuck, "{:?}", error.help());
        if stuck {
            // Who looks sees that it is not over, and how it ends.
            assert!(engine.info(id).unwrap().status != MigrationStatus::Failed);
            assert!(error.help().unwrap().contains("MIGRATE RESUME"), "{:?}", error.help());
            engine.resume(id, &options, &mut Silent).unwrap();
        }
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Failed);
        database.client().batch_execute("INSERT INTO t VALUES (0, 1); DELETE FROM t WHERE id = 0").unwrap();
        assert_eq!(database.dump(), before);
        let id = generate(&mut engine, "ADD INDEX t_n ON t (n)");
        engine.apply(id, &options, &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
        assert_eq!(database.dump(), before);
    }
    // The same of an index that is dropped, which can be done again.
    let id = generate(&mut engine, "ADD INDEX t_n ON t (n)");
    engine.apply(id, &options, &mut Silent).unwrap();
    holder.batch_execute("BEGIN; SELECT count(*) FROM t").unwrap();
    let error = engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::STUCK, "{error}");
    assert!(error.message().contains("process") && error.message().contains("count(*)"), "{error}");
    holder.batch_execute("ROLLBACK").unwrap();
    engine.resume(id, &options, &mut Silent).unwrap();
    if engine.info(id).unwrap().status == MigrationStatus::Applied {
        engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
    }
    assert_eq!(database.dump(), before);
    // The time for one statement is also that of a build.
    holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'elsewhere'").unwrap();
    options.run.retry_for = Duration::from_mins(1);
    options.run.statement_timeout = Some(Duration::from_secs(1));
    let id = generate(&mut engine, "ADD INDEX t_n ON t (n)");
    let error = engine.apply(id, &options, &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::TIMEOUT, "{error}");
    holder.batch_execute("ROLLBACK").unwrap();
    assert_eq!(database.dump(), before);
}

/// What runs outside a transaction has no `lock_timeout` of the server's; ours ends it all the same.
#[test]
fn a_statement_outside_a_transaction_keeps_nobody_waiting_for_long() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut holder = database.client();
    holder.batch_execute("BEGIN; SELECT * FROM t").unwrap();
    let mut engine = database.engine();
    let mut options = careful();
    options.run.lock_timeout = Duration::from_millis(100);
    let id = generate(&mut engine, "EXECUTE 'VACUUM FULL t' REVERT 'SELECT 1' OUTSIDE TRANSACTION");
    let error = engine.apply(id, &options, &mut Silent).unwrap_err();
    assert!(error.message().contains("process") && error.message().contains("SELECT * FROM t"), "{error}");
    // Nobody is in line any more.
    database.client().batch_execute("SET lock_timeout = '5s'; SELECT * FROM t").unwrap();
    // One that can be stopped while it waits.
    options.run.lock_timeout = Duration::from_mins(1);
    let id = generate(&mut engine, "EXECUTE 'VACUUM FULL t' REVERT 'SELECT 1' OUTSIDE TRANSACTION");
    let mut observer = |progress: &RunProgress| {
        if progress.waiting.is_some() { Signal::Cancel } else { Signal::Go }
    };
    engine.apply(id, &options, &mut observer).unwrap_err();
    holder.batch_execute("ROLLBACK").unwrap();
    let id = generate(&mut engine, "EXECUTE 'VACUUM FULL t' REVERT 'SELECT 1' OUTSIDE TRANSACTION");
    engine.apply(id, &options, &mut Silent).unwrap();
}

#[test]
fn a_runner_whose_connection_is_ended_goes_on() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 5000) i",
    );
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE BIGINT, ADD INDEX t_n ON t (n)");
    let mut options = careful();
    options.run.batch_rows = Some(200);
    let mut client = database.client();
    let mut ended = 0;
    let mut observer = |progress: &RunProgress| {
        if progress.rows > 500 && ended < 2 {
            ended += 1;
            client
                .batch_execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE pid <> pg_backend_pid() AND datname = current_database()",
                )
                .unwrap();
        }
        Signal::Go
    };
    let report = engine.apply(id, &options, &mut observer).unwrap();
    assert_eq!(report.status, MigrationStatus::Applied);
    assert!(ended > 0);
    assert_eq!(one(&database, "SELECT count(*) FROM t WHERE n = id"), "5000");
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
    assert_eq!(one(&database, "SELECT count(*) FROM t WHERE n = id"), "5000");
}

#[test]
fn what_is_purged_leaves_nothing() {
    for retain in [Retain::Forever, Retain::No] {
        let database = Database::with(
            "CREATE TABLE t (id int PRIMARY KEY, n int, gone text DEFAULT 'x'); INSERT INTO t VALUES (1, 2);
             CREATE INDEX t_n ON t (n); CREATE TABLE u (id serial PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t",
        );
        let mut engine = database.engine();
        let id = generate(
            &mut engine,
            "CHANGE COLUMN t.n TYPE TEXT, DROP COLUMN t.gone, DROP INDEX t_n, DROP TABLE u, DROP VIEW v, \
             ADD COLUMN t.m INTEGER, SET NOT NULL t.m BACKFILL 3",
        );
        let options = ApplyOptions { retain, ..careful() };
        engine.apply(id, &options, &mut Silent).unwrap();
        if retain == Retain::Forever {
            engine.purge(Some(id), None, &options, &mut Silent).unwrap();
        }
        let left = "SELECT count(*) FROM (SELECT nspname AS n FROM pg_namespace UNION ALL SELECT relname FROM pg_class \
                    UNION ALL SELECT attname FROM pg_attribute WHERE NOT attisdropped \
                    UNION ALL SELECT proname FROM pg_proc \
                    UNION ALL SELECT tgname FROM pg_trigger) x WHERE n LIKE '%pql\\_________\\_%'";
        assert_eq!(one(&database, left), "0", "{retain:?}");
        assert_eq!(one(&database, "SELECT row(t)::text FROM t"), "(\"(1,2,3)\")", "{retain:?}");
        let error = engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap_err();
        assert!([codes::PURGED, codes::IRREVERSIBLE].contains(&error.code()), "{error}");
    }
}

#[test]
fn what_hangs_on_an_index_goes_with_its_column() {
    let database = Database::with(
        "CREATE TABLE v (id int PRIMARY KEY, n int NOT NULL CONSTRAINT n_key UNIQUE CONSTRAINT n_check CHECK (n > 0));
         CREATE INDEX v_n ON v (n, id); INSERT INTO v VALUES (1, 1);
         COMMENT ON CONSTRAINT n_key ON v IS 'key'; COMMENT ON INDEX n_key IS 'its index';
         COMMENT ON CONSTRAINT n_check ON v IS 'check'; COMMENT ON INDEX v_n IS 'plain';
         ALTER TABLE v REPLICA IDENTITY USING INDEX n_key; ALTER TABLE v CLUSTER ON v_n",
    );
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN v.n TYPE BIGINT");
    engine.apply(id, &careful(), &mut Silent).unwrap();
    let dump = database.dump();
    for said in [
        "COMMENT ON CONSTRAINT n_key ON public.v IS 'key'",
        "COMMENT ON INDEX public.n_key IS 'its index'",
        "COMMENT ON CONSTRAINT n_check ON public.v IS 'check'",
        "COMMENT ON INDEX public.v_n IS 'plain'",
        "REPLICA IDENTITY USING INDEX n_key",
        "CLUSTER ON v_n",
    ] {
        assert!(dump.contains(said), "{said} is not in\n{dump}");
    }
}

/// The old column is still in its place: a value that is given by place alone is the application's.
#[test]
fn an_insert_without_names_writes_what_it_says() {
    for (definition, operation) in [
        ("a int, b text", "CHANGE COLUMN t.a TYPE TEXT"),
        ("a int DEFAULT 7, b text", "CHANGE COLUMN t.a TYPE TEXT"),
        ("a int NOT NULL, b text", "CHANGE COLUMN t.a TYPE DECIMAL(12,2)"),
        ("a json, b text", "CHANGE COLUMN t.a TYPE JSONB"),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, {definition}); INSERT INTO t VALUES (1, '10', 'x')"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, operation);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let mut client = database.client();
        client
            .batch_execute("INSERT INTO t VALUES (5, '55', 'm'); INSERT INTO t (id, a) VALUES (6, '66')")
            .unwrap();
        // What is dumped with the hidden column comes back as it was.
        client.batch_execute("CREATE TABLE kept AS SELECT * FROM t; TRUNCATE t; INSERT INTO t SELECT * FROM kept; DROP TABLE kept").unwrap();
        let rows = "SELECT string_agg(concat_ws(' ', id, a::text::float8, b), ', ' ORDER BY id) FROM t";
        assert_eq!(one(&database, rows), "1 10 x, 5 55 m, 6 66", "{operation}");
        // Also when the place is that of the column before the column before.
        let again = generate(&mut engine, "CHANGE COLUMN t.a TYPE VARCHAR(40) USING a::text");
        engine.apply(again, &careful(), &mut Silent).unwrap();
        client.batch_execute("INSERT INTO t VALUES (7, '77', 'n')").unwrap();
        assert_eq!(one(&database, rows), "1 10 x, 5 55 m, 6 66, 7 77 n", "{operation}");
        for id in [again, id] {
            engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
            assert_eq!(one(&database, rows), "1 10 x, 5 55 m, 6 66, 7 77 n", "{operation}");
        }
        assert_eq!(database.dump(), before, "{operation}");
    }
}
