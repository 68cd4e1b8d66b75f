//! Applies and rolls back the files of a directory.

use std::path::PathBuf;

use chrono::Utc;
use pql_engine::{Report, Signal, Value};
use pql_planner::PlanRow;
use pql_schema::{Answers, MigrationStatus};
use serde::Serialize;

use super::apply::{apply, roll_back};
use super::create::{self, Created};
use super::directory::Directory;
use super::ledger::{self, Entry, StatusRow};
use super::progress::ProgressReporter;
use super::validate::{self, Prepared, ValidationResult};
use crate::ApplicationSchema;
use crate::codes;
use crate::error::Error;
use crate::interpreter::Interpreter;
use crate::job::{Event, Line};
use crate::output::ResultSet;
use crate::session::Session;

/// How files are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct MigrationConfig {
    /// Where the files are.
    pub migrations_dir: PathBuf,
    /// Validate and plan, and do nothing.
    pub dry_run: bool,
    /// How long to try for a lock in all; a single attempt is bounded by the setting `lock_timeout`.
    pub lock_timeout_secs: u64,
    /// Take back what a failed migration did; otherwise it is paused where it failed.
    pub auto_rollback: bool,
    /// Operations that may run at the same time, where the database can.
    pub max_concurrent_ops: usize,
    /// Accept operations that lose data.
    pub allow_destructive: bool,
    /// Accept files that are older than the newest applied one.
    pub allow_out_of_order: bool,
}

impl Default for MigrationConfig {
    fn default() -> Self {
        Self {
            migrations_dir: PathBuf::from("migrations"),
            dry_run: false,
            lock_timeout_secs: 300,
            auto_rollback: true,
            max_concurrent_ops: 4,
            allow_destructive: false,
            allow_out_of_order: false,
        }
    }
}

/// How an executor works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationExecutorConfig {
    /// How files are applied.
    pub config: MigrationConfig,
    /// Report every step's progress, not only beginnings and ends.
    pub verbose: bool,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MigrationResult {
    /// `001_add_status_column`.
    pub migration_id: String,
    /// Whether it was done.
    pub success: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Why it was not done.
    pub error: Option<String>,
    /// Rows written.
    pub rows_affected: u64,
}

/// The plan of one pending file.
#[derive(Debug, Clone)]
pub struct PlannedFile {
    /// `001_add_status_column`.
    pub id: String,
    /// Its steps; `None` when they can only be known once the files before it have run.
    pub steps: Option<ResultSet>,
}

/// Applies and rolls back the files of a directory.
#[derive(Debug)]
pub struct MigrationExecutor<'s> {
    session: &'s mut Session,
    config: MigrationExecutorConfig,
    /// Tells what happens.
    pub progress: ProgressReporter,
}

impl<'s> MigrationExecutor<'s> {
    /// An executor for the session's database.
    pub fn new(session: &'s mut Session, config: MigrationExecutorConfig) -> Self {
        Self { session, config, progress: ProgressReporter::default() }
    }

    /// Makes the directory and opens the database, so that what is wrong with either is known now.
    pub async fn initialize(&mut self) -> Result<(), Error> {
        let path = self.config.config.migrations_dir.clone();
        std::fs::create_dir_all(&path).map_err(|error| {
            Error::new(codes::FILE, format!("cannot make {}: {error}", path.display())).with_source(error)
        })?;
        self.call(|interpreter, _| interpreter.engine().map(|_| ())).await
    }

    /// Makes the next pair of files.
    pub fn create(&mut self, words: &str) -> Result<Created, Error> {
        create::create(&self.config.config.migrations_dir, words, None, Utc::now())
    }

    /// The same, filled with what separates the database from a schema; `answers` to its questions by their ids.
    pub async fn create_from(
        &mut self,
        words: &str,
        schema: ApplicationSchema,
        answers: &[(String, bool)],
    ) -> Result<Created, Error> {
        let words = words.to_owned();
        let answers = Answers { by_id: answers.iter().cloned().collect(), ..Answers::default() };
        self.call(move |interpreter, config| {
            let before = interpreter.schema()?;
            let target = interpreter.lower_schema(&schema)?;
            let changes = interpreter.changes(&target, None, &answers)?;
            create::create(&config.migrations_dir, &words, Some((&changes, &before)), Utc::now())
        })
        .await
    }

    /// A line per file, in order.
    pub async fn status(&mut self) -> Result<Vec<StatusRow>, Error> {
        self.call(|interpreter, config| {
            let (_, entries) = survey(interpreter, config)?;
            Ok(entries.iter().map(Entry::row).collect())
        })
        .await
    }

    /// The same as rows (`id, status, description, applied_at, duration_ms`), and what is the matter with some of them.
    pub async fn status_rows(&mut self) -> Result<(ResultSet, Vec<String>), Error> {
        let mut rows = ResultSet::with_columns(&["id", "status", "description", "applied_at", "duration_ms"]);
        let mut problems = Vec::new();
        for row in self.status().await? {
            problems.extend(row.problem.as_ref().map(|problem| format!("{}: {problem}", row.id)));
            rows.push(vec![
                row.id.into(),
                row.status.as_str().into(),
                row.description.into(),
                row.applied_at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).into(),
                row.duration_ms.map_or(Value::Null, Value::Real),
            ]);
        }
        Ok((rows, problems))
    }

    /// Whether nothing is done.
    pub fn is_dry_run(&self) -> bool {
        self.config.config.dry_run
    }

    /// Looks at everything that `migrate_up` would run, and runs nothing.
    pub async fn validate_migration(&mut self, to: Option<u64>) -> Result<ValidationResult, Error> {
        Ok(self.prepared(to).await?.0)
    }

    /// The steps of every pending file.
    pub async fn plan(&mut self, to: Option<u64>) -> Result<Vec<PlannedFile>, Error> {
        let (validation, prepared) = self.prepared(to).await?;
        if let Some(error) = validation.into_error() {
            return Err(error);
        }
        self.call(move |interpreter, _| {
            let options = interpreter.settings.apply_options();
            let mut planned = Vec::new();
            for one in prepared {
                let steps = match &one.operations {
                    Some(ops) => {
                        let (_, steps) = interpreter.engine()?.plan_operations(&one.schema, ops, &options)?;
                        Some(rows(&steps))
                    }
                    None => None,
                };
                planned.push(PlannedFile { id: one.entry.id, steps });
            }
            Ok(planned)
        })
        .await
    }

    /// Applies the pending files up to a number, in order. Everything is validated before anything runs, and the first
    /// failure is the last file that is tried: it is in the results, the others are not.
    pub async fn migrate_up(&mut self, to: Option<u64>) -> Result<Vec<MigrationResult>, Error> {
        let (validation, prepared) = self.prepared(to).await?;
        if let Some(error) = validation.into_error() {
            return Err(error);
        }
        let mut results = Vec::new();
        for one in prepared {
            let id = one.entry.id.clone();
            if self.config.config.dry_run {
                results.push(MigrationResult::skipped(id));
                continue;
            }
            let config = self.config.config.clone();
            let result =
                self.run(&id, move |interpreter, line| apply(interpreter, &config, &one, line)).await?;
            // Another runner was quicker; what it says of it is its own.
            let Some(result) = result else { continue };
            let failed = !result.success;
            results.push(result);
            if failed {
                break;
            }
        }
        Ok(results)
    }

    /// Rolls back the newest applied files; one that stands half way is the newest of all.
    pub async fn migrate_down(&mut self, count: usize) -> Result<Vec<MigrationResult>, Error> {
        let newest: Vec<Entry> = self
            .call(move |interpreter, config| {
                let (_, entries) = survey(interpreter, config)?;
                let in_force = |entry: &Entry| entry.is_applied() || entry.is_interrupted();
                let mut applied: Vec<Entry> = entries.into_iter().filter(in_force).collect();
                applied.sort_by_key(|entry| {
                    std::cmp::Reverse((entry.is_interrupted(), entry.applied_version()))
                });
                applied.truncate(count);
                Ok(applied)
            })
            .await?;
        let mut results = Vec::new();
        for entry in newest {
            if self.config.config.dry_run {
                results.push(MigrationResult::skipped(entry.id));
                continue;
            }
            let config = self.config.config.clone();
            let id = entry.id.clone();
            let task = move |interpreter: &mut Interpreter, line: &Line| {
                roll_back(interpreter, &config, &entry, line).map(Some)
            };
            let Some(result) = self.run(&id, task).await? else { continue };
            let failed = !result.success;
            results.push(result);
            if failed {
                break;
            }
        }
        Ok(results)
    }

    /// Accepts the files as they are now: changed ones get the new checksum, missing ones are forgotten. Gives the
    /// ids of those it was done for.
    pub async fn repair(&mut self) -> Result<Vec<String>, Error> {
        self.call(|interpreter, config| {
            let (_, entries) = survey(interpreter, config)?;
            let mut repaired = Vec::new();
            for entry in entries.iter().filter(|entry| entry.is_changed() || entry.is_missing()) {
                let Some(recorded) = &entry.recorded else { continue };
                let mut origin = recorded.origin.clone();
                match &entry.file {
                    Some(file) => origin.checksum.clone_from(&file.up.checksum),
                    None => origin.forgotten = true,
                }
                interpreter.engine()?.set_attributes(recorded.info.migration_id, &origin.to_json())?;
                repaired.push(entry.id.clone());
            }
            Ok(repaired)
        })
        .await
    }

    async fn prepared(&mut self, to: Option<u64>) -> Result<(ValidationResult, Vec<Prepared>), Error> {
        self.call(move |interpreter, config| {
            let (directory, entries) = survey(interpreter, config)?;
            validate::validate(interpreter, config, &directory, &entries, to)
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Interpreter, &MigrationConfig) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let config = self.config.config.clone();
        self.session.worker().call(move |interpreter| task(interpreter, &config)).await
    }

    /// Runs one file as a job and passes its progress on; none when there was nothing to do for it.
    async fn run(
        &mut self,
        id: &str,
        task: impl FnOnce(&mut Interpreter, &Line) -> Result<Option<Report>, Error> + Send + 'static,
    ) -> Result<Option<MigrationResult>, Error> {
        let (answer, mut answered) = tokio::sync::oneshot::channel();
        let mut job = self.session.job(move |interpreter, line| {
            // The executor waits for it below.
            let _ = answer.send(task(interpreter, line));
            Ok(())
        })?;
        let mut begun = false;
        while let Some(event) = job.next().await {
            let signal = match event {
                Event::Progress(progress) => {
                    let first =
                        if begun { Signal::Go } else { self.progress.start(id, progress.steps as u64) };
                    begun = true;
                    let message = match &progress.waiting {
                        Some(what) => format!("waits for {what}"),
                        None => format!("{} {}", progress.phase, progress.action),
                    };
                    let told = self.config.verbose || progress.waiting.is_some();
                    let step = progress.step as u64;
                    let going = self.progress.running(progress);
                    let heard = if told { self.progress.update(step, message) } else { Signal::Go };
                    [first, going, heard]
                        .into_iter()
                        .find(|signal| *signal != Signal::Go)
                        .unwrap_or(Signal::Go)
                }
                Event::Paused => break,
                Event::Output(_) | Event::Finished(_) => Signal::Go,
            };
            match signal {
                Signal::Go => {}
                Signal::Pause => job.pause(),
                Signal::Cancel => job.cancel(),
            }
        }
        drop(job);
        let answer = (&mut answered).await.map_err(|_| Error::session_closed())?;
        if !begun && !matches!(answer, Ok(None)) {
            self.progress.start(id, 0);
        }
        let result = match answer {
            Ok(None) => return Ok(None),
            Ok(Some(report)) => MigrationResult::of_report(id, &report),
            Err(error) => MigrationResult::of_error(id, &error),
        };
        self.progress.complete(&result);
        Ok(Some(result))
    }
}

impl MigrationResult {
    fn of_report(id: &str, report: &Report) -> Self {
        let success = matches!(
            report.status,
            MigrationStatus::Applied | MigrationStatus::RolledBack | MigrationStatus::Cancelled
        );
        Self {
            migration_id: id.to_owned(),
            success,
            duration_ms: (report.duration.as_secs_f64() * 1e6).round() / 1e3,
            error: report.error.clone().filter(|_| !success),
            rows_affected: report.rows,
        }
    }

    fn of_error(id: &str, error: &Error) -> Self {
        let mut message = format!("{} ({})", error.message(), error.code());
        if let Some(help) = error.help() {
            message = format!("{message}\n  {help}");
        }
        Self {
            migration_id: id.to_owned(),
            success: false,
            duration_ms: 0.0,
            error: Some(message),
            rows_affected: 0,
        }
    }

    fn skipped(id: String) -> Self {
        Self { migration_id: id, success: true, duration_ms: 0.0, error: None, rows_affected: 0 }
    }
}

/// The directory beside the journal.
fn survey(interpreter: &mut Interpreter, config: &MigrationConfig) -> Result<(Directory, Vec<Entry>), Error> {
    let directory = Directory::read(&config.migrations_dir)?;
    let journal = interpreter.engine()?.status()?;
    let entries = ledger::entries(&directory, &journal);
    Ok((directory, entries))
}

fn rows(steps: &[PlanRow]) -> ResultSet {
    crate::interpreter::plan_rows(steps)
}
