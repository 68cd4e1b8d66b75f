//! A runner that is killed, as by `kill -9`, around any of its statements: another one goes on, or takes it back, and both
//! end as if nothing had happened.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, Silent, fault};
use pql_schema::{MigrationId, MigrationStatus};

use crate::rows::{careful, generate, one};
use crate::support::Database;

/// The variable that says what the child does: `apply` or `rollback`, the migration, the address.
const VARIABLE: &str = "PQL_KILL_CHILD";

const TABLE: &str = "CREATE TABLE t (id serial PRIMARY KEY, n int, other text DEFAULT 'x'); \
     INSERT INTO t (n) SELECT i FROM generate_series(1, 300) i; CREATE INDEX t_n ON t (n); \
     CREATE VIEW v AS SELECT id, n FROM t; ANALYZE";

/// The same with so many indexes that a new table takes its place.
const INDEXED: &str = "CREATE TABLE t (id serial PRIMARY KEY, n int, m int, other text DEFAULT 'x'); \
     INSERT INTO t (n, m) SELECT i, i FROM generate_series(1, 300) i; CREATE INDEX t_n ON t (n); \
     CREATE UNIQUE INDEX t_m ON t (m, n); CREATE INDEX t_o ON t (other); CREATE VIEW v AS SELECT id, n FROM t; ANALYZE";

const REPLACE: &str = "CHANGE COLUMN t.n TYPE DECIMAL(12,2)";

const CHANGE: &str = "CHANGE COLUMN t.n TYPE BIGINT, ADD COLUMN t.m INTEGER BACKFILL n::int + 1, ADD INDEX t_m ON t (m), \
     SET NOT NULL t.m, DROP COLUMN t.other, DROP INDEX t_n";

fn options() -> ApplyOptions {
    let mut options = careful();
    options.run.batch_rows = Some(100);
    options
}

/// What the database holds.
fn state(database: &Database) -> String {
    let rows = one(database, "SELECT string_agg(to_jsonb(t)::text, ' ' ORDER BY id) FROM t");
    format!("{}\n{rows}", database.dump())
}

/// What another process does until it is killed; whether it was.
fn killed(task: &str, database: &Database, id: MigrationId, fault: &str) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::works", "--nocapture"])
        .env(VARIABLE, format!("{task} {id} {}", database.url()))
        .env(fault::VARIABLE, fault)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || output.status.signal() == Some(9), "{task} {fault}: {said}");
    !output.status.success()
}

/// Does what the environment asks for; in the program that runs the tests that is nothing.
#[test]
fn works() {
    let Ok(order) = std::env::var(VARIABLE) else { return };
    let mut words = order.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (task, id, url) = (word(), word().parse().unwrap(), word());
    let mut engine = Engine::open(url, &OpenOptions::default()).unwrap();
    if task == "apply" {
        engine.apply(id, &options(), &mut Silent).unwrap();
    } else {
        engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).unwrap();
    }
}

#[test]
fn a_runner_that_is_killed_is_followed_by_another() {
    assert_is_followed(TABLE, CHANGE);
}

#[test]
fn a_runner_that_makes_a_new_table_is_followed_by_another() {
    assert_is_followed(INDEXED, REPLACE);
}

fn assert_is_followed(table: &str, change: &str) {
    let all = std::env::var("PQL_POSTGRES").is_ok_and(|value| value == "all");
    let before = state(&Database::with(table));
    let after = {
        let database = Database::with(table);
        let mut engine = database.engine();
        let id = generate(&mut engine, change);
        engine.apply(id, &options(), &mut Silent).unwrap();
        // Names of what is kept are the migration's own.
        one(&database, VISIBLE)
    };
    for task in ["apply", "rollback"] {
        for at in (1..).step_by(if all { 1 } else { 11 }) {
            let side = if at % 2 == 0 { "before" } else { "after" };
            let database = Database::with(table);
            let mut engine = database.engine();
            let id = generate(&mut engine, change);
            if task == "rollback" {
                engine.apply(id, &options(), &mut Silent).unwrap();
            }
            drop(engine);
            if !killed(task, &database, id, &format!("kill:{side}:{at}")) {
                break;
            }
            let place = format!("{task} killed {side} statement {at}");
            let mut engine = database.engine();
            let goes_on = at % 3 != 0;
            let status = engine.info(id).unwrap().status;
            let ends = match (status, goes_on) {
                (MigrationStatus::Running, true) => {
                    engine.resume(id, &options(), &mut Silent).map(|it| it.status)
                }
                (MigrationStatus::Running, false) => {
                    engine.cancel(id, &options(), &mut Silent).map(|it| it.status)
                }
                (status, _) => Ok(status),
            };
            let ended = ends.unwrap_or_else(|error| panic!("{place}: {error} {:?}", error.help()));
            match ended {
                MigrationStatus::Applied => {
                    assert_eq!(one(&database, VISIBLE), after, "{place}");
                    engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).unwrap();
                }
                MigrationStatus::Generated | MigrationStatus::Cancelled | MigrationStatus::RolledBack => {}
                other => panic!("{place}: {other:?}"),
            }
            assert_eq!(state(&database), before, "{place}");
        }
    }
}

/// Everything that the application can see of the table.
const VISIBLE: &str = "SELECT concat_ws('; ', \
     (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attname) \
      FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND attname !~ '^_pql|^\\.') , \
     (SELECT string_agg(pg_get_indexdef(indexrelid) || indisvalid, ', ' ORDER BY indexrelid::regclass::text) \
      FROM pg_index WHERE indrelid = 't'::regclass AND indexrelid::regclass::text !~ '_pql'), \
     pg_get_viewdef('v'), (SELECT string_agg(concat_ws(':', id, n, m), ' ' ORDER BY id) FROM t))";
