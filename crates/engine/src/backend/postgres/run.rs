//! One action that is being executed: its transactions, and the waiting for their locks.
//!
//! An attempt queues for a lock for a short while at first and longer each time: whoever comes after us in the queue
//! waits with us, so the wait is cut up, and between two attempts everyone else passes. Only when that has not helped for
//! a while an attempt lasts up to `lock_timeout`.

use std::time::{Duration, Instant};

use pql_planner::Plan;
use pql_schema::MigrationStrategy;

use super::link::Session;
use super::transaction::{self, Settings, transact};
use super::{blockers, ledger};
use crate::backend::{Progress, Step};
use crate::error::codes;
use crate::runner::Backoff;
use crate::{Error, Result};

/// How long the first attempt queues for a lock when others are at work.
const FIRST_ATTEMPT: Duration = Duration::from_millis(5);
/// How long any attempt does at first, and how long that is.
const SHORT_ATTEMPT: Duration = Duration::from_millis(40);
const PATIENT: Duration = Duration::from_secs(5);

/// What an action works with.
pub(super) struct Run<'a> {
    /// The connection that writes.
    pub(super) session: &'a mut Session,
    /// The plan that the action belongs to.
    pub(super) plan: &'a Plan,
    /// The runner's side.
    pub(super) step: &'a mut dyn Step,
}

impl Run<'_> {
    /// Whether others are at work and must not be kept waiting.
    pub(super) fn online(&self) -> bool {
        self.plan.strategy == MigrationStrategy::Online
    }

    /// One write transaction, journalled as its last act. `work` may be called several times: each attempt that met
    /// a lock or a lost connection is rolled back before the next.
    pub(super) fn write<T>(
        &mut self,
        mut work: impl FnMut(&mut Session) -> Result<(T, Progress)>,
    ) -> Result<T> {
        self.attempts(|run, settings| {
            transaction::begin(run.session, settings)?;
            let held = Instant::now();
            let worked = work(run.session).and_then(|(value, progress)| {
                let ticket = run.step.ticket(&progress)?;
                Ok((ledger::entry(&ticket, &progress)?, value, progress))
            });
            match worked {
                Ok((entry, value, progress)) => {
                    transaction::commit_after(run.session, &entry)?;
                    Ok((value, progress, held.elapsed()))
                }
                Err(error) => {
                    run.session.roll_back();
                    Err(error)
                }
            }
        })
    }

    /// One write transaction with which the action is complete.
    pub(super) fn write_last<T>(&mut self, mut work: impl FnMut(&mut Session) -> Result<T>) -> Result<T> {
        self.write(|session| Ok((work(session)?, done())))
    }

    /// The same for statements whose answers nobody needs. All of it goes to the server as one text: no lock is held
    /// while something is under way. Whether it was done after all when the answer is lost, the journal says.
    pub(super) fn write_text(&mut self, sql: &str) -> Result<()> {
        self.attempts(|run, settings| {
            let progress = done();
            let ticket = run.step.ticket(&progress)?;
            let entry = ledger::entry(&ticket, &progress)?;
            let whole = format!("{};\n{sql};\n{entry};\nCOMMIT", settings.begin(false));
            let held = Instant::now();
            if let Err(error) = run.session.batch(&whole) {
                run.session.roll_back();
                return Err(error);
            }
            Ok(((), progress, held.elapsed()))
        })
    }

    /// Attempts at one transaction, each with what it may queue for a lock; gives also how long it held what it locked.
    fn attempts<T>(
        &mut self,
        mut once: impl FnMut(&mut Self, &Settings) -> Result<(T, Progress, Duration)>,
    ) -> Result<T> {
        let options = self.step.options();
        let (longest, total) = (options.lock_timeout, options.retry_for.max(options.lock_timeout));
        let mut attempt = if self.online() { FIRST_ATTEMPT.min(longest) } else { longest };
        let mut backoff = Backoff::new();
        let start = Instant::now();
        loop {
            let settings = Settings::of(self.step.options(), attempt);
            let error = match once(self, &settings) {
                Ok((value, progress, held)) => {
                    self.step.held(held);
                    if !progress.done {
                        self.step.breathe(&progress)?;
                    }
                    return Ok(value);
                }
                Err(error) => error,
            };
            // What was lost with the connection is left to the runner, which asks the journal how far it came.
            if !error.is_retryable() || error.code() == codes::CONNECTION {
                return Err(error);
            }
            let named = blockers::of(self.session, &self.plan.touches).unwrap_or_default();
            if start.elapsed() >= total {
                return Err(locked(start.elapsed(), &error, &named));
            }
            // A role that may not do that waits until the server does it.
            let _ = blockers::send_vacuum_away(self.session, &self.plan.touches);
            let what = if named.is_empty() { error.message().to_owned() } else { named.join("; ") };
            self.step.waiting(&what);
            attempt = (attempt * 2).min(longest);
            if self.online() && start.elapsed() < PATIENT {
                attempt = attempt.min(SHORT_ATTEMPT);
            }
            let step = &mut *self.step;
            backoff.wait(&mut || step.listen())?;
        }
    }

    /// Marks the action as done when it had nothing to write.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.write_text("")
    }

    /// Reads one snapshot.
    pub(super) fn read<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        transact(self.session, &Settings::of_rows(), work)
    }

    /// Another connection, for work beside this one.
    pub(super) fn another(&self) -> Result<Session> {
        self.session.another()
    }
}

/// The progress of an action that is complete.
pub(super) fn done() -> Progress {
    Progress { done: true, ..Progress::default() }
}

fn locked(waited: Duration, error: &Error, blockers: &[String]) -> Error {
    let by =
        if blockers.is_empty() { String::new() } else { format!("; its holders: {}", blockers.join("; ")) };
    Error::new(
        codes::LOCKED,
        format!("no lock could be had for {:.1} s: {}{by}", waited.as_secs_f64(), error.message()),
    )
    .with_help(
        "nothing was changed by these attempts; end the session that holds the lock, or allow more time with \
         lock_timeout and retry_for",
    )
}
