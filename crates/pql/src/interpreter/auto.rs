//! `auto_migrate`: the session brings the database to its application schema by itself, as far as nothing is lost.
//!
//! Several sessions that start at once do it once: whoever comes second finds either the lease taken, then it waits
//! and looks again, or the tables changed since it looked, then it looks again, and in the end there is nothing to do.

use std::thread;
use std::time::{Duration, Instant};

use pql_engine::{Change, codes};
use pql_schema::{Answers, MigrationOp, MigrationStatus, MigrationStrategy, Schema};

use super::{Interpreter, answers};
use crate::error::Error;
use crate::job::Line;
use crate::output::Answer;

/// Between two looks at a database that somebody else is changing.
const PATIENCE: Duration = Duration::from_millis(100);

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) warnings: Vec<String>,
}

impl Interpreter {
    /// Detects, generates, applies online what loses nothing, and holds the rest.
    pub(crate) fn auto_migrate(&mut self, line: &Line) -> Result<Outcome, Error> {
        let until = Instant::now() + self.settings.retry_for;
        loop {
            match self.auto_migrate_once(line) {
                Err(error) if is_somebody_else(&error) && Instant::now() < until => thread::sleep(PATIENCE),
                outcome => return outcome,
            }
        }
    }

    fn auto_migrate_once(&mut self, line: &Line) -> Result<Outcome, Error> {
        let schema =
            self.settings.application_schema.clone().expect("it is asked for only when there is one");
        let target = self.lower_schema(&schema)?;
        let changes = self.changes(&target, None, &Answers::default()).map_err(|error| {
            let Some(id) = error.questions().first().map(|question| question.id.clone()) else { return error };
            // SET takes no answers.
            error.with_help(format!(
                "answer with `MIGRATE GENERATE TO application_schema = … WITH {id} = false` first and apply that, or write \
                 RENAMED FROM in the schema"
            ))
        })?;
        let (held, safe) = divided(self.engine()?.schema()?, changes);
        let mut outcome = Outcome { answer: Answer::Done, warnings: Vec::new() };
        if !safe.is_empty() {
            let migration = self.remember(operations(&safe), Some("auto_migrate"))?;
            let mut options = self.settings.apply_options();
            options.strategy = MigrationStrategy::Online;
            match self.run_to_apply(migration.id, &options, line) {
                Ok(report) => outcome.answer = Answer::Rows(answers::reports([&report])),
                Err(error) => {
                    // Not ours any more: somebody else does the same work.
                    if is_somebody_else(&error) {
                        self.engine()?.cancel(migration.id, &options, &mut &*line)?;
                    }
                    return Err(error);
                }
            }
        }
        if !held.is_empty() {
            outcome.warnings.push(self.hold(&held)?);
        }
        Ok(outcome)
    }

    /// Generates what would lose data, once, and says so.
    fn hold(&mut self, held: &[Change]) -> Result<String, Error> {
        let ops = operations(held);
        let engine = self.engine()?;
        let mut migration = None;
        for info in engine.status()?.iter().filter(|info| info.status == MigrationStatus::Generated) {
            migration =
                Some(engine.migration(info.migration_id)?).filter(|it| it.operations == ops).or(migration);
        }
        let migration = match migration {
            Some(migration) => migration,
            // The last that the session generated: `@migration_id` is what is left to do.
            None => self.remember(ops, Some("auto_migrate: held"))?,
        };
        let what: Vec<&str> = held.iter().map(|change| change.statement.as_str()).collect();
        Ok(format!(
            "held, because it would lose data: {}; to do it: MIGRATE APPLY migration_id = '{}'",
            what.join(", "),
            migration.id
        ))
    }
}

/// What is held, and what is done: what loses nothing, unless it needs the room of what is held (a column that is
/// dropped and comes again as another).
fn divided(mut schema: Schema, changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    changes.into_iter().partition(|change| change.destructive || schema.apply(&change.op).is_err())
}

fn operations(changes: &[Change]) -> Vec<MigrationOp> {
    changes.iter().map(|change| change.op.clone()).collect()
}

fn is_somebody_else(error: &Error) -> bool {
    [codes::LEASE, codes::MOVED, codes::INTERRUPTED, codes::INVALID].contains(&error.code())
}
