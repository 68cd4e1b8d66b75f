//! A case in one variant: its database before and after, from which each attempt starts with a copy.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pql_engine::{Engine, OpenOptions};
use pql_schema::{MigrationId, MigrationStatus};
use tempfile::TempDir;

use crate::child;
use crate::support::case::Case;
use crate::support::run::{Drive as _, Start, Variant};
use crate::support::state;
use crate::writer::{self, Script, connect};

/// What a child process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Applies the migration.
    Apply,
    /// Rolls it back.
    Rollback,
}

/// What a database is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Schema texts, rows, rowids, sequences.
    pub(crate) state: String,
    /// The names of PQL's own triggers.
    pub(crate) triggers: String,
}

impl Picture {
    /// The rows of these tables count without their rowids.
    pub(crate) fn of(file: &Path, numbered_anew: &[String]) -> Self {
        let db = connect(file);
        let mut names = db
            .prepare("SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '\\_pql%' ESCAPE '\\' ORDER BY name")
            .expect("a schema");
        let mut rows = names.query([]).expect("a schema");
        let mut triggers = String::new();
        while let Some(row) = rows.next().expect("a schema") {
            let (table, name): (String, String) = (row.get(0).expect("a name"), row.get(1).expect("a name"));
            let _ = writeln!(triggers, "{name} on {table}");
        }
        drop(rows);
        drop(names);
        Self { state: state::of_but_numbers(&db, numbered_anew), triggers }
    }
}

/// A case that is ready to be run again and again.
pub(crate) struct Template {
    /// Where its files are.
    directory: TempDir,
    pub(crate) variant: Variant,
    pub(crate) id: MigrationId,
    pub(crate) script: Script,
    /// Before, and after a rollback.
    pub(crate) before: Picture,
    /// After an application.
    pub(crate) after: Picture,
    /// Tables that are without rowids on one of the two sides: the application decides in which order rows get theirs.
    pub(crate) numbered_anew: Vec<String>,
    /// How many statements change the file, there and back.
    statements: [u64; 2],
}

impl Template {
    /// Runs the case once to its end and back.
    pub(crate) fn new(case: &Case, variant: Variant) -> Self {
        let start = Start::new(case);
        let id = start.open().generate(case);
        let directory = start.directory;
        let at = |name: &str| directory.path().join(name);
        let (generated, applied, list) = (at("start.db"), at("applied.db"), at("list"));
        fs::copy(&generated, &applied).expect("a copy");
        let clean = |task, file: &Path| {
            let _ = fs::remove_file(&list);
            let (status, said) = child::run(task, variant, id, file, &format!("list:{}", list.display()));
            assert!(status.success(), "{}, {}: {task:?} fails: {said}", case.name, variant.name());
            fs::read_to_string(&list).expect("a list").lines().count() as u64
        };
        let forward = clean(Task::Apply, &applied);
        let numbered_anew: Vec<String> =
            [&generated, &applied].into_iter().flat_map(|file| without_rowids(file)).collect();
        let [before, after] = [&generated, &applied].map(|file| Picture::of(file, &numbered_anew));
        let back = at("back.db");
        fs::copy(&applied, &back).expect("a copy");
        let backward = clean(Task::Rollback, &back);
        let rolled_back = Picture::of(&back, &numbered_anew);
        assert_eq!(before, rolled_back, "{}, {}: comes back changed", case.name, variant.name());
        assert_eq!(status(&back, id), MigrationStatus::RolledBack);

        let script = writer::script(&case.statement, [&generated, &applied]);
        Self { directory, variant, id, script, before, after, numbered_anew, statements: [forward, backward] }
    }

    /// How many statements of a task change the file.
    pub(crate) fn statements(&self, task: Task) -> u64 {
        self.statements[task as usize]
    }

    /// A fresh copy of the database that a task starts from.
    pub(crate) fn copy(&self, task: Task) -> PathBuf {
        let from = match task {
            Task::Apply => "start.db",
            Task::Rollback => "applied.db",
        };
        let work = self.directory.path().join("work.db");
        for extension in ["db-wal", "db-shm", "db-journal"] {
            // Of the attempt before; there may be none.
            let _ = fs::remove_file(work.with_extension(extension));
        }
        fs::copy(self.directory.path().join(from), &work).expect("a copy");
        work
    }
}

/// The tables of a database that are declared WITHOUT ROWID.
fn without_rowids(file: &Path) -> Vec<String> {
    let db = connect(file);
    let mut query =
        db.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND wr").expect("a list");
    let names = query.query_map([], |row| row.get(0)).expect("a list");
    names.collect::<Result<_, _>>().expect("names")
}

/// Opens a database as the next session does.
pub(crate) fn open(file: &Path) -> Engine {
    let url = file.to_str().expect("a path in UTF-8");
    Engine::open(url, &OpenOptions::default()).expect("a database")
}

/// Where the migration is in its life.
pub(crate) fn status(file: &Path, id: MigrationId) -> MigrationStatus {
    open(file).info(id).expect("a row").status
}
