//! MIGRATE DETECT: the operations that take the database to a wanted schema.

use pql_planner::text::{count_by_type, normalise_postgres, normalise_sqlite, pql, statement_in};
use pql_planner::{Dialect, Lock, Severity};
use pql_schema::{Answers, MigrationOp, Question, Schema, diff};
use serde::Serialize;

use crate::options::ApplyOptions;
use crate::{Engine, Error, Result, codes};

use super::planning;

/// What separates the database from a wanted schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// The operations in the order in which they would run.
    pub changes: Vec<Change>,
    /// What could be read in two ways; as long as one is not answered, its change is the safe reading.
    pub questions: Vec<Question>,
    /// Answers to questions that do not arise.
    pub unused_answers: Vec<String>,
}

/// One operation of a detection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The operation.
    pub op: MigrationOp,
    /// The same in PQL.
    pub statement: String,
    /// What it is about.
    pub object: String,
    /// It can be done while the application works.
    pub online: bool,
    /// It can be taken back.
    pub reversible: bool,
    /// It loses data once retention ends.
    pub destructive: bool,
    /// What the author should know.
    pub warning: Option<String>,
}

impl Engine {
    /// What takes the database (or its schema of a version of the past) to `target`.
    pub fn detect(&mut self, from: Option<u64>, target: &Schema, answers: &Answers) -> Result<Detection> {
        let current = match from {
            Some(version) if version != self.version()? => self.schema_at(version)?,
            _ => self.backend.introspect()?,
        };
        let mut target = target.clone();
        match self.capabilities().dialect {
            Dialect::Sqlite => normalise_sqlite(&mut target, Some(&current)),
            Dialect::Postgres => {
                self.backend.normalise(&current, &mut target)?;
                normalise_postgres(&mut target, Some(&current));
            }
        }
        let mut found = diff(&current.visible(), &target, answers).map_err(|error| {
            let refused = Error::new(codes::TARGET, error.to_string());
            match error.help() {
                Some(help) => refused.with_help(help),
                None => refused,
            }
        })?;
        if self.capabilities().dialect == Dialect::Postgres {
            found.ops.iter_mut().for_each(with_sequences);
        }
        let changes = self.changes(&current, found.ops)?;
        Ok(Detection { changes, questions: found.questions, unused_answers: found.unused_answers })
    }

    /// What there is to know about operations before they are generated.
    pub fn changes(&mut self, schema: &Schema, ops: Vec<MigrationOp>) -> Result<Vec<Change>> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let planned = planning::make(self.backend.as_mut(), schema, &ops, &ApplyOptions::default(), "detect");
        let mut before = schema.clone();
        let style = pql(schema.names);
        let mut changes = Vec::new();
        for (position, op) in ops.into_iter().enumerate() {
            let mut change = Change {
                statement: statement_in(&op, style),
                object: op.objects().first().map(ToString::to_string).unwrap_or_default(),
                online: true,
                reversible: true,
                destructive: op.is_destructive(&before),
                warning: None,
                op,
            };
            match &planned {
                Ok(planned) => {
                    let mut warnings = Vec::new();
                    for step in
                        planned.plan.steps.iter().filter(|step| step.op.is_none_or(|op| op == position))
                    {
                        change.online &= step.lock != Lock::Long;
                        change.reversible &= !step.irreversible;
                        let hazards = step.hazards.iter().filter(|hazard| hazard.severity > Severity::Note);
                        warnings.extend(hazards.map(|hazard| hazard.message.as_str()));
                    }
                    warnings.dedup();
                    change.warning = (!warnings.is_empty()).then(|| warnings.join(" "));
                }
                Err(error) => {
                    change.online = false;
                    change.warning = Some(error.to_string());
                }
            }
            // The whole list was diffed from a model, so each operation applies to what those before it made.
            let _ = before.apply(&change.op);
            changes.push(change);
        }
        Ok(changes)
    }
}

/// What is created brings its own sequences along.
fn with_sequences(op: &mut MigrationOp) {
    match op {
        MigrationOp::CreateTable { table } => {
            table.columns.iter_mut().for_each(|column| count_by_type(&table.name, column));
        }
        MigrationOp::AddColumn { table, column, .. } => count_by_type(table, column),
        _ => {}
    }
}
