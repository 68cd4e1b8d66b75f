//! An open database.

use pql_planner::Capabilities;
use pql_schema::{MigrationId, ObjectName, Schema};

use crate::backend::{Backend, LockPatience};
use crate::journal::{Journal, Presence, Record};
use crate::options::OpenOptions;
use crate::runner::transact;
use crate::{Error, Location, Result, codes, process};

/// An open database with its journal: everything that a session does goes through it.
///
/// Blocking, and one thing at a time; several engines may have the same database open, in one process or in many.
/// Nothing is created in the database before the first statement that has something to record.
pub struct Engine {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) journal: Journal,
    pub(crate) actor: String,
}

impl Engine {
    /// Opens a database: `app.db`, `sqlite:app.db`, `sqlite::memory:`.
    pub fn open(url: &str, options: &OpenOptions) -> Result<Self> {
        let location: Location = url.parse()?;
        let backend = crate::backend::open(&location, options)?;
        Ok(Self::with_backend(backend, options.actor.clone()))
    }

    /// The same for a database that is open already.
    pub fn with_backend(backend: Box<dyn Backend>, actor: Option<String>) -> Self {
        let journal = Journal::new(backend.capabilities().dialect);
        Self { backend, journal, actor: actor.unwrap_or_else(process::actor) }
    }

    /// How long to wait for locks from now on, wherever a migration's own options do not say it.
    pub fn set_patience(&mut self, patience: LockPatience) {
        self.backend.set_patience(patience);
    }

    /// Takes back a transaction that the user has left open; whether there was one.
    pub fn roll_back_open(&mut self) -> Result<bool> {
        let open = self.backend.in_transaction();
        if open {
            self.backend.connection().run("ROLLBACK", &[])?;
        }
        Ok(open)
    }

    /// What the database can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.backend.capabilities()
    }

    /// What about the connection to it everybody should know who uses it.
    pub fn remark(&self) -> Option<String> {
        self.backend.remark()
    }

    /// Why there is no table of that name in the schema although the database has one, with what to do instead.
    pub fn absence(&mut self, table: &ObjectName) -> Result<Option<String>> {
        self.backend.absence(table)
    }

    /// The schema as users see it, with the version that the journal gives it.
    pub fn schema(&mut self) -> Result<Schema> {
        let mut schema = self.backend.introspect()?.visible();
        schema.version = self.version()?;
        Ok(schema)
    }

    /// The schema of a version of the past, or of the present one.
    pub fn schema_at(&mut self, version: u64) -> Result<Schema> {
        if version == self.version()? {
            return self.schema();
        }
        let mut have = Vec::new();
        if self.known()? {
            let connection = self.backend.connection();
            if let Some(schema) = self.journal.schema_at(connection, version)? {
                return Ok(schema);
            }
            have = self.journal.versions(connection)?;
        }
        let help = match (have.first(), have.last()) {
            (Some(first), Some(last)) => format!("the journal has versions {first} to {last}"),
            _ => "the journal has no versions yet: the database is at version 0".to_owned(),
        };
        Err(Error::new(codes::UNKNOWN_VERSION, format!("this database has no version {version}"))
            .with_help(help))
    }

    /// The number of applied migrations.
    pub fn version(&mut self) -> Result<u64> {
        if self.known()? { self.journal.version(self.backend.connection()) } else { Ok(0) }
    }

    /// The migration that a user names: by its id, by the beginning of it, or by its name.
    pub fn find(&mut self, text: &str) -> Result<MigrationId> {
        let names = if self.known()? { self.journal.names(self.backend.connection())? } else { Vec::new() };
        let wanted = text.trim().to_ascii_lowercase();
        if let Ok(id) = wanted.parse::<MigrationId>()
            && names.iter().any(|(known, _)| *known == id)
        {
            return Ok(id);
        }
        let mut matches = names
            .iter()
            .filter(|(id, name)| name == text || (wanted.len() >= 8 && id.to_string().starts_with(&wanted)));
        match (matches.next(), matches.next()) {
            (Some((id, _)), None) => Ok(*id),
            (Some(_), Some(_)) => Err(Error::new(
                codes::UNKNOWN_MIGRATION,
                format!("more than one migration is meant by {text:?}"),
            )
            .with_help("give the whole id; MIGRATE STATUS lists them")),
            _ => Err(unknown(text, &names)),
        }
    }

    /// Whether there is a journal to read; one of an older format is brought up to date first.
    pub(crate) fn known(&mut self) -> Result<bool> {
        match self.journal.presence(self.backend.connection())? {
            Presence::Absent => Ok(false),
            Presence::Present => Ok(true),
            Presence::Older => {
                let journal = self.journal;
                transact(self.backend.as_mut(), |connection| journal.ensure(connection))?;
                Ok(true)
            }
        }
    }

    /// A migration with all that the journal has of it.
    pub(crate) fn record(&mut self, id: MigrationId) -> Result<Record> {
        if !self.known()? {
            return Err(unknown(&id.to_string(), &[]));
        }
        let connection = self.backend.connection();
        match self.journal.get(connection, id)? {
            Some(record) => Ok(record),
            None => Err(unknown(&id.to_string(), &self.journal.names(connection)?)),
        }
    }
}

/// The error for a migration that does not exist, with those that may have been meant.
fn unknown(text: &str, names: &[(MigrationId, String)]) -> Error {
    let near = names.iter().find(|(id, name)| {
        let differ = |a: &str, b: &str| {
            a.len() == b.len() && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() <= 3
        };
        differ(&id.to_string(), text) || differ(name, text)
    });
    let help = match (near, names) {
        (Some((id, name)), _) => format!("did you mean {id} ({name})?"),
        (None, []) => "no migration has been generated in this database yet".to_owned(),
        (None, names) => {
            let recent: Vec<String> =
                names.iter().take(3).map(|(id, name)| format!("{id} ({name})")).collect();
            format!("the most recent ones are {}", recent.join(", "))
        }
    };
    Error::new(codes::UNKNOWN_MIGRATION, format!("there is no migration {text} in this database"))
        .with_help(help)
}
