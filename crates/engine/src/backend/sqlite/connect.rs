//! Opening a database file, and how our connections wait for locks.
//!
//! Nothing here changes a property of the file: its journal mode, page size and the like are the application's.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection as Db, OpenFlags};

use super::errors::not_a_database;
use super::vector;
use crate::error::codes;
use crate::{Error, Result};

/// The header of a SQLite file, in bytes.
const HEADER: u64 = 100;

/// How often a waiting connection of ours looks again. A transaction of the application's lasts a fraction of a
/// millisecond; a longer nap would leave the file idle after it.
const POLL: Duration = Duration::from_micros(200);

/// How long the connection of the heartbeat waits for a lock; it has other things to do than to wait.
pub(super) const BESIDE: Duration = Duration::from_secs(5);

/// How many of its steps SQLite takes between two looks at the clock.
const STEPS: i32 = 20_000;

/// How long a connection waits for a lock, and how long a statement of it may run; both can be changed while the
/// connection is in use.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// In microseconds.
    wait: Arc<AtomicU64>,
    /// The same for what is outside a run.
    usual: Arc<AtomicU64>,
    /// In microseconds since `start`; 0: no limit.
    deadline: Arc<AtomicU64>,
    start: Instant,
}

impl Patience {
    /// What is outside a run waits for so long.
    pub(super) fn new(usual: Duration) -> Self {
        let patience = Self {
            wait: Arc::default(),
            usual: Arc::default(),
            deadline: Arc::default(),
            start: Instant::now(),
        };
        patience.set_usual(usual);
        patience
    }

    /// What is outside a run waits for so long from now on.
    pub(super) fn set_usual(&self, usual: Duration) {
        self.usual.store(micros(usual), Ordering::Relaxed);
        self.set(usual);
    }

    /// How long that is.
    pub(super) fn usual(&self) -> Duration {
        Duration::from_micros(self.usual.load(Ordering::Relaxed))
    }

    /// Sets it.
    pub(super) fn set(&self, patience: Duration) {
        self.wait.store(micros(patience), Ordering::Relaxed);
    }

    /// What is run from now on has this much time.
    pub(super) fn limit(&self, time: Option<Duration>) {
        let deadline = time.map_or(0, |time| micros(self.start.elapsed() + time).max(1));
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline > 0 && micros(self.start.elapsed()) > deadline
    }

    /// Back to what a statement outside a run gets.
    pub(super) fn reset(&self) {
        self.set(self.usual());
        self.limit(None);
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.wait.load(Ordering::Relaxed))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Opens a file.
pub(super) fn file(path: &Path, create: bool, read_only: bool, patience: &Patience) -> Result<Db> {
    examine(path, create && !read_only)?;
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags |= if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    if create && !read_only {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let opened = || -> Result<Db> {
        let mut db = Db::open_with_flags(path, flags)?;
        prepare(&mut db, patience)?;
        // The first read is what finds a damaged header or a journal that cannot be rolled back.
        db.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0))?;
        Ok(db)
    };
    opened().map_err(|error| match error.code() {
        codes::NOT_A_DATABASE => not_a_database(&path.display().to_string()),
        _ => error,
    })
}

/// Opens a database in memory.
pub(super) fn memory(patience: &Patience) -> Result<Db> {
    let mut db = Db::open_in_memory()?;
    prepare(&mut db, patience)?;
    Ok(db)
}

fn prepare(db: &mut Db, patience: &Patience) -> Result<()> {
    vector::register(db)?;
    let clock = patience.clone();
    db.progress_handler(STEPS, Some(move || clock.is_over()))?;
    let patience = patience.clone();
    let mut since = Instant::now();
    db.busy_handler(Some(move |attempt| {
        if attempt == 0 {
            since = Instant::now();
        }
        let waiting = since.elapsed() < patience.get();
        if waiting {
            thread::sleep(POLL);
        }
        waiting
    }))?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Says in plain words what SQLite would call "unable to open database file".
fn examine(path: &Path, create: bool) -> Result<()> {
    let shown = path.display();
    let cannot = |why: String| Error::new(codes::CANNOT_OPEN, format!("{shown} cannot be opened: {why}"));
    let data = match fs::metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            return match directory {
                Some(directory) if !directory.is_dir() => {
                    Err(cannot(format!("there is no directory {}", directory.display())))
                }
                _ if create => Ok(()),
                _ => Err(cannot("there is no such file".to_owned())),
            };
        }
        Err(error) => return Err(cannot(error.to_string()).with_source(error)),
    };
    if data.is_dir() {
        return Err(cannot("it is a directory".to_owned()));
    }
    // What is in it, SQLite has to say. To open it here as well would be fatal: with the first descriptor of a file that
    // a process closes it loses all locks on that file, those of its other connections, too (howtocorrupt, 2.2).
    // An empty file is a database without tables.
    let too_short = (1..HEADER).contains(&data.len());
    if too_short { Err(not_a_database(&shown.to_string())) } else { Ok(()) }
}
