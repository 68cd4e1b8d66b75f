//! What the engine asks of a database. One folder per database, with the same file names in each.

mod open;
pub mod postgres;
pub mod sqlite;

pub use open::open;

use std::time::Duration;

use pql_planner::{Action, Capabilities, Plan, Statistics};
use pql_schema::{Expr, MigrationId, ObjectName, Schema, Table};

use crate::{Result, ResultSet, SqlOutcome, Value};

/// A connection on which statements can be run; the journal is written through it, inside the transaction of the
/// work that it records.
pub trait Connection {
    /// Runs one statement and gives the number of rows it changed.
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64>;
    /// Runs one statement and gives its rows.
    fn query(&mut self, sql: &str, params: &[Value]) -> Result<ResultSet>;
    /// Runs one statement of the user's, of which it is not known whether it gives rows.
    fn run(&mut self, sql: &str, params: &[Value]) -> Result<SqlOutcome>;
}

/// A database that PQL can change.
pub trait Backend: Send {
    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// What about the connection everybody should know who uses it.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Its schema as it is, retained columns included, PQL's own objects not.
    fn introspect(&mut self) -> Result<Schema>;

    /// The same of these tables and views at least, where it takes less to look at a part.
    fn introspect_part(&mut self, names: &[ObjectName]) -> Result<Schema> {
        let _ = names;
        self.introspect()
    }

    /// Whether there is a table or view of that name.
    fn exists(&mut self, name: &ObjectName) -> Result<bool> {
        let there = self.introspect_part(std::slice::from_ref(name))?;
        Ok(there.table(name).is_some() || there.view(name).is_some())
    }

    /// Brings the definitions of a wanted schema that differ from the current one to the form in which the database
    /// would give them back, where only the database knows that form.
    fn normalise(&mut self, current: &Schema, target: &mut Schema) -> Result<()> {
        let _ = (current, target);
        Ok(())
    }

    /// What the database says of expressions, each over a row of a table of that definition, that name a column which
    /// is not among the visible ones: their positions with its words. Nothing is computed, and the tables need not be
    /// there.
    fn unknown_columns(&mut self, exprs: &[(Table, Expr)]) -> Result<Vec<(usize, String)>>;

    /// Why there is no table of that name in the schema although the database has one, with what to do instead.
    fn absence(&mut self, table: &ObjectName) -> Result<Option<String>> {
        let _ = table;
        Ok(None)
    }

    /// How large these tables are.
    fn statistics(&mut self, tables: &[ObjectName]) -> Result<Statistics>;

    /// The exact statements that an action will run, for showing; values that only the run knows stand as `:name`.
    fn statements(&self, plan: &Plan, action: &Action) -> Vec<String>;

    /// Whether the database already is as the action leaves it; asked when a run is resumed and the journal cannot
    /// tell. `None`: the database cannot tell either, and the action must be repeatable.
    fn probe(&mut self, plan: &Plan, action: &Action) -> Result<Option<bool>>;

    /// Whether the rows there are would let an action of a rollback be done. Asked of all of them before the first is
    /// begun, so that what cannot be taken back is not taken back by half; the error names the rows. What cannot be
    /// told before other actions are done counts as fitting.
    fn fits(&mut self, plan: &Plan, action: &Action) -> Result<()>;

    /// The triggers of ours that others have kept from firing: what was written meanwhile they may not have seen.
    fn silenced(&mut self) -> Result<Vec<Silenced>> {
        Ok(Vec::new())
    }

    /// Removes what an action of a rollback would have removed beside a table that others have dropped.
    fn forget(&mut self, action: &Action) -> Result<()> {
        let _ = action;
        Ok(())
    }

    /// Does it. Every write transaction calls [`Step::commit`] as its last act before COMMIT, so that work and
    /// journal commit together; a resumed action starts from [`Step::cursor`].
    ///
    /// An action that committed something but not `done` is taken back by its step's undo list unless
    /// [`Backend::probe`] says that it is not in effect: so the undo of an action of several transactions copes with
    /// one that stopped half way, and an action whose undo would not (a swap) can be probed.
    fn execute(&mut self, plan: &Plan, action: &Action, step: &mut dyn Step) -> Result<()>;

    /// Whether that can be removed which [`Self::purge`] removes; asked before the first of it is. The error names what
    /// else needs it.
    fn may_purge(&mut self, plan: &Plan) -> Result<()> {
        let _ = plan;
        Ok(())
    }

    /// Removes what an applied migration retained (hidden tables, columns and indexes, reverse logs), in small
    /// pieces, by the actions of its plan.
    fn purge(&mut self, plan: &Plan, step: &mut dyn Step) -> Result<()>;

    /// Takes away what an action of a runner that died kept for itself, when the run ends without coming to that
    /// action again.
    fn sweep(&mut self) -> Result<()> {
        Ok(())
    }

    /// Runs one transaction around `work`: the writer's lock is taken first, with the usual patience.
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Result<()>) -> Result<()>;

    /// Whether a transaction of the user's own is open on the connection.
    fn in_transaction(&mut self) -> bool {
        false
    }

    /// How long to wait for locks from now on, wherever no action's own options say it: the journal's writes, looks at
    /// the schema, and the statements that users give.
    fn set_patience(&mut self, patience: LockPatience) {
        let _ = patience;
    }

    /// The connection outside any transaction of ours.
    fn connection(&mut self) -> &mut dyn Connection;

    /// The same database over a connection of its own, for a step that runs beside another one; `None` where one writer
    /// is all that there can be.
    fn another(&mut self) -> Result<Option<Box<dyn Backend>>> {
        Ok(None)
    }

    /// What opens another connection to the same database, for the lease's heartbeat and the flags that other sessions
    /// set while this one is busy; `None` where nobody else can be connected (a database in memory).
    fn companion(&mut self) -> Option<Opener>;
}

/// A trigger of ours that others have kept from firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silenced {
    /// What it is called, and its table.
    pub trigger: String,
    /// When it is to fire, in the words of `ALTER TABLE`.
    pub meant: String,
    /// When it does.
    pub state: String,
}

/// Opens a connection, from whatever thread, when it is needed.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Connection + Send>> + Send>;

/// The runner's side of an action that is being executed.
pub trait Step {
    /// Where a former attempt stopped; the backend's own words.
    fn cursor(&self) -> Option<&str>;

    /// Records progress in the transaction that is about to commit. Fails when the lease is lost.
    fn commit(&mut self, connection: &mut dyn Connection, progress: &Progress) -> Result<()>;

    /// The same for a transaction that goes to the server as one text with its own end: gives what that text has to
    /// write and to make sure of.
    fn ticket(&mut self, progress: &Progress) -> Result<Ticket>;

    /// Called between transactions: shows progress and gives the time to pause or cancel, as an error of the codes
    /// in [`crate::error::codes`].
    fn breathe(&mut self, progress: &Progress) -> Result<()>;

    /// The same while nothing is done: what was last shown stays.
    fn listen(&mut self) -> Result<()>;

    /// How to go about it.
    fn options(&self) -> &RunOptions;

    /// Reports a lock that was held for this long.
    fn held(&mut self, lock: Duration);

    /// Reports what is being waited for.
    fn waiting(&mut self, what: &str);

    /// Says something that the user should know when the run is over; the same is said once.
    fn note(&mut self, what: &str);
}

/// Leave for one message to the server, whose transactions journal themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The lease's number: a transaction that finds another one must not commit.
    pub fence: u64,
    /// The migration.
    pub migration: MigrationId,
    /// What of it the progress belongs to.
    pub entry: Entry,
}

/// What the journal says about a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nothing: a purge has no progress.
    Nothing,
    /// How far an action is: a step's own, or one of its undo list.
    Progress {
        /// The step's position in the plan.
        step: usize,
        /// The position in the step's undo list.
        undo: Option<usize>,
    },
    /// That a step is no longer in effect.
    Undone {
        /// The step's position in the plan.
        step: usize,
    },
}

/// The cursor of SQL of the user's that ran outside a transaction and ended with an error: what it had done by then, if
/// anything, is not known to the journal.
pub(crate) const FAILED: &str = "failed";

/// How far an action is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Where to go on after a crash, in the backend's own words.
    pub cursor: Option<String>,
    /// Rows done so far.
    pub rows: u64,
    /// Rows in all, when known.
    pub total: Option<u64>,
    /// The action is complete with this commit.
    pub done: bool,
}

/// How long to wait for locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockPatience {
    /// How long one attempt may queue.
    pub attempt: Duration,
    /// How long to try in all; one attempt is made in any case.
    pub total: Duration,
}

impl LockPatience {
    /// From the first attempt to giving up.
    pub fn whole(self) -> Duration {
        self.total.max(self.attempt)
    }
}

impl Default for LockPatience {
    fn default() -> Self {
        Self { attempt: Duration::from_secs(5), total: Duration::from_secs(5) }
    }
}

impl From<&RunOptions> for LockPatience {
    fn from(options: &RunOptions) -> Self {
        Self { attempt: options.lock_timeout, total: options.retry_for }
    }
}

/// How a migration is run; from the session's settings and the statement's WITH.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    /// How long one attempt may queue for a lock.
    pub lock_timeout: Duration,
    /// How long to try in all.
    pub retry_for: Duration,
    /// How long a statement may run, when limited.
    pub statement_timeout: Option<Duration>,
    /// Rows a batch; `None`: adapted to the time it holds the lock.
    pub batch_rows: Option<u64>,
    /// The fraction of time left to others, 0 to 0.95, beyond the gaps that pacing leaves anyway.
    pub throttle: f64,
    /// The longest lock that a single statement of ours may be predicted to hold before the online way is taken.
    pub max_stall: Duration,
    /// Compare rows before cut-over.
    pub verify: bool,
    /// A backfill waits while a standby is further behind.
    pub max_replication_lag: Option<ReplicationLag>,
    /// A backfill waits while the database has fewer bytes of free disk, where that can be known; 0: never.
    pub min_free_disk: u64,
}

/// How far a standby is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicationLag {
    /// It shows what was there so long ago.
    Time(Duration),
    /// So many bytes of the log are not applied yet.
    Bytes(u64),
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(2),
            retry_for: Duration::from_mins(1),
            statement_timeout: None,
            batch_rows: None,
            throttle: 0.0,
            max_stall: Duration::from_millis(10),
            verify: true,
            max_replication_lag: Some(ReplicationLag::Time(Duration::from_secs(10))),
            min_free_disk: 1 << 30,
        }
    }
}
