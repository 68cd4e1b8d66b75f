//! Captures see every change, and never make one fail.

use pql_planner::{Action, Capture, RowKey};
use pql_schema::KeyPart;
use rusqlite::Connection as Db;

use crate::support::{Place, online, run_all};

fn start(place: &Place, table: &str, key: RowKey, columns: Option<&[&str]>) {
    let capture = Capture {
        table: table.into(),
        log: "_pql_log".into(),
        key,
        columns: columns.map(|list| list.iter().map(ToString::to_string).collect()),
        follows: false,
        moves: false,
    };
    run_all(place, &online(), &[Action::StartCapture { capture }]);
}

fn logged(db: &Db) -> Vec<String> {
    let mut all = db.prepare("SELECT * FROM _pql_log").unwrap();
    let width = all.column_count();
    let rows = all
        .query_map([], |row| {
            (0..width)
                .map(|at| row.get::<_, rusqlite::types::Value>(at).map(|value| format!("{value:?}")))
                .collect::<Result<Vec<_>, _>>()
        })
        .unwrap();
    let found = rows.map(|row| row.unwrap().join(" ")).collect();
    db.execute_batch("DELETE FROM _pql_log").unwrap();
    found
}

#[test]
fn every_kind_of_write_is_logged() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b); CREATE UNIQUE INDEX lower_b ON t (lower(b)) WHERE b IS NOT NULL;
         INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', NULL);",
    );
    start(&place, "t", RowKey::Rowid("id".into()), None);
    let db = place.db();
    for (sql, expected) in [
        ("INSERT INTO t (a) VALUES ('d')", vec!["Integer(4)"]),
        ("UPDATE t SET b = 'z' WHERE id = 3", vec!["Integer(3)"]),
        ("UPDATE t SET id = 30 WHERE id = 3", vec!["Integer(3)", "Integer(30)"]),
        ("DELETE FROM t WHERE id = 4", vec!["Integer(4)"]),
        ("REPLACE INTO t VALUES (9, 'a', NULL)", vec!["Integer(1)", "Integer(9)"]),
        ("INSERT OR REPLACE INTO t VALUES (10, 'q', 'Y')", vec!["Integer(2)", "Integer(10)"]),
        ("UPDATE OR REPLACE t SET a = 'q' WHERE id = 9", vec!["Integer(9)", "Integer(10)"]),
        ("INSERT INTO t VALUES (9, 'n', NULL) ON CONFLICT (id) DO UPDATE SET a = 'm'", vec!["Integer(9)"]),
        ("DELETE FROM t", vec!["Integer(9)", "Integer(30)"]),
    ] {
        db.execute_batch(sql).unwrap();
        let found: Vec<String> = logged(&db).into_iter().filter(|key| key != "Integer(-1)").collect();
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn rows_that_a_replace_deletes_by_what_it_makes_of_the_new_one() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, u TEXT NOT NULL UNIQUE DEFAULT 'x', n INT NOT NULL DEFAULT (-5),
                         m AS (l || '!'), l AS (lower(u)), c TEXT COLLATE NOCASE);
         CREATE UNIQUE INDEX m ON t (m) WHERE n > 0; CREATE UNIQUE INDEX n ON t (abs(n), a); CREATE UNIQUE INDEX c ON t (c COLLATE BINARY);
         INSERT INTO t (id, a, u, n, c) VALUES (1, 1, 'x', 0, 'a'), (2, 2, 'X', 2, 'A'), (3, 3, 'y', 5, 'b');",
    );
    start(&place, "t", RowKey::Rowid("id".into()), None);
    let db = place.db();
    for (sql, expected) in [
        ("INSERT OR REPLACE INTO t (id, u) VALUES (9, NULL)", vec!["Integer(1)", "Integer(2)", "Integer(9)"]),
        ("UPDATE OR REPLACE t SET u = 'z', n = NULL, a = 3 WHERE id = 9", vec!["Integer(3)", "Integer(9)"]),
        ("INSERT INTO t (id, u, n, c) VALUES (1, 'p', 1, 'a')", vec!["Integer(1)"]),
        ("UPDATE OR REPLACE t SET c = 'A' WHERE id = 1", vec!["Integer(1)", "Integer(2)"]),
    ] {
        db.execute_batch(sql).unwrap();
        let found: Vec<String> = logged(&db).into_iter().filter(|key| key != "Integer(-1)").collect();
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn the_applications_conflict_clause_does_not_reach_the_log() {
    let place = Place::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'a')");
    start(&place, "t", RowKey::Rowid("id".into()), None);
    let db = place.db();
    for clause in ["ABORT", "FAIL", "ROLLBACK", "IGNORE", "REPLACE"] {
        for _ in 0..2 {
            db.execute_batch(&format!("UPDATE OR {clause} t SET a = a || '.' WHERE id = 1")).unwrap();
        }
    }
    assert_eq!(logged(&db), ["Integer(1)"]);
}

#[test]
fn composite_collated_keys() {
    let place = Place::new(
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, c, PRIMARY KEY (a, b DESC)) WITHOUT ROWID; INSERT INTO t VALUES ('x', 1, 1)",
    );
    start(&place, "t", RowKey::Columns(vec![KeyPart::new("a"), KeyPart::new("b")]), None);
    let db = place.db();
    db.execute_batch(
        "UPDATE t SET a = 'X'; UPDATE t SET c = 2; DELETE FROM t; INSERT INTO t VALUES ('y', 2, 2)",
    )
    .unwrap();
    assert_eq!(logged(&db), ["Text(\"x\") Integer(1)", "Text(\"y\") Integer(2)"]);
    let plan: String = db
        .query_row(
            "EXPLAIN QUERY PLAN SELECT 1 FROM t AS n, _pql_log AS l WHERE n.a COLLATE NOCASE = l._pql_k0 AND n.b = l._pql_k1",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.starts_with("SCAN"), "{plan}");
}

#[test]
fn only_the_named_columns_count() {
    let place = Place::new("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 1), (2, 2)");
    start(&place, "t", RowKey::Rowid("rowid".into()), Some(&["a"]));
    let db = place.db();
    db.execute_batch("UPDATE t SET b = 5").unwrap();
    assert!(logged(&db).is_empty());
    db.execute_batch("UPDATE t SET a = NULL WHERE rowid = 1; UPDATE t SET rowid = 7 WHERE rowid = 2; INSERT INTO t VALUES (3, 3)").unwrap();
    assert_eq!(logged(&db), ["Integer(1)", "Integer(2)", "Integer(7)", "Integer(8)"]);
}

#[test]
fn captures_follow_renames_and_new_definitions() {
    let place =
        Place::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b); INSERT INTO t VALUES (1, 1, 1)");
    start(&place, "t", RowKey::Rowid("id".into()), None);
    run_all(
        &place,
        &online(),
        &[
            Action::RenameColumn { table: "t".into(), from: "a".into(), to: "key".into() },
            Action::RenameColumn { table: "t".into(), from: "id".into(), to: "number".into() },
            Action::RenameTable { from: "t".into(), to: "u".into() },
            Action::DropColumn { table: "u".into(), column: "b".into() },
        ],
    );
    let db = place.db();
    db.execute_batch("REPLACE INTO u VALUES (2, 1)").unwrap();
    assert_eq!(logged(&db), ["Integer(1)", "Integer(2)"]);
}
