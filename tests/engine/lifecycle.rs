//! Migrations among each other and in company: order, drift, retention, locks, and what is said when something does
//! not go.

use std::time::Duration;

use pql_engine::{
    ApplyOptions, Engine, Error, OnFailure, OpenOptions, Retain, RollbackTarget, RunProgress, Signal, Silent,
    Value, codes,
};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::{Answers, MigrationId, MigrationOp, MigrationStatus};
use pql_syntax::ast::Statement;

use crate::support::run::{directory, plain};
use crate::support::state;

/// A database file with an engine on it.
pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) engine: Engine,
}

impl World {
    pub(crate) fn new(schema: &str) -> Self {
        let directory = directory();
        let path = directory.path().join("app.db");
        let db = rusqlite::Connection::open(&path).expect("a database");
        db.pragma_update(None, "journal_mode", "wal").expect("WAL");
        db.execute_batch(schema).expect("a schema");
        let engine = Engine::open(path.to_str().expect("UTF-8"), &OpenOptions::default()).expect("an engine");
        Self { directory, engine }
    }

    pub(crate) fn another(&self) -> Engine {
        let path = self.directory.path().join("app.db");
        Engine::open(path.to_str().expect("UTF-8"), &OpenOptions::default()).expect("an engine")
    }

    pub(crate) fn db(&self) -> rusqlite::Connection {
        plain(&self.directory.path().join("app.db"))
    }

    pub(crate) fn state(&self) -> String {
        state::of(&self.db())
    }

    /// What the operations are, or the codes of what stands against them.
    pub(crate) fn lowered(&mut self, operations: &str) -> Result<Vec<MigrationOp>, Vec<String>> {
        let schema = self.engine.schema().expect("a schema");
        let context = Context { dialect: Dialect::Sqlite, schema: &schema, params: &|_| None };
        let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {operations};"));
        let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{operations}") };
        let lowered = lower::operations(&generate, context);
        Ok(lowered.map_err(|found| found.iter().map(|one| one.code.to_string()).collect::<Vec<_>>())?.ops)
    }

    pub(crate) fn try_generate(&mut self, operations: &str) -> Result<MigrationId, Error> {
        let ops = self.lowered(operations).expect("operations that can be lowered");
        Ok(self.engine.generate(ops, None)?.id)
    }

    pub(crate) fn generate(&mut self, operations: &str) -> MigrationId {
        self.try_generate(operations).expect("operations that fit")
    }

    pub(crate) fn try_apply(&mut self, id: MigrationId) -> Result<MigrationStatus, Error> {
        self.engine.apply(id, &ApplyOptions::default(), &mut Silent).map(|report| report.status)
    }

    pub(crate) fn apply(&mut self, operations: &str) -> MigrationId {
        let id = self.generate(operations);
        assert_eq!(self.try_apply(id).expect("a migration that fits"), MigrationStatus::Applied);
        id
    }

    pub(crate) fn roll_back(&mut self, target: RollbackTarget) -> Result<Vec<MigrationId>, Error> {
        let reports = self.engine.rollback(target, &ApplyOptions::default(), &mut Silent)?;
        Ok(reports.into_iter().map(|report| report.migration_id).collect())
    }
}

const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, amount TEXT);
    INSERT INTO users VALUES (1, 'Ada', 'a@x'), (2, 'Bob', NULL), (3, 'Cleo', 'c@x');
    INSERT INTO orders VALUES (1, '12'), (2, 'twelve'), (3, NULL);";

#[test]
fn versions_go_up_and_down() {
    let mut world = World::new(USERS);
    let start = world.state();
    let first = world.apply("ADD COLUMN users.age INTEGER");
    let second = world.apply("RENAME COLUMN users.age TO years");
    let third = world.apply("ADD INDEX orders_amount ON orders (amount)");
    assert_eq!(world.engine.version().unwrap(), 3);
    assert!(world.engine.schema_at(1).unwrap().table(&"users".into()).unwrap().columns[3].name == "age");
    assert_eq!(world.engine.schema_at(0).unwrap().table(&"users".into()).unwrap().columns.len(), 3);

    let blocked = world.roll_back(RollbackTarget::Migration(first)).unwrap_err();
    assert_eq!(blocked.code(), codes::LATER_APPLIED);
    assert!(blocked.message().contains(&second.to_string()), "{blocked}");
    assert!(blocked.message().contains("users") && blocked.help().unwrap().contains("LAST 3"), "{blocked:?}");

    assert_eq!(world.roll_back(RollbackTarget::ToVersion(1)).unwrap(), [third, second]);
    assert_eq!(world.engine.version().unwrap(), 1);
    assert_eq!(world.roll_back(RollbackTarget::ToVersion(2)).unwrap_err().code(), codes::UNKNOWN_VERSION);
    assert_eq!(world.roll_back(RollbackTarget::Last(2)).unwrap_err().code(), codes::NOT_APPLIED);
    // What was rolled back can be applied again, and rolled back again.
    assert_eq!(world.try_apply(second).unwrap(), MigrationStatus::Applied);
    assert_eq!(world.roll_back(RollbackTarget::Last(2)).unwrap(), [second, first]);
    assert_eq!(world.state(), start);
    let statuses: Vec<_> = world.engine.status().unwrap().iter().map(|row| row.status.as_str()).collect();
    assert_eq!(statuses, ["rolled_back", "rolled_back", "rolled_back"]);
}

#[test]
fn a_migration_whose_tables_moved_is_refused_and_another_is_planned_again() {
    let mut world = World::new(USERS);
    let name = world.generate("SET NOT NULL users.name");
    let index = world.generate("ADD INDEX orders_amount ON orders (amount)");
    world.db().execute_batch("ALTER TABLE users ADD COLUMN nick TEXT").unwrap();
    let before = world.state();
    let moved = world.try_apply(name).unwrap_err();
    assert_eq!((moved.code(), moved.help().unwrap()), (codes::MOVED, "generate the migration again"));
    assert!(moved.message().contains("users.nick"), "{moved}");
    assert_eq!(world.state(), before);
    assert_eq!(world.engine.info(name).unwrap().status, MigrationStatus::Generated);
    assert_eq!(world.try_apply(index).unwrap(), MigrationStatus::Applied);
}

#[test]
fn operations_that_do_not_fit_are_not_saved() {
    let mut world = World::new(USERS);
    assert_eq!(world.engine.generate(Vec::new(), None).unwrap_err().code(), codes::EMPTY);
    let drop = pql_schema::MigrationOp::DropTable { table: "userz".into() };
    let error = world.engine.generate(vec![drop], None).unwrap_err();
    assert!(error.help().is_some_and(|help| help.contains("users")), "{error:?}");
    assert!(world.engine.status().unwrap().is_empty());
}

#[test]
fn rows_that_stand_in_the_way_are_named_and_nothing_is_lost() {
    let mut world = World::new(USERS);
    let before = world.state();
    let failures = [
        ("SET NOT NULL users.email", "2"),
        (
            "CHANGE COLUMN orders.amount TYPE INTEGER USING CAST(amount AS INTEGER), SET NOT NULL orders.amount",
            "3",
        ),
        ("ADD COLUMN orders.n INTEGER NOT NULL BACKFILL abs(-9223372036854775807 - id)", "1"),
        ("ADD UNIQUE INDEX only ON users (length(name))", "id = 1; id = 2"),
        ("ADD COLUMN users.z TEXT NOT NULL BACKFILL email", "id = 2"),
        ("SET NOT NULL users.email BACKFILL nullif(name, 'Bob')", "id = 2"),
    ];
    // As on a small table, and by the ways of a large one.
    let mut large = ApplyOptions::default();
    large.run.max_stall = Duration::ZERO;
    let both = [ApplyOptions::default(), large];
    for (operations, key, options) in failures
        .iter()
        .flat_map(|(operations, key)| both.iter().map(move |options| (*operations, *key, options)))
    {
        let id = world.generate(operations);
        let error = world.engine.apply(id, options, &mut Silent).unwrap_err();
        assert!(error.message().contains(key), "{operations}: {error}");
        assert_eq!(world.state(), before, "{operations}");
        let info = world.engine.info(id).unwrap();
        assert_eq!((info.status, info.error.as_deref()), (MigrationStatus::Failed, Some(error.message())));
    }
    // With the obstacle gone the same migration can be applied.
    let failed = world.engine.status().unwrap()[0].migration_id;
    world.db().execute_batch("UPDATE users SET name = 'Bo', email = 'b@x' WHERE id = 2").unwrap();
    assert_eq!(world.try_apply(failed).unwrap(), MigrationStatus::Applied);
}

#[test]
fn a_rollback_that_does_not_fit_leaves_the_migration_applied() {
    let mut world = World::new(USERS);
    let id = world.apply("DROP NOT NULL users.name, ADD COLUMN orders.note TEXT");
    world.roll_back(RollbackTarget::Migration(id)).unwrap();
    let mut world = World::new("CREATE TABLE t (a INTEGER NOT NULL, b TEXT); INSERT INTO t VALUES (1, 'x');");
    let id = world.apply("DROP NOT NULL t.a, ADD COLUMN t.c TEXT");
    world.db().execute_batch("INSERT INTO t (rowid, a, b, c) VALUES (77, NULL, 'y', 'kept')").unwrap();
    let applied = world.state();
    let error = world.roll_back(RollbackTarget::Migration(id)).unwrap_err();
    assert!(error.message().contains("77"), "{error}");
    assert_eq!((world.state(), world.engine.version().unwrap()), (applied, 1));
    assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Applied);
    world.db().execute_batch("DELETE FROM t WHERE a IS NULL").unwrap();
    world.roll_back(RollbackTarget::Migration(id)).unwrap();
    assert_eq!(world.engine.version().unwrap(), 0);
}

/// Out of sight a table refers to nothing.
#[test]
fn a_dropped_table_does_not_come_back_with_rows_that_refer_to_nothing() {
    let mut world = World::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);
         CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INTEGER REFERENCES t, up INTEGER REFERENCES c (id));
         INSERT INTO c VALUES (1, 1, 2), (2, 2, NULL);",
    );
    let start = world.state();
    let id = world.apply("DROP TABLE c");
    world.db().execute_batch("PRAGMA foreign_keys = ON; DELETE FROM t WHERE id = 1").unwrap();
    let applied = world.state();
    let error = world.roll_back(RollbackTarget::Migration(id)).unwrap_err();
    assert!(error.message().contains("id = 1") && error.message().contains("t_id is 1"), "{error}");
    assert_eq!(world.state(), applied);
    assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Applied);
    world.db().execute_batch("INSERT INTO t VALUES (1)").unwrap();
    world.roll_back(RollbackTarget::Migration(id)).unwrap();
    assert_eq!(world.state(), start);
    // Both go, and come back one after the other.
    let id = world.apply("DROP TABLE c, DROP TABLE t");
    world.roll_back(RollbackTarget::Migration(id)).unwrap();
    assert_eq!(world.state(), start);
}

/// SQLite does not know that such a table reads another one.
#[test]
fn what_a_virtual_table_reads_keeps_its_name() {
    let mut world = World::new(
        "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT, note TEXT); INSERT INTO docs VALUES (1, 'hello', 'x');
         CREATE VIRTUAL TABLE found USING fts5(body, content='docs', content_rowid=id);
         INSERT INTO found (found) VALUES ('rebuild')",
    );
    for operation in [
        "RENAME TABLE docs TO texts",
        "DROP TABLE docs",
        "DROP COLUMN docs.body",
        "RENAME COLUMN docs.body TO text",
    ] {
        let id = world.try_generate(operation);
        let error = id.expect_err(operation);
        assert_eq!(error.code(), "PQL0308", "{error}");
        assert!(error.message().contains("virtual table found"), "{error}");
        assert!(error.help().unwrap().contains("DROP TABLE found"), "{:?}", error.help());
    }
    world.apply("DROP COLUMN docs.note");
    world.apply("CHANGE COLUMN docs.body TYPE VARCHAR(20), ADD COLUMN docs.n INTEGER");
    let found: String = world
        .db()
        .query_row("SELECT body FROM found WHERE found MATCH 'hello'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "hello");
}

#[test]
fn on_failure_pause_is_resumed_when_the_obstacle_is_gone() {
    let mut world = World::new(USERS);
    let id = world.generate("ADD COLUMN users.age INTEGER, SET NOT NULL users.email");
    let options = ApplyOptions { on_failure: OnFailure::Pause, ..ApplyOptions::default() };
    world.engine.apply(id, &options, &mut Silent).unwrap_err();
    let interrupted = world.another().interrupted().unwrap();
    assert!(interrupted[0].paused && interrupted[0].error.is_some(), "{interrupted:?}");
    let other = world.generate("ADD INDEX orders_amount ON orders (amount)");
    assert_eq!(world.try_apply(other).unwrap_err().code(), codes::INTERRUPTED);
    world.db().execute_batch("UPDATE users SET email = 'b@x' WHERE id = 2").unwrap();
    let report = world.engine.resume(id, &options, &mut Silent).unwrap();
    assert_eq!(report.status, MigrationStatus::Applied);
    assert_eq!(world.try_apply(other).unwrap(), MigrationStatus::Applied);
}

#[test]
fn what_is_retained_goes_when_its_time_has_come() {
    let mut world = World::new(USERS);
    let hidden = |world: &World| -> i64 {
        world
            .db()
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%dropped%' OR name LIKE '%dropped%'",
                [],
                |row| row.get(0),
            )
            .unwrap()
    };
    let keep = world.generate("DROP TABLE orders");
    let options = ApplyOptions { retain: Retain::For(Duration::ZERO), ..ApplyOptions::default() };
    world.engine.apply(keep, &options, &mut Silent).unwrap();
    assert_eq!(hidden(&world), 1);
    assert!(world.engine.info(keep).unwrap().retained);
    let second = world.apply("ADD COLUMN users.age INTEGER");
    assert_eq!(hidden(&world), 0, "the next run removes what is due");
    world.roll_back(RollbackTarget::Migration(second)).unwrap();
    assert_eq!(world.roll_back(RollbackTarget::Migration(keep)).unwrap_err().code(), codes::PURGED);

    let mut world = World::new(USERS);
    let id = world.generate("DROP COLUMN users.email");
    let options = ApplyOptions { retain: Retain::No, ..ApplyOptions::default() };
    world.engine.apply(id, &options, &mut Silent).unwrap();
    assert_eq!(hidden(&world), 0);
    let error = world.roll_back(RollbackTarget::Migration(id)).unwrap_err();
    assert!([codes::PURGED, codes::IRREVERSIBLE].contains(&error.code()), "{error}");

    let mut world = World::new(USERS);
    let id = world.apply("DROP COLUMN users.email");
    let before = world.state();
    assert_eq!(hidden(&world), 1);
    let purged = world.engine.purge(Some(id), None, &ApplyOptions::default(), &mut Silent).unwrap();
    assert_eq!((purged, hidden(&world)), (vec![id], 0));
    assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Applied);
    assert!(world.engine.verify().unwrap().is_empty());
    assert_ne!(world.state(), before, "the hidden column was part of the definition");
}

#[test]
fn drift_is_found_and_stops_a_rollback() {
    let mut world = World::new(USERS);
    assert_eq!(world.engine.verify().unwrap_err().code(), codes::NO_RECORD);
    let id = world.apply("ADD COLUMN users.age INTEGER");
    assert!(world.engine.verify().unwrap().is_empty());
    world
        .db()
        .execute_batch("ALTER TABLE users DROP COLUMN name; CREATE INDEX extra ON orders (amount);")
        .unwrap();
    let drift: Vec<String> = world.engine.verify().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["column users.name is gone", "index extra is new"]);
    let error = world.roll_back(RollbackTarget::Migration(id)).unwrap_err();
    assert_eq!(error.code(), codes::DRIFTED);
    assert!(error.message().contains("users.name"), "{error}");
    assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Applied);
}

#[test]
fn a_baseline_is_version_one() {
    let mut world = World::new(USERS);
    let before = world.state();
    world.engine.baseline(Some("as found")).unwrap();
    assert_eq!((world.state(), world.engine.version().unwrap()), (before.clone(), 1));
    world.apply("ADD COLUMN users.age INTEGER");
    assert_eq!(world.engine.version().unwrap(), 2);
    let target = world.engine.schema_at(1).unwrap();
    let changes = world.engine.detect(None, &target, &Answers::default()).unwrap().changes;
    assert_eq!(
        changes.iter().map(|change| change.statement.as_str()).collect::<Vec<_>>(),
        ["DROP COLUMN users.age"]
    );
    assert!(changes[0].destructive && changes[0].online && changes[0].reversible);
    let now = world.engine.schema().unwrap();
    let changes = world.engine.detect(Some(1), &now, &Answers::default()).unwrap().changes;
    assert_eq!(changes[0].statement, "ADD COLUMN users.age INTEGER");
    assert_eq!(world.roll_back(RollbackTarget::Last(2)).unwrap_err().code(), codes::IRREVERSIBLE);
    assert_eq!(world.engine.version().unwrap(), 2, "nothing was begun");
    world.roll_back(RollbackTarget::ToVersion(1)).unwrap();
    assert_eq!(world.state(), before);
}

#[test]
fn a_writer_in_the_way_is_waited_for_and_then_named() {
    let mut world = World::new(USERS);
    let id = world.generate("ADD COLUMN users.age INTEGER");
    let writer = world.db();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE users SET name = 'Eve' WHERE id = 1").unwrap();
    let mut options = ApplyOptions::default();
    options.run.lock_timeout = Duration::from_millis(100);
    options.run.retry_for = Duration::from_millis(300);
    let error = world.engine.apply(id, &options, &mut Silent).unwrap_err();
    assert_eq!(error.code(), codes::LOCKED, "{error}");
    assert!(error.is_retryable() && error.help().is_some());
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(world.engine.info(id).unwrap().status, MigrationStatus::Generated);
    assert_eq!(world.try_apply(id).unwrap(), MigrationStatus::Applied);
}

#[test]
fn a_read_only_database_can_be_looked_at() {
    let mut world = World::new(USERS);
    let id = world.generate("ADD COLUMN users.age INTEGER");
    let path = world.directory.path().join("app.db");
    let options = OpenOptions { read_only: true, ..OpenOptions::default() };
    let mut reader = Engine::open(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(reader.status().unwrap().len(), 1);
    assert_eq!(reader.describe(Some("users")).unwrap().rows.len(), 4);
    assert_eq!(reader.apply(id, &ApplyOptions::default(), &mut Silent).unwrap_err().code(), codes::READ_ONLY);
    assert_eq!(reader.info(id).unwrap().status, MigrationStatus::Generated);
}

#[test]
fn values_are_bound_and_never_pasted() {
    let mut world = World::new(USERS);
    let evil = Value::from("x'; DROP TABLE users; --");
    let params = [("name".to_owned(), evil.clone()), ("id".to_owned(), Value::Integer(2))];
    let done = world.engine.run_sql("UPDATE users SET name = @name WHERE id = @id", &params).unwrap();
    assert_eq!((done.changed, done.rows), (1, None));
    let found = world.engine.run_sql("SELECT name, @id FROM users WHERE name = @name", &params).unwrap();
    assert_eq!(found.rows.unwrap().rows, [[evil, Value::Integer(2)]]);
    let inserted = "INSERT INTO users (name) VALUES (@name) RETURNING id";
    let returned = world.engine.run_sql(inserted, &params).unwrap();
    assert_eq!((returned.changed, returned.rows.unwrap().rows), (1, vec![vec![Value::Integer(4)]]));
}

#[test]
fn describing() {
    let mut world = World::new(USERS);
    world.apply("ADD UNIQUE INDEX users_email ON users (email), DROP COLUMN users.name");
    let tables = world.engine.describe(None).unwrap();
    assert_eq!(tables.columns, ["name", "kind", "columns", "indexes", "rows"]);
    let names: Vec<&Value> = tables.rows.iter().map(|row| &row[0]).collect();
    assert_eq!(names, [&Value::from("orders"), &Value::from("users")]);
    let users = world.engine.describe(Some("USERS")).unwrap();
    let parts: Vec<(&Value, &Value)> = users.rows.iter().map(|row| (&row[0], &row[1])).collect();
    assert_eq!(
        parts,
        [
            (&Value::from("id"), &Value::from("key column")),
            (&Value::from("email"), &Value::from("column")),
            (&Value::from("users_pkey"), &Value::from("primary key")),
            (&Value::from("users_email"), &Value::from("unique index")),
        ]
    );
    let unknown = world.engine.describe(Some("user")).unwrap_err();
    assert_eq!((unknown.code(), unknown.help()), (codes::UNKNOWN_OBJECT, Some("did you mean users?")));
}

#[test]
fn the_users_triggers_see_the_users_statements_only() {
    let mut world = World::new(
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); CREATE TABLE log (what TEXT);
         CREATE TRIGGER t_changed AFTER UPDATE ON t BEGIN INSERT INTO log VALUES ('changed ' || new.a); END;
         INSERT INTO t VALUES (1, 'x'), (2, 'y');",
    );
    world.apply("ADD COLUMN t.c TEXT BACKFILL upper(b)");
    let logged = "SELECT count(*) FROM log";
    assert_eq!(world.db().query_row(logged, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    world.engine.run_sql("UPDATE t SET b = 'z' WHERE a = 1", &[]).unwrap();
    assert_eq!(world.db().query_row(logged, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut world = World::new(USERS);
    let id = world.generate("DROP TABLE orders");
    let before = world.state();
    let options = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
    let report = world.engine.apply(id, &options, &mut Silent).unwrap();
    assert_eq!((report.status, report.steps > 0), (MigrationStatus::Generated, true));
    assert_eq!(world.state(), before);
    assert_eq!(world.engine.version().unwrap(), 0);
}

/// A step that happens in one moment is recorded before only when the run stops at it; then it is.
#[test]
fn what_others_change_between_two_short_steps_stops_the_resume() {
    let mut world = World::new("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)");
    let id = world.generate("ADD COLUMN people.a TEXT, ADD COLUMN people.b TEXT, ADD COLUMN people.c TEXT");
    let options = ApplyOptions::default();
    let mut pausing = |progress: &RunProgress| if progress.step == 2 { Signal::Pause } else { Signal::Go };
    assert_eq!(world.engine.apply(id, &options, &mut pausing).expect_err("a pause").code(), codes::PAUSED);
    world.db().execute_batch("ALTER TABLE people ADD COLUMN other TEXT").expect("a change");
    let stopped = world.engine.resume(id, &options, &mut Silent).expect_err("drift");
    assert_eq!(stopped.code(), codes::DRIFTED, "{stopped}");
    world.db().execute_batch("ALTER TABLE people DROP COLUMN other").expect("the change is taken back");
    let report = world.engine.resume(id, &options, &mut Silent).expect("the rest");
    assert_eq!(report.status, MigrationStatus::Applied);
}
