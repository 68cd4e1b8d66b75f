//! The program `pql`.

mod args;
mod commands;
mod config;
mod exit;
mod interrupt;
mod progress;
mod render;
mod shell;

use std::process::ExitCode;

use args::{Action, Cli};
use clap::{CommandFactory, FromArgMatches};
use commands::connect::{Connection, block_on, connect, connect_to_look, fail};
use commands::run::Input;
use exit::Exit;
use render::Ui;

fn main() -> ExitCode {
    let parsed = Cli::command().try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        let inputs = in_order(&cli, &matches);
        Ok((cli, inputs))
    });
    let (cli, inputs) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Nothing can be done when even this cannot be said.
            let _ = error.print();
            return exit.into();
        }
    };
    let mut ui = Ui::new(&cli.common);
    dispatch(&mut ui, &cli, &inputs).into()
}

fn dispatch(ui: &mut Ui, cli: &Cli, inputs: &[Input]) -> Exit {
    let format = cli.common.output;
    let schema_only = matches!(format, Some(args::Format::Pql | args::Format::Sql | args::Format::Mermaid));
    if schema_only && !matches!(cli.action, Some(Action::Schema { .. })) {
        return ui.usage("--output pql, sql and mermaid are forms of `pql schema`", None);
    }
    let named = cli.database.as_deref();
    let target = match &cli.action {
        Some(Action::Migrate(command)) => command.action.target().or(named),
        Some(Action::Detect { target, .. } | Action::Schema { target }) => target.target.as_deref().or(named),
        _ => named,
    };
    match commands::fleet::named(ui, &cli.common, target) {
        Ok(None) => {}
        Ok(Some(fleet)) => return on_all(ui, cli, inputs, &fleet),
        Err(exit) => return exit,
    }
    match &cli.action {
        Some(Action::Fmt { check, files }) => commands::fmt::run(ui, files, *check),
        Some(Action::Check { files }) => commands::check::run(ui, files),
        Some(Action::Explain { code }) => commands::explain::run(ui, code.as_deref()),
        Some(Action::Completions { shell }) => commands::completions::run(ui, *shell),
        Some(Action::Detect { schema, check, answers, target }) => {
            match connect(ui, &cli.common, target.target.as_deref().or(named)) {
                Ok(mut connection) => {
                    commands::detect::run(ui, &mut connection.session, schema, &answers.answers, *check)
                }
                Err(exit) => exit,
            }
        }
        Some(Action::Schema { target }) => match connect(ui, &cli.common, target.target.as_deref().or(named))
        {
            Ok(mut connection) => commands::schema::run(ui, &mut connection.session, format),
            Err(exit) => exit,
        },
        Some(Action::Migrate(command)) => {
            let target = command.action.target().or(named);
            let open = if command.looks() { connect_to_look } else { connect };
            match open(ui, &cli.common, target) {
                Ok(connection) => commands::migrate::run(ui, connection, command),
                Err(exit) => exit,
            }
        }
        Some(Action::Demo { rows }) => commands::demo::run(ui, *rows),
        None => match connect(ui, &cli.common, named).and_then(|connection| begun(ui, connection)) {
            Ok(connection) if inputs.is_empty() && ui.terminal.stdin && ui.terminal.stdout => {
                shell::run(ui, &cli.common, connection.session, connection.database.as_deref())
            }
            Ok(mut connection) => {
                let stdin = [Input::File("-".into())];
                let inputs = if inputs.is_empty() { &stdin } else { inputs };
                commands::run::run(ui, &mut connection.session, inputs)
            }
            Err(exit) => exit,
        },
    }
}

/// The connection, once its database is what the settings want it to be.
fn begun(ui: &mut Ui, mut connection: Connection) -> Result<Connection, Exit> {
    match block_on(connection.session.begin()) {
        Ok(()) => Ok(connection),
        Err(error) => Err(fail(ui, &error)),
    }
}

/// A command on several databases.
fn on_all(ui: &mut Ui, cli: &Cli, inputs: &[Input], fleet: &pql::Fleet) -> Exit {
    let setup = match commands::connect::setup(ui, &cli.common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    match &cli.action {
        Some(Action::Migrate(command)) => commands::fleet::migrate(ui, fleet, setup, command),
        None if !inputs.is_empty() => commands::fleet::scripts(ui, fleet, &setup, inputs),
        _ => ui.usage(
            "this command works on one database",
            Some("With several, `pql migrate up`, `down` and `status`, and scripts by -c or -f."),
        ),
    }
}

/// `-c` and `-f` in the order in which they were given.
fn in_order(cli: &Cli, matches: &clap::ArgMatches) -> Vec<Input> {
    let places = |id: &str| matches.indices_of(id).into_iter().flatten();
    let commands = places("commands").zip(cli.commands.iter().cloned().map(Input::Command));
    let files = places("files").zip(cli.files.iter().cloned().map(Input::File));
    let mut inputs: Vec<(usize, Input)> = commands.chain(files).collect();
    inputs.sort_by_key(|(place, _)| *place);
    inputs.into_iter().map(|(_, input)| input).collect()
}
