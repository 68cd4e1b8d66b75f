//! One database and what is done with it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pql_engine::backend::Backend;
use pql_engine::{Engine, Location, OpenOptions};
use pql_planner::text;
use pql_schema::{Answers, Constraint, ConstraintKind, KeyPart, MigrationId, MigrationOp, Schema, Unique};

use super::case::Case;
pub(crate) use super::drive::{Drive, shown};
use super::state;
pub(crate) use super::variant::{VARIANTS, Variant};

/// A directory for databases, in memory where there is such a place: nothing here is about the disk.
pub(crate) fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

/// A fresh database and what it holds.
pub(crate) struct Start {
    /// Where it is.
    pub(crate) directory: tempfile::TempDir,
    /// What it holds.
    pub(crate) state: String,
}

impl Start {
    /// Makes it.
    pub(crate) fn new(case: &Case) -> Self {
        let directory = directory();
        let db = rusqlite::Connection::open(directory.path().join("start.db")).expect("a database");
        db.pragma_update(None, "journal_mode", "wal").expect("WAL");
        db.execute_batch(&case.schema).expect("a case's schema is valid");
        let state = state::of(&db);
        drop(db);
        Self { directory, state }
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Run {
        self.open_with(|backend| backend)
    }

    /// Opens it with something around the backend.
    pub(crate) fn open_with(&self, wrap: impl FnOnce(Box<dyn Backend>) -> Box<dyn Backend>) -> Run {
        let path = self.directory.path().join("start.db");
        let location: Location = path.to_str().expect("a path in UTF-8").parse().expect("a place");
        let backend = pql_engine::backend::open(&location, &OpenOptions::default()).expect("a database");
        Run { engine: Engine::with_backend(wrap(backend), Some("tester".to_owned())), path }
    }

    /// What the database holds now.
    pub(crate) fn now(&self) -> String {
        state::of(&plain(&self.directory.path().join("start.db")))
    }
}

/// An open database.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    path: PathBuf,
}

/// A connection of an ordinary program.
pub(crate) fn plain(path: &Path) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(path).expect("a database");
    db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    db.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    db
}

impl Drive for Run {
    fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }
}

impl Run {
    /// The plan as text, with the names it makes up replaced.
    pub(crate) fn plan(&mut self, id: MigrationId, variant: Variant) -> String {
        let (_, rows) = self
            .engine
            .plan(id, &variant.options())
            .unwrap_or_else(|error| panic!("PLAN: {}", shown(&error)));
        let tag = id
            .to_string()
            .rsplit('-')
            .next()
            .map(|part| part[part.len() - 8..].to_owned())
            .unwrap_or_default();
        let mut out = String::new();
        for row in rows {
            let _ = writeln!(
                out,
                "{} {}: {}",
                row.step.map_or("-".to_owned(), |step| step.to_string()),
                row.phase,
                row.action
            );
            for line in row.sql.lines() {
                // Enough to tell which statement it is; the rest is the backend's affair.
                let short: String = line.chars().take(80).collect();
                let _ = writeln!(out, "    {short}{}", if short.len() < line.len() { " …" } else { "" });
            }
            if !row.hazard.is_empty() {
                let _ = writeln!(out, "    ! {}", row.hazard);
            }
        }
        out.replace(&tag, "TAG")
    }

    /// Rebuilds the tables that a case is about twice, so that they are as they were before: a unique key over all
    /// columns comes and goes.
    pub(crate) fn rebuild(&mut self, case: &Case, variant: Variant) -> Vec<MigrationId> {
        let schema = self.engine.schema().expect("a schema");
        let touched: Vec<_> = self.operations(case).iter().flat_map(|op| op.tables(&schema)).collect();
        let mut made = Vec::new();
        for table in schema.tables.values().filter(|table| touched.contains(&table.name)) {
            let columns = table.columns.iter().filter(|column| column.generated.is_none());
            let columns = columns.map(|column| KeyPart::new(&column.name)).collect();
            let name = format!("all_of_{}", table.name.name);
            let unique = Unique { columns, nulls_not_distinct: false, on_conflict: None, deferrable: None };
            let constraint = Constraint {
                name: Some(name.clone()),
                kind: ConstraintKind::Unique(unique),
                not_valid: false,
            };
            let table = table.name.clone();
            let there = MigrationOp::AddConstraint { table: table.clone(), constraint };
            let back = MigrationOp::DropConstraint { table, name };
            for op in [there, back] {
                let id = self.engine.generate(vec![op], None).expect("a migration").id;
                self.apply(id, variant);
                made.push(id);
            }
        }
        made
    }

    /// Writes as the application does.
    pub(crate) fn write(&self, sql: &str) {
        plain(&self.path).execute_batch(sql).expect("the application can write");
    }

    /// What the database holds.
    pub(crate) fn state(&self) -> String {
        state::of(&plain(&self.path))
    }

    /// How the database is defined.
    pub(crate) fn definitions(&self) -> String {
        state::definitions(&plain(&self.path)).0
    }

    /// The file is whole, and so are its foreign keys.
    pub(crate) fn assert_sound(&self) {
        let db = plain(&self.path);
        let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(whole, "ok");
        let mut query = db.prepare("PRAGMA foreign_key_check").expect("a check");
        assert!(!query.exists([]).expect("a check"), "a foreign key points nowhere");
    }

    /// The schema is the one that the statement asked for: the model says so, DETECT says so, and a database built
    /// from the target says so.
    pub(crate) fn assert_target_reached(&mut self, case: &Case) {
        let ops = {
            // What the statement meant, against the schema that it was written for.
            let directory = directory();
            let path = directory.path().join("before.db");
            rusqlite::Connection::open(&path)
                .expect("a database")
                .execute_batch(&case.schema)
                .expect("a schema");
            let mut before = Run { engine: open(&path), path };
            (before.engine.schema().expect("a schema"), before.operations(case))
        };
        let (mut target, ops) = ops;
        if ops.iter().any(|op| matches!(op, MigrationOp::Execute { .. })) {
            return;
        }
        target.apply_all(&ops).expect("operations that were accepted");
        let found = self.engine.detect(None, &target, &Answers::default()).expect("a detection");
        let left: Vec<String> = found.changes.into_iter().map(|change| change.statement).collect();
        assert!(left.is_empty() && found.questions.is_empty(), "{}: DETECT still finds {left:?}", case.name);
        let direct = built(&target);
        let mut now = self.engine.schema().expect("a schema");
        now.version = 0;
        assert!(
            direct.same_as(&now) && now.same_as(&direct),
            "{}: not as if built directly\n{}\n{}",
            case.name,
            text::schema(&direct),
            text::schema(&now)
        );
    }
}

fn open(path: &Path) -> Engine {
    Engine::open(path.to_str().expect("a path in UTF-8"), &OpenOptions::default()).expect("a database")
}

/// The schema of a database that was built from a target.
fn built(target: &Schema) -> Schema {
    let directory = directory();
    let path = directory.path().join("target.db");
    let db = rusqlite::Connection::open(&path).expect("a database");
    let ddl = text::schema_in(target, &text::SQLITE);
    db.execute_batch(&ddl).unwrap_or_else(|error| panic!("{error}: {ddl}"));
    drop(db);
    open(&path).schema().expect("a schema")
}
