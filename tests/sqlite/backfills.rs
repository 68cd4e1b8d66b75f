//! A fill reaches every row that the application has not written, wherever the row goes meanwhile.

use pql_engine::backend::{Backend, RunOptions};
use pql_planner::{Action, Backfill, Capture, RowKey};
use pql_schema::{Expr, KeyPart};

use crate::support::{KILLED, Place, Runner, online, rows, run, run_all};

fn capture(key: RowKey) -> Capture {
    Capture {
        table: "t".into(),
        log: "_pql_log".into(),
        key,
        columns: Some(vec!["c".to_owned()]),
        follows: true,
        moves: false,
    }
}

fn fill(key: RowKey) -> Backfill {
    Backfill {
        table: "t".into(),
        key: key.clone(),
        assignments: vec![("c".to_owned(), Expr::statement("'new'"))],
        filter: Some(Expr::statement("c IS NULL")),
        capture: Some(capture(key)),
        record: None,
    }
}

/// What the application does while rows 1 to 4 are filled and 5 to 10 are not.
const MEANWHILE: &str = "
    UPDATE t SET id = -9 WHERE id = 9;
    UPDATE t SET id = 100 WHERE id = 10;
    UPDATE t SET c = 'own', id = -8 WHERE id = 8;
    UPDATE t SET c = NULL WHERE id = 7;
    UPDATE t SET id = 70 WHERE id = 7;
    INSERT INTO t (id, c) VALUES (7, NULL), (50, NULL);
    UPDATE t SET id = 3000 WHERE id = 3;
    DELETE FROM t WHERE id = 50;
    UPDATE t SET id = 50 WHERE id = 6;
    UPDATE OR REPLACE t SET id = 7 WHERE id = 5;
";

const EXPECTED: [(i64, Option<&str>); 10] = [
    (-9, Some("new")),
    (-8, Some("own")),
    (1, Some("new")),
    (2, Some("new")),
    (4, Some("new")),
    // What was at 7 is gone, and what is there now was not written.
    (7, Some("new")),
    (50, Some("new")),
    (70, None),
    (100, Some("new")),
    (3000, Some("new")),
];

fn rows_that_move(definition: &str, key: &RowKey) {
    for after in [false, true] {
        let place = Place::new(&format!(
            "{definition}; INSERT INTO t (id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10);"
        ));
        run_all(&place, &online(), &[Action::StartCapture { capture: capture(key.clone()) }]);
        let action = Action::Backfill(fill(key.clone()));
        let small = RunOptions { batch_rows: Some(2), ..RunOptions::default() };
        // Two batches are done, whether the third fails or the second is told to stop.
        let fail_at = if after { 2 } else { 3 };
        let mut runner = Runner::with(small.clone());
        (runner.fail_at, runner.after) = (Some(fail_at), after);
        let stopped = place.backend().execute(&online(), &action, &mut runner).unwrap_err();
        assert_eq!(stopped.code(), KILLED);
        place.db().execute_batch(MEANWHILE).unwrap();
        place.backend().execute(&online(), &action, &mut Runner::resuming(&place)).unwrap();
        let db = place.db();
        let mut found = db.prepare("SELECT id, c FROM t ORDER BY id").unwrap();
        let found: Vec<(i64, Option<String>)> = found
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let expected: Vec<(i64, Option<String>)> =
            EXPECTED.iter().map(|(id, c)| (*id, c.map(str::to_owned))).collect();
        assert_eq!(found, expected, "{definition}");
    }
}

#[test]
fn a_row_whose_key_changes_is_filled_unless_it_was_written() {
    rows_that_move("CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)", &RowKey::Rowid("id".to_owned()));
    rows_that_move(
        "CREATE TABLE t (id INT PRIMARY KEY, c TEXT) WITHOUT ROWID",
        &RowKey::Columns(vec![KeyPart::new("id")]),
    );
}

#[test]
fn a_value_that_cannot_be_made_is_named_by_its_row_even_if_that_moved() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c INT CHECK (c <> 0)); INSERT INTO t (id) VALUES (1), (2), (3);",
    );
    let key = RowKey::Rowid("id".to_owned());
    run_all(&place, &online(), &[Action::StartCapture { capture: capture(key.clone()) }]);
    place.db().execute_batch("UPDATE t SET id = 30 WHERE id = 3").unwrap();
    let assignments = vec![("c".to_owned(), Expr::statement("30 - id"))];
    let action = Action::Backfill(Backfill { assignments, ..fill(key) });
    let error = run(&place, &online(), &action).unwrap_err();
    assert!(error.message().contains("id = 30"), "{error}");
    assert_eq!(rows(&place.db(), "t").len(), 3);
}
