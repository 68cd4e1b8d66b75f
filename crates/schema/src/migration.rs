//! Migrations: saved lists of operations with a life of their own.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::MigrationOp;

/// A migration's identity: a `UUIDv7`, so that ids sort by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MigrationId(pub Uuid);

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for MigrationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A saved migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Its identity.
    pub id: MigrationId,
    /// Its name: given with `AS`, or made from the operations.
    pub name: String,
    /// The version the database has (or had) with it applied; `None` until it is applied for the first time.
    pub version: Option<u64>,
    /// What it does, in order.
    pub operations: Vec<MigrationOp>,
    /// Where it is in its life.
    pub status: MigrationStatus,
    /// When it was generated.
    pub created_at: DateTime<Utc>,
    /// When it was last applied.
    pub applied_at: Option<DateTime<Utc>>,
}

/// Where a migration is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationStatus {
    /// Saved, never applied.
    Generated,
    /// Being applied or rolled back, or left so by a runner that died.
    Running,
    /// Stopped at a step, to be resumed or cancelled.
    Paused,
    /// Done; can be rolled back as long as what it replaced is retained.
    Applied,
    /// An error stopped it and what it had done was undone.
    Failed,
    /// Was applied and taken back.
    RolledBack,
    /// Given up before it was applied.
    Cancelled,
}

impl MigrationStatus {
    /// The word that STATUS prints and the journal stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for MigrationStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Generated,
            Self::Running,
            Self::Paused,
            Self::Applied,
            Self::Failed,
            Self::RolledBack,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| format!("unknown migration status {text:?}"))
    }
}

/// How a migration is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationStrategy {
    /// While the application keeps writing.
    #[default]
    Online,
    /// In as few transactions as possible, holding the locks for as long as it takes.
    Offline,
}

impl MigrationStrategy {
    /// The word that settings and results use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }
}
