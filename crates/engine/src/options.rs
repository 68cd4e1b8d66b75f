//! How a database is opened and how a migration is run.

use std::time::Duration;

use pql_schema::MigrationStrategy;
use serde::{Deserialize, Serialize};

use crate::backend::{LockPatience, RunOptions};

/// How a database is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Make the database when it does not exist.
    pub create: bool,
    /// Only read.
    pub read_only: bool,
    /// Who is at work, for the journal; `None`: the operating system's user and host.
    pub actor: Option<String>,
    /// How long opening, and what follows it, waits for locks, until [`crate::Engine::set_patience`] says otherwise.
    pub patience: LockPatience,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { create: true, read_only: false, actor: None, patience: LockPatience::default() }
    }
}

/// How a migration is planned and run.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplyOptions {
    /// Online or offline.
    pub strategy: MigrationStrategy,
    /// Pacing, patience and checks.
    pub run: RunOptions,
    /// Plan and check only.
    pub dry_run: bool,
    /// What loses data is meant.
    pub allow_destructive: bool,
    /// How long the replaced data is kept for a rollback.
    pub retain: Retain,
    /// What an error leads to.
    pub on_failure: OnFailure,
    /// How many operations may run at a time, where the database has more than one writer.
    pub max_concurrent_ops: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            strategy: MigrationStrategy::Online,
            run: RunOptions::default(),
            dry_run: false,
            allow_destructive: true,
            retain: Retain::Forever,
            on_failure: OnFailure::Rollback,
            max_concurrent_ops: 4,
        }
    }
}

/// How long the replaced data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retain {
    /// Until PURGE.
    #[default]
    Forever,
    /// For this long after the migration was applied.
    For(Duration),
    /// Not at all: the migration cannot be rolled back.
    No,
}

/// What an error in a run leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// What was done is taken back, and the migration is `failed`.
    #[default]
    Rollback,
    /// The run stops where it is, and the migration is `paused`.
    Pause,
}
