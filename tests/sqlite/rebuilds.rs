//! Rebuilds: everything about the table stays, nothing that is written beside them is lost, and they stop anywhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use pql_engine::backend::Backend;
use pql_planner::{Action, Plan, Rebuild};
use pql_schema::MigrationStrategy;

use crate::support::{
    KILLED, Place, Runner, online, online_rebuild, plan, rebuild, rows, run, run_all, same,
};

/// A table with everything that a rebuild has to keep.
const RICH: &str = "
    CREATE TABLE parent (id INTEGER PRIMARY KEY);
    INSERT INTO parent VALUES (1), (2), (3);
    CREATE TABLE t (  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key
        parent INTEGER REFERENCES parent (id) ON DELETE CASCADE, email TEXT UNIQUE, amount TEXT NOT NULL DEFAULT '0', self REFERENCES t(id));
    CREATE TABLE child (t INTEGER REFERENCES t (id), n);
    CREATE INDEX t_amount ON t (amount);
    CREATE TRIGGER counted AFTER INSERT ON t BEGIN UPDATE child SET n = n + 1; END;
    CREATE INDEX t_parent ON t (parent, amount DESC) WHERE parent IS NOT NULL;
    CREATE VIEW sums AS SELECT parent, sum(amount) AS s FROM t GROUP BY parent;
    INSERT INTO child VALUES (NULL, 0);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO t (parent, email, amount) SELECT i % 3 + 1, CASE WHEN i % 5 THEN 'e' || i END, i || '.5' FROM n;
    DELETE FROM t WHERE id = 500 OR id % 7 = 0;
    UPDATE t SET self = id WHERE id < 10;
    INSERT INTO child VALUES (1, 1), (2, 2);
";

const BEFORE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER REFERENCES parent (id) ON DELETE CASCADE, \
     email TEXT UNIQUE, amount TEXT NOT NULL DEFAULT '0', self REFERENCES t(id))";
const AFTER: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER REFERENCES parent (id) ON DELETE CASCADE, \
     email TEXT UNIQUE, amount DECIMAL(10,2) NOT NULL DEFAULT 0, self REFERENCES t(id))";

fn rich(strategy: MigrationStrategy) -> Plan {
    let rebuild = rebuild(
        BEFORE,
        AFTER,
        &[("amount", "CAST(amount AS NUMERIC)")],
        &[("amount", "CAST(amount AS TEXT)")],
        &[
            "CREATE INDEX t_amount ON t (amount)",
            "CREATE INDEX t_parent ON t (parent, amount DESC) WHERE parent IS NOT NULL",
        ],
    );
    with(strategy, rebuild)
}

fn with(strategy: MigrationStrategy, rebuild: Rebuild) -> Plan {
    Plan { rebuilds: vec![rebuild], ..plan(strategy) }
}

fn unswap() -> Action {
    Action::RebuildUnswap { rebuild: 0 }
}

/// What the application does between a rebuild and its way back.
const SINCE: &str = "
    PRAGMA foreign_keys = ON;
    INSERT INTO t (parent, email, amount) VALUES (3, 'new', 12.25);
    UPDATE t SET amount = 99 WHERE id = 4;
    REPLACE INTO t (id, email, amount) VALUES (900, 'e101', 1);
    DELETE FROM t WHERE id = 6;
    DELETE FROM parent WHERE id = 1;
";

#[test]
fn both_ways_keep_everything() {
    for strategy in [MigrationStrategy::Online, MigrationStrategy::Offline] {
        let place = Place::new(RICH);
        let before = place.state();
        let plan = rich(strategy);
        let there: &[Action] = match strategy {
            MigrationStrategy::Online => &online_rebuild(),
            MigrationStrategy::Offline => &[Action::RebuildAtOnce { rebuild: 0 }],
        };
        run_all(&place, &plan, there);
        place.check();
        let db = place.db();
        let numbers: i64 = db
            .query_row("SELECT count(*) FROM t WHERE typeof(amount) IN ('real', 'integer')", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(numbers, 428);
        let sql: String = db
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 't_parent'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sql, "CREATE INDEX t_parent ON t (parent, amount DESC) WHERE parent IS NOT NULL");
        let next: i64 =
            db.query_row("INSERT INTO t (email) VALUES ('next') RETURNING id", [], |row| row.get(0)).unwrap();
        assert_eq!(next, 501, "the counter goes on");
        assert!(db.execute("INSERT INTO t (email) VALUES ('e1')", []).is_err(), "still unique");
        db.execute_batch("DELETE FROM t WHERE email = 'next'; UPDATE child SET n = n - 1; UPDATE sqlite_sequence SET seq = 500").unwrap();
        run_all(&place, &plan, &[unswap()]);
        place.check();
        same(&place.state(), &before);
        assert_eq!(place.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn what_was_written_since_comes_back_too() {
    let place = Place::new(RICH);
    let twin = Place::new(RICH);
    let plan = rich(MigrationStrategy::Online);
    run_all(&place, &plan, &online_rebuild());
    place.db().execute_batch(SINCE).unwrap();
    twin.db().execute_batch(SINCE).unwrap();
    run_all(&place, &plan, &[unswap()]);
    place.check();
    same(&place.state(), &twin.state());
}

/// Kills the action at each of its transactions, before and after the commit, and goes on with `then`.
fn at_every_point(plan: &Plan, actions: &[Action], then: impl Fn(&Place, usize)) -> u64 {
    let mut points = 0;
    for at in 0..actions.len() {
        for after in [false, true] {
            for commit in 1.. {
                let place = Place::new(RICH);
                run_all(&place, plan, &actions[..at]);
                let mut runner = Runner::failing(commit, after);
                match place.backend().execute(plan, &actions[at], &mut runner) {
                    Ok(()) => break,
                    Err(error) => assert_eq!(error.code(), KILLED, "{error}"),
                }
                points += 1;
                // The application notices nothing.
                place.db().execute_batch("UPDATE t SET amount = amount WHERE id = 1; INSERT INTO t (email) VALUES ('x'); DELETE FROM t WHERE email = 'x'; UPDATE child SET n = n - 1; UPDATE sqlite_sequence SET seq = 500").unwrap();
                then(&place, at);
                place.check();
            }
        }
    }
    points
}

#[test]
fn killed_anywhere_it_goes_on() {
    let plan = rich(MigrationStrategy::Online);
    let actions = online_rebuild();
    let clean = Place::new(RICH);
    run_all(&clean, &plan, &actions);
    let clean = clean.state();
    let points = at_every_point(&plan, &actions, |place, at| {
        let mut runner = Runner::resuming(place);
        place.backend().execute(&plan, &actions[at], &mut runner).unwrap();
        run_all(place, &plan, &actions[at + 1..]);
        same(&place.state(), &clean);
    });
    assert!(points > 10, "{points}");
}

#[test]
fn killed_anywhere_it_is_taken_back() {
    let plan = rich(MigrationStrategy::Online);
    let before = Place::new(RICH).state();
    at_every_point(&plan, &online_rebuild(), |place, _| {
        let swap = Action::RebuildSwap { rebuild: 0 };
        if place.backend().probe(&plan, &swap).unwrap() == Some(true) {
            run_all(place, &plan, &[unswap()]);
        }
        run_all(place, &plan, &[Action::RebuildAbandon { rebuild: 0 }]);
        same(&place.state(), &before);
        assert_eq!(place.leftovers(), Vec::<String>::new());
    });
}

#[test]
fn the_way_back_goes_on_after_a_kill() {
    let plan = rich(MigrationStrategy::Online);
    let twin = Place::new(RICH);
    twin.db().execute_batch(SINCE).unwrap();
    let twin = twin.state();
    for after in [false, true] {
        for commit in 1.. {
            let place = Place::new(RICH);
            run_all(&place, &plan, &online_rebuild());
            place.db().execute_batch(SINCE).unwrap();
            let mut runner = Runner::failing(commit, after);
            let killed = place.backend().execute(&plan, &unswap(), &mut runner).is_err();
            if killed {
                run_all(&place, &plan, &[unswap()]);
            }
            same(&place.state(), &twin);
            if !killed {
                break;
            }
        }
    }
}

/// A writer that does a bit of everything until it is told to stop, on the database and, to the letter, on a list.
fn writer(place: &Place, stop: Arc<AtomicBool>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    let db = place.db();
    thread::spawn(move || {
        let mut n = 0u64;
        while !stop.load(Ordering::Relaxed) {
            n += 1;
            let sql = match n % 5 {
                0 => format!("INSERT INTO t (parent, email, amount) VALUES ({}, 'w{n}', {n})", n % 3 + 1),
                1 => format!("UPDATE t SET amount = {n} WHERE id = {}", n * 7 % 600),
                2 => format!("DELETE FROM t WHERE id = {}", n * 13 % 700),
                3 => format!(
                    "REPLACE INTO t (id, email, amount) VALUES ({}, 'e{}', '7')",
                    n * 3 % 900 + 1,
                    n * 11 % 500
                ),
                _ => format!(
                    "UPDATE OR IGNORE t SET id = id + 1000, email = 'm{n}' WHERE id = {}",
                    n * 17 % 500
                ),
            };
            db.execute_batch(&sql).unwrap();
            send.send(sql).unwrap();
            thread::sleep(Duration::from_micros(300));
        }
    });
    receive
}

const ENOUGH: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
        INSERT INTO t (id, parent, email, amount) SELECT i + 5000, i % 3 + 1, 'e' || i, i || '.25' FROM n;
";

#[test]
fn a_writer_beside_it_loses_nothing() {
    let place = Place::new(RICH);
    place.db().execute_batch(ENOUGH).unwrap();
    let twin = Place::new(RICH);
    twin.db().execute_batch(ENOUGH).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let written = writer(&place, Arc::clone(&stop));
    let plan = rich(MigrationStrategy::Online);
    run_all(&place, &plan, &online_rebuild());
    thread::sleep(Duration::from_millis(50));
    run_all(&place, &plan, &[unswap()]);
    stop.store(true, Ordering::Relaxed);
    let db = twin.db();
    let mut count = 0;
    for sql in written {
        db.execute_batch(&sql).unwrap();
        count += 1;
    }
    assert!(count > 50, "{count}");
    place.check();
    same(&place.state(), &twin.state());
}

#[test]
fn two_rebuilds_on_top_of_each_other_come_back_one_by_one() {
    let place = Place::new(RICH);
    let twin = Place::new(RICH);
    let first = rich(MigrationStrategy::Online);
    let mut second = rebuild(
        AFTER,
        &AFTER.replace("email TEXT", "email BLOB"),
        &[],
        &[],
        &[
            "CREATE INDEX t_amount ON t (amount)",
            "CREATE INDEX t_parent ON t (parent, amount DESC) WHERE parent IS NOT NULL",
        ],
    );
    for name in [&mut second.shadow, &mut second.retained, &mut second.forward.log, &mut second.reverse.log] {
        name.name.push_str("_2");
    }
    let second = with(MigrationStrategy::Offline, second);
    run_all(&place, &first, &online_rebuild());
    run_all(&place, &second, &[Action::RebuildAtOnce { rebuild: 0 }]);
    place.db().execute_batch(SINCE).unwrap();
    twin.db().execute_batch(SINCE).unwrap();
    run_all(&place, &second, &[unswap()]);
    place.check();
    run_all(&place, &first, &[unswap()]);
    place.check();
    same(&place.state(), &twin.state());
}

#[test]
fn keys_that_change_are_followed() {
    for (sql, before, after, map, back) in [
        // The rowid becomes a column's value.
        (
            "CREATE TABLE k (id INTEGER, v); INSERT INTO k VALUES (10, 'a'), (20, 'b'), (30, 'c')",
            "CREATE TABLE k (id INTEGER, v)",
            "CREATE TABLE k (id INTEGER PRIMARY KEY, v)",
            None,
            None,
        ),
        // A column is no longer the rowid.
        (
            "CREATE TABLE k (id INTEGER PRIMARY KEY, v); INSERT INTO k VALUES (10, 'a'), (20, 'b'), (30, 'c')",
            "CREATE TABLE k (id INTEGER PRIMARY KEY, v)",
            "CREATE TABLE k (id TEXT PRIMARY KEY, v)",
            Some(("id", "CAST(id AS TEXT)")),
            Some(("id", "CAST(id AS INTEGER)")),
        ),
        // A key column of a table without rowid.
        (
            "CREATE TABLE k (id INTEGER PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO k VALUES (10, 'a'), (20, 'b'), (30, 'c')",
            "CREATE TABLE k (id INTEGER PRIMARY KEY, v) WITHOUT ROWID",
            "CREATE TABLE k (id TEXT PRIMARY KEY, v) WITHOUT ROWID",
            Some(("id", "CAST(id AS TEXT)")),
            Some(("id", "CAST(id AS INTEGER)")),
        ),
    ] {
        let map: Vec<_> = map.into_iter().collect();
        let back: Vec<_> = back.into_iter().collect();
        for online in [true, false] {
            let strategy = if online { MigrationStrategy::Online } else { MigrationStrategy::Offline };
            let plan = with(strategy, rebuild(before, after, &map, &back, &[]));
            let place = Place::new(sql);
            let start = place.state();
            if online {
                let [prepare, copy, verify, swap] = online_rebuild();
                run_all(&place, &plan, &[prepare, copy]);
                place.db().execute_batch("UPDATE k SET v = 'B' WHERE v = 'b'; DELETE FROM k WHERE v = 'c'; INSERT INTO k VALUES (30, 'c')").unwrap();
                run_all(&place, &plan, &[verify]);
                place.db().execute_batch("UPDATE k SET v = 'b' WHERE v = 'B'").unwrap();
                run_all(&place, &plan, &[swap]);
            } else {
                run_all(&place, &plan, &[Action::RebuildAtOnce { rebuild: 0 }]);
            }
            place.check();
            place.db().execute_batch("INSERT INTO k VALUES (40, 'd'); UPDATE k SET v = 'A' WHERE id = 10; DELETE FROM k WHERE id = 20; UPDATE k SET id = 31 WHERE id = 30").unwrap();
            run_all(&place, &plan, &[unswap()]);
            place.check();
            let values: Vec<(i64, String)> = place
                .db()
                .prepare("SELECT id, v FROM k ORDER BY id")
                .unwrap()
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(values, [(10, "A".into()), (31, "c".into()), (40, "d".into())], "{after}");
            assert_eq!(place.state()[0], start[0]);
        }
    }
}

#[test]
fn a_row_that_does_not_fit_stops_it_by_name() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, '1'), (2, 'two'), (3, '3')",
    );
    let before = place.state();
    let mut rebuild = rebuild(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)",
        &[("a", "CAST(a AS INTEGER)")],
        &[("a", "CAST(a AS TEXT)")],
        &[],
    );
    rebuild.mapping[1].fits = Some(pql_schema::Expr::new("CAST(CAST(a AS INTEGER) AS TEXT) = a"));
    rebuild.mapping_back[1].fits = Some(pql_schema::Expr::new("a < 100"));
    for strategy in [MigrationStrategy::Offline, MigrationStrategy::Online] {
        let plan = with(strategy, rebuild.clone());
        let error = match strategy {
            MigrationStrategy::Offline => run(&place, &plan, &Action::RebuildAtOnce { rebuild: 0 }),
            MigrationStrategy::Online => {
                run_all(&place, &plan, &[Action::RebuildPrepare { rebuild: 0 }]);
                run(&place, &plan, &Action::RebuildCopy { rebuild: 0 })
            }
        };
        let Err(error) = error else { panic!("a row that does not fit was taken") };
        assert!(error.message().contains("id = 2"), "{error}");
        run_all(&place, &plan, &[Action::RebuildAbandon { rebuild: 0 }]);
        same(&place.state(), &before);
    }
    let plan = with(MigrationStrategy::Online, rebuild);
    place.db().execute_batch("UPDATE t SET a = '2' WHERE id = 2").unwrap();
    run_all(&place, &plan, &online_rebuild());
    place.db().execute_batch("INSERT INTO t VALUES (4, 1000)").unwrap();
    let error = run(&place, &plan, &unswap()).err().unwrap();
    assert!(error.message().contains("id = 4 (a is 1000)"), "{error}");
    place.db().execute_batch("DELETE FROM t WHERE id = 4").unwrap();
    run_all(&place, &plan, &[unswap()]);
    assert_eq!(rows(&place.db(), "t"), ["t 1: 1, '1'", "t 2: 2, '2'", "t 3: 3, '3'"]);
}

#[test]
fn a_column_that_the_new_table_lacks_keeps_its_values() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, gone DEFAULT 'd'); INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')",
    );
    let plan = with(
        MigrationStrategy::Online,
        rebuild(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, gone DEFAULT 'd')",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
            &[],
            &[],
            &[],
        ),
    );
    run_all(&place, &plan, &online_rebuild());
    place.db().execute_batch("UPDATE t SET a = 20 WHERE id = 2; INSERT INTO t VALUES (3, 30)").unwrap();
    run_all(&place, &plan, &[unswap()]);
    assert_eq!(rows(&place.db(), "t"), ["t 1: 1, 1, 'x'", "t 2: 2, 20, 'y'", "t 3: 3, 30, 'd'"]);
}

#[test]
fn values_that_repeat_under_a_new_unique_key_are_named() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'x')",
    );
    let before = place.state();
    let plan = with(
        MigrationStrategy::Online,
        rebuild(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE)",
            &[],
            &[],
            &[],
        ),
    );
    let [prepare, copy, verify, _] = online_rebuild();
    run_all(&place, &plan, &[prepare, copy]);
    let error = run(&place, &plan, &verify).err().unwrap();
    assert!(error.message().contains("a = 'x'"), "{error}");
    run_all(&place, &plan, &[Action::RebuildAbandon { rebuild: 0 }]);
    same(&place.state(), &before);
    assert_eq!(online().rebuilds.len(), 0);
}
