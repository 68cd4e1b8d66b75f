//! The same command on many databases: `--database` several times, or `--databases FILE`.

use pql::files::{MigrationConfig, MigrationExecutor, MigrationExecutorConfig, MigrationResult};
use pql::fleet::{self, FleetFailure};
use pql::{Answer, Error, Fleet, Output, Session, SessionBuilder};
use serde_json::json;

use crate::args::{Common, Format, Migrate, MigrateAction};
use crate::commands::connect::{Setup, block_on};
use crate::commands::migrate::{configured, no_directory};
use crate::commands::run::{Input, read};
use crate::exit::Exit;
use crate::render::{Problem, Ui};

/// The databases that are named by options; `None`: at most one is named, in the ordinary way.
pub(crate) fn named(ui: &mut Ui, common: &Common, positional: Option<&str>) -> Result<Option<Fleet>, Exit> {
    let mut databases = common.databases.clone();
    if let Some(path) = &common.databases_file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ui.problem(&Problem::file(&format!("cannot read {}: {error}", path.display())));
            Exit::Failed
        })?;
        let listed = Fleet::from_list(&text).map_err(|error| {
            ui.error(&error, "", "");
            Exit::Usage
        })?;
        databases.extend(listed.databases().iter().cloned());
    } else if databases.len() < 2 {
        return Ok(None);
    }
    if positional.is_some() {
        return Err(ui.usage("a database is named beside --database and --databases", None));
    }
    Ok(Some(Fleet::new(databases).at_once(common.at_once).carry_on(common.carry_on)))
}

/// `pql migrate` on all of them.
pub(crate) fn migrate(ui: &mut Ui, fleet: &Fleet, mut setup: Setup, command: &Migrate) -> Exit {
    if command.looks() {
        setup.builder = setup.builder.without_making();
    }
    let setup = &setup;
    let config = configured(command, &setup.environment);
    if command.reads_files() && !config.migrations_dir.is_dir() {
        return no_directory(ui, &config.migrations_dir);
    }
    let verbose = ui.verbose;
    match command.action {
        MigrateAction::Up { to, .. } => {
            let work =
                async |session: &mut Session, config| executor(session, config, verbose).migrate_up(to).await;
            let outcomes = block_on(fleet.each(|database| applied(setup, database, &config, &work)));
            summary(ui, &outcomes, command.dry_run)
        }
        MigrateAction::Down { count, .. } => {
            let work = async |session: &mut Session, config| {
                executor(session, config, verbose).migrate_down(count).await
            };
            let outcomes = block_on(fleet.each(|database| applied(setup, database, &config, &work)));
            summary(ui, &outcomes, command.dry_run)
        }
        MigrateAction::Status { .. } => {
            // Who lags behind is asked of all of them.
            let fleet = fleet.clone().carry_on(true);
            let outcomes = block_on(fleet.each(|database| {
                let config = config.clone();
                async move {
                    let mut session = open(setup, &database)?;
                    executor(&mut session, config, verbose).status().await
                }
            }));
            let rows = fleet::standing(&outcomes);
            answer(ui, "migrate_fleet_status", rows);
            if outcomes.iter().all(|(_, outcome)| matches!(outcome, Some(Ok(_)))) {
                Exit::Done
            } else {
                Exit::Failed
            }
        }
        _ => ui.usage(
            "this command works on one database",
            Some("With several, `pql migrate up`, `down` and `status`, and scripts by -c or -f."),
        ),
    }
}

/// Scripts on all of them. What one answers is printed when it is through, under its name.
pub(crate) fn scripts(ui: &mut Ui, fleet: &Fleet, setup: &Setup, inputs: &[Input]) -> Exit {
    let scripts = match read(ui, inputs) {
        Ok(scripts) => scripts,
        Err(exit) => return exit,
    };
    let outcomes = block_on(fleet.each(|database| {
        let scripts = &scripts;
        async move {
            let mut outputs = Vec::new();
            let mut session = open(setup, &database).map_err(|error| (Vec::new(), None, error))?;
            for (at, script) in scripts.iter().enumerate() {
                match session.execute(&script.text).await {
                    Ok(more) => outputs.extend(more),
                    Err(error) => return Err((outputs, Some(at), error)),
                }
            }
            Ok(outputs)
        }
    }));
    let mut exit = Exit::Done;
    for (database, outcome) in &outcomes {
        let name = fleet::label(database);
        ui.heading(&name);
        match outcome {
            None => ui.warning("not begun, since another one failed"),
            Some(Ok(outputs)) => print(ui, outputs),
            Some(Err((outputs, script, error))) => {
                print(ui, outputs);
                let source = script.map(|at| &scripts[at]);
                let (title, text) = source.map_or(("", ""), |it| (&*it.name, &*it.text));
                ui.error_of(&name, error, title, text);
            }
        }
        if !matches!(outcome, Some(Ok(_))) {
            exit = Exit::Failed;
        }
    }
    exit
}

fn print(ui: &mut Ui, outputs: &[Output]) {
    for output in outputs {
        ui.output(output);
    }
}

fn open(setup: &Setup, database: &str) -> Result<Session, Error> {
    let builder: SessionBuilder = setup.builder.clone();
    builder.database(database).connect_lazily()
}

async fn applied(
    setup: &Setup,
    database: String,
    config: &MigrationConfig,
    work: &impl AsyncFn(&mut Session, MigrationConfig) -> Result<Vec<MigrationResult>, Error>,
) -> Result<Vec<MigrationResult>, FleetFailure> {
    let mut session = open(setup, &database)?;
    let results = work(&mut session, config.clone()).await?;
    if results.iter().all(|result| result.success) {
        Ok(results)
    } else {
        Err(FleetFailure { results, error: None })
    }
}

fn executor(session: &mut Session, config: MigrationConfig, verbose: bool) -> MigrationExecutor<'_> {
    MigrationExecutor::new(session, MigrationExecutorConfig { config, verbose })
}

fn summary(
    ui: &mut Ui,
    outcomes: &fleet::Outcomes<Vec<MigrationResult>, FleetFailure>,
    dry_run: bool,
) -> Exit {
    for (database, outcome) in outcomes {
        // What no file is to blame for is said in full.
        if let Some(Err(FleetFailure { error: Some(error), .. })) = outcome
            && !ui.is_json()
        {
            ui.error_of(&fleet::label(database), error, "", "");
        }
    }
    answer(ui, "migrate_fleet", fleet::summary(outcomes, dry_run));
    let (mut done, mut failed, mut left) = (0, 0, 0);
    for (_, outcome) in outcomes {
        match outcome {
            Some(Ok(_)) => done += 1,
            Some(Err(_)) => failed += 1,
            None => left += 1,
        }
    }
    ui.note(&format!(
        "{done} of {} databases are through, {failed} failed, {left} were not begun",
        outcomes.len()
    ));
    if failed + left == 0 { Exit::Done } else { Exit::Failed }
}

fn answer(ui: &mut Ui, statement: &str, rows: pql::ResultSet) {
    let warnings = Vec::new();
    ui.output(&Output { statement: statement.to_owned(), answer: Answer::Rows(rows), warnings });
}

impl Ui {
    /// An error of one database, which is named wherever errors go.
    fn error_of(&mut self, database: &str, error: &Error, title: &str, text: &str) {
        for one in error.all() {
            let (title, text) = one.origin().unwrap_or((title, text));
            self.problem(&Problem::of_error(one, title, text).in_database(database));
        }
    }

    /// Whose the following is.
    fn heading(&mut self, name: &str) {
        if self.is_json() {
            self.line(&json!({ "database": name }).to_string());
        } else if self.format == Format::Csv {
            self.note(&format!("== {name}"));
        } else {
            self.line(&format!("== {name}"));
        }
    }
}
