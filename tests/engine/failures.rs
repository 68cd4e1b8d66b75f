//! What fails in the middle: an expression on a row far into the table, a trigger of the user's that raises.

use std::time::Duration;

use pql_engine::{ApplyOptions, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use crate::lifecycle::World;

#[test]
fn an_expression_that_fails_far_into_the_table_is_named_by_key_and_value() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT);
         WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 700010)
         INSERT INTO t SELECT i, CASE i WHEN 700000 THEN -9223372036854775808 ELSE i END, 's' || i FROM x;",
    );
    let before = world.state();
    for operation in [
        "ADD COLUMN t.a INTEGER BACKFILL abs(n)",
        "CHANGE COLUMN t.n TYPE TEXT USING CAST(abs(n) AS TEXT)",
        "ADD INDEX t_a ON t (abs(n))",
        "ADD CONSTRAINT t.positive CHECK (abs(n) > 0)",
        "ADD CONSTRAINT t.positive CHECK (n > 0)",
    ] {
        let id = world.generate(operation);
        let error = world.try_apply(id).unwrap_err();
        assert_eq!(error.code(), codes::ROWS, "{operation}: {error}");
        assert!(error.message().contains("id = 700000 (n is -9223372036854775808)"), "{operation}: {error}");
        assert_eq!(world.state(), before, "{operation}");
    }
}

#[test]
fn triggers_of_the_users_that_raise_are_in_the_way_of_their_own_statements_only() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT, s TEXT);
         INSERT INTO t VALUES (1, '1', 'a'), (2, '2', 'b'), (3, '3', NULL);
         CREATE TRIGGER no_insert BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'nothing comes'); END;
         CREATE TRIGGER no_update BEFORE UPDATE ON t BEGIN SELECT RAISE(ROLLBACK, 'nothing changes'); END;
         CREATE TRIGGER no_delete AFTER DELETE ON t BEGIN SELECT RAISE(ABORT, 'nothing goes'); END;",
    );
    let before = world.state();
    for operation in [
        "ADD COLUMN t.upper_s TEXT BACKFILL upper(s)",
        "CHANGE COLUMN t.n TYPE INTEGER USING CAST(n AS INTEGER)",
        "SET NOT NULL t.s BACKFILL 'none'",
        "DROP COLUMN t.s",
        "ADD UNIQUE INDEX t_n ON t (n)",
    ] {
        world.apply(operation);
        let raised = world.db().execute("DELETE FROM t WHERE id = 1", []).unwrap_err().to_string();
        assert!(raised.contains("nothing goes"), "{operation}: {raised}");
        world.roll_back(RollbackTarget::Last(1)).expect("a way back");
        assert_eq!(world.state(), before, "{operation}");
    }
    let id = world.generate("EXECUTE 'UPDATE t SET s = ''x''' REVERT 'SELECT 1', ADD COLUMN t.x TEXT");
    let error = world.try_apply(id).unwrap_err();
    assert!(error.message().contains("nothing changes"), "{error}");
    assert_eq!(world.state(), before);
}

#[test]
fn a_way_back_that_rows_stand_in_is_not_begun() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT NOT NULL, n INT, CONSTRAINT small CHECK (n < 900000));
         CREATE TABLE u (id INTEGER PRIMARY KEY);
         WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 3000) INSERT INTO t SELECT i, 's' || i, i FROM x;",
    );
    let mut options = ApplyOptions::default();
    options.run.max_stall = Duration::from_nanos(1);
    let before = world.state();
    for (operation, write, mend) in [
        ("DROP NOT NULL t.s", "UPDATE t SET s = NULL WHERE id = 5", "UPDATE t SET s = 's5' WHERE id = 5"),
        (
            "DROP CONSTRAINT t.small",
            "UPDATE t SET n = 900001 WHERE id = 5",
            "UPDATE t SET n = 5 WHERE id = 5",
        ),
    ] {
        let id = world.generate(operation);
        world.engine.apply(id, &options, &mut Silent).expect(operation);
        world.db().execute_batch(write).expect(operation);
        let applied = world.state();
        let error = world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).unwrap_err();
        assert_eq!(error.code(), codes::ROWS, "{operation}: {error}");
        assert!(error.message().contains("id = 5"), "{operation}: {error}");
        assert_eq!(world.state(), applied, "{operation}");
        assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Applied, "{operation}");
        // Others go on.
        world.apply("ADD COLUMN u.a INTEGER");
        world.roll_back(RollbackTarget::Last(1)).expect(operation);
        world.db().execute_batch(mend).expect(operation);
        world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect(operation);
        assert_eq!(world.state(), before, "{operation}");
    }
}

#[test]
fn a_row_that_comes_while_the_way_back_is_under_way_leaves_the_migration_applied() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT NOT NULL, n INT);
         WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 3000) INSERT INTO t SELECT i, 's' || i, i FROM x;",
    );
    let mut options = ApplyOptions::default();
    options.run.max_stall = Duration::from_nanos(1);
    let before = world.state();
    let id = world.generate("DROP NOT NULL t.s");
    world.engine.apply(id, &options, &mut Silent).expect("a migration");
    let db = world.db();
    let mut late = |progress: &RunProgress| {
        if progress.undoing {
            db.execute_batch("UPDATE t SET s = NULL WHERE id = 5").expect("a write");
        }
        Signal::Go
    };
    let error = world.engine.rollback(RollbackTarget::Last(1), &options, &mut late).unwrap_err();
    assert!(error.message().contains("id = 5"), "{error}");
    assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Applied);
    let left: i64 = world
        .db()
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(left, 0);
    world.db().execute_batch("UPDATE t SET s = 's5' WHERE id = 5").expect("a write");
    world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect("a way back");
    assert_eq!(world.state(), before);
}

/// SQLite does not measure texts: what a VARCHAR(3) took stands in the way of none.
#[test]
fn lengths_that_nothing_enforced_do_not_stop_the_way_back() {
    for operation in [
        "CHANGE COLUMN t.s TYPE TEXT",
        "CHANGE COLUMN t.s TYPE BYTES",
        "CHANGE COLUMN t.s TYPE TEXT, CHANGE COLUMN t.v TYPE TEXT",
    ] {
        let mut world = World::new(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, s VARCHAR(3), v INT); INSERT INTO t VALUES (1, 'longer than three', 1), (2, 'abc', 2);",
        );
        world.apply(operation);
        world
            .db()
            .execute_batch("UPDATE t SET v = 7; UPDATE t SET s = 'four' WHERE id = 2")
            .expect(operation);
        world.roll_back(RollbackTarget::Last(1)).expect(operation);
        let found: String = world
            .db()
            .query_row("SELECT group_concat(s || v || typeof(v), ' ' ORDER BY id) FROM t", [], |row| {
                row.get(0)
            })
            .expect(operation);
        assert_eq!(found, "longer than three7integer four7integer", "{operation}");
    }
}

/// What others add to a table while it is rebuilt would be in the old one only.
#[test]
fn what_others_add_to_a_table_meanwhile_is_not_lost_with_it() {
    for (meanwhile, kept) in [
        (
            "ALTER TABLE t ADD COLUMN n INT DEFAULT 4; UPDATE t SET n = 99 WHERE k = 5",
            "SELECT n = 99 FROM t WHERE k = 5",
        ),
        (
            "CREATE UNIQUE INDEX added ON t (v) WHERE v > 5",
            "SELECT count(*) = 1 FROM sqlite_schema WHERE name = 'added'",
        ),
    ] {
        let mut world = World::new(
            "CREATE TABLE t (k INTEGER PRIMARY KEY, u TEXT, v INT);
             WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 9000) INSERT INTO t SELECT i, 'u' || i, i FROM x;",
        );
        let mut options = ApplyOptions::default();
        options.run.max_stall = Duration::from_nanos(1);
        options.run.batch_rows = Some(500);
        let id = world.generate("CHANGE COLUMN t.v TYPE TEXT");
        let (db, mut open) = (world.db(), Some(meanwhile));
        let mut others = |progress: &RunProgress| {
            if progress.phase == "backfill"
                && let Some(sql) = open.take()
            {
                db.execute_batch(sql).expect(sql);
            }
            Signal::Go
        };
        let error = world.engine.apply(id, &options, &mut others).unwrap_err();
        assert!(open.is_none(), "{meanwhile}");
        let found: bool = world.db().query_row(kept, [], |row| row.get(0)).expect(meanwhile);
        assert!(found, "{meanwhile}: {error}");
        assert!(!error.message().contains("report"), "{meanwhile}: {error}");
        let kind: String = world
            .db()
            .query_row("SELECT typeof(v) FROM t WHERE k = 5", [], |row| row.get(0))
            .expect(meanwhile);
        assert_eq!(kind, "integer", "{meanwhile}");
        let left: i64 = world
            .db()
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' OR name LIKE '%new_t%'",
                [],
                |row| row.get(0),
            )
            .expect(meanwhile);
        assert_eq!(left, 0, "{meanwhile}: {error}");
    }
}
