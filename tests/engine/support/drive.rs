//! A case's migration from its statement to its end and back, on whatever database the engine is open.

use pql_engine::{Engine, Error, Observer, Report, RollbackTarget, Silent};
use pql_planner::lower::{self, Context};
use pql_schema::{MigrationId, MigrationOp, MigrationStatus};
use pql_syntax::ast::Statement;

use super::case::Case;
use super::variant::Variant;

/// Who has an engine on a case's database.
pub(crate) trait Drive {
    /// The engine.
    fn engine(&mut self) -> &mut Engine;

    /// The operations of a case's statement.
    fn operations(&mut self, case: &Case) -> Vec<MigrationOp> {
        let dialect = self.engine().capabilities().dialect;
        let schema = self.engine().schema().expect("a schema");
        let context = Context { dialect, schema: &schema, params: &|_| None };
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
    fn generate(&mut self, case: &Case) -> MigrationId {
        let ops = self.operations(case);
        let migration = self.engine().generate(ops, None);
        migration.unwrap_or_else(|error| panic!("{}: GENERATE: {}", case.name, shown(&error))).id
    }

    /// Applies it.
    fn apply(&mut self, id: MigrationId, variant: Variant) -> Report {
        let report = self.try_apply(id, variant, &mut Silent);
        let report = report.unwrap_or_else(|error| panic!("APPLY, {}: {}", variant.name(), shown(&error)));
        assert_eq!(report.status, MigrationStatus::Applied);
        report
    }

    /// Tries to.
    fn try_apply(
        &mut self,
        id: MigrationId,
        variant: Variant,
        observer: &mut dyn Observer,
    ) -> Result<Report, Error> {
        self.engine().apply(id, &variant.options(), observer)
    }

    /// Rolls it back.
    fn rollback(&mut self, id: MigrationId) {
        let options = Variant::Online.options();
        let reports = self.engine().rollback(RollbackTarget::Migration(id), &options, &mut Silent);
        let reports = reports.unwrap_or_else(|error| panic!("ROLLBACK: {}", shown(&error)));
        assert_eq!(reports[0].status, MigrationStatus::RolledBack);
    }
}

/// An error with all that it says.
pub(crate) fn shown(error: &Error) -> String {
    format!("{} {error} {}", error.code(), error.help().unwrap_or_default())
}
