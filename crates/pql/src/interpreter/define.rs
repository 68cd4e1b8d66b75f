//! Statements that define: lowered to operations; each statement of DDL is one migration, generated and applied.

use pql_planner::lower::{self, Context, Lowered};
use pql_schema::{MigrationOp, MigrationStrategy, ObjectName, Schema};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{Generate, Literal, Statement};

use super::operand::value_literal;
use super::{Interpreter, answers, of_place};
use crate::error::Error;
use crate::job::Line;
use crate::output::Answer;
use crate::params::Param;

impl Interpreter {
    /// A statement of DDL.
    pub(super) fn define(&mut self, statement: &Statement, line: &Line) -> Result<Answer, Error> {
        let lowered = self.lower_ddl(statement)?;
        let mut options = self.settings.apply_options();
        if lowered.online {
            options.strategy = MigrationStrategy::Online;
        }
        if lowered.ops.is_empty() {
            // IF EXISTS or IF NOT EXISTS had nothing to do.
            return Ok(Answer::Rows(answers::reports([])));
        }
        if self.settings.dry_run {
            let steps = self.preview(&lowered.ops, &options)?;
            return Ok(Answer::Rows(answers::plan(&steps)));
        }
        self.admit(&lowered.ops, &options)?;
        let migration = self.remember(lowered.ops, None)?;
        let report = self.run_to_apply(migration.id, &options, line)?;
        Ok(Answer::Rows(answers::reports([&report])))
    }

    /// The operations of a statement of DDL against the schema as it is.
    fn lower_ddl(&mut self, statement: &Statement) -> Result<Lowered, Error> {
        let schema = self.schema()?;
        self.lowered(&schema, |context| {
            lower::ddl(statement, context).expect("only statements of DDL come here")
        })
    }

    /// The operations of MIGRATE GENERATE.
    pub(super) fn lower_operations(&mut self, generate: &Generate) -> Result<Vec<MigrationOp>, Error> {
        let schema = self.schema()?;
        Ok(self.lowered(&schema, |context| lower::operations(generate, context))?.ops)
    }

    fn lowered(
        &mut self,
        schema: &Schema,
        lower: impl FnOnce(Context<'_>) -> Result<Lowered, Vec<Diagnostic>>,
    ) -> Result<Lowered, Error> {
        let dialect = self.dialect()?;
        let params = self.literals()?;
        lower(Context { dialect, schema, params: &params }).map_err(|mut findings| {
            self.explain_absences(&mut findings);
            Error::of_several(findings.iter().map(of_place))
                .expect("lowering fails with at least one finding")
        })
    }

    /// A table that the schema does not list may be there all the same.
    fn explain_absences(&mut self, findings: &mut [Diagnostic]) {
        for finding in findings {
            let Some(name) = finding.message.strip_prefix("there is no table ") else { continue };
            let parts: Vec<String> = name.split('.').map(|part| part.trim_matches('"').to_owned()).collect();
            let name = match parts.as_slice() {
                [name] => ObjectName::new(name.clone()),
                [schema, name] => ObjectName { schema: Some(schema.clone()), name: name.clone() },
                _ => continue,
            };
            if let Ok(Some(why)) = self.engine().and_then(|engine| Ok(engine.absence(&name)?)) {
                finding.help = Some(why);
            }
        }
    }

    /// The parameters as lowering asks for them.
    pub(super) fn literals(&mut self) -> Result<impl Fn(&str) -> Option<Literal> + use<>, Error> {
        let params = self.params.clone();
        let last = self.last_migration;
        let version = self.engine()?.version()?;
        Ok(move |name: &str| match (params.get(name), name) {
            (Some(Param::Value(value)), _) => Some(value_literal(value)),
            (None, "migration_id") => last.map(|id| Literal::String(id.to_string())),
            (None, "current_version") => Some(Literal::Number(version.to_string())),
            (Some(Param::Schema(_)) | None, _) => None,
        })
    }
}
