//! Ways in which tools that change schemas of SQLite databases lost rows or told untruths; each is a test here.

use std::time::Duration;

use pql_engine::{ApplyOptions, RollbackTarget, Silent, codes};
use pql_planner::Dialect;
use pql_planner::lower::schema_text;
use pql_schema::{Answers, MigrationStatus};

use crate::lifecycle::World;

fn strings(db: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

/// What DETECT finds between the database and a schema file.
fn detected(world: &mut World, target: &str) -> Vec<String> {
    let target = schema_text(target, Dialect::Sqlite, &|_| None).expect("a schema").schema;
    let found = world.engine.detect(None, &target, &Answers::default()).expect("a comparison");
    assert_eq!(found.questions, []);
    found.changes.into_iter().map(|change| change.statement).collect()
}

/// Applies, looks, goes back, and expects the start.
fn there_and_back(world: &mut World, operations: &str, look: impl FnOnce(&rusqlite::Connection)) {
    let before = world.state();
    world.apply(operations);
    let db = world.db();
    let integrity = strings(&db, "PRAGMA integrity_check");
    assert_eq!(integrity, ["ok"], "{operations}");
    assert_eq!(strings(&db, "SELECT \"table\" FROM pragma_foreign_key_check"), [""; 0], "{operations}");
    look(&db);
    drop(db);
    world.roll_back(RollbackTarget::Last(1)).expect("a way back");
    assert_eq!(world.state(), before, "{operations}");
}

#[test]
fn children_survive_the_rebuild_of_their_parent() {
    // DROP TABLE of the old parent inside a transaction would empty the one child and null the other.
    let mut world = World::new(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, n TEXT);
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);
         CREATE TABLE other (code TEXT REFERENCES parent(code) ON DELETE SET NULL ON UPDATE CASCADE);
         INSERT INTO parent VALUES (1, 'a', '1'), (2, 'b', '2'), (3, 'c', '3');
         INSERT INTO child VALUES (10, 1), (11, 2); INSERT INTO other VALUES ('a'), ('b');
         DELETE FROM parent WHERE id = 3;",
    );
    let application = world.db();
    for operations in [
        "CHANGE COLUMN parent.n TYPE INTEGER",
        "CHANGE COLUMN parent.n TYPE INTEGER, ADD COLUMN parent.twice INTEGER GENERATED ALWAYS AS (n * 2) STORED",
        "ADD CONSTRAINT parent.parent_n_key UNIQUE (n)",
    ] {
        there_and_back(&mut world, operations, |_| {
            let children = strings(&application, "SELECT id || ':' || parent FROM child");
            assert_eq!(children, ["10:1", "11:2"], "{operations}");
            assert_eq!(strings(&application, "SELECT code FROM other"), ["a", "b"], "{operations}");
            // The keys still refer to the parent, and not to what it was called meanwhile.
            let texts =
                strings(&application, "SELECT sql FROM sqlite_schema WHERE name IN ('child', 'other')");
            assert!(texts.iter().all(|sql| sql.contains("REFERENCES parent(")), "{texts:?}");
            // They are in force.
            application
                .execute_batch("INSERT INTO child VALUES (12, 77)")
                .expect_err("there is no parent 77");
            // An id that was given out is not given out again.
            application.execute_batch("BEGIN; INSERT INTO parent (code) VALUES ('d')").expect("a row");
            assert_eq!(application.last_insert_rowid(), 4, "{operations}");
            application.execute_batch("ROLLBACK").expect("the end of the transaction");
        });
    }
}

#[test]
fn views_and_triggers_anywhere_stay() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
         CREATE TABLE u (id INTEGER PRIMARY KEY, note TEXT);
         CREATE VIEW v AS SELECT id, a FROM t;
         CREATE VIEW broken AS SELECT missing FROM nowhere;
         CREATE TRIGGER t_log AFTER UPDATE ON t BEGIN INSERT INTO u (note) VALUES (new.a); END;
         CREATE TRIGGER u_touch AFTER INSERT ON u BEGIN UPDATE t SET b = new.note WHERE id = 1; END;
         INSERT INTO t VALUES (1, 'x', 'y'), (2, NULL, 'z');",
    );
    for operations in [
        "CHANGE COLUMN t.a TYPE INTEGER USING length(a)",
        "DROP COLUMN u.note",
        "RENAME TABLE t TO things",
        "RENAME COLUMN t.a TO alpha",
        "ADD COLUMN t.c INTEGER NOT NULL DEFAULT 7 CHECK (c > 0)",
        "SET NOT NULL t.b",
    ] {
        // A trigger that names the column cannot do without it.
        if operations == "DROP COLUMN u.note" {
            let before = world.state();
            assert_eq!(world.lowered(operations).expect_err("triggers use it"), ["PQL0203"]);
            assert_eq!(world.state(), before);
            continue;
        }
        there_and_back(&mut world, operations, |db| {
            let objects = strings(
                db,
                "SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger') AND name NOT GLOB '_pql_*' ORDER BY 1",
            );
            assert_eq!(objects, ["broken", "t_log", "u_touch", "v"], "{operations}");
            db.execute_batch("BEGIN; INSERT INTO u (note) VALUES ('hit')").expect("the triggers work");
            assert_eq!(strings(db, "SELECT count(*) || '' FROM v"), ["2"], "{operations}");
            db.execute_batch("ROLLBACK").expect("as before");
        });
    }
}

#[test]
fn a_required_column_needs_a_value_where_there_are_rows() {
    let mut world = World::new(
        "CREATE TABLE full (id INTEGER PRIMARY KEY); CREATE TABLE empty (id INTEGER PRIMARY KEY);
         INSERT INTO full VALUES (1), (2);",
    );
    let before = world.state();
    let refused = world.try_generate("ADD COLUMN full.a TEXT NOT NULL").and_then(|id| world.try_apply(id));
    let refused = refused.expect_err("no row has a value");
    assert!(refused.message().contains("full"), "{refused}");
    assert!(refused.help().is_some(), "{refused}");
    assert_eq!(world.state(), before);
    there_and_back(&mut world, "ADD COLUMN empty.a TEXT NOT NULL", |db| {
        db.execute_batch("INSERT INTO empty (id) VALUES (1)").expect_err("it is required");
    });
    for default in ["CURRENT_TIMESTAMP", "(1 + 1)", "(lower('X'))", "'text; with \"both'' quotes'"] {
        there_and_back(&mut world, &format!("ADD COLUMN full.a TEXT NOT NULL DEFAULT {default}"), |db| {
            db.execute_batch("INSERT INTO full (id) VALUES (3)").expect("a row");
            let values = strings(db, "SELECT DISTINCT typeof(a) FROM full");
            assert_eq!(values, ["text"], "{default}");
            let wanted =
                strings(db, &format!("SELECT count(*) || '' FROM full WHERE a = CAST({default} AS TEXT)"));
            assert!(default == "CURRENT_TIMESTAMP" || wanted == ["3"], "{default}: {wanted:?}");
            db.execute_batch("DELETE FROM full WHERE id = 3").expect("as before");
        });
    }
}

#[test]
fn another_spelling_of_the_same_is_no_difference() {
    let mut world = World::new(
        "CREATE TABLE t (a INT DEFAULT (0), b TEXT DEFAULT current_timestamp, c TEXT DEFAULT \"abc\", d DEFAULT (CURRENT_TIMESTAMP),
           e INT DEFAULT -1, /* a comment */ f TEXT CHECK (f IN ('x','y')), g INT AS (a+1) STORED, h TEXT COLLATE BINARY);
         CREATE INDEX \"t_a\" ON \"t\"(\"a\" ASC);
         ALTER TABLE t RENAME TO renamed; ALTER TABLE renamed ADD COLUMN i /* why */ TEXT;",
    );
    let target = "CREATE TABLE renamed (
            a INTEGER DEFAULT 0, b TEXT DEFAULT (CURRENT_TIMESTAMP), c TEXT DEFAULT 'abc', d DEFAULT current_timestamp,
            e INTEGER DEFAULT (-1), f TEXT, g INTEGER GENERATED ALWAYS AS (a + 1) STORED, h TEXT, i TEXT,
            CHECK (f IN ('x', 'y')));
        CREATE INDEX t_a ON renamed (a);";
    assert_eq!(detected(&mut world, target), [""; 0]);
}

#[test]
fn keys_that_are_not_rowids_and_keys_that_are_null() {
    let mut world = World::new(
        "CREATE TABLE text_key (id TEXT PRIMARY KEY, v TEXT);
         CREATE TABLE int_key (id INT PRIMARY KEY, v TEXT, g TEXT GENERATED ALWAYS AS (id || v) VIRTUAL);
         CREATE TABLE no_key (v TEXT);
         INSERT INTO text_key (rowid, id, v) VALUES (5, NULL, '1'), (9, NULL, '2'), (11, 'x', '3');
         INSERT INTO int_key (rowid, id, v) VALUES (3, 30, '1'), (8, NULL, '2'), (9, 10, '3');
         INSERT INTO no_key (rowid, v) VALUES (4, '1'), (2, '2');
         CREATE VIRTUAL TABLE words USING fts5 (word); INSERT INTO words VALUES ('hello');",
    );
    let rows = |db: &rusqlite::Connection| {
        strings(
            db,
            "SELECT rowid || ':' || coalesce(id, 'NULL') || v FROM text_key UNION ALL
             SELECT rowid || ':' || coalesce(id, 'NULL') || v FROM int_key UNION ALL
             SELECT rowid || ':' || v FROM no_key UNION ALL SELECT word FROM words",
        )
    };
    let expected = rows(&world.db());
    for table in ["text_key", "int_key", "no_key"] {
        there_and_back(&mut world, &format!("CHANGE COLUMN {table}.v TYPE INTEGER"), |db| {
            assert_eq!(rows(db), expected, "{table}");
            assert_eq!(strings(db, &format!("SELECT DISTINCT typeof(v) FROM {table}")), ["integer"]);
        });
    }
    let schema = world.engine.schema().expect("a schema");
    assert_eq!(schema.tables.len(), 3, "what FTS5 keeps its words in is no table of the application's");
    let text = pql_planner::text::schema(&schema);
    assert_eq!(detected(&mut world, &text), [""; 0]);
}

#[test]
fn one_of_two_constraints_of_one_name_goes_at_a_time() {
    let mut world = World::new(
        "CREATE TABLE t (a INT CONSTRAINT c CHECK (a > 0), b INT CONSTRAINT c CHECK (b > 0));
         INSERT INTO t VALUES (1, 1);",
    );
    there_and_back(&mut world, "DROP CONSTRAINT t.c", |db| {
        let left = strings(db, "SELECT sql FROM sqlite_schema WHERE name = 't'");
        assert_eq!(left[0].matches("CHECK").count(), 1, "{left:?}");
        assert!(left[0].contains("b > 0"), "the first one goes: {left:?}");
    });
    there_and_back(&mut world, "DROP CONSTRAINT t.c, DROP CONSTRAINT t.c", |db| {
        db.execute_batch("BEGIN; INSERT INTO t VALUES (-1, -1); ROLLBACK").expect("nothing is checked");
    });
}

#[test]
fn a_reader_that_never_ends_is_in_nobodys_way() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO t SELECT i, i, 'b' || i FROM n;",
    );
    let reader = world.db();
    reader.execute_batch("BEGIN").expect("a transaction");
    assert_eq!(strings(&reader, "SELECT count(*) || a FROM t WHERE id = 1"), ["11"]);
    for operations in [
        "CHANGE COLUMN t.a TYPE INTEGER",
        "ADD INDEX t_b ON t (b)",
        "ADD COLUMN t.c TEXT NOT NULL BACKFILL upper(b)",
        "DROP COLUMN t.b",
    ] {
        there_and_back(&mut world, operations, |_| {
            let seen = strings(&reader, "SELECT typeof(a) || b FROM t WHERE id = 7");
            assert_eq!(seen, ["textb7"], "the reader sees what it saw: {operations}");
        });
    }
    reader.execute_batch("COMMIT").expect("the end");
}

#[test]
fn what_was_said_is_done_or_refused_and_never_ignored() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL);",
    );
    let before = world.state();
    // An expression that means nothing, one that fails on a row, and one that does not fit the column.
    for using in ["nonsense(a)", "missing + 1", "json_extract(a, '$')"] {
        let outcome = world
            .try_generate(&format!("CHANGE COLUMN t.a TYPE INTEGER USING {using}"))
            .and_then(|id| world.try_apply(id));
        assert!(outcome.is_err(), "{using}");
        assert_eq!(world.state(), before, "{using}");
    }
    // What cannot be taken back says so instead of reporting success.
    world.apply("EXECUTE 'UPDATE t SET a = ''y'' WHERE id = 1'");
    let refused = world.roll_back(RollbackTarget::Last(1)).expect_err("there is no way back");
    assert!(refused.message().contains("no way back"), "{refused}");
    let first = world.engine.status().expect("the journal").into_iter().find(|info| info.version == Some(1));
    assert_eq!(first.expect("it is there").status, MigrationStatus::Applied);
    // History is in the database: another program does not run anything twice.
    let id = world.apply("ADD COLUMN t.b TEXT DEFAULT 'kept'");
    let again = world.another().apply(id, &pql_engine::ApplyOptions::default(), &mut pql_engine::Silent);
    assert_eq!(again.expect_err("it is applied").code(), codes::ALREADY_APPLIED);
    assert_eq!(strings(&world.db(), "SELECT DISTINCT b FROM t"), ["kept"]);
}

#[test]
fn references_that_lead_nowhere_are_not_made() {
    let mut options = ApplyOptions { allow_destructive: true, ..ApplyOptions::default() };
    for stall in [Duration::from_nanos(1), Duration::from_secs(1)] {
        options.run.max_stall = stall;
        for operation in [
            "SET NOT NULL t.fc BACKFILL 99",
            "CHANGE COLUMN t.fc TYPE INTEGER USING coalesce(fc, 99)",
            "CHANGE COLUMN p.id TYPE INTEGER USING id + 5",
            "CHANGE COLUMN t.up TYPE INTEGER USING up + 7",
        ] {
            let mut world = World::new(
                "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
                 CREATE TABLE t (id INTEGER PRIMARY KEY, fc INTEGER REFERENCES p (id), up INT REFERENCES t);
                 INSERT INTO t VALUES (1, NULL, NULL), (2, 1, 1), (3, 77, NULL);",
            );
            let start = world.state();
            let violations = "SELECT \"table\" || rowid || parent FROM pragma_foreign_key_check ORDER BY 1";
            assert_eq!(strings(&world.db(), violations), ["t3p"]);
            let id = world.generate(operation);
            let error = world.engine.apply(id, &options, &mut Silent).expect_err(operation);
            assert_eq!(error.code(), codes::ROWS, "{operation}: {error}");
            assert!(error.message().contains("do not exist"), "{operation}: {error}");
            assert_eq!(world.state(), start, "{operation}");
        }
        // Those that were there before are nobody's fault.
        for operation in ["SET NOT NULL t.fc BACKFILL 2", "CHANGE COLUMN t.fc TYPE BIGINT USING fc + 0"] {
            let mut world = World::new(
                "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);
                 CREATE TABLE t (id INTEGER PRIMARY KEY, fc INTEGER REFERENCES p (id));
                 INSERT INTO t VALUES (1, NULL), (2, 1), (3, 77);",
            );
            let id = world.generate(operation);
            world.engine.apply(id, &options, &mut Silent).expect(operation);
        }
        // Nor is a key that is referred to without its name.
        let mut world = World::new(
            "CREATE TABLE p (id TEXT PRIMARY KEY); INSERT INTO p VALUES ('a'), ('b');
             CREATE TABLE t (id INTEGER PRIMARY KEY, fk TEXT REFERENCES p); INSERT INTO t VALUES (1, 'a');",
        );
        let id = world.generate("CHANGE COLUMN p.id TYPE VARCHAR(10) USING lower(id)");
        world.engine.apply(id, &options, &mut Silent).expect("the keys stay what they are");
    }
}

#[test]
fn a_dropped_foreign_key_that_rows_have_broken_since_does_not_come_back_and_leaves_the_migration_applied() {
    let mut options = ApplyOptions { allow_destructive: true, ..ApplyOptions::default() };
    for stall in [Duration::from_nanos(1), Duration::from_secs(1)] {
        options.run.max_stall = stall;
        for operations in [
            "DROP COLUMN t.pid",
            "DROP CONSTRAINT t.t_pid_fkey",
            "DROP CONSTRAINT t.t_pid_fkey, RENAME COLUMN t.x TO y",
        ] {
            let mut world = World::new(
                "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2), (3);
                 CREATE TABLE t (id INTEGER PRIMARY KEY, pid INTEGER REFERENCES p (id), x TEXT);
                 WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20)
                 INSERT INTO t SELECT x, 1 + x % 3, x FROM c;",
            );
            let start = world.state();
            let id = world.generate(operations);
            world.engine.apply(id, &options, &mut Silent).expect(operations);
            world.db().execute_batch("DELETE FROM p WHERE id = 1").expect("nothing refers to it");
            let error =
                world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect_err(operations);
            assert_eq!(error.code(), codes::ROWS, "{operations}: {error}");
            assert!(error.message().contains("id = 3 (pid is 1)"), "{operations}: {error}");
            assert_eq!(
                world.engine.info(id).expect("it").status,
                MigrationStatus::Applied,
                "{operations}: {error}"
            );
            world.db().execute_batch("DELETE FROM p WHERE id = 2").expect("the definition as it was applied");
            world.db().execute_batch("INSERT INTO p VALUES (1), (2)").expect("what is missing");
            world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).expect(operations);
            assert_eq!(world.state(), start, "{operations}");
        }
    }
}
