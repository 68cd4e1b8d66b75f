//! What a conversion makes of rows that the application writes while it goes on.

use pql_engine::{Engine, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::{MigrationId, MigrationStatus};

use crate::rows::{careful, generate, one};
use crate::support::Database;

/// Applies a change; once every row was compared, and before anything takes the place of anything, the application
/// writes.
fn apply_before_exchange(
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
            writes.iter().for_each(|sql| client.batch_execute(sql).unwrap());
            viewer.batch_execute("COMMIT").unwrap();
        }
        Signal::Go
    };
    let outcome = engine.apply(id, &careful(), &mut observer).map(drop);
    assert!(come, "{change}: {outcome:?}");
    (engine, id, outcome)
}

/// So many indexes that a new table takes the place of the old one.
const INDEXED: &str =
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
