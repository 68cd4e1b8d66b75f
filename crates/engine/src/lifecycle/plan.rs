//! MIGRATE PLAN: what an APPLY would do, without doing it.

use pql_planner::{Plan, PlanRow, explain};
use pql_schema::{MigrationId, MigrationOp, Schema};

use crate::journal::Record;
use crate::options::ApplyOptions;
use crate::{Engine, Error, Result, codes};

use super::apply::not_applied;
use super::drift::differences;
use super::planning::{self, Planned};

impl Engine {
    /// The plan of a migration, and the same as rows for people with the exact statements.
    pub fn plan(&mut self, id: MigrationId, options: &ApplyOptions) -> Result<(Plan, Vec<PlanRow>)> {
        let record = self.record(id)?;
        let plan = if record.run.is_some() {
            // What has begun is done as it was planned.
            self.journal.plan(self.backend.connection(), id, record.attempt)?.plan
        } else {
            not_applied(&record)?;
            let schema = self.backend.introspect()?;
            self.planned(&record, &schema, options)?.plan
        };
        let statements = |action: &_| self.backend.statements(&plan, action);
        let rows = explain(&plan, &statements);
        Ok((plan, rows))
    }

    /// The same for operations that are not saved, over a schema that the database may not have yet.
    pub fn plan_operations(
        &mut self,
        schema: &Schema,
        operations: &[MigrationOp],
        options: &ApplyOptions,
    ) -> Result<(Plan, Vec<PlanRow>)> {
        let plan = planning::make(self.backend.as_mut(), schema, operations, options, "plan")?.plan;
        planning::check_columns(self.backend.as_mut(), schema, operations)?;
        let rows = explain(&plan, &|action: &_| self.backend.statements(&plan, action));
        Ok((plan, rows))
    }

    /// Plans a migration's next attempt, unless its tables have moved.
    pub(super) fn planned(
        &mut self,
        record: &Record,
        schema: &Schema,
        options: &ApplyOptions,
    ) -> Result<Planned> {
        let moved = differences(&record.base, &schema.part(&record.touches));
        if let Some(first) = moved.first() {
            let more =
                if moved.len() > 1 { format!(" (and {} more)", moved.len() - 1) } else { String::new() };
            return Err(Error::new(
                codes::MOVED,
                format!("the schema has changed since this migration was generated: {first}{more}"),
            )
            .with_help("generate the migration again"));
        }
        let tag = planning::tag(record.migration.id, record.attempt + 1);
        planning::make(self.backend.as_mut(), schema, &record.migration.operations, options, &tag)
    }
}
