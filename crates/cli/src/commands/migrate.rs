//! `pql migrate`: the files of a project.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pql::Session;
use pql::files::{
    MigrationConfig, MigrationExecutor, MigrationExecutorConfig, MigrationResult, ProgressEvent,
};
use pql::{Answer, ApplicationSchema, Output, ResultSet};
use serde_json::json;

use crate::args::{Allow, Migrate, MigrateAction};
use crate::commands::connect::{Connection, block_on, fail, fail_asking, migrations_dir};
use crate::config::Environment;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::render::{Problem, Ui};

/// Does what the subcommand says.
pub(crate) fn run(ui: &mut Ui, mut connection: Connection, command: &Migrate) -> Exit {
    let config = configured(command, &connection.environment);
    if command.reads_files() && !config.migrations_dir.is_dir() {
        return no_directory(ui, &config.migrations_dir);
    }
    let session = &mut connection.session;
    let outcome = match &command.action {
        MigrateAction::Create { name, from, answers, .. } => {
            let from = from.as_ref().map(|file| (ApplicationSchema::file(file), answers.answers.as_slice()));
            create(ui, &mut executor(ui, session, config), name, from)
        }
        MigrateAction::Up { to, .. } => {
            let done = if config.dry_run { "would be applied" } else { "applied" };
            up(ui, &mut watched(ui, session, config, done), *to)
        }
        MigrateAction::Down { count, .. } => {
            let done = if config.dry_run { "would be rolled back" } else { "rolled back" };
            down(ui, &mut watched(ui, session, config, done), *count)
        }
        MigrateAction::Status { .. } => status(ui, &mut executor(ui, session, config)),
        MigrateAction::Plan { to, .. } => plan(ui, &mut executor(ui, session, config), *to),
        MigrateAction::Repair { .. } => repair(ui, &mut executor(ui, session, config)),
        MigrateAction::Verify { .. } => return verify(ui, session),
        MigrateAction::Baseline { name, .. } => {
            session.bind("name", name.clone().unwrap_or_else(|| "baseline".to_owned()));
            statement(ui, session, "MIGRATE BASELINE AS @name").map(|_| Exit::Done)
        }
        MigrateAction::History { .. } => statement(ui, session, "MIGRATE HISTORY").map(|_| Exit::Done),
        MigrateAction::Purge { older_than: None, .. } => {
            statement(ui, session, "MIGRATE PURGE").map(|_| Exit::Done)
        }
        MigrateAction::Purge { older_than: Some(time), .. } => {
            session.bind("time", time.clone());
            statement(ui, session, "MIGRATE PURGE OLDER THAN @time").map(|_| Exit::Done)
        }
    };
    outcome.unwrap_or_else(|error| fail_asking(ui, &error))
}

/// Says that the directory of the files does not exist, and which one may have been meant.
pub(crate) fn no_directory(ui: &mut Ui, path: &Path) -> Exit {
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directories: Vec<String> = (std::fs::read_dir(beside).into_iter().flatten().flatten())
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let near = pql_syntax::suggest::nearest(&name, directories.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean {}?", path.with_file_name(near).display()),
        None => "`pql migrate create NAME` makes it, with the first files".to_owned(),
    };
    ui.problem(&Problem::file(&format!("there is no directory {}", path.display())).with_help(help));
    Exit::Failed
}

/// How the files are applied, from the options.
pub(crate) fn configured(command: &Migrate, environment: &Environment) -> MigrationConfig {
    let mut config = MigrationConfig {
        migrations_dir: migrations_dir(command.dir.as_ref(), environment),
        dry_run: command.dry_run,
        ..MigrationConfig::default()
    };
    if let Some(seconds) = command.lock_timeout {
        config.lock_timeout_secs = seconds;
    }
    if let MigrateAction::Up { allow, .. } | MigrateAction::Plan { allow, .. } = command.action {
        let Allow { allow_destructive, allow_out_of_order } = allow;
        config.allow_destructive = allow_destructive;
        config.allow_out_of_order = allow_out_of_order;
    }
    config
}

type Outcome = Result<Exit, pql::Error>;

fn executor<'s>(ui: &Ui, session: &'s mut Session, config: MigrationConfig) -> MigrationExecutor<'s> {
    MigrationExecutor::new(session, MigrationExecutorConfig { config, verbose: ui.verbose })
}

/// An executor whose files are shown as they go on and end. Ctrl-C pauses the one that is running.
fn watched<'s>(
    ui: &Ui,
    session: &'s mut Session,
    config: MigrationConfig,
    done: &'static str,
) -> MigrationExecutor<'s> {
    let mut executor = executor(ui, session, config);
    let (json, quiet) = (ui.is_json(), ui.quiet);
    let mut progress = Progress::new(ui);
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    // Where it cannot be taken over, Ctrl-C ends the program, and the next one finds what is unfinished.
    let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
    executor.progress.listen(move |event| {
        match event {
            ProgressEvent::Running(state) => progress.show(state, true),
            ProgressEvent::Update { .. } if quiet || json => {}
            ProgressEvent::Update { done, message } => {
                progress.clear();
                eprintln!("  step {done}: {message}");
            }
            ProgressEvent::Complete(result) => {
                progress.clear();
                // Whoever read us may have had enough: `pql … | head`.
                let _ = writeln!(io::stdout(), "{}", line(result, done, json));
            }
            ProgressEvent::Start { .. } => {}
        }
        if stop.load(Ordering::Relaxed) { pql::Signal::Pause } else { pql::Signal::Go }
    });
    executor
}

fn create(
    ui: &mut Ui,
    executor: &mut MigrationExecutor<'_>,
    name: &str,
    from: Option<(ApplicationSchema, &[(String, bool)])>,
) -> Outcome {
    let created = match from {
        Some((schema, answers)) => block_on(executor.create_from(name, schema, answers))?,
        None => executor.create(name)?,
    };
    if ui.is_json() {
        ui.line(&json!({"id": created.id, "up": created.up, "down": created.down}).to_string());
    } else {
        ui.line(&created.up.display().to_string());
        ui.line(&created.down.display().to_string());
    }
    Ok(Exit::Done)
}

fn up(ui: &mut Ui, executor: &mut MigrationExecutor<'_>, to: Option<u64>) -> Outcome {
    let notes = block_on(executor.validate_migration(to))?;
    for check in notes.checks.iter().filter(|check| check.severity == pql::files::Severity::Note) {
        ui.detail(&check.message);
    }
    let dry_run = executor.is_dry_run();
    let results = block_on(executor.migrate_up(to))?;
    Ok(report(ui, &results, dry_run.then_some("would be applied"), "nothing is pending"))
}

fn down(ui: &mut Ui, executor: &mut MigrationExecutor<'_>, count: usize) -> Outcome {
    let dry_run = executor.is_dry_run();
    let results = block_on(executor.migrate_down(count))?;
    Ok(report(ui, &results, dry_run.then_some("would be rolled back"), "nothing is applied"))
}

/// What is left to say at the end: the lines of a dry run, in which nothing ran that could have said it.
fn report(ui: &mut Ui, results: &[MigrationResult], would: Option<&str>, nothing: &str) -> Exit {
    if results.is_empty() {
        ui.note(nothing);
    }
    if let Some(would) = would {
        for result in results {
            ui.line(&line(result, would, ui.is_json()));
        }
    }
    if results.iter().all(|result| result.success) { Exit::Done } else { Exit::Failed }
}

/// A migration's line, with its duration.
fn line(result: &MigrationResult, done: &str, json: bool) -> String {
    if json {
        json!(result).to_string()
    } else if !result.success {
        let error = result.error.as_deref().unwrap_or("failed");
        format!("{}  FAILED  {error}", result.migration_id)
    } else if done.starts_with("would") {
        format!("{}  {done}", result.migration_id)
    } else {
        format!("{}  {done}  {:.1} ms", result.migration_id, result.duration_ms)
    }
}

fn status(ui: &mut Ui, executor: &mut MigrationExecutor<'_>) -> Outcome {
    let (rows, problems) = block_on(executor.status_rows())?;
    ui.output(&Output {
        statement: "migrate_files_status".to_owned(),
        answer: Answer::Rows(rows),
        warnings: problems,
    });
    Ok(Exit::Done)
}

fn plan(ui: &mut Ui, executor: &mut MigrationExecutor<'_>, to: Option<u64>) -> Outcome {
    let planned = block_on(executor.plan(to))?;
    if planned.is_empty() {
        ui.note("nothing is pending");
    }
    for file in planned {
        ui.note(&file.id);
        match file.steps {
            Some(steps) if ui.is_json() => {
                let columns = steps.columns();
                let line = json!({"migration_id": file.id, "columns": columns, "rows": steps.to_json()});
                ui.line(&line.to_string());
            }
            Some(steps) => ui.rows(&steps),
            None => ui.warning(&format!("{} can only be planned when the files before it have run", file.id)),
        }
    }
    Ok(Exit::Done)
}

fn repair(ui: &mut Ui, executor: &mut MigrationExecutor<'_>) -> Outcome {
    let repaired = block_on(executor.repair())?;
    if repaired.is_empty() {
        ui.note("nothing to repair");
    }
    for id in repaired {
        ui.line(&id);
    }
    Ok(Exit::Done)
}

/// What drifted is a difference to end with.
fn verify(ui: &mut Ui, session: &mut Session) -> Exit {
    match statement(ui, session, "MIGRATE VERIFY") {
        Ok(outputs) if outputs.iter().all(|output| output.rows().is_none_or(ResultSet::is_empty)) => {
            Exit::Done
        }
        Ok(_) => Exit::Differs,
        Err(error) => fail(ui, &error),
    }
}

fn statement(ui: &mut Ui, session: &mut Session, text: &str) -> Result<Vec<Output>, pql::Error> {
    let outputs = block_on(session.execute(text))?;
    for output in &outputs {
        ui.output(output);
    }
    Ok(outputs)
}
