//! `pql.toml`: the database and the settings of a project, and of its environments by name.
//!
//! ```toml
//! database = "sqlite:app.db"
//! migrations_dir = "migrations"
//! [settings]
//! lock_timeout = "5s"
//! [environments.prod]
//! database = "postgres://app@db.example/app"
//! [environments.prod.settings]
//! throttle = 0.5
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const FILE_NAME: &str = "pql.toml";

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// What the file says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database: Option<String>,
    migrations_dir: Option<PathBuf>,
    #[serde(default)]
    settings: BTreeMap<String, Scalar>,
    #[serde(default)]
    environments: BTreeMap<String, Environment>,
}

/// What holds in one environment.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    /// The database.
    pub(crate) database: Option<String>,
    /// Where the migration files are.
    pub(crate) migrations_dir: Option<PathBuf>,
    /// Session settings.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Scalar>,
}

impl Environment {
    /// The environment of that name (or the file's own top level) from the `pql.toml` of this directory or of the
    /// nearest one above it. An error is a sentence.
    pub(crate) fn load(name: Option<&str>) -> Result<Self, String> {
        let Some(path) = find() else {
            return match name {
                Some(name) => Err(format!("--env {name} needs a {FILE_NAME} in this directory or above it")),
                None => Ok(Self::default()),
            };
        };
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file: File = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        file.environment(name)
            .map(|it| it.relative_to(&path))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Paths in the file are relative to it, wherever the program was started.
    fn relative_to(mut self, file: &Path) -> Self {
        let Some(directory) = file.parent().filter(|directory| *directory != Path::new("")) else {
            return self;
        };
        self.migrations_dir = self.migrations_dir.map(|path| directory.join(path));
        self.database = self.database.map(|database| {
            let path = database.strip_prefix("sqlite:").unwrap_or(&database);
            let plain = !path.contains(':') && !path.starts_with("//");
            if plain { format!("sqlite:{}", directory.join(path).display()) } else { database }
        });
        self
    }
}

impl File {
    fn environment(mut self, name: Option<&str>) -> Result<Environment, String> {
        let defaults = Environment {
            database: self.database,
            migrations_dir: self.migrations_dir,
            settings: self.settings,
        };
        let Some(name) = name else { return Ok(defaults) };
        let Some(own) = self.environments.remove(name) else {
            let known: Vec<&str> = self.environments.keys().map(String::as_str).collect();
            return Err(match known.as_slice() {
                [] => format!("there is no environment `{name}`, as there is none at all"),
                known => format!("there is no environment `{name}`; there are: {}", known.join(", ")),
            });
        };
        let mut settings = defaults.settings;
        settings.extend(own.settings);
        Ok(Environment {
            database: own.database.or(defaults.database),
            migrations_dir: own.migrations_dir.or(defaults.migrations_dir),
            settings,
        })
    }
}

fn find() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|directory| directory.join(FILE_NAME)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        database = 'app.db'
        [settings]
        lock_timeout = '5s'
        throttle = 0.25
        [environments.prod]
        database = 'postgres://app@db.example/app'
        [environments.prod.settings]
        throttle = 0.5
    ";

    fn load(name: Option<&str>) -> Result<Environment, String> {
        toml::from_str::<File>(TEXT).expect("it parses").environment(name)
    }

    #[test]
    fn an_environment_adds_to_the_defaults() {
        let prod = load(Some("prod")).expect("it exists");
        assert_eq!(prod.database.as_deref(), Some("postgres://app@db.example/app"));
        assert_eq!(prod.settings["lock_timeout"], Scalar::Text("5s".into()));
        assert_eq!(prod.settings["throttle"], Scalar::Float(0.5));
        assert_eq!(load(None).expect("the top level").database.as_deref(), Some("app.db"));
        assert!(load(Some("stage")).expect_err("it does not exist").contains("there are"));
    }

    #[test]
    fn files_are_found_relative_to_the_configuration() {
        let file = Path::new("/project/pql.toml");
        let with = |database: &str| Environment { database: Some(database.into()), ..Environment::default() };
        let resolve = |database| with(database).relative_to(file).database.expect("it has one");
        assert_eq!(resolve("app.db"), "sqlite:/project/app.db");
        assert_eq!(resolve("sqlite:data/app.db"), "sqlite:/project/data/app.db");
        assert_eq!(resolve("sqlite::memory:"), "sqlite::memory:");
        assert_eq!(resolve("postgres://host/db"), "postgres://host/db");
    }
}
