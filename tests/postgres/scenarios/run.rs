//! One database and what is done with it.

use pql_engine::backend::Backend;
use pql_engine::{Engine, Location, OpenOptions};
use pql_planner::text;
use pql_schema::{Answers, MigrationOp, Schema};

use super::case::Case;
pub(crate) use super::drive::{Drive, shown};
use super::state;
use crate::support::Database;

/// A fresh database and what it holds.
pub(crate) struct Start {
    /// Where it is.
    pub(crate) database: Database,
    /// What it holds.
    pub(crate) state: String,
}

impl Start {
    /// Makes it.
    pub(crate) fn new(case: &Case) -> Self {
        let database = Database::with(&case.schema);
        let state = state::of(&mut database.client());
        Self { database, state }
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Run<'_> {
        self.open_with(|backend| backend)
    }

    /// Opens it with something around the backend.
    pub(crate) fn open_with(&self, wrap: impl FnOnce(Box<dyn Backend>) -> Box<dyn Backend>) -> Run<'_> {
        let location: Location = self.database.url().parse().unwrap();
        let backend = pql_engine::backend::open(&location, &OpenOptions::default()).unwrap();
        Run {
            engine: Engine::with_backend(wrap(backend), Some("tester".to_owned())),
            database: &self.database,
        }
    }

    /// Writes as the application does.
    pub(crate) fn write(&self, sql: &str) {
        self.database.client().batch_execute(sql).expect("the application can write");
    }

    /// What the database holds now.
    pub(crate) fn now(&self) -> String {
        state::of(&mut self.database.client())
    }
}

/// An open database.
pub(crate) struct Run<'s> {
    pub(crate) engine: Engine,
    database: &'s Database,
}

impl Drive for Run<'_> {
    fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }
}

impl Run<'_> {
    /// What the database holds.
    pub(crate) fn state(&self) -> String {
        state::of(&mut self.database.client())
    }

    /// The schema that the statement asks for; none where that cannot be said.
    pub(crate) fn target(&mut self, case: &Case) -> Option<Schema> {
        let mut target = self.engine.schema().unwrap();
        let mut ops = self.operations(case);
        pql_planner::name_keys(&target, &mut ops);
        if ops.iter().any(|op| matches!(op, MigrationOp::Execute { .. })) {
            return None;
        }
        target.apply_all(&ops).expect("operations that were accepted");
        text::normalise_postgres(&mut target, None);
        Some(target)
    }

    /// DETECT finds nothing that separates the database from it.
    pub(crate) fn assert_reached(&mut self, case: &Case, target: &Schema) {
        let found = self.engine.detect(None, target, &Answers::default()).expect("a detection");
        let left: Vec<String> = found.changes.into_iter().map(|change| change.statement).collect();
        assert!(left.is_empty() && found.questions.is_empty(), "{}: DETECT still finds {left:?}", case.name);
    }
}
