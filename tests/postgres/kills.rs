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

/// Kills it around every eleventh statement, on either side and with either end in turn; with `PQL_POSTGRES=all` around
/// every one, on both sides and with both ends; with `PQL_CASE=rollback` only around those of the way back.
fn assert_is_followed(table: &str, change: &str) {
    let all = std::env::var("PQL_POSTGRES").is_ok_and(|value| value == "all");
    let template = Database::with(table);
    let before = state(&template);
    let after = {
        let database = template.copy();
        let mut engine = database.engine();
        let id = generate(&mut engine, change);
        engine.apply(id, &options(), &mut Silent).unwrap();
        // Names of what is kept are the migration's own.
        one(&database, VISIBLE)
    };
    let only = std::env::var("PQL_CASE").unwrap_or_default();
    for task in ["apply", "rollback"].into_iter().filter(|task| task.contains(&only)) {
        let mut points = 0;
        'statements: for at in (1..).step_by(if all { 1 } else { 11 }) {
            let sampled = (at % 2 == 0, at % 3 != 0);
            for (side, goes_on) in [(true, true), (true, false), (false, true), (false, false)] {
                if !all && (side, goes_on) != sampled {
                    continue;
                }
                let point = Point { task, at, side: if side { "before" } else { "after" }, goes_on };
                if !point.is_followed(&template, change, &before, &after) {
                    break 'statements;
                }
                points += 1;
            }
        }
        println!("{task}: killed at {points} points");
    }
}

/// Where a runner is killed, and what is done then.
#[derive(Debug)]
struct Point<'a> {
    task: &'a str,
    at: usize,
    side: &'a str,
    goes_on: bool,
}

impl Point<'_> {
    /// Whether there is such a statement; fails unless the next runner ends as if nothing had happened.
    fn is_followed(&self, template: &Database, change: &str, before: &str, after: &str) -> bool {
        let database = template.copy();
        let mut engine = database.engine();
        let id = generate(&mut engine, change);
        if self.task == "rollback" {
            engine.apply(id, &options(), &mut Silent).unwrap();
        }
        drop(engine);
        if !killed(self.task, &database, id, &format!("kill:{}:{}", self.side, self.at)) {
            return false;
        }
        let mut engine = database.engine();
        let status = engine.info(id).unwrap().status;
        let ends = match status {
            MigrationStatus::Running if self.goes_on => {
                engine.resume(id, &options(), &mut Silent).map(|it| it.status)
            }
            MigrationStatus::Running => engine.cancel(id, &options(), &mut Silent).map(|it| it.status),
            status => Ok(status),
        };
        let ended = ends.unwrap_or_else(|error| panic!("{self:?}: {error} {:?}", error.help()));
        match ended {
            MigrationStatus::Applied => {
                assert_eq!(one(&database, VISIBLE), after, "{self:?}");
                engine.rollback(RollbackTarget::Migration(id), &options(), &mut Silent).unwrap();
            }
            MigrationStatus::Generated | MigrationStatus::Cancelled | MigrationStatus::RolledBack => {}
            other => panic!("{self:?}: {other:?}"),
        }
        assert_eq!(state(&database), before, "{self:?}");
        database.remove();
        true
    }
}

/// Everything that the application can see of the table.
const VISIBLE: &str = "SELECT concat_ws('; ', \
     (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attname) \
      FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND attname !~ '^_pql|^\\.') , \
     (SELECT string_agg(pg_get_indexdef(indexrelid) || indisvalid, ', ' ORDER BY indexrelid::regclass::text) \
      FROM pg_index WHERE indrelid = 't'::regclass AND indexrelid::regclass::text !~ '_pql'), \
     pg_get_viewdef('v'), (SELECT string_agg(concat_ws(':', id, n, m), ' ' ORDER BY id) FROM t))";
