//! Migrations on top of each other, taken back together: what the older one keeps of a row survives the newer one's way
//! back, whatever the application did to other columns of the row.

use std::time::Duration;

use pql_engine::{ApplyOptions, RollbackTarget, Silent};

use crate::lifecycle::World;

/// One that keeps what it cannot make again, for three kinds of tables.
const OLDER: &str = "CHANGE COLUMN t.price TYPE INTEGER USING length(price)";

const TABLES: [&str; 4] = [
    "CREATE TABLE t (id INTEGER PRIMARY KEY, w INT, s TEXT, price TEXT)",
    "CREATE TABLE t (id INT, w INT, s TEXT, price TEXT)",
    "CREATE TABLE t (id TEXT PRIMARY KEY, w INT, s TEXT, price TEXT) WITHOUT ROWID",
    "CREATE TABLE t (id INTEGER PRIMARY KEY, w INT UNIQUE, s TEXT, price TEXT)",
];

const NEWER: [&str; 6] = [
    "CHANGE COLUMN t.w TYPE TEXT",
    "CHANGE COLUMN t.w TYPE TEXT USING 'w' || w REVERT USING CAST(substr(w, 2) AS INTEGER)",
    "ADD CONSTRAINT t.pair UNIQUE (id, s)",
    "CHANGE COLUMN t.w TYPE TEXT, ADD COLUMN t.z INTEGER",
    "DROP COLUMN t.w, CHANGE COLUMN t.s TYPE BLOB",
    "CHANGE COLUMN t.price TYPE REAL USING price * 1.5 REVERT USING CAST(round(price / 1.5) AS INTEGER)",
];

/// What the application does, and what it would have done to the table as it was.
const WRITES: [(&str, &str); 7] = [
    ("", ""),
    ("UPDATE t SET s = s || '!' WHERE id % 3 = 0", "UPDATE t SET s = s || '!' WHERE id % 3 = 0"),
    ("UPDATE t SET s = 'all'", "UPDATE t SET s = 'all'"),
    ("UPDATE t SET id = id + 1000 WHERE id % 5 = 0", "UPDATE t SET id = id + 1000 WHERE id % 5 = 0"),
    (CIRCLE, CIRCLE),
    (
        "DELETE FROM t WHERE id = 7; INSERT INTO t (id, s, price) VALUES (7, 'new', 3)",
        "DELETE FROM t WHERE id = 7; INSERT INTO t (id, s, price) VALUES (7, 'new', '3')",
    ),
    (
        "DELETE FROM t WHERE id > 90; INSERT INTO t (id, s, price) VALUES (200, 'new', 3); UPDATE t SET s = 'x' WHERE id < 9",
        "DELETE FROM t WHERE id > 90; INSERT INTO t (id, s, price) VALUES (200, 'new', '3'); UPDATE t SET s = 'x' WHERE id < 9",
    ),
];

/// Three rows whose keys go round.
const CIRCLE: &str = "UPDATE t SET id = 900 WHERE id = 3; UPDATE t SET id = 3 WHERE id = 6; \
    UPDATE t SET id = 6 WHERE id = 9; UPDATE t SET id = 9 WHERE id = 900";

const ROWS: &str = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100)
    INSERT INTO t SELECT i, 1000 - i, 's' || i, CASE i % 4 WHEN 0 THEN NULL ELSE i || '.50 EUR' END FROM c";

fn rows(db: &rusqlite::Connection) -> Vec<String> {
    let sql =
        "SELECT quote(id) || ' ' || quote(w) || ' ' || quote(s) || ' ' || quote(price) FROM t ORDER BY id";
    let mut statement = db.prepare(sql).expect("a table");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

#[test]
fn what_an_older_migration_keeps_survives_the_way_back_of_a_newer_one() {
    let mut options = ApplyOptions::default();
    options.run.max_stall = Duration::from_nanos(1);
    options.run.batch_rows = Some(7);
    options.allow_destructive = true;
    for (kind, table) in TABLES.into_iter().enumerate() {
        for (second, newer) in NEWER.into_iter().enumerate() {
            for (third, (writes, meant)) in WRITES.into_iter().enumerate() {
                // Everything with the first kind of table, a third of it with the others.
                if kind > 0 && (kind + second + third) % 3 > 0 {
                    continue;
                }
                let what = format!("{table}; {newer}; {writes}");
                let mut world = World::new(&format!("{table}; {ROWS}"));
                let plain = rusqlite::Connection::open_in_memory().expect("a database");
                plain.execute_batch(&format!("{table}; {ROWS}; {meant}")).expect(&what);
                for operations in [OLDER, newer] {
                    let id = world.generate(operations);
                    world.engine.apply(id, &options, &mut Silent).expect(&what);
                }
                // What is dropped, and what is computed, the application does not write here.
                world.db().execute_batch(&writes.replace("3)", &written(newer))).expect(&what);
                world.engine.rollback(RollbackTarget::ToVersion(0), &options, &mut Silent).expect(&what);
                assert_eq!(rows(&world.db()), rows(&plain), "{what}");
            }
        }
    }
}

/// The price that comes back as 3.
fn written(newer: &str) -> String {
    if newer.contains("t.price") { "4.5)".to_owned() } else { "3)".to_owned() }
}

/// Conversions whose results do not say what they were made of, or do not fit the old type.
const USING: [(&str, &str, &str); 6] = [
    ("price REAL", "TEXT USING price || ' EUR'", "1.25"),
    ("price INTEGER", "INTEGER USING price * 100", "7"),
    ("price TEXT", "TEXT USING upper(price)", "'abc'"),
    ("price TEXT", "BLOB USING CAST(price AS BLOB)", "'abc'"),
    ("price TIMESTAMP", "INTEGER USING strftime('%s', price)", "'2020-01-02 03:04:05.678'"),
    ("price BOOLEAN", "TEXT USING iif(price, 'yes', 'no')", "1"),
];

#[test]
fn what_nobody_has_changed_comes_back_whatever_it_was_made_into() {
    let mut options = ApplyOptions { allow_destructive: true, ..ApplyOptions::default() };
    for online in [false, true] {
        options.run.max_stall = if online { Duration::from_nanos(1) } else { Duration::from_secs(1) };
        for (column, to, value) in USING {
            let table = format!(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, {column});
                 INSERT INTO t VALUES (1, 'a', {value}), (2, 'b', NULL), (3, 'c', {value}), (4, 'd', {value})"
            );
            let mut world = World::new(&table);
            let plain = rusqlite::Connection::open_in_memory().expect("a database");
            let writes =
                "UPDATE t SET s = 'x'; UPDATE t SET id = 40 WHERE id = 4; DELETE FROM t WHERE id = 3";
            plain.execute_batch(&format!("{table}; {writes}")).expect(to);
            // Another operation is taken back before, which must not be for nothing.
            let id = world.generate(&format!("CHANGE COLUMN t.price TYPE {to}, ADD TABLE u (a INTEGER)"));
            world.engine.apply(id, &options, &mut Silent).expect(to);
            world.db().execute_batch(writes).expect(to);
            world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect(to);
            let rows = |db: &rusqlite::Connection| -> String {
                let sql = "SELECT group_concat(id || s || quote(price) || typeof(price)) FROM t";
                db.query_row(sql, [], |row| row.get(0)).expect("rows")
            };
            assert_eq!(rows(&world.db()), rows(&plain), "{to}");
        }
    }
}

#[test]
fn what_does_not_fit_is_found_before_other_operations_are_taken_back() {
    let options = ApplyOptions { allow_destructive: true, ..ApplyOptions::default() };
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, price REAL); CREATE TABLE u (id INTEGER PRIMARY KEY, a TEXT);
         INSERT INTO t VALUES (1, 'a', 1.25), (2, 'b', 2);",
    );
    let id = world.generate(
        "CHANGE COLUMN t.price TYPE TEXT USING price || ' EUR', RENAME COLUMN u.a TO a2, ADD COLUMN u.b INTEGER",
    );
    world.engine.apply(id, &options, &mut Silent).expect("applied");
    world.db().execute_batch("UPDATE t SET s = 'x'; INSERT INTO t VALUES (3, 'c', 'free')").expect("writes");
    let error = world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect_err("a row");
    assert_eq!(error.code(), pql_engine::codes::ROWS, "{error}");
    assert!(error.message().contains("1 row: id = 3 (price is 'free')"), "{error}");
    world.db().execute_batch("INSERT INTO u (a2, b) VALUES ('x', 1)").expect("the schema as it is applied");
    assert_eq!(world.engine.info(id).expect("it").status, pql_schema::MigrationStatus::Applied);
    world.db().execute_batch("UPDATE t SET price = '9' WHERE id = 3").expect("a value that fits");
    world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect("rolled back");
    let prices = "SELECT group_concat(quote(price)) FROM t";
    let prices: String = world.db().query_row(prices, [], |row| row.get(0)).expect("rows");
    assert_eq!(prices, "1.25,2.0,9.0");
}
