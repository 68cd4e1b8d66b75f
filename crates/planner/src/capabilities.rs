//! What a database can do and how large its tables are: plain data, so that any backend's plan can be made and
//! tested without a server.

use std::collections::BTreeMap;

use pql_schema::{NameRule, ObjectName};
use serde::{Deserialize, Serialize};

/// The family of SQL that a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL and those that speak its protocol.
    Postgres,
}

impl Dialect {
    /// How its names compare.
    pub fn names(self) -> NameRule {
        match self {
            Self::Sqlite => NameRule::AsciiInsensitive,
            Self::Postgres => NameRule::Exact,
        }
    }
}

/// What the connected database can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Which family it is of.
    pub dialect: Dialect,
    /// Its version, as it says it.
    pub version: String,
    /// The stored definition of a table or index can be edited in place (SQLite without `defensive`).
    pub definition_edit: bool,
    /// Readers do not wait for writers (SQLite in WAL mode).
    pub snapshot_reads: bool,
    /// Vectors can be stored and searched; otherwise what to do about it.
    pub vectors: Result<(), String>,
    /// How fast this machine does the work.
    pub rates: Rates,
    /// Which database of its family it is.
    #[serde(default)]
    pub flavour: Flavour,
    /// What it cannot do that its family can.
    #[serde(default, skip_serializing_if = "Lacks::is_none")]
    pub lacks: Lacks,
}

/// Databases that speak PostgreSQL's protocol and are not all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flavour {
    /// The original of its family.
    #[default]
    Plain,
    /// PostgreSQL with Citus: tables may be distributed over workers (see [`Hold::Distributed`]).
    Citus,
    /// CockroachDB.
    Cockroach,
    /// YugabyteDB.
    Yugabyte,
}

impl Flavour {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PostgreSQL",
            Self::Citus => "Citus",
            Self::Cockroach => "CockroachDB",
            Self::Yugabyte => "YugabyteDB",
        }
    }
}

/// What a flavour does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lacks {
    /// Definitions cannot be changed in one transaction with other work: each statement that changes one is a step of
    /// its own, begun in the journal before, and looked for in the database when a run goes on.
    pub transactional_ddl: bool,
    /// Triggers cannot be had on any table.
    pub triggers: bool,
    /// `LOCK TABLE` is refused.
    pub table_locks: bool,
}

impl Lacks {
    /// What a flavour does without.
    pub fn of(flavour: Flavour) -> Self {
        match flavour {
            Flavour::Plain | Flavour::Citus => Self::default(),
            Flavour::Cockroach => Self { transactional_ddl: true, triggers: true, table_locks: true },
            Flavour::Yugabyte => Self { transactional_ddl: true, triggers: false, table_locks: true },
        }
    }

    /// Whether nothing is missing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Measured rates, in rows per millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// A scan that evaluates a predicate.
    pub scan: f64,
    /// Rows rewritten in place.
    pub update: f64,
    /// Rows copied into another table.
    pub copy: f64,
    /// Rows put into an index by CREATE INDEX.
    pub index: f64,
    /// Rows put into an index beyond the first because they are rewritten in place; 0: at no cost.
    #[serde(default)]
    pub maintain: f64,
}

impl Default for Rates {
    /// What a two-core machine with a RAM disk did with 1,000,000 rows of six columns.
    fn default() -> Self {
        Self { scan: 3_000.0, update: 700.0, copy: 260.0, index: 370.0, maintain: 0.0 }
    }
}

impl Rates {
    /// What PostgreSQL 15 did on such a machine: every row that is rewritten gets a new entry in every index, so that
    /// a table with some is filled anew in less time than it is updated.
    pub const POSTGRES: Self =
        Self { scan: 3_000.0, update: 350.0, copy: 800.0, index: 2_000.0, maintain: 400.0 };

    /// A row that is copied into a new table with so many indexes, and compared there, in milliseconds.
    pub(crate) fn anew(&self, indexes: f64) -> f64 {
        1.0 / self.copy + indexes / self.index + 3.0 / self.scan
    }

    /// A row that is rewritten in a table with so many indexes, and compared there, in milliseconds.
    pub(crate) fn in_place(&self, indexes: f64) -> f64 {
        let kept = if self.maintain > 0.0 { (indexes - 1.0).max(0.0) / self.maintain } else { 0.0 };
        1.0 / self.update + kept + 2.0 / self.scan
    }
}

/// How large the tables are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// By table; one that is missing counts as empty.
    pub tables: BTreeMap<String, TableStatistics>,
    /// By table, what hangs on it that the schema model does not carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<String, Vec<Held>>,
}

/// Something that hangs on a table and that the model does not carry: a change must leave it as it is, carry it over,
/// or be refused with its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// What it is.
    pub hold: Hold,
    /// What the database calls it.
    pub name: String,
    /// The columns it is about; empty: the table as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The statement or words that make it again, where there are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// The kinds of things that can hang on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// A view or materialised view that reads it.
    View,
    /// A rule.
    Rule,
    /// A function or procedure whose declared body or signature depends on it.
    Function,
    /// A policy of row level security.
    Policy,
    /// Row level security is on (`FORCE` when the name says so).
    RowSecurity,
    /// It is partitioned, by these words.
    Partitioned,
    /// It is a partition of the named table, or the named table is a partition of it.
    Partition,
    /// It inherits from the named table.
    Parent,
    /// The named table inherits from it.
    Child,
    /// A publication that sends it.
    Publication,
    /// Extended statistics.
    ExtendedStatistics,
    /// A statistics target of a column.
    StatisticsTarget,
    /// A column's storage or compression that is not its type's own.
    Storage,
    /// A grant to another role than the owner.
    Grant,
    /// A comment on the table or a column.
    Comment,
    /// A comment on the named constraint, with its text.
    ConstraintComment,
    /// A comment on the named index, with its text.
    IndexComment,
    /// The table is clustered on the named index.
    Clustered,
    /// The named index is its replica identity.
    IdentityIndex,
    /// Its replica identity, when it is neither the default one nor an index.
    ReplicaIdentity,
    /// A sequence that a column owns, with where it is (`last_value`) as its definition.
    Sequence,
    /// A foreign key of another table that refers to it.
    ForeignKey,
    /// A trigger; those for events or of constraints as well.
    Trigger,
    /// A virtual table that reads the rows by the names of the table and of these columns.
    Virtual,
    /// The type of a column is the named domain, which takes no NULL; its definition is the type beneath it.
    Domain,
    /// The named trigger runs, for each row, the function that is its definition, which reads these columns.
    TriggerFunction,
    /// The owner, when it is not the role that PQL is connected as.
    Owner,
    /// Its rows live on workers (Citus): distributed by the named column, or a reference table.
    Distributed,
    /// It belongs to the named extension.
    Extension,
    /// A foreign table: its rows are elsewhere.
    Foreign,
    /// A column of a composite type that the table's row type makes, or anything else that depends on it.
    Other,
    /// Something that ties it to being this very table, in words: another one cannot take its place.
    Bound,
}

/// What a [`Hold::Distributed`] is called that is no column: every node has all rows.
pub const REFERENCE_TABLE: &str = "reference table";

impl Hold {
    /// Whether it hangs on an index or a constraint, whose name it has.
    pub fn is_attached(self) -> bool {
        matches!(self, Self::ConstraintComment | Self::IndexComment | Self::Clustered | Self::IdentityIndex)
    }

    /// What a person calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Rule => "rule",
            Self::Function => "function",
            Self::Policy => "policy",
            Self::RowSecurity => "row level security",
            Self::Partitioned => "partitioning",
            Self::Partition => "partition",
            Self::Parent => "parent table",
            Self::Child => "child table",
            Self::Publication => "publication",
            Self::ExtendedStatistics => "statistics object",
            Self::StatisticsTarget => "statistics target",
            Self::Storage => "storage setting",
            Self::Grant => "grant",
            Self::Comment => "comment",
            Self::ConstraintComment => "comment on constraint",
            Self::IndexComment => "comment on index",
            Self::Clustered => "clustering",
            Self::IdentityIndex | Self::ReplicaIdentity => "replica identity",
            Self::Sequence => "sequence",
            Self::ForeignKey => "foreign key",
            Self::Virtual => "virtual table",
            Self::Domain => "domain",
            Self::Trigger | Self::TriggerFunction => "trigger",
            Self::Owner => "owner",
            Self::Distributed => "distribution",
            Self::Extension => "extension",
            Self::Foreign => "foreign table",
            Self::Other => "object",
            Self::Bound => "tie",
        }
    }

    /// Whether it goes along when another table takes the place of the one that it hangs on.
    pub fn is_carried(self) -> bool {
        matches!(
            self,
            Self::View
                | Self::StatisticsTarget
                | Self::Storage
                | Self::Grant
                | Self::Comment
                | Self::ConstraintComment
                | Self::IndexComment
                | Self::Clustered
                | Self::IdentityIndex
                | Self::ReplicaIdentity
                | Self::Sequence
                | Self::Owner
        )
    }
}

/// How large a table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TableStatistics {
    /// Rows, at most a little out of date.
    pub rows: u64,
    /// Bytes on disk, without indexes.
    pub bytes: u64,
}

impl Statistics {
    /// Of one table.
    pub fn of(&self, table: &ObjectName) -> TableStatistics {
        self.tables.get(&table.to_string()).copied().unwrap_or_default()
    }

    /// What hangs on a table.
    pub fn held(&self, table: &ObjectName) -> &[Held] {
        self.holds.get(&table.to_string()).map_or(&[], Vec::as_slice)
    }
}
