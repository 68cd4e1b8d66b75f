//! One action that is being executed: its transactions, and the waiting for their locks.
//!
//! An attempt queues for a lock for a short while at first and longer each time, up to `lock_timeout`: whoever comes
//! after us in the queue waits with us, so the wait is cut up, and between two attempts everyone else passes.

use std::time::{Duration, Instant};

use pql_planner::Plan;
use pql_schema::MigrationStrategy;

use super::blockers;
use super::link::Session;
use super::transaction::{Settings, transact};
use crate::backend::{Progress, Step};
use crate::error::codes;
use crate::runner::Backoff;
use crate::{Error, Result};

/// How long the first attempt queues for a lock when others are at work.
const FIRST_ATTEMPT: Duration = Duration::from_millis(30);

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
        let options = self.step.options();
        let (longest, total) = (options.lock_timeout, options.retry_for.max(options.lock_timeout));
        let mut attempt = if self.online() { FIRST_ATTEMPT.min(longest) } else { longest };
        let mut backoff = Backoff::new();
        let start = Instant::now();
        loop {
            let settings = Settings::of(self.step.options(), attempt);
            let mut held = Instant::now();
            let step = &mut *self.step;
            let outcome = transact(self.session, &settings, |session| {
                held = Instant::now();
                let (value, progress) = work(session)?;
                step.commit(session, &progress)?;
                Ok((value, progress))
            });
            let error = match outcome {
                Ok((value, progress)) => {
                    self.step.held(held.elapsed());
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
            let what = if named.is_empty() { error.message().to_owned() } else { named.join("; ") };
            self.step.waiting(&what);
            attempt = (attempt * 2).min(longest);
            let step = &mut *self.step;
            backoff.wait(&mut || step.listen())?;
        }
    }

    /// One write transaction with which the action is complete.
    pub(super) fn write_last<T>(&mut self, mut work: impl FnMut(&mut Session) -> Result<T>) -> Result<T> {
        self.write(|session| Ok((work(session)?, done())))
    }

    /// Marks the action as done when it had nothing to write.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.write_last(|_| Ok(()))
    }

    /// Reads one snapshot.
    pub(super) fn read<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        transact(self.session, &Settings { snapshot: true, ..Settings::default() }, work)
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
