//! Sessions: the embedded query API.

use std::sync::Arc;

use pql_engine::{OpenOptions, Value};
use pql_schema::{MigrationId, Schema};
use tokio::sync::mpsc::unbounded_channel;

use crate::error::Error;
use crate::interpreter::{Absent, Interpreter};
use crate::job::{Control, Event, Job, Line};
use crate::output::Output;
use crate::params::Param;
use crate::schema_form::{SchemaForm, schema_as};
use crate::settings::{Given, Setting, Settings};
use crate::worker::Worker;
use crate::{ApplicationSchema, SchemaMigrator};

/// A connection to a database with settings and parameters of its own.
///
/// ```no_run
/// # async fn example() -> Result<(), pql::Error> {
/// let mut session = pql::Session::open("sqlite:app.db").await?;
/// session.bind("threshold", 10);
/// for output in session.execute("SELECT name FROM products WHERE stock < @threshold").await? {
///     for row in output.rows().into_iter().flatten() {
///         println!("{row:?}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    worker: Worker,
}

/// What a session starts with.
#[derive(Debug, Clone)]
pub struct SessionBuilder {
    url: Option<String>,
    open: OpenOptions,
    settings: Settings,
    params: Vec<(String, Param)>,
    absent: Absent,
}

impl Session {
    /// Opens a database: `app.db`, `sqlite:app.db`, `sqlite::memory:`, `postgres://user@host/db`.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::builder().database(url).open().await
    }

    /// A session with settings.
    pub fn builder() -> SessionBuilder {
        SessionBuilder {
            url: None,
            open: OpenOptions::default(),
            settings: Settings::default(),
            params: Vec::new(),
            absent: Absent::Made,
        }
    }

    /// Gives `@name` a value, for this session's next statements.
    pub fn bind(&mut self, name: impl Into<String>, value: impl Into<Param>) {
        let (name, value) = (name.into(), value.into());
        // A session whose thread is gone says so when it is asked to do something.
        let _ = self.worker.post(move |interpreter| interpreter.bind(name, value));
    }

    /// Answers a question (see [`Error::questions`]) in the next script that runs.
    pub fn answer(&mut self, id: impl Into<String>, answer: bool) {
        let id = id.into();
        // A session whose thread is gone says so when it is asked to do something.
        let _ = self.worker.post(move |interpreter| interpreter.answer(id, answer));
    }

    /// Runs a script and gives what its statements answer. Nothing runs when any of it does not parse; the first
    /// statement that fails is the last one. Dropping the future pauses a migration that is under way.
    pub async fn execute(&mut self, text: &str) -> Result<Vec<Output>, Error> {
        self.start(text)?.finish().await
    }

    /// Runs a script as a job.
    pub fn start(&mut self, text: &str) -> Result<Job, Error> {
        let text = text.to_owned();
        self.job(move |interpreter, line| interpreter.script(&text, line))
    }

    /// Puts work at the end of the queue that can be watched and steered.
    pub(crate) fn job(
        &self,
        task: impl FnOnce(&mut Interpreter, &Line) -> Result<(), Error> + Send + 'static,
    ) -> Result<Job, Error> {
        let (events, listener) = unbounded_channel();
        let control = Arc::new(Control::default());
        let line = Line { events, control: Arc::clone(&control) };
        self.worker.post(move |interpreter| {
            let result = task(interpreter, &line);
            line.tell(Event::Finished(result));
        })?;
        Ok(Job::new(listener, control))
    }

    /// The database's schema, with its version.
    pub async fn schema(&mut self) -> Result<Schema, Error> {
        self.worker.call(|interpreter| interpreter.looking(Absent::Wrong, Interpreter::schema)).await
    }

    /// The database's schema as text.
    pub async fn schema_as(&mut self, form: SchemaForm) -> Result<String, Error> {
        self.worker
            .call(move |interpreter| {
                let schema = interpreter.looking(Absent::Wrong, Interpreter::schema)?;
                Ok(schema_as(&schema, interpreter.dialect()?, form))
            })
            .await
    }

    /// Whether the database can be opened, and what is to be said of it: that it does not exist yet, that a migration
    /// in it is unfinished. No file is made for that.
    pub async fn probe(&mut self) -> Result<Vec<String>, Error> {
        self.worker.call(move |interpreter| interpreter.looking(Absent::Empty, Interpreter::probe)).await
    }

    /// Brings the database to its application schema where the settings that the session was made with ask for it, as
    /// [`SessionBuilder::open`] does at once.
    pub async fn begin(&mut self) -> Result<(), Error> {
        self.worker
            .call(|interpreter| if interpreter.migrates_itself() { interpreter.begin() } else { Ok(()) })
            .await
    }

    /// Takes back a transaction that was begun and left open, as the end of the session would; whether there was one.
    pub async fn roll_back_open(&mut self) -> Result<bool, Error> {
        self.worker.call(Interpreter::roll_back_open).await
    }

    /// The typed calls that do the same work as the statements.
    pub fn migrator(&mut self) -> SchemaMigrator<'_> {
        SchemaMigrator::new(self)
    }

    /// The value of a setting.
    pub async fn setting(&mut self, name: &str) -> Result<Value, Error> {
        let setting = Setting::named(name)?;
        self.worker.call(move |interpreter| Ok(setting.get(&interpreter.settings))).await
    }

    /// The last migration that this session generated.
    pub async fn last_migration(&mut self) -> Result<Option<MigrationId>, Error> {
        self.worker.call(|interpreter| Ok(interpreter.last_migration)).await
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl SessionBuilder {
    /// The database.
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Only reads.
    pub fn read_only(mut self) -> Self {
        self.open.read_only = true;
        self
    }

    /// Fails when the database does not exist, instead of making it.
    pub fn existing(mut self) -> Self {
        self.open.create = false;
        self
    }

    /// Writes nothing by which a database would come into being: one that does not exist counts as empty.
    pub fn without_making(mut self) -> Self {
        self.absent = Absent::Empty;
        self
    }

    /// Who is at work, as the journal records it.
    pub fn actor(mut self, name: impl Into<String>) -> Self {
        self.open.actor = Some(name.into());
        self
    }

    /// A setting.
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        Setting::named(name)?.set(&mut self.settings, &Given::Value(value.into()))?;
        Ok(self)
    }

    /// The schema that the application wants; with [`SessionBuilder::auto_migrate`] the database is brought to it
    /// when the session is opened.
    pub fn application_schema(mut self, schema: impl Into<ApplicationSchema>) -> Self {
        self.settings.application_schema = Some(schema.into());
        self
    }

    /// Whether the session brings the database to its application schema by itself.
    pub fn auto_migrate(mut self, auto_migrate: bool) -> Self {
        self.settings.auto_migrate = auto_migrate;
        self
    }

    /// A parameter.
    pub fn bind(mut self, name: impl Into<String>, value: impl Into<Param>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Opens the database, and migrates it if that was asked for.
    pub async fn open(self) -> Result<Session, Error> {
        let session = self.connect_lazily()?;
        session.worker.call(Interpreter::begin).await?;
        Ok(session)
    }

    /// A session that opens its database with the first statement that needs it.
    pub fn connect_lazily(self) -> Result<Session, Error> {
        let mut interpreter = Interpreter::new(self.url, self.open, self.settings, self.absent);
        for (name, value) in self.params {
            interpreter.bind(name, value);
        }
        Ok(Session { worker: Worker::start(interpreter)? })
    }
}
