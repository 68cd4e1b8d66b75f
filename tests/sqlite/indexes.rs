//! Indexes that are built beside the application, of every kind, and stopped anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pql_engine::backend::Backend;
use pql_planner::{Action, Capture, IndexBuild, Plan, RowKey};
use rusqlite::Connection as Db;

use crate::support::{KILLED, Place, Runner, index, online, run, run_all, same, table};

const TABLE: &str =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, n REAL, email TEXT UNIQUE, blob)";

fn rows(count: u32) -> String {
    format!(
        "{TABLE}; WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < {count})
         INSERT INTO t SELECT x, CASE WHEN x % 11 THEN char(65 + x * 7 % 26) || (x * 31 % 97) END, CASE WHEN x % 13 THEN x * 0.5 END,
             'e' || x, CASE WHEN x % 3 THEN zeroblob(x % 5) ELSE x END FROM i;"
    )
}

fn plan(sql: &str, of: &str) -> Plan {
    let of = table(of);
    let key = match of.primary_key() {
        Some(key) if of.options.without_rowid => RowKey::Columns(key.columns.clone()),
        _ => RowKey::Rowid("id".into()),
    };
    let build = IndexBuild {
        index: index(sql, &of),
        capture: Capture {
            table: of.name.clone(),
            log: "_pql_ixlog".into(),
            key,
            columns: None,
            follows: false,
            moves: false,
        },
        helper: "_pql_ix".into(),
    };
    Plan { index_builds: vec![build], ..online() }
}

fn actions() -> [Action; 4] {
    [
        Action::IndexPrepare { build: 0 },
        Action::IndexFill { build: 0 },
        Action::IndexVerify { build: 0 },
        Action::IndexPublish { build: 0 },
    ]
}

/// What the index gives in its own order, forced to be read from it.
fn entries(db: &Db, name: &str, list: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("SELECT {list} FROM t INDEXED BY {name}")).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|at| row.get::<_, rusqlite::types::Value>(at).map(|value| format!("{value:?}")))
            .collect::<Result<Vec<_>, _>>()
    });
    rows.unwrap().map(|row| row.unwrap().join(" ")).collect()
}

const KINDS: [(&str, &str); 7] = [
    ("CREATE INDEX x ON t (name)", "name, id"),
    ("CREATE INDEX x ON t (name COLLATE BINARY DESC, n)", "name, n, id"),
    ("CREATE UNIQUE INDEX x ON t (id, name)", "id, name"),
    ("CREATE UNIQUE INDEX x ON t (email DESC)", "email, id"),
    ("CREATE INDEX x ON t (blob, n DESC, id)", "blob, n, id"),
    ("CREATE INDEX x ON t (lower(email), (n + 1))", "lower(email), n + 1, id"),
    ("CREATE INDEX x ON t (n)", "n, id"),
];

#[test]
fn the_entries_are_those_of_the_plain_statement() {
    for (sql, list) in KINDS {
        let place = Place::new(&rows(1_500));
        let twin = Place::new(&rows(1_500));
        run_all(&place, &plan(sql, TABLE), &actions());
        twin.db().execute_batch(sql).unwrap();
        place.check();
        same(&entries(&place.db(), "x", list), &entries(&twin.db(), "x", list));
        // The last line is the index's own text, which has quotes around a reserved word.
        let (mut left, mut right) = (place.state(), twin.state());
        assert_eq!(left.pop().map(|sql| sql.replace('"', "")), right.pop());
        same(&left, &right);
        assert_eq!(place.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn a_large_index_goes_at_once_and_its_space_in_pieces() {
    let others = [
        "CREATE INDEX x ON t (n) WHERE n > 5",
        "CREATE INDEX x ON t (email, n)",
        "CREATE INDEX x ON t (email, id DESC)",
    ];
    let mut converted = 0;
    for sql in KINDS.iter().map(|(sql, _)| sql).chain(&others) {
        let place = Place::new(&rows(6_000));
        let before = place.state();
        place.db().execute_batch(&format!("{sql}; ANALYZE")).unwrap();
        run_all(&place, &online(), &[Action::DropIndex { index: "x".into() }]);
        place.check();
        place
            .db()
            .execute_batch("DROP TABLE IF EXISTS sqlite_stat1; DROP TABLE IF EXISTS sqlite_stat4")
            .unwrap();
        same(&place.state(), &before);
        let hidden = |place: &Place| place.leftovers().iter().any(|name| name.contains("_pql_dropped_"));
        converted += usize::from(hidden(&place));
        let mut runner = Runner::new();
        place.backend().purge(&online(), &mut runner).unwrap();
        assert!(!hidden(&place), "{sql}");
        place.check();
        same(&place.state(), &before);
        // What is used of the file does not grow with the next one.
        place.db().execute_batch(sql).unwrap();
        place.check();
    }
    assert_eq!(converted, 2, "those whose key has no NULL");
}

#[test]
fn partial_and_without_rowid() {
    let place = Place::new(&rows(500));
    run_all(&place, &plan("CREATE INDEX x ON t (name) WHERE n > 20", TABLE), &actions());
    place.check();
    let of = "CREATE TABLE t (a TEXT, b INTEGER, c, PRIMARY KEY (b DESC, a COLLATE NOCASE)) WITHOUT ROWID";
    let fill = "; WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 700) INSERT INTO t SELECT 'k' || x, x % 40, CASE WHEN x % 9 THEN x % 17 END FROM i;";
    for sql in ["CREATE INDEX x ON t (c)", "CREATE INDEX x ON t (a, c DESC)", "CREATE INDEX x ON t (b, c)"] {
        let place = Place::new(&format!("{of}{fill}"));
        run_all(&place, &plan(sql, of), &actions());
        place.check();
        let twin = Place::new(&format!("{of}{fill}{sql}"));
        same(&entries(&place.db(), "x", "a, b, c"), &entries(&twin.db(), "x", "a, b, c"));
    }
}

#[test]
fn what_cannot_be_built_beside_is_built_plainly() {
    let place = Place::new(&rows(50));
    run_all(&place, &plan("CREATE INDEX x ON t (json_array(name))", TABLE), &actions());
    place.check();
    assert_eq!(entries(&place.db(), "x", "id").len(), 50);
}

#[test]
fn many_rows_with_null_get_their_entries_in_pieces() {
    let place = Place::new(&rows(9_000));
    place.db().execute_batch("UPDATE t SET name = NULL WHERE id % 4").unwrap();
    let plan = plan("CREATE UNIQUE INDEX x ON t (name, email DESC)", TABLE);
    let [prepare, fill, verify, publish] = actions();
    run_all(&place, &plan, &[prepare, fill, verify]);
    for commit in 1.. {
        let mut runner = Runner::failing(commit, true);
        let killed = place.backend().execute(&plan, &publish, &mut runner).is_err();
        place.db().execute_batch("UPDATE t SET name = CASE WHEN name IS NULL THEN 'back' || id END WHERE id IN (8, 9, 10); DELETE FROM t WHERE id = 11; INSERT INTO t (id, email) VALUES (11, 'e11')").unwrap();
        if !killed {
            assert!(commit > 3, "in pieces");
            break;
        }
    }
    place.check();
    assert_eq!(entries(&place.db(), "x", "id").len(), 9_000);
}

#[test]
fn repeated_values_are_named() {
    let place = Place::new(&rows(200));
    place
        .db()
        .execute_batch(
            "UPDATE t SET name = 'Twice' WHERE id IN (60, 70); UPDATE t SET name = id WHERE name <> 'Twice'",
        )
        .unwrap();
    let before = place.state();
    let plan = plan("CREATE UNIQUE INDEX x ON t (name)", TABLE);
    let [prepare, fill, verify, publish] = actions();
    run_all(&place, &plan, &[prepare, fill]);
    let error = run(&place, &plan, &verify).and_then(|_| run(&place, &plan, &publish)).unwrap_err();
    assert!(error.message().contains("id = 60; id = 70"), "{error}");
    run_all(&place, &plan, &[Action::IndexAbandon { build: 0 }]);
    same(&place.state(), &before);
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

/// What the application writes into the middle of a build.
const TOUCH: &str = "UPDATE t SET name = 'z', n = NULL WHERE id = 5; UPDATE t SET name = 'J55', n = 2.5 WHERE id = 5; \
                     REPLACE INTO t SELECT * FROM t WHERE id = 9; UPDATE t SET name = NULL WHERE id IN (10, 11);";

#[test]
fn killed_anywhere_it_goes_on_or_is_taken_back() {
    let mut points = 0;
    let before = Place::new(&format!("{}{TOUCH}", rows(300))).state();
    for sql in ["CREATE INDEX x ON t (name, n DESC)", "CREATE UNIQUE INDEX x ON t (email)"] {
        let plan = plan(sql, TABLE);
        let actions = actions();
        for at in 0..actions.len() {
            for (after, resume) in [(false, true), (true, true), (false, false), (true, false)] {
                for commit in 1.. {
                    let place = Place::new(&rows(300));
                    run_all(&place, &plan, &actions[..at]);
                    let mut runner = Runner::failing(commit, after);
                    match place.backend().execute(&plan, &actions[at], &mut runner) {
                        Ok(()) => break,
                        Err(error) => assert_eq!(error.code(), KILLED, "{error}"),
                    }
                    points += 1;
                    place.db().execute_batch(TOUCH).unwrap();
                    if resume {
                        let mut runner = Runner::resuming(&place);
                        place.backend().execute(&plan, &actions[at], &mut runner).unwrap();
                        run_all(&place, &plan, &actions[at + 1..]);
                    } else if place.backend().probe(&plan, &actions[3]).unwrap() == Some(true) {
                        run_all(
                            &place,
                            &plan,
                            &[Action::DropIndex { index: "x".into() }, Action::IndexAbandon { build: 0 }],
                        );
                        same(&place.state(), &before);
                    } else {
                        run_all(&place, &plan, &[Action::IndexAbandon { build: 0 }]);
                        same(&place.state(), &before);
                        assert_eq!(place.leftovers(), Vec::<String>::new());
                    }
                    place.check();
                }
            }
        }
    }
    assert!(points > 40, "{points}");
}

#[test]
fn a_writer_beside_it_is_in_the_index() {
    for (sql, _) in KINDS {
        let place = Place::new(&rows(8_000));
        let stop = Arc::new(AtomicBool::new(false));
        let db = place.db();
        let stopped = Arc::clone(&stop);
        let writer = thread::spawn(move || {
            let mut n = 0u64;
            while !stopped.load(Ordering::Relaxed) {
                n += 1;
                let id = n * 37 % 20_000;
                let sql = match n % 6 {
                    0 => format!("INSERT OR IGNORE INTO t VALUES ({id}, 'new{n}', {n}, 'w{n}', NULL)"),
                    1 => format!("UPDATE t SET name = NULL, n = n + 1 WHERE id = {id}"),
                    2 => format!("DELETE FROM t WHERE id = {id}"),
                    3 => format!("REPLACE INTO t VALUES ({id}, 'R{n}', NULL, 'e{}', 1)", n * 7 % 16_000),
                    4 => format!("UPDATE t SET name = lower(name), blob = x'00' WHERE id = {id}"),
                    _ => format!("UPDATE OR REPLACE t SET id = {} WHERE id = {id}", n * 13 % 20_000),
                };
                db.execute_batch(&sql).unwrap();
                thread::sleep(Duration::from_micros(200));
            }
            n
        });
        run_all(&place, &plan(sql, TABLE), &actions());
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 20);
        place.check();
    }
}
