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
}

impl Default for Rates {
    /// What a two-core machine with a RAM disk did with 1,000,000 rows of six columns.
    fn default() -> Self {
        Self { scan: 3_000.0, update: 700.0, copy: 260.0, index: 370.0 }
    }
}

/// How large the tables are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// By table; one that is missing counts as empty.
    pub tables: BTreeMap<String, TableStatistics>,
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
}
