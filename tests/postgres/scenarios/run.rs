//! One database and what is done with it.

use pql_engine::backend::Backend;
use pql_engine::{Engine, Error, Location, Observer, OpenOptions, Report, RollbackTarget, Silent};
use pql_planner::lower::{self, Context};
use pql_planner::{Dialect, text};
use pql_schema::{Answers, MigrationId, MigrationOp, MigrationStatus, Schema};
use pql_syntax::ast::Statement;

use super::case::Case;
use super::state;
use super::variant::Variant;
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

impl Run<'_> {
    /// The operations of a case's statement.
    pub(crate) fn operations(&mut self, case: &Case) -> Vec<MigrationOp> {
        let schema = self.engine.schema().unwrap();
        let context = Context { dialect: Dialect::Postgres, schema: &schema, params: &|_| None };
        let parse = pql_syntax::parse(&case.statement);
        assert!(parse.is_ok(), "{}: {:?}", case.name, parse.diagnostics());
        let statement = parse.statements().next().expect("a statement");
        let lowered = match &statement {
            Statement::Generate(generate) => lower::operations(generate, context),
            other => lower::ddl(other, context).expect("a statement that has operations"),
        };
        lowered.unwrap_or_else(|findings| panic!("{}: {findings:#?}", case.name)).ops
    }

    /// Generates the case's migration.
    pub(crate) fn generate(&mut self, case: &Case) -> MigrationId {
        let ops = self.operations(case);
        let migration = self.engine.generate(ops, None);
        migration.unwrap_or_else(|error| panic!("{}: GENERATE: {}", case.name, shown(&error))).id
    }

    /// Applies it.
    pub(crate) fn apply(&mut self, id: MigrationId, variant: Variant) -> Report {
        let report = self.try_apply(id, variant, &mut Silent);
        let report = report.unwrap_or_else(|error| panic!("APPLY, {}: {}", variant.name(), shown(&error)));
        assert_eq!(report.status, MigrationStatus::Applied);
        report
    }

    /// Tries to.
    pub(crate) fn try_apply(
        &mut self,
        id: MigrationId,
        variant: Variant,
        observer: &mut dyn Observer,
    ) -> Result<Report, Error> {
        self.engine.apply(id, &variant.options(), observer)
    }

    /// Rolls it back.
    pub(crate) fn rollback(&mut self, id: MigrationId) {
        let options = Variant::Online.options();
        let reports = self.engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent);
        let reports = reports.unwrap_or_else(|error| panic!("ROLLBACK: {}", shown(&error)));
        assert_eq!(reports[0].status, MigrationStatus::RolledBack);
    }

    /// What the database holds.
    pub(crate) fn state(&self) -> String {
        state::of(&mut self.database.client())
    }

    /// The schema that the statement asks for; none where that cannot be said.
    pub(crate) fn target(&mut self, case: &Case) -> Option<Schema> {
        let mut target = self.engine.schema().unwrap();
        let ops = self.operations(case);
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

/// An error with all that it says.
pub(crate) fn shown(error: &Error) -> String {
    format!("{} {error} {}", error.code(), error.help().unwrap_or_default())
}
