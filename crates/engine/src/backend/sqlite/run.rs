//! One action that is being executed: its transactions, the waiting for them, and the gaps after them.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pql_planner::Plan;
use pql_schema::MigrationStrategy;
use rusqlite::config::DbConfig;
use rusqlite::{Connection as Db, ErrorCode};

use super::connect::Patience;
use super::holders::{self, Held};
use super::link::Link;
use super::others::Others;
use super::pacing::Pacer;
use crate::backend::{Progress, Step};
use crate::error::codes;
use crate::{Error, Result};

/// How long a wait for the lock lasts before it is reported for the first time, and again.
const REPORT: Duration = Duration::from_millis(100);

/// Between two looks for somebody who is missed.
const GLANCE: Duration = Duration::from_micros(300);

/// Every so many paced transactions the log is brought into the file, in the gap after them.
const CHECKPOINT_EVERY: u32 = 4;

/// A log of so many pages is started again (16 MB with pages of the usual size).
pub(super) const LONG_LOG: i64 = 4_000;

/// The cache for looking rows up in no order, in KiB below zero as SQLite counts them: 64 MiB.
const LARGE_CACHE: i64 = -65_536;

/// A snapshot that lasts so long may have kept the log from being brought into the file.
const LONG_READ: Duration = Duration::from_millis(5);

/// So few pages are brought into the file under the lock.
const NEARLY: i64 = 200;

/// How long that may wait for readers.
const BRIEF: Duration = Duration::from_millis(2);

/// What an action works with.
pub(super) struct Run<'a> {
    /// The connection that writes.
    pub(super) db: &'a Db,
    /// The connection that reads snapshots; the same one for a database in memory.
    pub(super) reader: &'a Db,
    /// The plan that the action belongs to.
    pub(super) plan: &'a Plan,
    /// The runner's side.
    pub(super) step: &'a mut dyn Step,
    /// Sizes and gaps.
    pub(super) pacer: Pacer,
    /// Whether others get their turn.
    pub(super) others: Others,
    /// How the writing connection waits.
    pub(super) patience: &'a Patience,
    /// How the reading connection does.
    pub(super) reading: &'a Patience,
    /// Where the database is, unless it is in memory.
    pub(super) file: Option<&'a Path>,
    /// What kind of database it is.
    pub(super) place: Place,
    /// Transactions since the last checkpoint.
    pub(super) since_checkpoint: u32,
    /// Pages from which on the log is started again.
    pub(super) longest_log: i64,
    /// Until when the file is left to others.
    pub(super) free_until: Option<Instant>,
}

/// What a batch came to.
pub(super) struct Batch<T> {
    pub(super) value: T,
    /// Rows that it took up.
    pub(super) rows: u64,
    pub(super) progress: Progress,
}

/// Facts about the database that decide how to go about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// It is in memory: nobody else can be kept waiting.
    pub(super) memory: bool,
    /// Readers do not wait for writers, nor writers for readers.
    pub(super) wal: bool,
}

impl Run<'_> {
    /// Whether others are at work and must not be kept waiting.
    pub(super) fn online(&self) -> bool {
        self.plan.strategy == MigrationStrategy::Online && !self.place.memory
    }

    /// Rows for the next batch: all of them when nobody is kept waiting.
    pub(super) fn batch(&self) -> u64 {
        if self.online() { self.pacer.rows() } else { self.step.options().batch_rows.unwrap_or(100_000) }
    }

    /// For how long a batch may go on with more of its rows, where each can be its last.
    pub(super) fn enough(&self) -> Duration {
        if self.online() { self.pacer.enough() } else { Duration::MAX }
    }

    /// One write transaction, journalled. Afterwards the file is left alone for a while.
    pub(super) fn write<T>(&mut self, work: impl FnOnce(&Db) -> Result<(T, Progress)>) -> Result<T> {
        self.write_rows(|db| {
            let (value, progress) = work(db)?;
            Ok(Batch { value, rows: u64::MAX, progress })
        })
    }

    /// The same for work that may have found fewer rows than [`Self::batch`] said.
    pub(super) fn write_rows<T>(&mut self, work: impl FnOnce(&Db) -> Result<Batch<T>>) -> Result<T> {
        self.leave_alone()?;
        let asked = Instant::now();
        self.begin()?;
        self.pacer.waited(asked.elapsed());
        self.look_for_others()?;
        let start = Instant::now();
        self.patience.limit(self.step.options().statement_timeout);
        let outcome = work(self.db).and_then(|batch| {
            self.step.commit(&mut Link(self.db), &batch.progress)?;
            Ok(batch)
        });
        let Batch { value, rows, progress } = match outcome {
            Ok(done) => done,
            Err(error) => {
                self.patience.limit(None);
                roll_back(self.db);
                return Err(error);
            }
        };
        self.patience.limit(None);
        let work = start.elapsed();
        self.commit()?;
        let hold = start.elapsed();
        self.step.held(hold);
        self.pacer.learn(rows, work, hold.saturating_sub(work));
        self.rest(hold)?;
        if !progress.done {
            self.step.breathe(&progress)?;
        }
        Ok(value)
    }

    /// One write transaction with which the action is complete.
    pub(super) fn write_last<T>(&mut self, work: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        self.write(|db| Ok((work(db)?, done())))
    }

    /// Reads a snapshot; nobody waits for it.
    pub(super) fn read<T>(&mut self, work: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        if !self.reader.is_autocommit() {
            return work(self.reader);
        }
        let start = Instant::now();
        self.reader.execute_batch("BEGIN")?;
        self.reading.limit(self.step.options().statement_timeout);
        let outcome = work(self.reader);
        self.reading.limit(None);
        roll_back(self.reader);
        // What the log has gathered behind a long snapshot would be brought into the file by the next writer's commit.
        if self.online() && self.place.wal && start.elapsed() >= LONG_READ {
            self.checkpoint()?;
        }
        outcome
    }

    /// Reads a snapshot, again and again the same pages of it: with a larger cache.
    pub(super) fn read_at_random<T>(&mut self, work: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        let usual: i64 = self.reader.query_row("PRAGMA main.cache_size", [], |row| row.get(0))?;
        self.reader.pragma_update(None, "cache_size", LARGE_CACHE)?;
        let outcome = self.read(work);
        self.reader.pragma_update(None, "cache_size", usual)?;
        self.reader.execute_batch("PRAGMA shrink_memory")?;
        outcome
    }

    /// Marks the action as done when it had nothing to write.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.write_last(|_| Ok(()))
    }

    /// Takes the writer's lock, patiently; between two attempts the run can be paused or cancelled.
    fn begin(&mut self) -> Result<()> {
        let options = self.step.options();
        let (attempt, total) = (options.lock_timeout, options.retry_for.max(options.lock_timeout));
        let start = Instant::now();
        let mut attempt_start = start;
        self.patience.set(REPORT.min(attempt));
        loop {
            match self.db.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => return Ok(()),
                Err(error) if !is_busy(&error) => return Err(error.into()),
                Err(_) => {}
            }
            let waited = start.elapsed();
            if waited >= total {
                return Err(locked(waited, &self.named(Held::Writing)));
            }
            let who = self.named(Held::Writing);
            self.step.waiting(&format!(
                "another connection{who} has held the write lock for {:.1} s",
                waited.as_secs_f64()
            ));
            if attempt_start.elapsed() >= attempt {
                self.step.listen()?;
                attempt_start = Instant::now();
            }
        }
    }

    /// COMMIT; without WAL it waits for the readers, which a new attempt may do as well as the first.
    fn commit(&mut self) -> Result<()> {
        self.patience.set(self.step.options().lock_timeout);
        self.db.execute_batch("COMMIT").map_err(|error| {
            roll_back(self.db);
            if is_busy(&error) {
                locked(self.step.options().lock_timeout, &self.named(Held::Reading))
            } else {
                error.into()
            }
        })
    }

    fn named(&self, held: Held) -> String {
        holders::named(self.file, held, self.place.wal)
    }

    /// Leaves the file to others, and uses the time for a checkpoint. What the gap has left when the lock is wanted
    /// again is waited for then: reading may go on in it.
    fn rest(&mut self, hold: Duration) -> Result<()> {
        if !self.online() {
            return Ok(());
        }
        self.free_until = Some(Instant::now() + self.pacer.gap(hold));
        self.since_checkpoint += 1;
        if self.place.wal && self.since_checkpoint >= CHECKPOINT_EVERY {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Waits for the end of the gap.
    pub(super) fn leave_alone(&mut self) -> Result<()> {
        let Some(end) = self.free_until.take() else { return Ok(()) };
        thread::sleep(end.saturating_duration_since(Instant::now()));
        self.wait_for_others()
    }

    /// Whether another connection has committed since the last look. Without WAL looking could be in a writer's way.
    fn look_for_others(&mut self) -> Result<bool> {
        if !self.online() || !self.place.wal {
            return Ok(false);
        }
        let version = self.db.prepare_cached("PRAGMA main.data_version")?.query_row([], |row| row.get(0))?;
        Ok(self.others.look(version, Instant::now()))
    }

    /// Leaves the file alone for longer when those who wrote all the time do not get through.
    fn wait_for_others(&mut self) -> Result<()> {
        let start = Instant::now();
        let Some(nap) = self.others.missed(start) else { return Ok(()) };
        while !self.look_for_others()? {
            if start.elapsed() >= nap {
                self.others.forget();
                break;
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Brings what it can of the log into the file, which makes nobody wait. A log that has become long is started
    /// again, which takes the lock for a moment, once nobody reads what is in it any more. A reader is waited for, so
    /// that the log does not grow meanwhile, but not for ever: after `lock_timeout` the log may become twice as long.
    pub(super) fn checkpoint(&mut self) -> Result<()> {
        self.since_checkpoint = 0;
        let seen = self.checkpoint_as("PASSIVE")?;
        if seen.pages < self.longest_log || seen.pages - seen.done > NEARLY {
            return Ok(());
        }
        let start = Instant::now();
        while self.restart_is_hindered()? {
            if start.elapsed() >= self.step.options().lock_timeout {
                self.longest_log *= 2;
                break;
            }
            let who = self.named(Held::Reading);
            self.step.waiting(&format!("a reader{who} keeps the database's log from being started again"));
            self.step.listen()?;
            thread::sleep(REPORT);
        }
        Ok(())
    }

    fn restart_is_hindered(&self) -> Result<bool> {
        self.patience.set(BRIEF);
        Ok(self.checkpoint_as("RESTART")?.hindered)
    }

    fn checkpoint_as(&self, mode: &str) -> Result<Checkpoint> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let outcome = self.db.query_row(&sql, [], |row| {
            Ok(Checkpoint { hindered: row.get(0)?, pages: row.get(1)?, done: row.get(2)? })
        });
        match outcome {
            Err(error) if is_busy(&error) => Ok(Checkpoint { hindered: true, pages: 0, done: 0 }),
            outcome => Ok(outcome?),
        }
    }
}

/// What a checkpoint came to.
struct Checkpoint {
    /// Somebody kept it from finishing.
    hindered: bool,
    /// Pages in the log.
    pages: i64,
    /// Of them, in the file as well.
    done: i64,
}

/// The progress of an action that is complete.
pub(super) fn done() -> Progress {
    Progress { done: true, ..Progress::default() }
}

/// One write transaction around `work`, without a journal entry or a gap.
pub(super) fn immediately(db: &Db, work: impl FnOnce() -> Result<()>) -> Result<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    let outcome = work().and_then(|()| Ok(db.execute_batch("COMMIT")?));
    roll_back(db);
    outcome
}

/// Ends a transaction without effect. Its failure means that there was none (SQLite rolls back by itself on some
/// errors), which is what was wanted.
pub(super) fn roll_back(db: &Db) {
    if !db.is_autocommit() {
        let _ = db.execute_batch("ROLLBACK");
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn locked(waited: Duration, who: &str) -> Error {
    Error::new(
        codes::LOCKED,
        format!("another connection{who} has held a lock of the database for {:.1} s", waited.as_secs_f64()),
    )
    .with_help("nothing was changed by this attempt; find the program that keeps a transaction open, or allow more time with lock_timeout and retry_for")
    .retryable()
}

/// How the writing connection is set up while an action runs; what it was before is put back when this is dropped.
pub(super) struct Setup<'a> {
    db: &'a Db,
    foreign_keys: bool,
    triggers: bool,
    synchronous: i64,
    checkpoint: i64,
}

impl<'a> Setup<'a> {
    /// Foreign keys and triggers off: our touches are not the application's writes.
    pub(super) fn new(db: &'a Db, place: Place) -> Result<Self> {
        if !db.is_autocommit() {
            return Err(Error::new(codes::TRANSACTION_OPEN, "a transaction is open on this connection")
                .with_help("COMMIT or ROLLBACK it first: a migration runs in transactions of its own"));
        }
        let get = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
        let setup = Self {
            db,
            foreign_keys: get("foreign_keys")? != 0,
            triggers: db.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER)?,
            synchronous: get("synchronous")?,
            checkpoint: get("wal_autocheckpoint")?,
        };
        db.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA wal_autocheckpoint = 0")?;
        if get("foreign_keys")? != 0 {
            return Err(Error::new(
                codes::DATABASE,
                "foreign keys could not be switched off for the migration",
            ));
        }
        if place.wal && setup.synchronous > 1 {
            // The log keeps the file consistent without a flush at each commit, which would happen under the lock.
            db.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        Ok(setup)
    }
}

impl Drop for Setup<'_> {
    fn drop(&mut self) {
        roll_back(self.db);
        let text = format!(
            "PRAGMA foreign_keys = {}; PRAGMA synchronous = {}; PRAGMA wal_autocheckpoint = {}",
            i64::from(self.foreign_keys),
            self.synchronous,
            self.checkpoint
        );
        // These cannot fail outside a transaction; and an error here would hide the one that led here.
        let _ = self.db.execute_batch(&text);
        let _ = self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, self.triggers);
    }
}

/// Switches triggers on or off on our connection.
pub(super) fn set_triggers(db: &Db, on: bool) -> Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, on)?;
    Ok(())
}

/// Runs `work` with triggers on: for what must be seen by captures, or is the user's own SQL.
pub(super) fn with_triggers<T>(db: &Db, work: impl FnOnce() -> Result<T>) -> Result<T> {
    set_triggers(db, true)?;
    let outcome = work();
    set_triggers(db, false)?;
    outcome
}
