//! The plan: what will be done, as data. It is stored with its migration, shown by `MIGRATE PLAN`, executed step by
//! step, and refused when the tables it touches are no longer what it was made for.

use pql_schema::{
    Column, Expr, Fingerprint, ForeignKey, Index, KeyPart, MigrationStrategy, ObjectName, Table, View,
};
use serde::{Deserialize, Serialize};

use crate::{Change, ColumnSwap};

/// The format of serialised plans; a plan of another one is made again rather than executed.
pub const FORMAT: u32 = 1;

/// What a migration will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`] of the program that made it.
    pub format: u32,
    /// Online or offline.
    pub strategy: MigrationStrategy,
    /// The tables (and views) that the plan changes or relies on, in the schema it was made for.
    pub touches: Vec<ObjectName>,
    /// The fingerprint of those, then.
    pub base: Fingerprint,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// The online rebuilds that steps refer to by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rebuilds: Vec<Rebuild>,
    /// The online index builds that steps refer to by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index_builds: Vec<IndexBuild>,
    /// The columns that steps replace, by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub column_swaps: Vec<ColumnSwap>,
    /// What the author should know that belongs to no single step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<Hazard>,
}

/// One thing to do. On SQLite each is one transaction or a paced series of them, the last of which also journals it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Where in the migration's life it stands.
    pub phase: Phase,
    /// The operation it serves, by position; `None` when it serves the migration as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<usize>,
    /// What is done.
    pub action: Action,
    /// What takes it back, in order; empty with `irreversible` false: nothing needs to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Action>,
    /// It cannot be taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// The lock it takes.
    pub lock: Lock,
    /// What it is expected to cost.
    pub estimate: Estimate,
    /// What the author should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<Hazard>,
}

/// The phases, in the order in which a step's own phase never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Add what the application does not see.
    Expand,
    /// Fill it.
    Backfill,
    /// Prove that it is right.
    Validate,
    /// Make it visible, in one short transaction.
    Cutover,
    /// Keep what it replaced, in step with what is written.
    Retain,
    /// Give that up.
    Contract,
}

impl Phase {
    /// The word that PLAN prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Validate => "validate",
            Self::Cutover => "cutover",
            Self::Retain => "retain",
            Self::Contract => "contract",
        }
    }
}

/// What a step does, in verbs that every backend renders and executes in its own way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// CREATE TABLE.
    CreateTable {
        /// The table.
        table: Table,
    },
    /// The undo of [`Action::CreateTable`]: drops the table when it is empty, keeps it hidden when it is not.
    RetireTable {
        /// The table.
        table: ObjectName,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Soft DROP TABLE: renamed out of sight with its indexes; its triggers are taken down and remembered.
    HideTable {
        /// The table.
        table: ObjectName,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Takes back [`Action::HideTable`].
    UnhideTable {
        /// The name it had and gets again.
        table: ObjectName,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Removes a table and its data, in small pieces where it is large.
    DropTable {
        /// The table.
        table: ObjectName,
    },
    /// Renames a table; what names it follows.
    RenameTable {
        /// The name it has.
        from: ObjectName,
        /// The name it gets.
        to: ObjectName,
    },
    /// Adds a column at the end without touching rows.
    AddColumn {
        /// Of which table.
        table: ObjectName,
        /// The column.
        column: Column,
    },
    /// Removes a column and its data by the plain statement (which rewrites the table).
    DropColumn {
        /// Of which table.
        table: ObjectName,
        /// Which.
        column: String,
    },
    /// Soft DROP COLUMN: renamed out of sight and relaxed. `before` and `after` are the table's definitions.
    HideColumn {
        /// With the column.
        before: Table,
        /// With the column hidden (`retained`) and nothing that refers to it.
        after: Table,
        /// The column's name.
        column: String,
        /// The name it is kept under.
        hidden: String,
        /// An INSERT that gives it a value by its place is refused from then on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        guarded: bool,
    },
    /// Takes back [`Action::HideColumn`]; rows that do not fit the old definition any more stop it, named by key.
    UnhideColumn {
        /// With the column hidden.
        before: Table,
        /// With the column as it was.
        after: Table,
        /// The column's name.
        column: String,
        /// The name it is kept under.
        hidden: String,
        /// That was so until then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        guarded: bool,
    },
    /// Renames a column; what names it follows.
    RenameColumn {
        /// Of which table.
        table: ObjectName,
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// Changes a table's definition without touching a row. Each check holds for all rows when it is declared: all
    /// are examined here, or, when a [`Action::Validate`] did that before, those that were captured since.
    ///
    /// `after` may have one column more at the end: it reads as NULL in every row. Or one less: then rows written
    /// since still carry its value out of sight, and a [`Action::Backfill`] that assigns a column to itself follows,
    /// which writes every row anew without it.
    Redefine {
        /// The definition now.
        before: Table,
        /// The definition then.
        after: Table,
        /// What the new definition demands of the rows that are there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        checks: Vec<Check>,
        /// The capture that has run since the checks were validated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        captured: Option<Capture>,
    },
    /// CREATE INDEX by the plain statement.
    CreateIndex {
        /// The index.
        index: Index,
    },
    /// DROP INDEX.
    DropIndex {
        /// Which.
        index: ObjectName,
    },
    /// Soft DROP INDEX: renamed out of sight, and no longer unique.
    HideIndex {
        /// The index.
        index: Index,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Takes back [`Action::HideIndex`]; equal keys under a unique one stop it.
    UnhideIndex {
        /// The index as it was.
        index: Index,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Renames an index.
    RenameIndex {
        /// The name it has.
        from: ObjectName,
        /// The name it gets.
        to: ObjectName,
    },
    /// CREATE VIEW.
    CreateView {
        /// The view.
        view: View,
    },
    /// DROP VIEW.
    DropView {
        /// The view.
        view: ObjectName,
        /// A materialised one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        materialized: bool,
    },
    /// SQL that PQL does not model.
    Execute {
        /// The statements.
        sql: String,
        /// Outside a transaction.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        outside_transaction: bool,
    },
    /// Starts to log the keys of changed rows.
    StartCapture {
        /// What and where.
        capture: Capture,
    },
    /// Ends that, and drops the log; nothing when that was done before.
    StopCapture {
        /// What and where.
        capture: Capture,
    },
    /// Computes columns of the rows that were there at the start.
    Backfill(Backfill),
    /// Takes back a [`Backfill`] that has a `record`: every assigned column that still has the value it was given
    /// becomes NULL again, as the filter had found it; then the record goes.
    RevertBackfill(Backfill),
    /// Examines all rows without a write lock.
    Validate {
        /// The table.
        table: ObjectName,
        /// What must hold.
        checks: Vec<Check>,
        /// Rows whose key is in this log are left to the [`Action::Redefine`] that follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        captured: Option<Capture>,
    },
    /// Creates the shadow table of a rebuild, the log, and the triggers that fill it.
    RebuildPrepare {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// Copies the rows that were there at the start, in pieces.
    RebuildCopy {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// Builds the shadow's indexes, drains the log, and compares every row with a snapshot of the original.
    RebuildVerify {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// Drains the rest of the log and swaps the two tables; the original is retained and its reverse log started.
    RebuildSwap {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// Takes back everything before [`Action::RebuildSwap`].
    RebuildAbandon {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// Takes back [`Action::RebuildSwap`]: drains the reverse log into the original and swaps again.
    RebuildUnswap {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// The whole rebuild in one transaction (offline, or a table so small that it is short).
    RebuildAtOnce {
        /// Position in [`Plan::rebuilds`].
        rebuild: usize,
    },
    /// Starts the log of an online index build.
    IndexPrepare {
        /// Position in [`Plan::index_builds`].
        build: usize,
    },
    /// Reads and sorts the keys outside any lock and fills the index in pieces.
    IndexFill {
        /// Position in [`Plan::index_builds`].
        build: usize,
    },
    /// Drains the log and compares the index with a snapshot of the table.
    IndexVerify {
        /// Position in [`Plan::index_builds`].
        build: usize,
    },
    /// Drains the rest and declares the finished b-tree, which was checked before, to be the index.
    IndexPublish {
        /// Position in [`Plan::index_builds`].
        build: usize,
    },
    /// Takes back everything before [`Action::IndexPublish`].
    IndexAbandon {
        /// Position in [`Plan::index_builds`].
        build: usize,
    },
    /// Changes of a table's definition in one short transaction, each of which touches no row or is expected to be
    /// over in no time.
    Alter {
        /// The table.
        table: ObjectName,
        /// What changes, in order.
        changes: Vec<Change>,
    },
    /// Examines all rows for a constraint that was declared NOT VALID, while they are read and written.
    ValidateConstraint {
        /// The table.
        table: ObjectName,
        /// The constraint.
        constraint: String,
        /// What it demands, for telling which rows do not fulfil it.
        check: Check,
    },
    /// CREATE INDEX CONCURRENTLY; what a former attempt left invalid goes first.
    CreateIndexConcurrently {
        /// The index.
        index: Index,
    },
    /// DROP INDEX CONCURRENTLY; nothing when it is gone.
    DropIndexConcurrently {
        /// Which.
        index: ObjectName,
    },
    /// Soft DROP VIEW: moved out of sight with all that belongs to it.
    HideView {
        /// The view.
        view: ObjectName,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Takes back [`Action::HideView`].
    UnhideView {
        /// The name it had and gets again.
        view: ObjectName,
        /// The name it is kept under.
        hidden: ObjectName,
    },
    /// Adds the new column of a swap, out of sight, and the triggers that fill it for what is written from then on.
    SwapPrepare {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// Fills the new column of the rows that were there at the start, in pieces.
    SwapFill {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// Compares the new column with the old one in every row.
    SwapVerify {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// Puts the new column in place of the old, with constraints, indexes, views, comments and grants; from then on the
    /// old one is kept true.
    SwapColumns {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// The whole swap in one transaction (offline, or a table so small that it is short).
    SwapAtOnce {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// Takes back [`Action::SwapColumns`]: the old column, true to what was written since, in its place again.
    SwapBack {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// Takes back everything before [`Action::SwapColumns`].
    SwapAbandon {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
    /// Gives the old column up.
    SwapForget {
        /// Position in [`Plan::column_swaps`].
        swap: usize,
    },
}

/// How a table's rows are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKey {
    /// By where it is stored; the text is a name under which that can be reached: `rowid`, `_rowid_`, `oid` or the
    /// INTEGER PRIMARY KEY column, whichever no column hides; in PostgreSQL, where an update changes it, `ctid`.
    Rowid(String),
    /// By these columns, NOT NULL and unique together.
    Columns(Vec<KeyPart>),
}

/// A log of the keys of changed rows, filled by triggers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The table that is watched.
    pub table: ObjectName,
    /// The log.
    pub log: ObjectName,
    /// The key that is logged.
    pub key: RowKey,
    /// Only updates of these columns (and of the key) count; `None`: all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// An entry says that a row which is there was written: it goes along when its row's key changes, and goes away
    /// with the row. A row whose key changed before it was written has an entry too, marked as moved, so that a walk
    /// over the keys, which may have missed it, can come back to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows: bool,
    /// Beside the log is kept which key each row had when the log was started, for rows whose key has changed since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moves: bool,
}

/// A computed fill of columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backfill {
    /// The table.
    pub table: ObjectName,
    /// How rows are told apart and ordered.
    pub key: RowKey,
    /// Columns and what they get, over the row as it is.
    pub assignments: Vec<(String, Expr)>,
    /// Only rows for which this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expr>,
    /// Rows whose key is in this log were written by the application meanwhile and are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// A table to note, in the same transactions, the key of each row that is changed and the values it got. It is
    /// retained with the migration, for [`Action::RevertBackfill`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<ObjectName>,
}

/// Something that must hold for every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Check {
    /// The column is not NULL.
    NotNull {
        /// The column.
        column: String,
        /// What a row that is NULL after all gets instead of stopping the migration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<Expr>,
    },
    /// The expression is not false.
    Holds {
        /// The constraint's name, for messages.
        name: String,
        /// The expression.
        expr: Expr,
    },
    /// The row referred to exists.
    References {
        /// The constraint's name, for messages.
        name: String,
        /// The foreign key.
        key: ForeignKey,
    },
    /// No two rows alike.
    Distinct {
        /// The constraint's or index's name, for messages.
        name: String,
        /// The columns.
        columns: Vec<KeyPart>,
    },
}

/// An online rebuild: a shadow table with the new definition, filled beside the original and swapped with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rebuild {
    /// The definition now, under the name the application uses.
    pub before: Table,
    /// The definition then, under the name the application will use.
    pub after: Table,
    /// The new table's name while it fills.
    pub shadow: ObjectName,
    /// The original's name after the swap.
    pub retained: ObjectName,
    /// The log of what changes while the shadow fills. Key: the original's.
    pub forward: Capture,
    /// The log of what changes after the swap, on the new table. Key: the new table's.
    pub reverse: Capture,
    /// Every column of the new table that is not generated, from the old row.
    pub mapping: Vec<ColumnMapping>,
    /// The columns of the old table that are not generated, from the new row. One that the new table has nothing for
    /// is not listed: on the way back a row that is still in the original keeps its value there, and a row that was
    /// inserted since gets the column's default.
    pub mapping_back: Vec<ColumnMapping>,
    /// The indexes that the new table has, under the names they have after the swap.
    pub indexes: Vec<Index>,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnMapping {
    /// The column that is written.
    pub column: String,
    /// Its value, over the row that is read.
    pub from: Expr,
    /// What must hold, over the row that is read, or the row's key is reported and the migration stops: a conversion
    /// that would lose, a NULL where none is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Expr>,
    /// The expression gives another value each time (`random()`, the clock): it cannot be compared again later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unstable: bool,
}

/// An online index build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexBuild {
    /// The index.
    pub index: Index,
    /// The log of what changes while it is built.
    pub capture: Capture,
    /// The table whose b-tree becomes the index.
    pub helper: ObjectName,
}

/// The lock that a step takes on what the application writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// None; it may read a snapshot.
    None,
    /// One short write transaction.
    Short,
    /// Many short ones with gaps between them.
    Paced,
    /// One that lasts as long as the step.
    Long,
}

/// What a step is expected to cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Rows read or written.
    pub rows: u64,
    /// Duration in milliseconds.
    pub millis: f64,
    /// The longest single time that a lock is held, in milliseconds.
    pub lock_millis: f64,
    /// Additional disk space, in bytes.
    pub disk_bytes: u64,
}

/// Something that the author of a migration should know before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// Its stable code, explained by `pql explain`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What, in one sentence.
    pub message: String,
}

/// How bad a hazard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// May surprise the application or take long.
    Warning,
    /// Loses data once retention ends; needs `allow_destructive` where nobody is asked.
    Destructive,
}
