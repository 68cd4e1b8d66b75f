//! What fails in the middle: an expression on a row far into the table, a trigger of the user's that raises.

use pql_engine::{RollbackTarget, codes};

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
