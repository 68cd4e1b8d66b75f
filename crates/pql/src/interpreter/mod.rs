//! Runs statements, one after the other, on the session's thread.
//!
//! This is the one place where a statement's parts come together: the AST says what is wanted, parameters and
//! settings complete it, the planner lowers it, the engine does it, and the answer gets its promised columns.

mod answers;
mod auto;
mod define;
mod migrate;
mod operand;
mod settings;
mod sql;
mod target;

pub(crate) use answers::plan as plan_rows;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pql_engine::backend::LockPatience;
use pql_engine::{ApplyOptions, Engine, Interrupted, Location, OpenOptions, Value};
use pql_planner::Dialect;
use pql_planner::lower::LoweredSchema;
use pql_schema::{MigrationId, Schema};
use pql_syntax::ast::{AstNode, Statement};
use pql_syntax::{Diagnostic, Severity};

use crate::error::{Error, Places, Span};
use crate::job::{Event, Line};
use crate::output::{Answer, Output};
use crate::params::Param;
use crate::settings::Settings;

/// What a file that does not exist is to who needs the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// A database that is made now: there is something to write.
    Made,
    /// An empty database, of which it is asked what would be done; no file is made for that.
    Empty,
    /// A mistake: it is asked what is in it.
    Wrong,
}

/// A session's state.
pub(crate) struct Interpreter {
    url: Option<String>,
    open: OpenOptions,
    engine: Option<Engine>,
    /// What the statement at hand makes of a file that does not exist.
    absent: Absent,
    /// The file that does not exist, while the engine is an empty one in its place.
    stand_in_for: Option<PathBuf>,
    params: BTreeMap<String, Param>,
    /// Answers to questions, for the next script.
    answers: BTreeMap<String, bool>,
    /// What the next answer has to mention.
    notices: Vec<String>,
    /// A transaction was begun that may still be open.
    began: bool,
    /// What the statement's own options say of waiting, in place of the settings.
    own_patience: Option<LockPatience>,
    /// The session's settings.
    pub(crate) settings: Settings,
    /// The application schema that was read last, by its text.
    pub(crate) lowered: Option<(String, LoweredSchema)>,
    /// What `@migration_id` stands for unless it is bound.
    pub(crate) last_migration: Option<MigrationId>,
}

impl Interpreter {
    pub(crate) fn new(url: Option<String>, open: OpenOptions, settings: Settings, absent: Absent) -> Self {
        Self {
            url,
            open,
            engine: None,
            absent,
            stand_in_for: None,
            params: BTreeMap::new(),
            answers: BTreeMap::new(),
            notices: Vec::new(),
            began: false,
            own_patience: None,
            settings,
            lowered: None,
            last_migration: None,
        }
    }

    pub(crate) fn bind(&mut self, name: String, value: Param) {
        self.params.insert(name, value);
    }

    /// Answers a question in the next script.
    pub(crate) fn answer(&mut self, id: String, answer: bool) {
        self.answers.insert(id, answer);
    }

    /// The engine; the database is opened when it is needed for the first time.
    pub(crate) fn engine(&mut self) -> Result<&mut Engine, Error> {
        let outdated = |path: &PathBuf| self.absent == Absent::Made || path.exists();
        if self.stand_in_for.as_ref().is_some_and(outdated) {
            self.stand_in_for = None;
            self.engine = None;
        }
        if let Some(path) = self.stand_in_for.as_ref().filter(|_| self.absent == Absent::Wrong) {
            return Err(no_such_file(path));
        }
        if self.engine.is_none() {
            let url = self.url.as_deref().ok_or_else(|| {
                Error::new(crate::codes::NO_DATABASE, "no database is named")
                    .with_help("name one: pql app.db, PQL_DATABASE, or `database` in pql.toml")
            })?;
            let patience = self.patience();
            let mut options = OpenOptions { patience, ..self.open.clone() };
            let mut place = url;
            if let Some(path) = absent_file(url).filter(|_| self.absent != Absent::Made && options.create) {
                if self.absent == Absent::Wrong {
                    return Err(no_such_file(&path));
                }
                self.notices
                    .push(format!("{} does not exist; it counts as an empty database", path.display()));
                self.stand_in_for = Some(path);
                place = "sqlite::memory:";
                options.read_only = false;
            }
            let mut engine = Engine::open(place, &options)?;
            self.notices.extend(engine.remark());
            self.notices.extend(engine.interrupted()?.iter().map(unfinished));
            self.engine = Some(engine);
        }
        let patience = self.patience();
        let engine = self.engine.as_mut().expect("it was opened just now");
        // The settings may have changed since the last statement, or the last one had options of its own.
        engine.set_patience(patience);
        Ok(engine)
    }

    /// Opens the database and gives what the next answer would have to mention.
    pub(crate) fn probe(&mut self) -> Result<Vec<String>, Error> {
        self.engine()?;
        Ok(std::mem::take(&mut self.notices))
    }

    /// Does something that does not write to the database; `absent`: what it makes of a file that does not exist.
    pub(crate) fn looking<T>(&mut self, absent: Absent, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.absent, absent);
        let outcome = look(self);
        self.absent = before;
        outcome
    }

    /// The engine for a run with options of its own, which hold for the journal's writes around it as well.
    pub(crate) fn engine_for(&mut self, options: &ApplyOptions) -> Result<&mut Engine, Error> {
        let engine = self.engine()?;
        engine.set_patience(LockPatience::from(&options.run));
        Ok(engine)
    }

    /// How long the statement, or else the session's settings, lets it wait for locks.
    fn patience(&self) -> LockPatience {
        self.own_patience
            .unwrap_or(LockPatience { attempt: self.settings.lock_timeout, total: self.settings.retry_for })
    }

    /// What a session does when it is opened.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        self.engine()?;
        if self.migrates_itself() {
            let (events, _nobody) = tokio::sync::mpsc::unbounded_channel();
            let outcome = self.auto_migrate(&Line { events, control: std::sync::Arc::default() })?;
            self.notices.extend(outcome.warnings);
        }
        Ok(())
    }

    /// Whether the database is to be brought to an application schema without being told.
    pub(crate) fn migrates_itself(&self) -> bool {
        self.settings.auto_migrate && self.settings.application_schema.is_some()
    }

    pub(crate) fn schema(&mut self) -> Result<Schema, Error> {
        Ok(self.engine()?.schema()?)
    }

    /// Where the database is, as it was given.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub(crate) fn dialect(&mut self) -> Result<Dialect, Error> {
        Ok(self.engine()?.capabilities().dialect)
    }

    /// Runs a script: all of it is parsed before any of it runs, and the first failure ends it.
    pub(crate) fn script(&mut self, text: &str, line: &Line) -> Result<(), Error> {
        let result = self.statements(text, line);
        self.answers.clear();
        self.own_patience = None;
        result
    }

    fn statements(&mut self, text: &str, line: &Line) -> Result<(), Error> {
        let parse = pql_syntax::parse(text);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            parse.diagnostics().iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
        let mut places = Places::new(text);
        if let Some(error) = Error::of_several(errors.into_iter().map(|it| of_diagnostic(it, &mut places))) {
            return Err(error);
        }
        for statement in parse.statements() {
            if line.control.is_abandoned() {
                break;
            }
            let absent = self.absent_to(&statement);
            let mut output = self
                .looking(absent, |it| it.statement(&statement, line))
                .map_err(|error| place(error, text, statement.span()))?;
            output.warnings.extend(
                warnings.iter().filter(|it| within(&it.span, &statement.span())).map(|it| it.message.clone()),
            );
            output.warnings.append(&mut self.notices);
            line.tell(Event::Output(output));
        }
        Ok(())
    }

    /// Takes back a transaction that was left open; whether there was one.
    pub(crate) fn roll_back_open(&mut self) -> Result<bool, Error> {
        match &mut self.engine {
            Some(engine) if std::mem::take(&mut self.began) => Ok(engine.roll_back_open()?),
            _ => Ok(false),
        }
    }

    /// What a statement makes of a file that does not exist.
    fn absent_to(&self, statement: &Statement) -> Absent {
        if self.absent != Absent::Made {
            return self.absent;
        }
        match statement {
            Statement::Describe(_)
            | Statement::Status(_)
            | Statement::History(_)
            | Statement::Verify(_)
            | Statement::Plan(_)
            | Statement::Apply(_)
            | Statement::Rollback(_)
            | Statement::Pause(_)
            | Statement::Resume(_)
            | Statement::Cancel(_)
            | Statement::Purge(_) => Absent::Wrong,
            Statement::Show(_) | Statement::Detect(_) => Absent::Empty,
            Statement::PassThrough(it) => {
                let first = it.keywords().first().map(|word| word.to_lowercase());
                let reads = ["select", "values", "explain", "table"];
                if first.is_some_and(|word| reads.contains(&word.as_str())) {
                    Absent::Wrong
                } else {
                    Absent::Made
                }
            }
            _ if self.settings.dry_run => Absent::Empty,
            _ => Absent::Made,
        }
    }

    fn statement(&mut self, statement: &Statement, line: &Line) -> Result<Output, Error> {
        let kind = kind(statement);
        self.own_patience = None;
        let answer = match statement {
            Statement::Set(it) => return self.set(it, line),
            Statement::Reset(it) => self.reset(it)?,
            Statement::Show(it) => self.show(it)?,
            Statement::Describe(it) => self.describe(it)?,
            Statement::Detect(it) => self.detect(it)?,
            Statement::Generate(it) => self.generate(it)?,
            Statement::GenerateTo(it) => self.generate_to(it)?,
            Statement::Plan(it) => self.plan(it)?,
            Statement::Apply(it) => self.apply(it, line)?,
            Statement::Rollback(it) => self.rollback(it, line)?,
            Statement::Status(it) => self.status(it)?,
            Statement::History(it) => self.history(it)?,
            Statement::Pause(it) => self.pause(it)?,
            Statement::Resume(it) => self.resume(it, line)?,
            Statement::Cancel(it) => self.cancel(it, line)?,
            Statement::Purge(it) => self.purge(it, line)?,
            Statement::Baseline(it) => self.baseline(it)?,
            Statement::Verify(it) => self.verify(it)?,
            Statement::AlterTable(_)
            | Statement::CreateTable(_)
            | Statement::DropTable(_)
            | Statement::CreateIndex(_)
            | Statement::DropIndex(_)
            | Statement::CreateView(_)
            | Statement::DropView(_) => self.define(statement, line)?,
            Statement::PassThrough(it) => self.pass_through(it)?,
            Statement::Meta(_) => Answer::Done,
            Statement::Error(_) => unreachable!("a script with an error is not run"),
        };
        Ok(Output::new(kind, answer))
    }
}

/// The file of a SQLite database, when there is none where there could be one.
fn absent_file(url: &str) -> Option<PathBuf> {
    match url.parse() {
        Ok(Location::SqliteFile(path)) => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let fits = parent.is_none_or(Path::is_dir) && !path.exists();
            fits.then_some(path)
        }
        _ => None,
    }
}

fn no_such_file(path: &Path) -> Error {
    let message = format!("{} cannot be opened: there is no such file", path.display());
    Error::new(pql_engine::codes::CANNOT_OPEN, message)
        .with_help("check the name; the first statement that writes makes a new database")
}

/// What a session says of a migration that it finds unfinished.
fn unfinished(migration: &Interrupted) -> String {
    let state = if migration.paused { "is paused" } else { "was interrupted" };
    let error = migration.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
    format!("migration {} ({}) {state}{error}: {}", migration.migration_id, migration.name, migration.ways_on)
}

/// The name of a statement's kind in results.
pub(crate) fn kind(statement: &Statement) -> String {
    match statement {
        Statement::Set(_) => "set",
        Statement::Reset(_) => "reset",
        Statement::Show(_) => "show",
        Statement::Describe(_) => "describe",
        Statement::Detect(_) => "migrate_detect",
        Statement::Generate(_) | Statement::GenerateTo(_) => "migrate_generate",
        Statement::Plan(_) => "migrate_plan",
        Statement::Apply(_) => "migrate_apply",
        Statement::Rollback(_) => "migrate_rollback",
        Statement::Status(_) => "migrate_status",
        Statement::History(_) => "migrate_history",
        Statement::Pause(_) => "migrate_pause",
        Statement::Resume(_) => "migrate_resume",
        Statement::Cancel(_) => "migrate_cancel",
        Statement::Purge(_) => "migrate_purge",
        Statement::Baseline(_) => "migrate_baseline",
        Statement::Verify(_) => "migrate_verify",
        Statement::AlterTable(_) => "alter_table",
        Statement::CreateTable(_) => "create_table",
        Statement::DropTable(_) => "drop_table",
        Statement::CreateIndex(_) => "create_index",
        Statement::DropIndex(_) => "drop_index",
        Statement::CreateView(_) => "create_view",
        Statement::DropView(_) => "drop_view",
        Statement::PassThrough(it) => {
            return it.keywords().first().map_or_else(|| "sql".to_owned(), |word| word.to_lowercase());
        }
        Statement::Meta(_) => "meta",
        Statement::Error(_) => "error",
    }
    .to_owned()
}

/// A finding about a text as an error at its place.
pub(crate) fn of_diagnostic(diagnostic: &Diagnostic, places: &mut Places<'_>) -> Error {
    described(diagnostic).with_span(places.span(diagnostic.span.start, diagnostic.span.end))
}

fn described(diagnostic: &Diagnostic) -> Error {
    let mut error = Error::new(diagnostic.code, diagnostic.message.clone());
    if let Some(help) = &diagnostic.help {
        error = error.with_help(help.clone());
    }
    if let Some(label) = &diagnostic.label {
        error = error.with_label(label.clone());
    }
    error
}

/// A finding about a text that is at hand elsewhere.
pub(crate) fn of_place(diagnostic: &Diagnostic) -> Error {
    described(diagnostic).at(diagnostic.span.clone())
}

/// Gives an error the place of the statement, unless it has a better one.
fn place(error: Error, text: &str, span: Range<usize>) -> Error {
    let error = error.located(text);
    if error.span().is_some() || error.origin().is_some() {
        return error;
    }
    // The first line says which statement it is; the whole of a long one would bury the message.
    let end = text[span.clone()].find('\n').map_or(span.end, |at| span.start + at);
    error.with_span(Span::locate(text, span.start, end))
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// A number as the database has them.
fn number(value: impl TryInto<i64>) -> Value {
    Value::Integer(value.try_into().unwrap_or(i64::MAX))
}
