//! The lease: one runner at a time.
//!
//! A row names the owner and carries a fencing number that grows with every change of hands. The runner's every
//! transaction reads that number again before it commits, so a runner that was believed dead and is not (stopped,
//! asleep) can do no harm: its next commit fails. Whether the owner lives is judged by its process where it can be
//! looked up, otherwise by its heartbeat; and since the clocks of machines jump, a heartbeat that looks old is
//! watched for a few beats by this machine's own monotonic clock before it is believed.

mod watch;

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use pql_schema::MigrationId;

use crate::backend::{Backend, Connection};
use crate::journal::{Journal, Row, now, time_text};
use crate::process::Process;
use crate::runner::{transact, transact_patiently};
use crate::{Error, Result, Value, codes};

pub(crate) use watch::Control;
use watch::Watch;

/// How often an owner shows that it lives.
const BEAT: Duration = Duration::from_secs(2);
/// The age from which a heartbeat is doubted.
const EXPIRY: Duration = Duration::from_secs(15);
/// How long a doubted heartbeat is watched.
const DOUBT: Duration = Duration::from_secs(6);

/// The right to change the database, while it lasts.
pub(crate) struct Lease {
    journal: Journal,
    fence: u64,
    /// How long writing under the lease waits for a lock.
    patience: Duration,
    control: Arc<Control>,
    /// Keeps the heartbeat going; gives the lease back when dropped.
    watch: Option<Watch>,
}

/// Who holds the lease.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    fence: u64,
    beat: u64,
    pub(crate) owner: String,
    process: Option<Process>,
    pub(crate) migration_id: Option<MigrationId>,
    at: DateTime<Utc>,
}

enum Attempt {
    Taken { fence: u64, from: Option<String> },
    Doubtful(Holder),
}

impl Lease {
    /// Takes the lease for work on a migration, or says who has it.
    pub(crate) fn acquire(
        backend: &mut dyn Backend,
        journal: Journal,
        actor: &str,
        id: Option<MigrationId>,
        patience: Duration,
    ) -> Result<Self> {
        let process = Process::current();
        let owner = format!("{actor} (process {})", process.pid);
        let mut watched: Option<Holder> = None;
        let fence = loop {
            let attempt = transact_patiently(backend, patience, |connection| {
                journal.ensure(connection)?;
                take(journal, connection, &owner, &process, id, watched.as_ref())
            })?;
            match attempt {
                Attempt::Taken { fence, from } => {
                    if let Some(from) = from {
                        transact(backend, |connection| {
                            journal.record(connection, actor, id, "lease_taken_over", Some(&from))
                        })?;
                    }
                    break fence;
                }
                Attempt::Doubtful(holder) => {
                    observe(backend, journal, &holder)?;
                    watched = Some(holder);
                }
            }
        };
        let control = Arc::new(Control::default());
        let watch =
            backend.companion().map(|opener| Watch::start(opener, journal, fence, id, Arc::clone(&control)));
        Ok(Self { journal, fence, patience, control, watch })
    }

    /// Fails when the lease is another's by now. Called inside every transaction, before it commits.
    pub(crate) fn verify(&self, connection: &mut dyn Connection) -> Result<()> {
        let found = connection.query(&self.journal.fence_sql(), &[])?;
        let fence = found.rows.into_iter().next().map(|row| Row::new(row).number()).transpose()?;
        if fence == Some(self.fence) {
            return Ok(());
        }
        Err(lost())
    }

    /// The number that makes it out.
    pub(crate) fn fence(&self) -> u64 {
        self.fence
    }

    /// Runs one transaction under the lease.
    pub(crate) fn transact<T>(
        &self,
        backend: &mut dyn Backend,
        mut work: impl FnMut(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        transact_patiently(backend, self.patience, |connection| {
            self.verify(connection)?;
            work(connection)
        })
    }

    /// What other sessions ask of the run.
    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Gives the lease back.
    pub(crate) fn release(mut self, backend: &mut dyn Backend) -> Result<()> {
        if let Some(watch) = self.watch.take() {
            watch.stop();
        }
        let (journal, fence) = (self.journal, self.fence);
        transact(backend, |connection| release(journal, connection, fence))
    }
}

/// The error of a runner whose lease is another's by now.
pub(crate) fn lost() -> Error {
    Error::new(codes::LEASE_LOST, "another runner has taken over this migration while this one was silent")
        .with_help("MIGRATE STATUS shows how far it is; what this runner had not committed was rolled back")
}

/// Who holds the lease now; `None` when nobody does or its owner is certainly gone.
pub(crate) fn holder(journal: Journal, connection: &mut dyn Connection) -> Result<Option<Holder>> {
    Ok(read(journal, connection)?.1.filter(|holder| !holder.is_gone()))
}

impl Holder {
    fn is_gone(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_gone)
    }

    fn is_fresh(&self) -> bool {
        // A heartbeat from the future is as doubtful as an old one.
        (now() - self.at).abs().to_std().is_ok_and(|age| age < EXPIRY)
    }

    /// The error for somebody else who wants the lease.
    pub(crate) fn refusal(&self) -> Error {
        let what = self.migration_id.map_or_else(String::new, |id| format!(" on migration {id}"));
        Error::new(codes::LEASE, format!("{} is at work{what} in this database", self.owner))
            .with_help("wait until it has finished, or steer it with MIGRATE PAUSE or MIGRATE CANCEL")
    }
}

fn take(
    journal: Journal,
    connection: &mut dyn Connection,
    owner: &str,
    process: &Process,
    id: Option<MigrationId>,
    watched: Option<&Holder>,
) -> Result<Attempt> {
    let (fence, holder) = read(journal, connection)?;
    if let Some(holder) = &holder
        && !holder.is_gone()
    {
        let silent = watched.is_some_and(|seen| (seen.fence, seen.beat) == (holder.fence, holder.beat));
        if holder.is_fresh() && !silent {
            return Err(holder.refusal());
        }
        if !silent {
            return Ok(Attempt::Doubtful(holder.clone()));
        }
    }
    let next = fence + 1;
    connection.execute(
        &journal.sql(
            "INSERT INTO {lease} (one, fence, beat, owner, process, migration_id, at) \
             VALUES (1, ?1, 0, ?2, ?3, ?4, ?5) \
             ON CONFLICT (one) DO UPDATE SET fence = excluded.fence, beat = 0, owner = excluded.owner, \
             process = excluded.process, migration_id = excluded.migration_id, at = excluded.at",
        ),
        &[
            Value::Integer(i64::try_from(next).unwrap_or(i64::MAX)),
            owner.into(),
            serde_json::to_string(process).expect("a process has string keys only").into(),
            id.map(|id| id.to_string()).into(),
            time_text(now()).into(),
        ],
    )?;
    if let Some(id) = id {
        // What was asked of a run before. From here on a word is for this one, however early it comes.
        journal.set_control(connection, id, None)?;
    }
    Ok(Attempt::Taken { fence: next, from: holder.map(|holder| holder.owner) })
}

/// Watches a heartbeat that looks old; an error when it beats after all.
fn observe(backend: &mut dyn Backend, journal: Journal, doubtful: &Holder) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < DOUBT {
        sleep(Duration::from_millis(200));
        match read(journal, backend.connection())?.1 {
            Some(holder) if (holder.fence, holder.beat) != (doubtful.fence, doubtful.beat) => {
                return Err(holder.refusal());
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(())
}

/// The fencing number, and the holder when there is one.
fn read(journal: Journal, connection: &mut dyn Connection) -> Result<(u64, Option<Holder>)> {
    let found = connection.query(
        &journal.sql("SELECT fence, beat, owner, process, migration_id, at FROM {lease} WHERE one = 1"),
        &[],
    )?;
    let Some(row) = found.rows.into_iter().next() else { return Ok((0, None)) };
    let mut row = Row::new(row);
    let (fence, beat) = (row.number()?, row.number()?);
    let Some(owner) = row.opt_text()? else { return Ok((fence, None)) };
    let holder = Holder {
        fence,
        beat,
        owner,
        process: row.opt_json()?,
        migration_id: row.opt_parse()?,
        at: row.time()?,
    };
    Ok((fence, Some(holder)))
}

fn beat(journal: Journal, connection: &mut dyn Connection, fence: u64) -> Result<u64> {
    connection.execute(
        &journal.sql("UPDATE {lease} SET beat = beat + 1, at = ?2 WHERE one = 1 AND fence = ?1"),
        &[Value::Integer(i64::try_from(fence).unwrap_or(i64::MAX)), time_text(now()).into()],
    )
}

fn release(journal: Journal, connection: &mut dyn Connection, fence: u64) -> Result<()> {
    connection.execute(
        &journal.sql("UPDATE {lease} SET owner = NULL, process = NULL, migration_id = NULL WHERE one = 1 AND fence = ?1"),
        &[Value::Integer(i64::try_from(fence).unwrap_or(i64::MAX))],
    )?;
    Ok(())
}
