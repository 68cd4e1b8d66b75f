//! From the command line, the environment and `pql.toml` to a session.

use std::path::PathBuf;

use pql::{Param, Session, SessionBuilder, Value};

use crate::args::Common;
use crate::config::{Environment, Scalar};
use crate::exit::Exit;
use crate::render::{Problem, Ui};

/// What a command needs to begin: the session, and what `pql.toml` says besides.
pub(crate) struct Connection {
    pub(crate) session: Session,
    pub(crate) environment: Environment,
    /// The database, as it was named.
    pub(crate) database: Option<String>,
}

/// What sessions begin with, whatever their database.
pub(crate) struct Setup {
    pub(crate) builder: SessionBuilder,
    pub(crate) environment: Environment,
}

/// Reads the options and `pql.toml`.
pub(crate) fn setup(ui: &mut Ui, common: &Common) -> Result<Setup, Exit> {
    let environment = Environment::load(common.env.as_deref()).map_err(|message| ui.usage(&message, None))?;
    let mut builder = Session::builder();
    for (name, value) in &environment.settings {
        builder = builder.set(name, setting_value(value)).map_err(|error| fail(ui, &error))?;
    }
    for setting in &common.settings {
        let (name, value) = pair(setting).map_err(|message| ui.usage(&message, None))?;
        builder = builder.set(name, value).map_err(|error| usage(ui, &error))?;
    }
    for param in &common.params {
        let (name, value) = pair(param).map_err(|message| ui.usage(&message, None))?;
        let value = param_value(value).map_err(|problem| {
            ui.problem(&problem);
            Exit::Usage
        })?;
        builder = builder.bind(name, value);
    }
    Ok(Setup { builder, environment })
}

/// A session for the database that is named first: on the command line, by `--env`, in `PQL_DATABASE`,
/// in `pql.toml`.
pub(crate) fn connect(ui: &mut Ui, common: &Common, database: Option<&str>) -> Result<Connection, Exit> {
    connected(ui, common, database, |builder| builder)
}

/// The same for a command that only looks: a database that does not exist is not made.
pub(crate) fn connect_to_look(
    ui: &mut Ui,
    common: &Common,
    database: Option<&str>,
) -> Result<Connection, Exit> {
    let mut connection = connected(ui, common, database, SessionBuilder::without_making)?;
    if connection.database.is_some() {
        // What is wrong with it, what needs it says.
        for notice in block_on(connection.session.probe()).unwrap_or_default() {
            ui.warning(&notice);
        }
    }
    Ok(connection)
}

fn connected(
    ui: &mut Ui,
    common: &Common,
    database: Option<&str>,
    prepare: impl FnOnce(SessionBuilder) -> SessionBuilder,
) -> Result<Connection, Exit> {
    let Setup { builder, environment } = setup(ui, common)?;
    let mut builder = prepare(builder);
    // Who names an environment on the command line means its database.
    let meant = environment.database.as_ref().filter(|_| common.env.is_some()).cloned();
    let from_environment = std::env::var("PQL_DATABASE").ok().filter(|text| !text.is_empty());
    let database = database
        .or(common.databases.first().map(String::as_str))
        .map(ToOwned::to_owned)
        .or(meant)
        .or(from_environment)
        .or_else(|| environment.database.clone());
    if let Some(database) = &database {
        builder = builder.database(database);
    }
    let session = builder.connect_lazily().map_err(|error| fail(ui, &error))?;
    Ok(Connection { session, environment, database })
}

/// A session is asynchronous, the program is not: one thread is enough for it.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing that could be missing")
        .block_on(future)
}

/// Says an error, and ends with it.
pub(crate) fn fail(ui: &mut Ui, error: &pql::Error) -> Exit {
    ui.error(error, "", "");
    Exit::Failed
}

/// The same for a command that takes the answers to questions by an option.
pub(crate) fn fail_asking(ui: &mut Ui, error: &pql::Error) -> Exit {
    let Some(question) = error.questions().first() else { return fail(ui, error) };
    let help = format!("answer with `--answer {}=yes|no`, or write RENAMED FROM in the schema", question.id);
    ui.problem(&Problem::of_error(error, "", "").with_help(help));
    Exit::Failed
}

fn usage(ui: &mut Ui, error: &pql::Error) -> Exit {
    fail(ui, error);
    Exit::Usage
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// A value as it was typed: whole numbers are numbers, `@FILE` is the file's content, the rest is text.
pub(crate) fn param_value(text: &str) -> Result<Param, Problem> {
    if let Some(path) = text.strip_prefix('@') {
        return match std::fs::read_to_string(path) {
            Ok(content) => Ok(content.into()),
            Err(error) => Err(Problem::file(&format!("cannot read {path}: {error}"))),
        };
    }
    Ok(match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    })
}

fn setting_value(value: &Scalar) -> Value {
    match value {
        Scalar::Boolean(value) => Value::Boolean(*value),
        Scalar::Integer(value) => Value::Integer(*value),
        Scalar::Float(value) => Value::Real(*value),
        Scalar::Text(text) => Value::Text(text.clone()),
    }
}

/// The directory of migration files: the option's, the project's, or the usual one.
pub(crate) fn migrations_dir(option: Option<&PathBuf>, environment: &Environment) -> PathBuf {
    option.or(environment.migrations_dir.as_ref()).cloned().unwrap_or_else(|| PathBuf::from("migrations"))
}
