//! What a conversion makes of rows that the application writes while it goes on.

use pql_engine::{Engine, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::{MigrationId, MigrationStatus};

use crate::rows::{careful, generate, one};
use crate::support::Database;

/// Applies a change; once every row was compared, and before anything takes the place of anything, the application
/// writes.
pub(crate) fn apply_before_exchange(
    database: &Database,
    change: &str,
    writes: &[&str],
) -> (Engine, MigrationId, pql_engine::Result<()>) {
    let mut engine = database.engine();
    let id = generate(&mut engine, change);
    // What sees the rows as they were is waited for.
    let mut viewer = database.client();
    viewer.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    let mut come = false;
    let mut observer = |progress: &RunProgress| {
        if progress.action.starts_with("swap ") && progress.waiting.is_some() && !come {
            come = true;
            let mut client = database.client();
            for sql in writes {
                client.batch_execute(sql).unwrap();
            }
            viewer.batch_execute("COMMIT").unwrap();
        }
        Signal::Go
    };
    let outcome = engine.apply(id, &careful(), &mut observer).map(drop);
    assert!(come, "{change}: {outcome:?}");
    (engine, id, outcome)
}

/// So many indexes that a new table takes the place of the old one.
pub(crate) const INDEXED: &str =
    "; CREATE INDEX i1 ON t (y); CREATE INDEX i2 ON t (x, y); CREATE INDEX i3 ON t ((y + 1))";

#[test]
fn a_value_that_comes_after_the_comparison_and_has_no_place_stops_the_exchange() {
    for (key, rest, named) in [
        ("id int PRIMARY KEY", "", ["id = 7", "id = 9001"]),
        ("id int PRIMARY KEY", INDEXED, ["id = 7", ""]),
        ("id int", "", ["ctid = '(", "2 rows"]),
        ("id int, k int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY", "", ["k = 14", "k = 18002"]),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t ({key}, x text DEFAULT '5', y int);
             INSERT INTO t (id, x, y) SELECT i, i, i FROM generate_series(1, 3000) i{rest}"
        ));
        let before = database.dump();
        let writes = [
            "INSERT INTO t (id, x) VALUES (9001, 'abc')",
            "UPDATE t SET x = 'def' WHERE id = 7",
            "UPDATE t SET x = 'ghi' WHERE id IN (8, 9, 10)",
            "UPDATE t SET x = '8' WHERE id = 8; UPDATE t SET x = NULL WHERE id = 9; DELETE FROM t WHERE id = 10",
        ];
        let change = "CHANGE COLUMN t.x TYPE INTEGER USING x::integer";
        let (mut engine, id, outcome) = apply_before_exchange(&database, change, &writes);
        let error = outcome.expect_err(key);
        assert_eq!(error.code(), codes::ROWS, "{key}: {error}");
        assert!(named.iter().all(|row| error.message().contains(row)), "{key}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Failed, "{key}: {error}");
        assert_eq!(database.dump(), before, "{key}");
        let rows = "SELECT string_agg(concat_ws(' ', id, x), ', ' ORDER BY id) FROM t WHERE id IN (7, 8, 9, 10, 9001)";
        assert_eq!(one(&database, rows), "7 def, 8 8, 9, 9001 abc", "{key}");
        let left = "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_pql\\_%'";
        assert_eq!(one(&database, left), "0", "{key}");

        // What was mended in time is none that stops it.
        database.client().batch_execute("UPDATE t SET x = '7' WHERE x IN ('def', 'abc')").unwrap();
        let writes = [
            "UPDATE t SET x = 'ghi' WHERE id IN (8, 9, 11)",
            "UPDATE t SET x = '88' WHERE id = 8; UPDATE t SET x = NULL WHERE id = 9; DELETE FROM t WHERE id = 11",
        ];
        let (mut engine, id, outcome) = apply_before_exchange(&database, change, &writes);
        outcome.expect(key);
        assert_eq!(one(&database, rows), "7 7, 8 88, 9, 9001 7", "{key}");
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(key);
        assert_eq!(database.dump(), before, "{key}");
    }
}

/// Whoever writes need not know of what a conversion calls, nor be allowed to.
#[test]
fn what_a_role_writes_is_converted_by_what_it_may_not_call() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, x int, y int, g int GENERATED ALWAYS AS (y * 10) STORED);
         INSERT INTO t SELECT i, i, i FROM generate_series(1, 3000) i;
         CREATE FUNCTION fmt(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''n'' || $1';
         REVOKE EXECUTE ON FUNCTION fmt FROM PUBLIC;
         DO $$ BEGIN CREATE ROLE clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT SELECT, INSERT, UPDATE ON t TO clerk",
    );
    let before = database.dump();
    let change = "CHANGE COLUMN t.x TYPE TEXT USING fmt(x) || g REVERT USING right(x, -1)::int";
    let writes =
        ["SET ROLE clerk; INSERT INTO t (id, x, y) VALUES (9001, 1, 2); UPDATE t SET y = 70 WHERE id = 7"];
    let (mut engine, id, outcome) = apply_before_exchange(&database, change, &writes);
    outcome.unwrap();
    let rows =
        "SELECT string_agg(concat_ws(' ', id, x, g), ', ' ORDER BY id) FROM t WHERE id IN (6, 7, 9001, 9002)";
    assert_eq!(one(&database, rows), "6 n660 60, 7 n7700 700, 9001 n120 20");
    let later = "SET ROLE clerk; INSERT INTO t (id, x, y) VALUES (9002, 'n3', 5); UPDATE t SET x = 'n61' WHERE id = 6";
    database.client().batch_execute(later).unwrap();
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
    assert_eq!(database.dump(), before);
    assert_eq!(one(&database, rows), "6 61 60, 7 7 700, 9001 1 20, 9002 3 50");
}

/// A setting, a type with a value of it, what it becomes.
const CONFIGURED: &[(&str, &str, &str, &str)] = &[
    ("timezone = 'America/New_York'", "timestamp", "'2020-07-02 12:00'", "TIMESTAMPTZ"),
    ("timezone = 'America/New_York'", "timestamptz", "'2020-07-02 12:00+00'", "TIMESTAMP"),
    ("datestyle = 'SQL, DMY'", "text", "'10-11-12'", "DATE USING x::date"),
    ("datestyle = 'SQL, DMY'", "timestamptz", "'2020-07-02 12:00+00'", "TEXT"),
    ("intervalstyle = 'sql_standard'", "text", "'-1 2:03:04'", "INTERVAL USING x::interval"),
    ("extra_float_digits = -3", "float8", "0.1 + 0.2", "TEXT"),
    ("bytea_output = 'escape'", "bytea", "'a'::bytea", "TEXT USING x::text"),
];

/// As a plain ALTER TABLE would have it, whatever whoever writes has set.
#[test]
fn values_become_what_the_settings_of_the_database_say() {
    for (setting, from, value, to) in CONFIGURED {
        for indexes in ["", INDEXED] {
            let database = Database::with(&format!(
                "CREATE TABLE t (id int PRIMARY KEY, x {from}, y int);
                 INSERT INTO t SELECT i, {value}, i FROM generate_series(1, 3000) i; CREATE TABLE plain AS SELECT * FROM t;
                 CREATE VIEW v AS SELECT x, timestamptz '2020-01-02 12:00+00' AS at, interval '-1 day 2:00' AS span FROM t
                 {indexes}"
            ));
            let set = format!("ALTER DATABASE {} SET {setting}", database.name);
            database.client().batch_execute(&set).unwrap();
            let plain = to.replace(" USING", " USING ").replace("t.x", "x");
            database.client().batch_execute(&format!("ALTER TABLE plain ALTER x TYPE {plain}")).unwrap();
            let what = format!("{setting}: {from} {to} {indexes}");
            let before = database.dump();
            let other = "SET timezone = 'Asia/Tokyo'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; \
                 SET extra_float_digits = 1; SET bytea_output = 'hex'; UPDATE t SET y = 0, x = x WHERE id = 7; \
                 INSERT INTO t SELECT 9001, x, y FROM t WHERE id = 8";
            let change = format!("CHANGE COLUMN t.x TYPE {to}");
            let (mut engine, id, outcome) = apply_before_exchange(&database, &change, &[other]);
            outcome.expect(&what);
            let differ = "SELECT count(*) FROM t WHERE x IS DISTINCT FROM (SELECT x FROM plain LIMIT 1)";
            assert_eq!(one(&database, differ), "0", "{what}");
            assert_eq!(engine.verify().unwrap(), [], "{what}");
            let later = "UPDATE t SET x = (SELECT x FROM t WHERE id = 8) WHERE id = 9";
            database.client().batch_execute(&format!("SET timezone = 'Asia/Tokyo'; {later}")).unwrap();
            // What has lost digits is no more what it was.
            let lossy = setting.starts_with("extra") || (*from == "timestamptz" && *to == "TEXT");
            if !lossy && !to.contains("USING") {
                engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(&what);
                assert_eq!(database.dump(), before, "{what}");
                let differ = format!("SELECT count(*) FROM t WHERE x IS DISTINCT FROM {value}");
                assert_eq!(one(&database, &differ), "0", "{what}");
            }
        }
    }
}

/// So do what is typed in a definition, and what is passed on.
#[test]
fn literals_mean_what_the_settings_of_the_database_say() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, '1/2/2020 12:00')",
    );
    for setting in ["timezone = 'America/New_York'", "datestyle = 'SQL, DMY'"] {
        database.client().batch_execute(&format!("ALTER DATABASE {} SET {setting}", database.name)).unwrap();
    }
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(
        &mut engine,
        "ADD COLUMN t.a TIMESTAMPTZ DEFAULT '1/2/2020 12:00', ADD COLUMN t.b TIMESTAMPTZ BACKFILL x::timestamptz, \
         ADD CONSTRAINT t.late CHECK (b > '1/1/2020 12:00'), \
         EXECUTE 'CREATE TABLE e AS SELECT timestamptz ''1/2/2020 12:00'' AS c' REVERT 'DROP TABLE e'",
    );
    engine.apply(id, &careful(), &mut Silent).unwrap();
    assert_eq!(engine.verify().unwrap(), []);
    let same = "SELECT a = timestamptz '2020-02-01 12:00-05' AND a = b AND a = c FROM t, e";
    assert_eq!(one(&database, same), "true");
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
    assert_eq!(database.dump(), before);
}

/// A backslash is itself in what is said to PQL, whatever it is to the application.
#[test]
fn strings_have_one_meaning() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, x int, y int); INSERT INTO t SELECT i, i, i FROM generate_series(1, 3000) i",
    );
    let set = format!("ALTER DATABASE {} SET standard_conforming_strings = off", database.name);
    database.client().batch_execute(&set).unwrap();
    let before = database.dump();
    let change = r"CHANGE COLUMN t.x TYPE TEXT USING x || '\n' REVERT USING left(x, -2)::int, ADD COLUMN t.z TEXT DEFAULT 'a\b', ADD COLUMN t.b TEXT BACKFILL x || '\r', EXECUTE 'CREATE TABLE e AS SELECT text ''c\d'' AS c' REVERT 'DROP TABLE e'";
    let (mut engine, id, outcome) =
        apply_before_exchange(&database, change, &["INSERT INTO t (id, x) VALUES (9001, 1)"]);
    outcome.unwrap();
    assert_eq!(engine.verify().unwrap(), []);
    database.client().batch_execute(r"UPDATE t SET x = E'9\\n' WHERE id = 9").unwrap();
    let rows = "SELECT string_agg(concat_ws(' ', id, x, z, b, c), ', ' ORDER BY id) FROM t, e WHERE id IN (8, 9, 9001)";
    assert_eq!(one(&database, rows), r"8 8\n a\b 8\n\r c\d, 9 9\n a\b 9\n\r c\d, 9001 1\n a\b 1\n\r c\d");
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
    assert_eq!(database.dump(), before);
    assert_eq!(one(&database, "SELECT count(*) FROM t WHERE x <> y"), "0");
}

/// A key that is printed otherwise is the same key.
#[test]
fn rows_are_gone_through_by_keys_of_any_spelling() {
    for (setting, kind, key) in [
        ("datestyle = 'SQL, DMY'", "date", "date '2020-01-01' + i"),
        (
            "timezone = 'Asia/Kolkata'; ALTER DATABASE {} SET datestyle = 'German'",
            "timestamptz",
            "now() + i * interval '1 h'",
        ),
        ("extra_float_digits = -10", "float8", "i / 7.0"),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (k {kind} PRIMARY KEY, x int); INSERT INTO t SELECT {key}, i FROM generate_series(1, 5000) i; ANALYZE t"
        ));
        let set = format!("ALTER DATABASE {{}} SET {setting}").replace("{}", &database.name);
        database.client().batch_execute(&set).unwrap();
        let mut engine = database.engine();
        let id = generate(&mut engine, "ADD COLUMN t.y INT BACKFILL x + 1");
        let mut options = careful();
        options.run.batch_rows = Some(300);
        engine.apply(id, &options, &mut Silent).expect(kind);
        assert_eq!(one(&database, "SELECT count(*) FROM t WHERE y = x + 1"), "5000", "{kind}");
    }
}
