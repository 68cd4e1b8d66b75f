//! VACUUM numbers the rows of a table anew that has no key of its own; the application may run it at any time.

use std::time::Duration;

use pql_engine::{ApplyOptions, RollbackTarget, RunProgress, Signal};

use crate::lifecycle::World;

fn rows(world: &World, sql: &str) -> Vec<String> {
    let db = world.db();
    let mut statement = db.prepare(sql).expect("a query");
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values = (0..width).map(|at| row.get::<_, rusqlite::types::Value>(at));
        Ok(values.map(|value| value.map(|it| format!("{it:?}"))).collect::<Result<Vec<_>, _>>()?.join(" "))
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

#[test]
fn rows_keep_their_numbers_as_long_as_those_are_remembered() {
    for (operation, wrong) in [
        ("ADD COLUMN t.z INT BACKFILL a", "z IS NOT a"),
        ("ADD COLUMN t.z INT NOT NULL DEFAULT 0 BACKFILL a", "z IS NOT a"),
        ("SET NOT NULL t.u BACKFILL 'none'", "u IS NULL"),
        ("CHANGE COLUMN t.a TYPE TEXT", "a IS NOT CAST(n * 2 AS TEXT)"),
        ("DROP COLUMN t.k, CHANGE COLUMN t.a TYPE TEXT", "a IS NOT CAST(n * 2 AS TEXT)"),
        ("ADD CONSTRAINT t.one UNIQUE (n)", "0"),
        ("ADD INDEX t_a ON t (a, u)", "a IS NOT n * 2"),
        ("CHANGE COLUMN t.a TYPE TEXT, ADD CONSTRAINT t.keyed PRIMARY KEY (n)", "0"),
    ] {
        let mut world = World::new(
            "CREATE TABLE t (n INTEGER, a INT, u TEXT, k INT);
             WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9000)
             INSERT INTO t SELECT i, i * 2, CASE WHEN i % 5 THEN 'u' || i END, i % 7 FROM c;
             DELETE FROM t WHERE n % 3 = 0;",
        );
        let mut options = ApplyOptions::default();
        options.run.max_stall = Duration::from_nanos(1);
        options.run.batch_rows = Some(400);
        options.allow_destructive = true;
        let schema = rows(&world, "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 't'");
        let id = world.generate(operation);
        // The application makes room and has it cleared away whenever it is its turn.
        let others = world.db();
        let mut application = |_: &RunProgress| {
            others
                .execute_batch("DELETE FROM t WHERE n IN (SELECT n FROM t ORDER BY n LIMIT 10); VACUUM")
                .expect("a turn");
            Signal::Go
        };
        world.engine.apply(id, &options, &mut application).expect(operation);
        assert_eq!(
            rows(&world, &format!("SELECT * FROM t WHERE {wrong}")),
            Vec::<String>::new(),
            "{operation}"
        );
        let db = world.db();
        db.execute_batch(
            "DELETE FROM t WHERE n % 11 = 0; VACUUM; UPDATE t SET u = 'since' WHERE n % 10 = 1;
             INSERT INTO t (n, a, u) VALUES (100001, '200002', 'new'); DELETE FROM t WHERE n % 13 = 0; VACUUM;",
        )
        .expect("writes");
        world.engine.rollback(RollbackTarget::Last(1), &options, &mut application).expect(operation);
        // Their values say which rows they were.
        assert_eq!(
            rows(
                &world,
                "SELECT * FROM t WHERE a IS NOT n * 2 OR k IS NOT CASE WHEN n <= 9000 THEN n % 7 END"
            ),
            Vec::<String>::new(),
            "{operation}"
        );
        let expected =
            "CASE WHEN n > 9000 THEN 'new' WHEN n % 10 = 1 THEN 'since' WHEN n % 5 THEN 'u' || n END";
        let wrong = rows(&world, &format!("SELECT * FROM t WHERE u IS NOT {expected}"));
        assert_eq!(wrong, Vec::<String>::new(), "{operation}");
        let gone = "n % 3 = 0 OR (n % 11 = 0 OR n % 13 = 0) AND n < 9000";
        assert_eq!(
            rows(&world, &format!("SELECT * FROM t WHERE {gone}")),
            Vec::<String>::new(),
            "{operation}"
        );
        let twice = rows(&world, "SELECT n, count(*) FROM t GROUP BY n HAVING count(*) > 1");
        assert_eq!(twice, Vec::<String>::new(), "{operation}");
        // None between the first that is there and the last is missing.
        let missing = format!(
            "WITH RECURSIVE c(n) AS (SELECT min(n) FROM t UNION ALL SELECT n + 1 FROM c WHERE n < 9000) \
             SELECT n FROM c WHERE NOT ({gone}) AND n NOT IN (SELECT n FROM t)"
        );
        assert_eq!(rows(&world, &missing), Vec::<String>::new(), "{operation}");
        assert_eq!(rows(&world, "SELECT count(*) > 1000 FROM t"), ["Integer(1)"], "{operation}");
        let guards = "SELECT name FROM sqlite_schema WHERE name LIKE '%guard%' AND tbl_name = 't'";
        assert_eq!(rows(&world, guards), Vec::<String>::new(), "{operation}");
        assert_eq!(
            rows(&world, "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 't'"),
            schema,
            "{operation}"
        );
    }
}

/// What a text dump does to the numbers, and VACUUM would but for the guards.
fn renumber(world: &World) {
    let db = world.db();
    let guards = "SELECT group_concat('DROP INDEX \"' || name || '\";', '') FROM sqlite_schema WHERE name LIKE '_pql_guard%'";
    let drop: String = db.query_row(guards, [], |row| row.get(0)).expect("guards");
    db.execute_batch(&drop).expect("no guards");
    db.execute_batch("VACUUM").expect("room");
}

#[test]
fn numbers_that_a_restored_database_has_not_kept_stop_the_rollback() {
    for operation in ["CHANGE COLUMN t.a TYPE TEXT", "SET NOT NULL t.u BACKFILL 'none'"] {
        let mut world = World::new(
            "CREATE TABLE t (n INTEGER, a INT, u TEXT);
             WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300)
             INSERT INTO t SELECT i, i * 2, CASE WHEN i % 5 THEN 'u' || i END FROM c;
             DELETE FROM t WHERE n < 50;",
        );
        let mut options = ApplyOptions::default();
        options.run.max_stall = Duration::from_nanos(1);
        options.allow_destructive = true;
        let id = world.generate(operation);
        world.engine.apply(id, &options, &mut pql_engine::Silent).expect(operation);
        renumber(&world);
        world
            .db()
            .execute_batch("DELETE FROM t WHERE n = 60; INSERT INTO t VALUES (900, 7, 'since')")
            .expect("writes");
        let written = rows(&world, "SELECT * FROM t ORDER BY n");
        let error = world
            .engine
            .rollback(RollbackTarget::Last(1), &options, &mut pql_engine::Silent)
            .expect_err(operation);
        assert_eq!(error.code(), pql_engine::codes::RENUMBERED, "{operation}: {error}");
        assert_eq!(rows(&world, "SELECT * FROM t ORDER BY n"), written, "{operation}");
        assert_eq!(world.engine.info(id).expect(operation).status, pql_schema::MigrationStatus::Applied);
        // What comes after the restore has numbers that are right.
        let next = world.generate("CHANGE COLUMN t.n TYPE TEXT");
        world.engine.apply(next, &options, &mut pql_engine::Silent).expect(operation);
        world.db().execute_batch("INSERT INTO t VALUES ('901', 7, 'later')").expect("writes");
        world.engine.rollback(RollbackTarget::Last(1), &options, &mut pql_engine::Silent).expect(operation);
        assert_eq!(rows(&world, "SELECT count(*) FROM t WHERE n >= 900"), ["Integer(2)"], "{operation}");
        world.engine.purge(Some(id), None, &options, &mut pql_engine::Silent).expect(operation);
        let left = "SELECT name FROM sqlite_schema WHERE name LIKE '%witness%' OR name LIKE '%guard%'";
        assert_eq!(rows(&world, left), Vec::<String>::new(), "{operation}");
    }
}
