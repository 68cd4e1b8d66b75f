//! Failures on demand, for tests: an error or the end of the process, before or after any statement or commit.
//!
//! [`Watch`] sees every statement that changes a SQLite file, or goes to a server, and can kill the process at one of
//! them; child processes are told by the environment variable `PQL_FAULT`:
//! - `kill:before:17`, `kill:after:17`: SIGKILL around the 17th statement since the database was opened;
//! - `list:FILE`: write every statement to a file, a line each, so that a harness knows how many there are.
//!
//! Statements that only read are not counted: they leave the file as the statement before them did.
//!
//! [`FaultyBackend`] wraps any backend and makes the transactions of its actions fail, with the process alive.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pql_planner::{Action, Capabilities, Plan, Statistics};
use pql_schema::{Expr, ObjectName, Schema, Table};
use rusqlite::Connection as Db;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use crate::backend::{
    Backend, Connection, LockPatience, Opener, Progress, RunOptions, Silenced, Step, Ticket,
};
use crate::{Error, Result, codes};

/// The variable that tells a child process where to die.
pub const VARIABLE: &str = "PQL_FAULT";

/// On which side of it something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It has not happened.
    Before,
    /// It has.
    After,
}

/// Sees the statements of a connection.
#[derive(Debug)]
pub enum Watch {
    /// Ends the process at one of them.
    Kill {
        /// On which side.
        side: Side,
        /// Of which, from 1.
        at: u64,
        /// How many there were.
        seen: u64,
    },
    /// Writes them down.
    List(File),
}

impl Watch {
    /// What `PQL_FAULT` asks for. A wrong value ends the process: a harness must not take it for a clean run.
    pub fn from_environment() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        let parsed = match text.split_once(':') {
            Some(("list", path)) => File::options().append(true).create(true).open(path).ok().map(Self::List),
            Some(("kill", rest)) => rest.split_once(':').and_then(|(side, at)| {
                let side = match side {
                    "before" => Side::Before,
                    "after" => Side::After,
                    _ => return None,
                };
                Some(Self::Kill { side, at: at.parse().ok()?, seen: 0 })
            }),
            _ => None,
        };
        assert!(parsed.is_some(), "{VARIABLE}={text} is not kill:before:N, kill:after:N or list:FILE");
        parsed
    }

    /// A statement begins.
    pub fn begins(&mut self, sql: &str) {
        if only_reads(sql) {
            return;
        }
        match self {
            Self::Kill { side, at, seen } => {
                *seen += 1;
                if *side == Side::Before && seen == at {
                    kill();
                }
            }
            Self::List(file) => {
                let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
                writeln!(file, "{line}").expect("the list of statements can be written");
            }
        }
    }

    /// It has ended.
    pub fn ended(&mut self, sql: &str) {
        if let Self::Kill { side: Side::After, at, seen } = self
            && seen == at
            && !only_reads(sql)
        {
            kill();
        }
    }
}

/// What the environment asks for; the process has one watch for all connections that it opens.
fn watch() -> Option<&'static Mutex<Watch>> {
    static WATCH: OnceLock<Option<Mutex<Watch>>> = OnceLock::new();
    WATCH.get_or_init(|| Watch::from_environment().map(Mutex::new)).as_ref()
}

/// Runs a statement on a server, and sees that it does.
pub(crate) fn around<T>(sql: &str, run: impl FnOnce() -> T) -> T {
    let Some(watch) = watch() else { return run() };
    watch.lock().unwrap_or_else(PoisonError::into_inner).begins(sql);
    let outcome = run();
    watch.lock().unwrap_or_else(PoisonError::into_inner).ended(sql);
    outcome
}

/// Lets a connection be watched as the environment asks.
pub(crate) fn attach(db: &mut Db) -> Result<()> {
    let Some(watch) = watch() else { return Ok(()) };
    let events = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_PROFILE;
    db.trace_v2(
        events,
        Some(move |event: TraceEvent<'_>| {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                TraceEvent::Stmt(_, sql) => watch.begins(sql),
                TraceEvent::Profile(statement, _) => watch.ended(&statement.sql()),
                _ => {}
            }
        }),
    )?;
    Ok(())
}

/// Whether a statement leaves the file alone; so does what a trigger's program is announced by, a comment.
fn only_reads(sql: &str) -> bool {
    let sql = sql.trim_start();
    let begins = |word: &str| sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    sql.is_empty()
        || sql.starts_with("--")
        || begins("SELECT")
        || (begins("PRAGMA") && !sql.contains('=') && !sql.contains("checkpoint"))
}

/// Ends this process as `kill -9` does: nothing is flushed, closed or unlocked by it.
fn kill() -> ! {
    let id = std::process::id().to_string();
    let sent = std::process::Command::new("kill").args(["-KILL", &id]).status();
    // The signal arrives at once; where there is no such command an abort comes nearest.
    std::thread::sleep(Duration::from_millis(500));
    drop(sent);
    std::process::abort()
}

/// A backend whose actions fail at one of their transactions.
pub struct FaultyBackend {
    inner: Box<dyn Backend>,
    fault: Fault,
}

/// Where a [`FaultyBackend`] fails; shared with the test that watches it.
#[derive(Debug, Clone)]
pub struct Fault {
    side: Side,
    at: u64,
    seen: Arc<AtomicU64>,
}

impl Fault {
    /// At the transaction of that number, counted over all actions from 1; one that is never reached only counts.
    pub fn new(side: Side, at: u64) -> Self {
        Self { side, at, seen: Arc::default() }
    }

    /// How many transactions there were.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    fn error(&self) -> Error {
        Error::new(codes::INJECTED, format!("a test made transaction {} fail", self.at))
    }
}

impl FaultyBackend {
    /// Wraps a backend.
    pub fn new(inner: Box<dyn Backend>, fault: Fault) -> Self {
        Self { inner, fault }
    }
}

impl Backend for FaultyBackend {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn remark(&self) -> Option<String> {
        self.inner.remark()
    }

    fn introspect(&mut self) -> Result<Schema> {
        self.inner.introspect()
    }

    fn introspect_part(&mut self, names: &[ObjectName]) -> Result<Schema> {
        self.inner.introspect_part(names)
    }

    fn exists(&mut self, name: &ObjectName) -> Result<bool> {
        self.inner.exists(name)
    }

    fn normalise(&mut self, current: &Schema, target: &mut Schema) -> Result<()> {
        self.inner.normalise(current, target)
    }

    fn unknown_columns(&mut self, exprs: &[(Table, Expr)]) -> Result<Vec<(usize, String)>> {
        self.inner.unknown_columns(exprs)
    }

    fn forget(&mut self, action: &Action) -> Result<()> {
        self.inner.forget(action)
    }

    fn silenced(&mut self) -> Result<Vec<Silenced>> {
        self.inner.silenced()
    }

    fn statistics(&mut self, tables: &[ObjectName]) -> Result<Statistics> {
        self.inner.statistics(tables)
    }

    fn statements(&self, plan: &Plan, action: &Action) -> Vec<String> {
        self.inner.statements(plan, action)
    }

    fn probe(&mut self, plan: &Plan, action: &Action) -> Result<Option<bool>> {
        self.inner.probe(plan, action)
    }

    fn fits(&mut self, plan: &Plan, action: &Action) -> Result<()> {
        self.inner.fits(plan, action)
    }

    fn execute(&mut self, plan: &Plan, action: &Action, step: &mut dyn Step) -> Result<()> {
        let mut step = FaultyStep { inner: step, fault: &self.fault, committed: false };
        self.inner.execute(plan, action, &mut step)?;
        step.after()
    }

    fn may_purge(&mut self, plan: &Plan) -> Result<()> {
        self.inner.may_purge(plan)
    }

    fn purge(&mut self, plan: &Plan, step: &mut dyn Step) -> Result<()> {
        let mut step = FaultyStep { inner: step, fault: &self.fault, committed: false };
        self.inner.purge(plan, &mut step)?;
        step.after()
    }

    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Result<()>) -> Result<()> {
        self.inner.transaction(work)
    }

    fn set_patience(&mut self, patience: LockPatience) {
        self.inner.set_patience(patience);
    }

    fn connection(&mut self) -> &mut dyn Connection {
        self.inner.connection()
    }

    fn another(&mut self) -> Result<Option<Box<dyn Backend>>> {
        let fault = self.fault.clone();
        let other = self.inner.another()?;
        Ok(other.map(|inner| -> Box<dyn Backend> { Box::new(Self::new(inner, fault)) }))
    }

    fn companion(&mut self) -> Option<Opener> {
        self.inner.companion()
    }
}

struct FaultyStep<'s> {
    inner: &'s mut dyn Step,
    fault: &'s Fault,
    /// The transaction whose end is to be an error has been given to the database.
    committed: bool,
}

impl FaultyStep<'_> {
    /// The number of the next transaction, unless the one before was to fail after its end.
    fn next(&mut self) -> Result<u64> {
        let number = self.fault.seen.fetch_add(1, Ordering::Relaxed) + 1;
        self.after()?;
        Ok(number)
    }

    /// Fails before the end of the transaction of that number, or will fail after it.
    fn at(&mut self, number: u64) -> Result<()> {
        match (number == self.fault.at, self.fault.side) {
            (true, Side::Before) => Err(self.fault.error()),
            (true, Side::After) => {
                self.committed = true;
                Ok(())
            }
            (false, _) => Ok(()),
        }
    }

    fn after(&mut self) -> Result<()> {
        if std::mem::take(&mut self.committed) { Err(self.fault.error()) } else { Ok(()) }
    }
}

impl Step for FaultyStep<'_> {
    fn cursor(&self) -> Option<&str> {
        self.inner.cursor()
    }

    fn commit(&mut self, connection: &mut dyn Connection, progress: &Progress) -> Result<()> {
        let number = self.next()?;
        self.inner.commit(connection, progress)?;
        self.at(number)
    }

    /// A message counts as one transaction. What it is given leave for is done, so the failure after it is one.
    fn ticket(&mut self, progress: &Progress) -> Result<Ticket> {
        let number = self.next()?;
        let ticket = self.inner.ticket(progress)?;
        self.at(number)?;
        Ok(ticket)
    }

    fn breathe(&mut self, progress: &Progress) -> Result<()> {
        self.after()?;
        self.inner.breathe(progress)
    }

    fn listen(&mut self) -> Result<()> {
        self.after()?;
        self.inner.listen()
    }

    fn options(&self) -> &RunOptions {
        self.inner.options()
    }

    fn held(&mut self, lock: Duration) {
        self.inner.held(lock);
    }

    fn waiting(&mut self, what: &str) {
        self.inner.waiting(what);
    }

    fn note(&mut self, what: &str) {
        self.inner.note(what);
    }
}
