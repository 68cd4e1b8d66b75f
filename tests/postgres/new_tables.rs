//! A new table in the place of one with several indexes: what keeps it from that, and what happens to either meanwhile.

use std::time::Duration;

use pql_engine::{ApplyOptions, Engine, Retain, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::{MigrationId, MigrationStatus};

use crate::rows::{careful, generate, one};
use crate::support::Database;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, u int UNIQUE, label text);
     INSERT INTO t SELECT i, i, i, 'l' || i FROM generate_series(1, 2000) i;
     CREATE INDEX t_n ON t (n); CREATE INDEX t_label ON t (label); CREATE INDEX t_both ON t (n, label); ANALYZE";

const CHANGE: &str = "CHANGE COLUMN t.n TYPE DECIMAL(12,2)";

fn options() -> ApplyOptions {
    let mut options = careful();
    options.run.batch_rows = Some(200);
    options
}

/// How many tables of this name are out of sight.
fn kept(database: &Database) -> String {
    one(
        database,
        "SELECT count(*) FROM pg_class WHERE relname = 't' AND relnamespace::regnamespace::text LIKE '\\_pql\\_%'",
    )
}

/// Whether anything of a migration is left.
fn assert_nothing_left(database: &Database) {
    let left = "SELECT count(*) FROM (SELECT nspname AS n FROM pg_namespace UNION ALL SELECT relname FROM pg_class \
                UNION ALL SELECT proname FROM pg_proc UNION ALL SELECT tgname FROM pg_trigger) x \
                WHERE n LIKE '%pql\\_________\\_%'";
    assert_eq!(one(database, left), "0");
}

fn back(engine: &mut Engine, id: MigrationId) -> pql_engine::Result<()> {
    engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).map(drop)
}

/// Applies the change and runs something of the application's at the first sight of an action.
fn apply_beside(
    database: &Database,
    action: &str,
    sql: &str,
) -> (Engine, MigrationId, pql_engine::Result<()>) {
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    let mut client = database.client();
    let mut written = false;
    let mut observer = |progress: &RunProgress| {
        if progress.action == action && !written {
            written = true;
            client.batch_execute(sql).unwrap();
        }
        Signal::Go
    };
    let outcome = engine.apply(id, &options(), &mut observer).map(drop);
    assert!(written, "there is no action {action}");
    (engine, id, outcome)
}

#[test]
fn what_a_new_table_could_not_have_keeps_the_old_one() {
    let template = Database::with(TABLE);
    for tie in [
        "CREATE TABLE p (id int PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (u) REFERENCES p (id) NOT VALID",
        "CREATE TABLE c (t int REFERENCES t (id))",
        "CREATE PUBLICATION p FOR TABLE t (id, label)",
        "CREATE PUBLICATION p FOR ALL TABLES",
        "CREATE PUBLICATION p FOR TABLES IN SCHEMA public",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON t USING (id > 0)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(id) FROM t; END",
        "CREATE TABLE c (row t, rows t[])",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
        "CREATE VIEW v AS SELECT id FROM t; CREATE MATERIALIZED VIEW m AS SELECT id FROM v",
        "CREATE STATISTICS s ON id, label FROM t",
        "ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (box(point(id, id), point(id, id)) WITH &&)",
        "ALTER TABLE t SET UNLOGGED",
        "ALTER INDEX t_both ALTER COLUMN 1 SET STATISTICS 7; CREATE INDEX t_e ON t ((n + 1)); \
         ALTER INDEX t_e ALTER COLUMN 1 SET STATISTICS 7",
        "ALTER TABLE t DROP CONSTRAINT t_pkey",
    ] {
        let database = template.copy();
        let mut client = database.client();
        if let Err(error) = client.batch_execute(tie) {
            assert!(tie.starts_with("ALTER INDEX"), "{tie}: {error}");
            client.batch_execute(tie.split_once("; ").unwrap().1).unwrap();
        }
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, CHANGE);
        let (plan, _) = engine.plan(id, &options()).unwrap();
        assert!(plan.rebuilds.is_empty(), "{tie}");
        engine.apply(id, &options(), &mut Silent).unwrap_or_else(|error| panic!("{tie}: {error}"));
        assert_eq!(kept(&database), "0", "{tie}");
        back(&mut engine, id).unwrap_or_else(|error| panic!("{tie}: {error}"));
        assert_eq!(database.dump(), before, "{tie}");
    }
    // Without any of them.
    let database = template.copy();
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    let (plan, rows) = engine.plan(id, &options()).unwrap();
    assert_eq!(plan.rebuilds.len(), 1);
    assert!(
        rows.iter().any(|row| row.hazard.contains("5 indexes: a new table takes its place in about")),
        "{rows:?}"
    );
    // What is on its way is not replaced again, and neither is what still has the other on it.
    engine.apply(id, &options(), &mut Silent).unwrap();
    let next = generate(&mut engine, "CHANGE COLUMN t.label TYPE VARCHAR(20)");
    assert!(engine.plan(next, &options()).unwrap().0.rebuilds.is_empty());
    engine.apply(next, &options(), &mut Silent).unwrap();
    back(&mut engine, next).unwrap();
    back(&mut engine, id).unwrap();
}

#[test]
fn a_table_that_is_emptied_meanwhile_is_empty() {
    for action in ["copy rows", "verify rows", "swap tables"] {
        let database = Database::with(TABLE);
        let before = database.dump();
        let sql =
            "UPDATE t SET n = -1 WHERE id = 7; TRUNCATE t; INSERT INTO t VALUES (7, 1, 1), (3000, 2, 2)";
        let (mut engine, id, outcome) = apply_beside(&database, action, sql);
        outcome.unwrap_or_else(|error| panic!("{action}: {error}"));
        let rows = "SELECT string_agg(t::text, ' ' ORDER BY id) FROM t";
        assert_eq!(one(&database, rows), "(7,1.00,1,) (3000,2.00,2,)", "{action}");
        database
            .client()
            .batch_execute("INSERT INTO t VALUES (8, 3, 3); TRUNCATE t; INSERT INTO t VALUES (9, 4, 4)")
            .unwrap();
        back(&mut engine, id).unwrap();
        assert_eq!(one(&database, rows), "(9,4,4,)", "{action}");
        assert_eq!(database.dump(), before);
        assert_nothing_left(&database);
    }
}

/// Keys and unique values go from row to row, at each place of the way there and of the way back.
#[test]
fn values_that_move_from_row_to_row_are_in_nobodys_way() {
    let moves = "UPDATE t SET u = -id WHERE id IN (1, 2, 1999, 2000); UPDATE t SET u = 2000 WHERE id = 1;
         UPDATE t SET u = 1 WHERE id = 2000; UPDATE t SET u = 1999 WHERE id = 2; UPDATE t SET u = 2 WHERE id = 1999;
         DELETE FROM t WHERE id = 5; UPDATE t SET id = 5 WHERE id = 1500; INSERT INTO t VALUES (1500, 9, 5000, 'again');
         UPDATE t SET id = -3 WHERE id = 3; UPDATE t SET id = 3 WHERE id = 1000; UPDATE t SET id = 1000 WHERE id = -3;
         DELETE FROM t WHERE id = 600; INSERT INTO t VALUES (600, 6, 600, 'new')";
    let rows = "SELECT md5(string_agg(concat_ws(',', id, n::int, u, label), ' ' ORDER BY id)) FROM t";
    let expected = {
        let database = Database::with(TABLE);
        database.client().batch_execute(moves).unwrap();
        one(&database, rows)
    };
    for action in ["copy rows", "verify rows", "swap tables"] {
        let database = Database::with(TABLE);
        let (mut engine, id, outcome) = apply_beside(&database, action, moves);
        outcome.unwrap_or_else(|error| panic!("{action}: {error}"));
        assert_eq!(one(&database, rows), expected, "{action}");
        back(&mut engine, id).unwrap();
        assert_eq!(one(&database, rows), expected, "{action}, back");
    }
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    engine.apply(id, &options(), &mut Silent).unwrap();
    database.client().batch_execute(moves).unwrap();
    back(&mut engine, id).unwrap();
    assert_eq!(one(&database, rows), expected);
}

#[test]
fn what_others_hang_on_the_table_meanwhile_stops_it() {
    for (action, sql, undo) in [
        ("copy rows", "CREATE TABLE c (t int REFERENCES t (id))", "DROP TABLE c"),
        ("verify rows", "ALTER TABLE t ADD COLUMN more int DEFAULT 3", "ALTER TABLE t DROP COLUMN more"),
        ("verify rows", "CREATE INDEX t_more ON t (u, n)", "DROP INDEX t_more"),
        (
            "swap tables",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "DROP FUNCTION f CASCADE",
        ),
        ("swap tables", "CREATE POLICY p ON t USING (true)", "DROP POLICY p ON t"),
    ] {
        for resume in [true, false] {
            let database = Database::with(TABLE);
            let before = database.dump();
            let (mut engine, id, outcome) = apply_beside(&database, action, sql);
            let error = outcome.expect_err(sql);
            assert_eq!(error.code(), codes::DRIFTED, "{sql}: {error}");
            assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Paused, "{sql}");
            let error = engine.resume(id, &options(), &mut Silent).expect_err(sql);
            assert_eq!(error.code(), codes::DRIFTED, "{sql}: {error}");
            database.client().batch_execute(undo).unwrap();
            if resume {
                engine.resume(id, &options(), &mut Silent).unwrap_or_else(|error| panic!("{sql}: {error}"));
                assert_eq!(one(&database, "SELECT pg_typeof(n) FROM t LIMIT 1"), "numeric", "{sql}");
                back(&mut engine, id).unwrap();
            } else {
                engine.cancel(id, &options(), &mut Silent).unwrap();
            }
            assert_eq!(database.dump(), before, "{sql}");
            assert_nothing_left(&database);
        }
    }
    // What can go along goes along.
    let database = Database::with(TABLE);
    let said = "GRANT SELECT ON t TO pg_monitor; COMMENT ON COLUMN t.n IS 'said meanwhile'; ALTER TABLE t REPLICA IDENTITY FULL";
    let (mut engine, id, outcome) = apply_beside(&database, "swap tables", said);
    outcome.unwrap();
    for part in ["GRANT SELECT ON TABLE public.t TO pg_monitor", "'said meanwhile'", "REPLICA IDENTITY FULL"]
    {
        assert!(database.dump().contains(part), "{part}");
    }
    database
        .client()
        .batch_execute("GRANT INSERT ON t TO pg_monitor; COMMENT ON TABLE t IS 'said since'")
        .unwrap();
    back(&mut engine, id).unwrap();
    for part in ["GRANT SELECT,INSERT ON TABLE public.t TO pg_monitor", "'said meanwhile'", "'said since'"] {
        assert!(database.dump().contains(part), "{part}");
    }
}

/// The same on the way back: what hangs on the new table would go with it.
#[test]
fn what_others_hang_on_the_new_table_stops_the_way_back() {
    let database = Database::with(TABLE);
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    engine.apply(id, &options(), &mut Silent).unwrap();
    let mut client = database.client();
    for (sql, undo) in [
        ("CREATE TABLE c (t int REFERENCES t (id))", "DROP TABLE c"),
        ("CREATE MATERIALIZED VIEW m AS SELECT n FROM t", "DROP MATERIALIZED VIEW m"),
        ("CREATE POLICY p ON t USING (true)", "DROP POLICY p ON t"),
    ] {
        client.batch_execute(sql).unwrap();
        let error = back(&mut engine, id).expect_err(sql);
        assert_eq!(error.code(), codes::UNSUPPORTED, "{sql}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{sql}");
        client.batch_execute(undo).unwrap();
    }
    client.batch_execute("CREATE VIEW v AS SELECT id FROM t").unwrap();
    back(&mut engine, id).unwrap();
    client.batch_execute("DROP VIEW v").unwrap();
    assert_eq!(database.dump(), before);
    assert_nothing_left(&database);
}

/// What keeps the old values true goes on when something is called otherwise.
#[test]
fn what_is_renamed_later_can_be_written() {
    for indexes in ["", "CREATE INDEX t_o ON t (other); CREATE INDEX t_no ON t (n, other)"] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n int, other text); CREATE INDEX t_n ON t (n); {indexes};
             INSERT INTO t SELECT i, i, 'o' FROM generate_series(1, 100) i"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, CHANGE);
        engine.apply(id, &options(), &mut Silent).unwrap();
        let renamed =
            generate(&mut engine, "RENAME COLUMN t.n TO m, RENAME COLUMN t.id TO key, RENAME TABLE t TO u");
        engine.apply(renamed, &options(), &mut Silent).unwrap();
        let mut client = database.client();
        let write = "UPDATE u SET m = 7 WHERE key = 1; UPDATE u SET key = 1000 WHERE key = 2; DELETE FROM u WHERE key = 3; \
                     INSERT INTO u (key, m) VALUES (2000, 5)";
        client.batch_execute(write).unwrap_or_else(|error| panic!("{indexes}: {error}"));
        back(&mut engine, renamed).unwrap();
        back(&mut engine, id).unwrap();
        let sum = 5050 + 6 - 3 + 5;
        assert_eq!(
            one(&database, "SELECT concat_ws(' ', sum(n), count(*), sum(id)) FROM t"),
            format!("{sum} 100 {}", 5050 - 2 + 1000 - 3 + 2000)
        );
        assert_eq!(database.dump(), before);
        if indexes.is_empty() {
            continue;
        }
        // Given up under its new name.
        engine.apply(id, &options(), &mut Silent).unwrap();
        engine.apply(renamed, &options(), &mut Silent).unwrap();
        engine
            .purge(Some(id), None, &options(), &mut Silent)
            .unwrap_or_else(|error| panic!("{indexes}: {error}"));
        client.batch_execute("UPDATE u SET m = 8 WHERE key = 1; UPDATE u SET key = 1 WHERE key = 1").unwrap();
    }
}

#[test]
fn values_that_do_not_come_back_are_named() {
    let database = Database::with(TABLE);
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE TEXT");
    engine.apply(id, &options(), &mut Silent).unwrap();
    assert_eq!(kept(&database), "1");
    let mut client = database.client();
    client
        .batch_execute("UPDATE t SET n = 'many' WHERE id = 7; UPDATE t SET n = '80' WHERE id = 9; UPDATE t SET id = 700000 WHERE id = 7")
        .unwrap();
    for _ in 0..2 {
        let error = back(&mut engine, id).unwrap_err();
        assert_eq!(error.code(), codes::ROWS, "{error}");
        assert!(error.message().contains("1 row: id = 700000 (\"n\" is many)"), "{error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied);
    }
    client.batch_execute("UPDATE t SET n = '1' WHERE id = 700000").unwrap();
    back(&mut engine, id).unwrap();
    let sum = "SELECT sum(n) FROM t";
    assert_eq!(one(&database, sum), (2_001_000 - 7 + 1 - 9 + 80).to_string());
    assert_nothing_left(&database);
    // On the way there: at the start, and of what is written meanwhile.
    client.batch_execute("ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'many' WHERE id = 8").unwrap();
    let before = database.dump();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE INTEGER");
    let error = engine.apply(id, &options(), &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::ROWS, "{error}");
    assert!(error.message().contains("id = 8"), "{error}");
    client.batch_execute("UPDATE t SET n = '5' WHERE id = 8").unwrap();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE INTEGER");
    let mut written = false;
    let mut observer = |progress: &RunProgress| {
        if progress.action == "verify rows" && !written {
            written = true;
            client.batch_execute("UPDATE t SET n = 'some' WHERE id = 6").unwrap();
        }
        Signal::Go
    };
    let error = engine.apply(id, &options(), &mut observer).unwrap_err();
    assert_eq!(error.code(), codes::ROWS, "{error}");
    assert!(error.message().contains("id = 6"), "{error}");
    assert_eq!(database.dump(), before);
    assert_nothing_left(&database);
}

#[test]
fn what_is_given_up_leaves_nothing() {
    for retain in [Retain::Forever, Retain::No] {
        let database = Database::with(TABLE);
        database.client().batch_execute("CREATE VIEW v AS SELECT sum(n) FROM t").unwrap();
        let mut engine = database.engine();
        let id = generate(&mut engine, CHANGE);
        let options = ApplyOptions { retain, ..options() };
        engine.apply(id, &options, &mut Silent).unwrap();
        if retain == Retain::Forever {
            assert_eq!(kept(&database), "1");
            engine.purge(Some(id), None, &options, &mut Silent).unwrap();
        }
        assert_nothing_left(&database);
        assert_eq!(one(&database, "SELECT sum(n) FROM t"), "2001000.00");
        let error = back(&mut engine, id).unwrap_err();
        assert!([codes::PURGED, codes::IRREVERSIBLE].contains(&error.code()), "{error}");
    }
}

/// Whoever reads for a long time is waited for, and nobody else waits for us meanwhile.
#[test]
fn a_reader_that_stays_is_waited_for() {
    let database = Database::with(TABLE);
    let before = database.dump();
    let mut holder = database.client();
    holder.batch_execute("BEGIN; SELECT count(*) FROM t").unwrap();
    let mut engine = database.engine();
    let id = generate(&mut engine, CHANGE);
    let mut options = options();
    options.run.lock_timeout = Duration::from_millis(100);
    options.run.retry_for = Duration::from_secs(1);
    let error = engine.apply(id, &options, &mut Silent).unwrap_err();
    // What is on the table goes with the same lock.
    assert_eq!(error.code(), codes::STUCK, "{error}");
    assert!(error.message().contains("process"), "{error}");
    holder.batch_execute("COMMIT").unwrap();
    engine.cancel(id, &options, &mut Silent).unwrap();
    assert_eq!(database.dump(), before);
    assert_nothing_left(&database);
}
