//! One file: its migration is generated and applied, or rolled back. Several runners may be at work on the same files;
//! each file is applied once, by whoever has the lease, and the others go on with the next.

use std::thread;
use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, OnFailure, Report, RollbackTarget, RunProgress, Signal};
use pql_schema::{MigrationId, MigrationStatus};

use super::executor::MigrationConfig;
use super::ledger::{Entry, FileStatus, Origin};
use super::script::Script;
use super::validate::Prepared;
use super::way_back;
use crate::codes;
use crate::error::Error;
use crate::interpreter::Interpreter;
use crate::job::Line;

/// Between two looks at a database that another runner is changing.
const PATIENCE: Duration = Duration::from_millis(200);

fn options(interpreter: &Interpreter, config: &MigrationConfig) -> ApplyOptions {
    let mut options = interpreter.settings.apply_options();
    options.run.retry_for = Duration::from_secs(config.lock_timeout_secs);
    options.on_failure = if config.auto_rollback { OnFailure::Rollback } else { OnFailure::Pause };
    options.max_concurrent_ops = config.max_concurrent_ops;
    options.allow_destructive |= config.allow_destructive;
    options
}

/// Generates the file's migration and applies it; one that was begun goes on. None when another runner has done it.
pub(super) fn apply(
    interpreter: &mut Interpreter,
    config: &MigrationConfig,
    prepared: &Prepared,
    line: &Line,
) -> Result<Option<Report>, Error> {
    let options = options(interpreter, config);
    let until = Instant::now() + options.run.retry_for;
    let mut generated = None;
    let outcome = loop {
        match attempt(interpreter, &options, &prepared.entry, &mut generated, line) {
            Err(error) if is_another_runner(&error) && Instant::now() < until => {
                if tell(line, generated, &error) != Signal::Go {
                    break Err(error);
                }
                thread::sleep(PATIENCE);
            }
            outcome => break outcome,
        }
    };
    if let Some(id) = generated
        && interpreter.engine()?.info(id)?.status == MigrationStatus::Generated
    {
        // It was never begun: nobody should find it and wonder.
        interpreter.engine_for(&options)?.cancel(id, &options, &mut &*line)?;
    }
    outcome
}

fn attempt(
    interpreter: &mut Interpreter,
    options: &ApplyOptions,
    entry: &Entry,
    generated: &mut Option<MigrationId>,
    line: &Line,
) -> Result<Option<Report>, Error> {
    // Another runner may have begun it since it was validated, or done it.
    let id = match (interpreter.engine()?.in_force(&entry.id)?, &generated) {
        (Some((_, MigrationStatus::Applied)), _) => return Ok(None),
        (Some((id, _)), _) => id,
        (None, Some(id)) => *id,
        (None, None) => {
            let id = generate(interpreter, entry)?;
            *generated = Some(id);
            id
        }
    };
    let report = interpreter.run_to_apply(id, options, line)?;
    if report.status == MigrationStatus::RolledBack {
        // What had been interrupted was its way back, which is at its end now.
        return attempt(interpreter, options, entry, generated, line);
    }
    Ok(Some(report))
}

fn generate(interpreter: &mut Interpreter, entry: &Entry) -> Result<MigrationId, Error> {
    let file = entry.file.as_ref().expect("only files are pending");
    // Lowered again: the files before it have run since it was validated.
    let dialect = interpreter.dialect()?;
    let before = interpreter.schema()?;
    let mut ops = Script::read(&file.up)?.operations(&mut before.clone(), dialect)?;
    if let Some(down) = &file.down {
        let down = Script::read(down)?;
        if !down.is_empty() {
            ops = way_back::attach(ops, &before, &down, dialect)?;
        }
    }
    let origin = Origin {
        number: file.number,
        file: file.id.clone(),
        checksum: file.up.checksum.clone(),
        down_checksum: file.down.as_ref().map(|down| down.checksum.clone()),
        forgotten: false,
    };
    let migration = interpreter.engine()?.generate_with(ops, Some(&file.id), Some(origin.to_json()))?;
    interpreter.last_migration = Some(migration.id);
    Ok(migration.id)
}

/// Its run has the lease, or was quicker with this file.
fn is_another_runner(error: &Error) -> bool {
    [pql_engine::codes::LEASE, pql_engine::codes::ALREADY_APPLIED].contains(&error.code())
}

/// Says what is waited for, and hears whether to go on waiting.
fn tell(mut line: &Line, id: Option<MigrationId>, error: &Error) -> Signal {
    let Some(migration_id) = id else { return Signal::Go };
    pql_engine::Observer::progress(
        &mut line,
        &RunProgress {
            phase: "start",
            action: "wait",
            waiting: Some(error.message().to_owned()),
            ..RunProgress::before(migration_id)
        },
    )
}

pub(super) fn roll_back(
    interpreter: &mut Interpreter,
    config: &MigrationConfig,
    entry: &Entry,
    line: &Line,
) -> Result<Report, Error> {
    let options = options(interpreter, config);
    let recorded = entry.recorded.as_ref().expect("only what is in the journal is applied");
    let down = entry.file.as_ref().and_then(|file| file.down.as_ref()).map(|down| down.checksum.clone());
    if down.is_some() && down != recorded.origin.down_checksum {
        return Err(Error::new(
            codes::FILE_CHANGED,
            format!("`{}.down.sql` was changed after the migration was applied", entry.id),
        )
        .with_help("the way back is the one that was applied with the up file: restore the down file"));
    }
    let id = recorded.info.migration_id;
    if entry.status() == FileStatus::Interrupted {
        let report = interpreter.engine_for(&options)?.take_back(id, &options, &mut &*line)?;
        // What was interrupted may have been on its way back to where it is applied.
        if report.status != MigrationStatus::Applied {
            return Ok(report);
        }
    }
    let target = RollbackTarget::Migration(id);
    let mut reports = interpreter.engine_for(&options)?.rollback(target, &options, &mut &*line)?;
    reports
        .pop()
        .ok_or_else(|| Error::new(pql_engine::codes::NOT_APPLIED, format!("{} is not applied", entry.id)))
}
