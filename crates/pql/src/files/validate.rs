//! What is looked at before any file runs.

use std::path::Path;

use pql_engine::Location;
use pql_planner::Dialect;
use pql_schema::{MigrationOp, Schema};
use serde::Serialize;

use super::directory::{Directory, MigrationFile};
use super::disk;
use super::executor::MigrationConfig;
use super::ledger::{Entry, FileStatus};
use super::script::Script;
use super::way_back;
use crate::codes;
use crate::error::Error;
use crate::interpreter::Interpreter;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Nothing is run.
    Error,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its stable code.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, with the file.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// What a validation found.
#[derive(Debug, Default, Serialize)]
pub struct ValidationResult {
    /// Whether everything may run.
    pub valid: bool,
    /// What was found.
    pub checks: Vec<Check>,
    /// Additional disk space that the pending files are expected to take.
    pub estimated_disk_space_mb: f64,
    /// How long they are expected to take.
    pub estimated_duration_secs: f64,
    /// The errors, with their places.
    #[serde(skip)]
    pub(crate) errors: Vec<Error>,
}

/// A pending file, ready to be run.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) entry: Entry,
    /// Its operations; `None` when they can only be known once the files before it have run.
    pub(crate) operations: Option<Vec<MigrationOp>>,
    /// The schema that they were lowered against.
    pub(crate) schema: Schema,
}

impl ValidationResult {
    fn note(&mut self, code: &str, message: String) {
        self.checks.push(Check { code: code.to_owned(), severity: Severity::Note, message, help: None });
    }

    fn error(&mut self, error: Error) {
        for one in error.all() {
            let message = match one.origin() {
                Some((name, _)) => format!("{name}: {}", one.message()),
                None => one.message().to_owned(),
            };
            self.checks.push(Check {
                code: one.code().to_owned(),
                severity: Severity::Error,
                message,
                help: one.help().map(ToOwned::to_owned),
            });
        }
        self.errors.push(error);
    }

    fn refuse(&mut self, code: &'static str, message: String, help: &str) {
        self.error(Error::new(code, message).with_help(help));
    }

    /// One error out of all.
    pub(crate) fn into_error(self) -> Option<Error> {
        Error::of_several(self.errors)
    }
}

/// Everything about the directory and the pending files up to a number; nothing runs.
pub(crate) fn validate(
    interpreter: &mut Interpreter,
    config: &MigrationConfig,
    directory: &Directory,
    entries: &[Entry],
    to: Option<u64>,
) -> Result<(ValidationResult, Vec<Prepared>), Error> {
    let mut result = ValidationResult::default();
    for (code, message) in &directory.problems {
        result.refuse(code, message.clone(), &format!("`pql explain {code}` says more"));
    }
    check_history(&mut result, config, entries, to);
    let prepared = prepare(&mut result, interpreter, config, entries, to)?;
    check_cost(&mut result, interpreter, &prepared)?;
    result.valid = result.errors.is_empty();
    Ok((result, prepared))
}

/// Whether the files still are what the journal says was applied.
fn check_history(
    result: &mut ValidationResult,
    config: &MigrationConfig,
    entries: &[Entry],
    to: Option<u64>,
) {
    for entry in entries {
        let path = config.migrations_dir.join(&entry.id);
        if entry.is_changed() {
            result.refuse(
                codes::FILE_CHANGED,
                format!("`{}.up.sql` was changed after it was applied", path.display()),
                "restore it and write the change as a new migration, or accept it with `pql migrate repair`",
            );
        }
        if let Some(id) = entry.migration_id().filter(|_| entry.is_changed_midway()) {
            result.refuse(
                codes::FILE_CHANGED,
                format!(
                    "`{}.up.sql` was changed after it was begun, and that run is not finished",
                    path.display()
                ),
                &format!(
                    "restore it to finish that run, or take it back with MIGRATE CANCEL migration_id = '{id}'"
                ),
            );
        }
        if entry.is_missing() {
            result.refuse(
                codes::FILE_MISSING,
                format!("`{}.up.sql` is applied and not there any more", path.display()),
                "restore it, or accept that it is gone with `pql migrate repair`",
            );
        }
    }
    let Some(newest) = entries.iter().filter(|entry| entry.is_applied()).map(|entry| entry.number).max()
    else {
        return;
    };
    if config.allow_out_of_order {
        return;
    }
    for entry in pending(entries, to).filter(|entry| entry.number < newest) {
        result.refuse(
            codes::OUT_OF_ORDER,
            format!("`{}` is older than {newest:03}, which is applied", entry.id),
            "give it the next free number, or say --allow-out-of-order",
        );
    }
}

/// What is not applied, in order.
pub(crate) fn pending(entries: &[Entry], to: Option<u64>) -> impl Iterator<Item = &Entry> {
    entries
        .iter()
        .filter(move |entry| to.is_none_or(|to| entry.number <= to))
        .filter(|entry| entry.file.is_some() && !entry.is_applied())
}

fn prepare(
    result: &mut ValidationResult,
    interpreter: &mut Interpreter,
    config: &MigrationConfig,
    entries: &[Entry],
    to: Option<u64>,
) -> Result<Vec<Prepared>, Error> {
    let dialect = interpreter.dialect()?;
    let mut schema = interpreter.schema()?;
    let mut prepared = Vec::new();
    // SQL that PQL does not model may make what a later file names.
    let mut certain = true;
    for entry in pending(entries, to) {
        let Some(file) = &entry.file else { continue };
        let before = schema.clone();
        // What was begun is in the database in parts; what counts is what it leads to.
        if let (FileStatus::Interrupted, Some(id)) = (entry.status(), entry.migration_id()) {
            schema = interpreter.engine()?.schema_after(id)?;
            prepared.push(Prepared { entry: entry.clone(), operations: None, schema: before });
            continue;
        }
        let operations = match check_file(result, config, file, &mut schema, dialect, certain) {
            Ok(operations) => operations,
            Err(error) => {
                result.error(error);
                continue;
            }
        };
        let unmodelled = |op: &MigrationOp| matches!(op, MigrationOp::Execute { .. });
        certain = certain && operations.as_ref().is_some_and(|ops| !ops.iter().any(unmodelled));
        prepared.push(Prepared { entry: entry.clone(), operations, schema: before });
    }
    Ok(prepared)
}

/// One file: it parses, it can be rolled back, it loses nothing that it must not, and it fits the schema.
fn check_file(
    result: &mut ValidationResult,
    config: &MigrationConfig,
    file: &MigrationFile,
    schema: &mut Schema,
    dialect: Dialect,
    certain: bool,
) -> Result<Option<Vec<MigrationOp>>, Error> {
    let before = schema.clone();
    let script = Script::read(&file.up)?;
    let down = file.down.as_ref().map(Script::read).transpose()?;
    // What has only its header yet says nothing of the way back.
    let down = down.filter(|down| !down.is_empty());
    let lowered = match script.operations(schema, dialect) {
        Err(_) if !certain => {
            result.note(
                codes::NOT_YET_KNOWN,
                format!("{}: looked at when the files before it have run", file.id),
            );
            None
        }
        lowered => Some(lowered?),
    };
    let mut dangers = script.dangers();
    if let Some(ops) = &lowered {
        if ops.is_empty() {
            return Err(Error::new(codes::EMPTY_FILE, format!("`{}` has no statement", file.up.name()))
                .with_help("write what it should do, or remove it"));
        }
        dangers.extend(narrowing(ops, &before));
    }
    if !dangers.is_empty() && !config.allow_destructive {
        result.refuse(
            codes::DANGEROUS,
            format!("`{}` loses data: {}", file.up.name(), dangers.join(", ")),
            "say --allow-destructive if that is meant",
        );
    }
    let irreversible =
        lowered.iter().flatten().any(|op| matches!(op, MigrationOp::Execute { revert: None, .. }));
    match (&down, irreversible) {
        (None, true) => result.refuse(
            codes::NO_WAY_BACK,
            format!("`{}` has no down file, and SQL in it has no way back by itself", file.up.name()),
            &format!("write {}.down.sql with the opposite change", file.id),
        ),
        (None, false) => {
            result
                .note(codes::NO_WAY_BACK, format!("{}: no down file; it is rolled back by itself", file.id));
        }
        (Some(_), _) => {}
    }
    match (lowered, &down) {
        (Some(ops), Some(down)) => Ok(Some(way_back::attach(ops, &before, down, dialect)?)),
        (lowered, _) => Ok(lowered),
    }
}

/// Types that become narrower.
fn narrowing(ops: &[MigrationOp], before: &Schema) -> Vec<String> {
    let mut schema = before.clone();
    let mut found = Vec::new();
    for op in ops {
        if let MigrationOp::ChangeColumnType { table, column, to, .. } = op
            && op.is_destructive(&schema)
        {
            found.push(format!("the type of {table}.{column} becomes {to}, which is narrower"));
        }
        // Lowering has applied them all before.
        let _ = schema.apply(op);
    }
    found
}

fn check_cost(
    result: &mut ValidationResult,
    interpreter: &mut Interpreter,
    prepared: &[Prepared],
) -> Result<(), Error> {
    let options = interpreter.settings.apply_options();
    let mut bytes = 0u64;
    let mut millis = 0.0;
    for one in prepared.iter().filter(|one| one.entry.status() != FileStatus::Interrupted) {
        let Some(ops) = &one.operations else { continue };
        match interpreter.engine()?.plan_operations(&one.schema, ops, &options) {
            Ok((plan, _)) => {
                bytes += plan.steps.iter().map(|step| step.estimate.disk_bytes).sum::<u64>();
                millis += plan.steps.iter().map(|step| step.estimate.millis).sum::<f64>();
            }
            Err(error) => {
                let file =
                    one.entry.file.as_ref().map_or_else(|| one.entry.id.clone(), |file| file.up.name());
                let message = format!("`{file}`: {}", error.message());
                let own = Error::from(error);
                result.error(own.with_message(message));
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    let megabytes = bytes as f64 / (1024.0 * 1024.0);
    result.estimated_disk_space_mb = megabytes;
    result.estimated_duration_secs = millis / 1e3;
    let file = interpreter.url().and_then(|url| match url.parse() {
        Ok(Location::SqliteFile(path)) => Some(path),
        _ => None,
    });
    if let Some(free) = file.as_deref().map(Path::new).and_then(disk::free_bytes)
        && free < bytes
    {
        result.refuse(
            codes::DISK_SPACE,
            format!(
                "about {megabytes:.0} MB of disk space are needed and {} MB are free",
                free / (1024 * 1024)
            ),
            "free some space first",
        );
    }
    Ok(())
}
