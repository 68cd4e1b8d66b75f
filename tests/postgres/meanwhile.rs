//! Definitions that others change while a migration runs: the migration ends all the same, by itself or by CANCEL, takes
//! away what it made, and leaves alone what they made.

use pql_engine::{ApplyOptions, Engine, RollbackTarget, RunProgress, Signal, Silent, codes};
use pql_schema::{MigrationId, MigrationStatus};

use crate::rows::{careful, generate, one};
use crate::support::Database;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int); CREATE SCHEMA app;
     INSERT INTO t SELECT i, i, 'b' || i, i FROM generate_series(1, 600) i; CREATE TABLE o (id int);
     CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

/// So many indexes that a new table takes its place.
const INDEXED: &str = "; CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (b); CREATE INDEX i3 ON t (lower(b))";

/// The ladders, with what the table has besides and an action at which the application comes between.
const LADDERS: &[(&str, &str, &str)] = &[
    ("CHANGE COLUMN t.a TYPE TEXT", "", "fill column"),
    ("CHANGE COLUMN t.a TYPE TEXT", INDEXED, "copy rows"),
    ("ADD COLUMN t.z INT BACKFILL a + 1", "", "backfill"),
    ("SET NOT NULL t.c BACKFILL 0", "", "backfill"),
    ("DROP COLUMN t.c, CHANGE COLUMN t.a TYPE TEXT", "", "fill column"),
];

const OTHERS: &[&str] = &[
    "ALTER TABLE t ADD COLUMN zz int",
    "ALTER TABLE t DROP COLUMN b",
    "ALTER TABLE t RENAME COLUMN b TO bb",
    "ALTER TABLE t ALTER b SET DEFAULT 'q'",
    "ALTER TABLE t SET (fillfactor = 50)",
    "CREATE INDEX mid ON t (b)",
    "CREATE TRIGGER mid BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "ALTER TABLE t ALTER a SET DEFAULT 7, ALTER a SET NOT NULL",
    "DROP TABLE t",
];

fn options() -> ApplyOptions {
    let mut options = careful();
    options.run.batch_rows = Some(100);
    options
}

/// Applies a change; at the first sight of an action the application runs something, and the run gets a word.
fn apply_beside(
    database: &Database,
    (change, action): (&str, &str),
    sql: &str,
    word: Signal,
) -> (Engine, MigrationId, pql_engine::Result<()>) {
    let mut engine = database.engine();
    let id = generate(&mut engine, change);
    let mut client = database.client();
    let mut come = false;
    let mut observer = |progress: &RunProgress| {
        if progress.action != action || come {
            return Signal::Go;
        }
        come = true;
        client.batch_execute(sql).unwrap();
        word
    };
    let outcome = engine.apply(id, &options(), &mut observer).map(drop);
    assert!(come, "{change} has no action {action}: {outcome:?}");
    (engine, id, outcome)
}

/// Nothing of a migration is left, and another one can be applied.
fn assert_over(database: &Database, what: &str) {
    let left = "SELECT coalesce(string_agg(n, ', '), '') FROM (SELECT nspname AS n FROM pg_namespace \
                UNION ALL SELECT relname FROM pg_class UNION ALL SELECT proname FROM pg_proc \
                UNION ALL SELECT tgname FROM pg_trigger UNION ALL SELECT conname FROM pg_constraint \
                UNION ALL SELECT attname FROM pg_attribute WHERE NOT attisdropped) x \
                WHERE n LIKE '%pql\\_________\\_%'";
    assert_eq!(one(database, left), "", "{what}");
    let mut engine = database.engine();
    let id = generate(&mut engine, "ADD COLUMN o.y INT");
    engine.apply(id, &options(), &mut Silent).expect(what);
    engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).expect(what);
}

#[test]
fn a_migration_is_cancelled_whatever_others_made_of_its_tables() {
    for (change, more, action) in LADDERS {
        let template = Database::with(&format!("{TABLE}{more}"));
        for sql in OTHERS {
            let what = format!("{change}{more}, {sql}");
            let database = template.copy();
            let (mut engine, id, outcome) = apply_beside(&database, (change, action), sql, Signal::Pause);
            assert_eq!(outcome.unwrap_err().code(), codes::PAUSED, "{what}");
            let report = engine.cancel(id, &options(), &mut Silent);
            let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(report.status, MigrationStatus::Cancelled, "{what}");
            let alone = template.copy();
            alone.client().batch_execute(sql).unwrap();
            assert_eq!(database.dump(), alone.dump(), "{what}");
            assert_over(&database, &what);
        }
    }
}

#[test]
fn a_migration_that_others_come_between_ends_by_itself_or_is_cancelled() {
    for (change, more, action) in &LADDERS[..3] {
        let template = Database::with(&format!("{TABLE}{more}"));
        for sql in OTHERS {
            let what = format!("{change}{more}, {sql}");
            let database = template.copy();
            let (mut engine, id, outcome) = apply_beside(&database, (change, action), sql, Signal::Go);
            match engine.info(id).unwrap().status {
                MigrationStatus::Applied => {
                    outcome.expect(&what);
                    let back = engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent);
                    back.unwrap_or_else(|error| panic!("{what}: {error}"));
                }
                MigrationStatus::Paused => {
                    assert_eq!(outcome.unwrap_err().code(), codes::DRIFTED, "{what}");
                    let report = engine.cancel(id, &options(), &mut Silent);
                    report.unwrap_or_else(|error| panic!("{what}: {error}"));
                }
                status => assert_eq!(status, MigrationStatus::Failed, "{what}"),
            }
            let alone = template.copy();
            alone.client().batch_execute(sql).unwrap();
            assert_eq!(database.dump(), alone.dump(), "{what}");
            assert_over(&database, &what);
        }
    }
}

/// A table that is called otherwise keeps what the migration gave it, where that cannot be found by a name of ours.
#[test]
fn a_migration_whose_table_is_called_otherwise_is_cancelled_when_it_has_its_name_again() {
    for (change, more, action) in LADDERS {
        let template = Database::with(&format!("{TABLE}{more}"));
        for (away, back) in [
            ("ALTER TABLE t RENAME TO tt", "ALTER TABLE tt RENAME TO t"),
            ("ALTER TABLE t SET SCHEMA app", "ALTER TABLE app.t SET SCHEMA public"),
        ] {
            let what = format!("{change}{more}, {away}");
            let database = template.copy();
            let (mut engine, id, outcome) = apply_beside(&database, (change, action), away, Signal::Go);
            let error = outcome.expect_err(&what);
            if engine.info(id).unwrap().status == MigrationStatus::Paused {
                let named = error.message().contains("tt") || error.message().contains("app.t");
                assert!(named, "{what}: {error}");
                let error = engine.cancel(id, &options(), &mut Silent).expect_err(&what);
                assert!(error.message().contains("is called"), "{what}: {error}");
                database.client().batch_execute(back).unwrap();
                let report = engine.cancel(id, &options(), &mut Silent);
                report.unwrap_or_else(|error| panic!("{what}: {error}"));
            } else {
                database.client().batch_execute(back).unwrap();
            }
            assert_eq!(database.dump(), template.copy().dump(), "{what}");
            assert_over(&database, &what);
        }
    }
}

#[test]
fn a_column_that_others_define_anew_while_it_changes_is_not_replaced() {
    let template = Database::with(TABLE);
    let before = template.dump();
    for (sql, undo) in [
        (
            "ALTER TABLE t ALTER a SET DEFAULT 7, ALTER a SET NOT NULL",
            "ALTER TABLE t ALTER a DROP DEFAULT, ALTER a DROP NOT NULL",
        ),
        ("CREATE INDEX mid ON t (a)", "DROP INDEX mid"),
        ("ALTER TABLE t ADD CONSTRAINT mid CHECK (a > 0) NOT VALID", "ALTER TABLE t DROP CONSTRAINT mid"),
        ("CREATE POLICY mid ON t USING (a > 0)", "DROP POLICY mid ON t"),
    ] {
        for resume in [true, false] {
            let database = template.copy();
            let change = ("CHANGE COLUMN t.a TYPE TEXT", "fill column");
            let (mut engine, id, outcome) = apply_beside(&database, change, sql, Signal::Go);
            let error = outcome.expect_err(sql);
            assert_eq!(error.code(), codes::DRIFTED, "{sql}: {error}");
            assert!(error.message().contains("column t.a was changed by others"), "{sql}: {error}");
            let error = engine.resume(id, &options(), &mut Silent).expect_err(sql);
            assert_eq!(error.code(), codes::DRIFTED, "{sql}: {error}");
            database.client().batch_execute(undo).unwrap();
            if resume {
                engine.resume(id, &options(), &mut Silent).unwrap_or_else(|error| panic!("{sql}: {error}"));
                assert_eq!(one(&database, "SELECT pg_typeof(a) FROM t LIMIT 1"), "text");
                engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).unwrap();
            } else {
                engine.cancel(id, &options(), &mut Silent).unwrap();
            }
            assert_eq!(database.dump(), before, "{sql}");
            assert_over(&database, sql);
        }
    }
    // What does not belong to the column's definition goes along, as does an index on another one.
    let database = template.copy();
    let change = ("CHANGE COLUMN t.a TYPE TEXT", "fill column");
    let said = "COMMENT ON COLUMN t.a IS 'mid'; CREATE VIEW v AS SELECT a FROM t; CREATE INDEX mid ON t (b)";
    let (mut engine, id, outcome) = apply_beside(&database, change, said, Signal::Go);
    outcome.unwrap();
    engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).unwrap();
    assert!(database.dump().contains("'mid'") && database.dump().contains("CREATE INDEX mid"));
}
