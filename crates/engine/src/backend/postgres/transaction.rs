//! One transaction: its settings, its end, and what became of it when the connection was lost on the way.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::errors;
use super::link::Session;
use crate::backend::{Connection as _, RunOptions};
use crate::error::codes;
use crate::{Error, Result, Value};

/// How long a transaction outside a run waits for one lock.
const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the outcome of a COMMIT whose answer was lost is waited for.
const DOUBT: Duration = Duration::from_mins(1);

/// What holds within one transaction. Set by `SET LOCAL`: a pooler may give every transaction another session, and
/// none of the settings may stay behind in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) lock_timeout: Duration,
    pub(super) statement_timeout: Option<Duration>,
    /// A snapshot that nobody writes to.
    pub(super) snapshot: bool,
    /// A transaction that is rolled back in any case.
    pub(super) discard: bool,
    /// What is said in it means what it means to the application, see [`AS_CONFIGURED`].
    pub(super) as_configured: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lock_timeout: DEFAULT_LOCK_TIMEOUT,
            statement_timeout: None,
            snapshot: false,
            discard: false,
            as_configured: false,
        }
    }
}

impl Settings {
    /// For an action, whose every attempt may queue for a lock as long as `lock_timeout`.
    pub(super) fn of(options: &RunOptions, lock_timeout: Duration) -> Self {
        Self {
            lock_timeout,
            statement_timeout: options.statement_timeout,
            as_configured: true,
            ..Self::default()
        }
    }

    /// For reading rows in one snapshot.
    pub(super) fn of_rows() -> Self {
        Self { snapshot: true, as_configured: true, ..Self::default() }
    }

    /// BEGIN and what holds until the end.
    pub(super) fn begin(&self, read_only: bool) -> String {
        let mode = match (self.snapshot, read_only) {
            (true, _) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            (false, true) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
            (false, false) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        let mut sql = mode.to_owned();
        let millis = |time: Duration| time.as_millis().max(1);
        let _ = write!(
            sql,
            "; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = 0; {PINNED}; {}",
            millis(self.lock_timeout),
            self.statement_timeout.map_or(0, millis),
            if self.as_configured { AS_CONFIGURED } else { AS_PRINTED },
        );
        sql
    }
}

/// What makes statements of ours mean the same, whoever is connected.
const PINNED: &str = "SET LOCAL search_path = public; SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off; \
     SET LOCAL row_security = off; SET LOCAL standard_conforming_strings = on";

/// What makes the server print every value, and so every definition, in one way, which it reads alike whatever is set.
const AS_PRINTED: &str = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; \
     SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'";

/// What a literal means and what becomes of a value in another type, as the server, the database and the role say it: so
/// it is for the application, and for an ALTER TABLE of anybody.
const AS_CONFIGURED: &str = "SET LOCAL TimeZone TO DEFAULT; SET LOCAL DateStyle TO DEFAULT; \
     SET LOCAL IntervalStyle TO DEFAULT; SET LOCAL extra_float_digits TO DEFAULT; SET LOCAL bytea_output TO DEFAULT";

/// The same for a function of ours, as it is when that is made: a row becomes the same whoever writes it.
pub(super) const OF_FUNCTION: &str = "SET TimeZone FROM CURRENT SET DateStyle FROM CURRENT \
     SET IntervalStyle FROM CURRENT SET extra_float_digits FROM CURRENT SET bytea_output FROM CURRENT \
     SET standard_conforming_strings FROM CURRENT";

/// Reads definitions in a transaction in which all else is as configured.
pub(super) fn printed<T>(session: &mut Session, read: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
    session.batch(AS_PRINTED)?;
    let found = read(session)?;
    session.batch(AS_CONFIGURED)?;
    Ok(found)
}

/// Runs one transaction. An error of `work` ends it without effect. A lost COMMIT is looked up: the error is only
/// given when nothing was kept.
pub(super) fn transact<T>(
    session: &mut Session,
    settings: &Settings,
    work: impl FnOnce(&mut Session) -> Result<T>,
) -> Result<T> {
    begin(session, settings)?;
    let read_only = session.is_read_only();
    let done = match work(session) {
        Ok(done) => done,
        Err(error) => {
            session.roll_back();
            return Err(error);
        }
    };
    if settings.snapshot || settings.discard || read_only {
        session.roll_back();
        return Ok(done);
    }
    commit(session)?;
    Ok(done)
}

/// BEGIN, with its settings.
pub(super) fn begin(session: &mut Session, settings: &Settings) -> Result<()> {
    let sql = settings.begin(session.is_read_only());
    session.notices().take_already_open();
    match session.batch(&sql) {
        // The server had ended the connection while it was idle; nothing was lost with it.
        Err(error) if errors::is_lost(&error) => session.batch(&sql)?,
        outcome => outcome?,
    }
    if session.notices().take_already_open() {
        return Err(Error::new(codes::TRANSACTION_OPEN, "a transaction is open on this connection")
            .with_help("COMMIT or ROLLBACK it first"));
    }
    session.begun();
    Ok(())
}

/// COMMIT, with the transaction's number taken before so that its fate can be asked for.
pub(super) fn commit(session: &mut Session) -> Result<()> {
    commit_after(session, "")
}

/// The same after a last statement, with which the number comes.
pub(super) fn commit_after(session: &mut Session, last: &str) -> Result<()> {
    let last = if last.is_empty() { String::new() } else { format!("{last}; ") };
    match session.batch_value(&format!("{last}SELECT pg_current_xact_id_if_assigned()::text")) {
        Ok(number) => commit_numbered(session, number.as_deref()),
        Err(error) => {
            session.roll_back();
            Err(error)
        }
    }
}

/// COMMIT of the transaction that has this number, if it has one.
fn commit_numbered(session: &mut Session, number: Option<&str>) -> Result<()> {
    let outcome = session.batch("COMMIT");
    session.ended();
    match outcome {
        Err(error) if errors::is_lost(&error) => match number {
            Some(number) if fate(session, number)? => Ok(()),
            _ => Err(error),
        },
        Err(error) => {
            session.roll_back();
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

/// Whether a transaction was committed; waits while the server is still at it.
fn fate(session: &mut Session, number: &str) -> Result<bool> {
    let start = Instant::now();
    loop {
        let found = session.query("SELECT pg_xact_status($1::text::xid8)", &[Value::from(number)]);
        let status = match found {
            Ok(found) => found.rows.into_iter().flatten().next(),
            Err(error) if error.is_retryable() && start.elapsed() < DOUBT => {
                sleep(Duration::from_millis(200));
                continue;
            }
            Err(error) => return Err(error),
        };
        match status {
            Some(Value::Text(word)) if word == "committed" => return Ok(true),
            Some(Value::Text(word)) if word == "in progress" && start.elapsed() < DOUBT => {
                sleep(Duration::from_millis(50));
            }
            _ => return Ok(false),
        }
    }
}
