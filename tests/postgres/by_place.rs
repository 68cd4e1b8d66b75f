//! Statements that name no columns, on tables in which something is kept out of sight: nothing is stored in a column that
//! it was not meant for.

use pql_engine::{ApplyOptions, Engine, RollbackTarget, Silent};
use pql_schema::MigrationId;

use crate::rows::{careful, generate, one};
use crate::support::Database;

/// Applies a change; gives what the report says of it, too.
fn apply(engine: &mut Engine, change: &str) -> (MigrationId, String) {
    let id = generate(engine, change);
    let report = engine.apply(id, &careful(), &mut Silent).expect(change);
    (id, report.notes.join("; "))
}

fn back(engine: &mut Engine, id: MigrationId) {
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
}

#[test]
fn an_insert_that_would_give_a_dropped_column_a_value_is_refused() {
    for (column, others) in [
        ("a text", "b text, c text DEFAULT 'c'"),
        ("a text DEFAULT 'a' NOT NULL", "b text, c text"),
        ("a int DEFAULT 0", "b int, c int"),
        ("a serial", "b int, c int"),
        ("a text NOT NULL", "b text, c text"),
    ] {
        let database = Database::with(&format!("CREATE TABLE t (id int PRIMARY KEY, {column}, {others})"));
        let mut client = database.client();
        client.batch_execute("INSERT INTO t VALUES (1, '1', '2', '3')").unwrap();
        let before = database.dump();
        let mut engine = database.engine();
        let (id, said) = apply(&mut engine, "DROP COLUMN t.a");
        assert!(said.contains("name the columns"), "{column}: {said}");
        for values in [
            "VALUES (2, '0')",
            "VALUES (2, NULL, '7')",
            "VALUES (2, '0', '1')",
            "SELECT 2, NULL, NULL",
            "TABLE t",
        ] {
            let error = client.batch_execute(&format!("INSERT INTO t {values}")).expect_err(values);
            let error = error.as_db_error().unwrap();
            // A column of numbers may refuse the value itself.
            assert!(error.message().contains("by its place to column a"), "{column} {values}: {error:?}");
            assert!(error.hint().unwrap().contains("name the columns"), "{error:?}");
        }
        // Who names the columns, or gives none to the dropped one, notices nothing.
        client
            .batch_execute(
                "INSERT INTO t VALUES (2); INSERT INTO t (id, c, b) VALUES (3, '5', '4'), (4, NULL, '6');
                 INSERT INTO t (id, b) SELECT i, i FROM generate_series(5, 9) i ORDER BY i DESC;
                 BEGIN; INSERT INTO t (id) VALUES (10); UPDATE t SET c = '8' WHERE id = 10; COMMIT",
            )
            .unwrap();
        assert_eq!(one(&database, "SELECT string_agg(b::text, ' ' ORDER BY id) FROM t"), "2 4 6 5 6 7 8 9");
        client.batch_execute("UPDATE t SET c = '1'").unwrap();
        if column == "a text NOT NULL" {
            client.batch_execute("DELETE FROM t WHERE id > 1").unwrap();
        }
        back(&mut engine, id);
        assert_eq!(database.dump(), before, "{column}");
        let (given, own) = (one(&database, "SELECT a FROM t WHERE id = 1"), column.contains("DEFAULT"));
        assert_eq!(given, "1", "{column}");
        if own {
            assert_eq!(one(&database, "SELECT count(*) FROM t WHERE a IS NULL"), "0", "{column}");
        }
        client.batch_execute("INSERT INTO t VALUES (11, '1', '2', '3')").unwrap();
        let (id, _) = apply(&mut engine, "DROP COLUMN t.a");
        engine.purge(Some(id), None, &ApplyOptions::default(), &mut Silent).unwrap();
        client.batch_execute("INSERT INTO t VALUES (12, '7', '8')").unwrap();
        assert_eq!(one(&database, "SELECT b FROM t WHERE id = 12"), "7", "{column}");
        assert_eq!(one(&database, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%pql%'"), "0");
    }
}

/// What replaced another column gets by the place of that, when it is dropped in its turn.
#[test]
fn a_dropped_column_that_replaced_another_one_gets_no_value_either() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY, a text, b text)");
    let mut engine = database.engine();
    let (first, said) =
        apply(&mut engine, "CHANGE COLUMN t.a TYPE TEXT USING upper(a) REVERT USING lower(a)");
    assert_eq!(said, "");
    let (second, _) = apply(&mut engine, "DROP COLUMN t.a");
    let mut client = database.client();
    client.batch_execute("INSERT INTO t VALUES (1, 'x')").unwrap_err();
    client.batch_execute("INSERT INTO t (id, b) VALUES (1, 'x')").unwrap();
    back(&mut engine, second);
    client.batch_execute("INSERT INTO t VALUES (2, 'x', 'y')").unwrap();
    back(&mut engine, first);
    assert_eq!(
        one(&database, "SELECT string_agg(concat_ws(',', id, a, b), ' ' ORDER BY id) FROM t"),
        "1,x 2,x,y"
    );
}

#[test]
fn partitions_and_roles_with_few_rights_are_no_exception() {
    let database = Database::with(
        "CREATE TABLE t (id int, a int, b int) PARTITION BY LIST (id);
         CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1, 2); CREATE TABLE t2 PARTITION OF t DEFAULT;
         DROP ROLE IF EXISTS by_place; CREATE ROLE by_place; GRANT INSERT ON t, t1 TO by_place",
    );
    let before = database.dump();
    let mut engine = database.engine();
    let (id, _) = apply(&mut engine, "DROP COLUMN t.a");
    let mut client = database.client();
    client
        .batch_execute("SET ROLE by_place; INSERT INTO t (id, b) VALUES (1, 1), (5, 2); INSERT INTO t1 (id, b) VALUES (2, 3)")
        .unwrap();
    for table in ["t", "t1"] {
        client.batch_execute(&format!("INSERT INTO {table} VALUES (1, 7)")).unwrap_err();
    }
    back(&mut engine, id);
    assert_eq!(database.dump(), before);
    assert_eq!(one(&database, "SELECT string_agg(b::text, ' ' ORDER BY b) FROM t WHERE a IS NULL"), "1 2 3");
    client.batch_execute("RESET ROLE; DROP OWNED BY by_place; DROP ROLE by_place").unwrap();
}

/// What an INSERT without column names gives the new column has been one of the old type before.
#[test]
fn a_column_that_cannot_take_all_by_its_place_is_told_of() {
    for (old, new, warns) in [
        ("int", "DECIMAL(12,2)", true),
        ("int", "TEXT", true),
        ("int", "BIGINT", true),
        ("bigint", "INT", false),
    ] {
        let database = Database::with(&format!("CREATE TABLE t (id int PRIMARY KEY, a {old}, b text)"));
        let mut engine = database.engine();
        let (_, said) = apply(&mut engine, &format!("CHANGE COLUMN t.a TYPE {new}"));
        assert_eq!(said.contains("name the columns"), warns, "{old} to {new}: {said}");
    }
}
