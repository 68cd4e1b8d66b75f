//! A column becomes NOT NULL: rows that the application makes NULL after the fill has been there get the value, a row
//! for which that is NULL itself is named, and what is declared holds of every row.

use pql_engine::backend::{Backend, RunOptions};
use pql_planner::{Action, Capture, Check, RowKey};
use pql_schema::{Expr, KeyPart};

use crate::support::{KILLED, Place, Runner, online, run, run_all, table};

struct Case {
    before: &'static str,
    after: &'static str,
    key: RowKey,
}

fn cases() -> [Case; 2] {
    [
        Case {
            before: "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, c INT)",
            after: "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, c INT NOT NULL)",
            key: RowKey::Rowid("id".to_owned()),
        },
        Case {
            before: "CREATE TABLE t (k TEXT COLLATE NOCASE, id INT, n INT, c INT, PRIMARY KEY (k, id)) WITHOUT ROWID",
            after: "CREATE TABLE t (k TEXT COLLATE NOCASE, id INT, n INT, c INT NOT NULL, PRIMARY KEY (k, id)) WITHOUT ROWID",
            key: RowKey::Columns(vec![KeyPart::new("k"), KeyPart::new("id")]),
        },
    ]
}

impl Case {
    fn place(&self) -> Place {
        let key = if matches!(self.key, RowKey::Rowid(_)) { "id" } else { "k, id" };
        let values = if matches!(self.key, RowKey::Rowid(_)) { "i" } else { "'k' || (i % 3), i" };
        Place::new(&format!(
            "{}; WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 2000)
             INSERT INTO t ({key}, n, c) SELECT {values}, i, i FROM s",
            self.before
        ))
    }

    fn capture(&self) -> Capture {
        Capture {
            table: "t".into(),
            log: "_pql_log".into(),
            key: self.key.clone(),
            columns: Some(vec!["c".to_owned()]),
            follows: false,
            moves: false,
        }
    }

    fn validate(&self, value: &str) -> Action {
        Action::Validate { table: "t".into(), checks: checks(value), captured: Some(self.capture()) }
    }

    fn declare(&self, value: &str) -> Action {
        Action::Redefine {
            before: table(self.before),
            after: table(self.after),
            checks: checks(value),
            captured: Some(self.capture()),
        }
    }
}

fn checks(value: &str) -> Vec<Check> {
    vec![Check::NotNull { column: "c".to_owned(), fill: Some(Expr::statement(value)) }]
}

fn nulls(place: &Place) -> i64 {
    place.db().query_row("SELECT count(*) FROM t WHERE c IS NULL", [], |row| row.get(0)).unwrap()
}

fn write(place: &Place, sql: &str) {
    place.db().execute_batch(sql).unwrap();
}

#[test]
fn rows_that_become_null_after_the_fill_are_filled() {
    for case in cases() {
        let place = case.place();
        run_all(&place, &online(), &[Action::StartCapture { capture: case.capture() }]);
        // More than are looked up under the lock.
        write(&place, "UPDATE t SET c = NULL WHERE id % 10 = 1");
        run_all(&place, &online(), &[case.validate("-n")]);
        assert_eq!(nulls(&place), 0);
        write(
            &place,
            "UPDATE t SET c = NULL WHERE id % 7 = 1; UPDATE t SET id = id + 5000 WHERE id % 70 = 1",
        );
        assert!(nulls(&place) > 50);
        run_all(&place, &online(), &[case.declare("-n")]);
        assert_eq!(nulls(&place), 0);
        let filled = "SELECT count(*) FROM t WHERE c = -n AND (n % 10 = 1 OR n % 7 = 1)";
        let filled: i64 = place.db().query_row(filled, [], |row| row.get(0)).unwrap();
        assert_eq!(filled, 2_000 / 10 + 2_000 / 7 + 1 - (2_000 / 70 + 1));
        assert!(place.db().execute("UPDATE t SET c = NULL WHERE id = 2", []).is_err());
        run_all(&place, &online(), &[Action::StopCapture { capture: case.capture() }]);
        place.check();
        assert_eq!(place.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn a_value_that_is_null_is_named_by_its_row_wherever_it_is_found() {
    for case in cases() {
        for at in ["validate", "declare"] {
            let place = case.place();
            run_all(&place, &online(), &[Action::StartCapture { capture: case.capture() }]);
            let wrong =
                "UPDATE t SET c = NULL, n = NULL WHERE id = 77; UPDATE t SET c = NULL WHERE id % 10 = 1";
            if at == "declare" {
                run_all(&place, &online(), &[case.validate("n")]);
            }
            write(&place, wrong);
            let action = if at == "declare" { case.declare("n") } else { case.validate("n") };
            let error = run(&place, &online(), &action).unwrap_err();
            assert!(error.message().contains("what fills it, n, is NULL in: 1 row"), "{at}: {error}");
            assert!(error.message().contains("id = 77"), "{at}: {error}");
            let still: i64 = place
                .db()
                .query_row("SELECT count(*) FROM t WHERE id = 77 AND c IS NULL", [], |row| row.get(0))
                .unwrap();
            assert_eq!(still, 1);
            write(&place, "UPDATE t SET c = NULL WHERE id = 78");
        }
    }
}

/// Stopped before and after each transaction and begun again, while the application goes on writing NULL.
#[test]
fn an_interruption_anywhere_leaves_none_behind() {
    for case in cases() {
        for fail_at in 1.. {
            let place = case.place();
            run_all(&place, &online(), &[Action::StartCapture { capture: case.capture() }]);
            write(&place, "UPDATE t SET c = NULL WHERE id % 10 = 1");
            run_all(&place, &online(), &[case.validate("-n")]);
            write(&place, "UPDATE t SET c = NULL WHERE id % 5 = 1");
            let options = RunOptions { batch_rows: Some(100), ..RunOptions::default() };
            let mut runner = Runner::with(options);
            (runner.fail_at, runner.after) = (Some(fail_at), fail_at % 2 == 0);
            let stopped = place.backend().execute(&online(), &case.declare("-n"), &mut runner);
            if let Err(error) = &stopped {
                assert_eq!(error.code(), KILLED);
                write(&place, "UPDATE t SET c = NULL WHERE id % 9 = 1");
                run_all(&place, &online(), &[case.declare("-n")]);
            }
            assert_eq!(nulls(&place), 0, "stopped at {fail_at}");
            place.check();
            if stopped.is_ok() {
                break;
            }
        }
    }
}
