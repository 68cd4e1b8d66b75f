//! Executes plans against databases: backends, journal, lease, runner.
//!
//! [`Engine`] is an open database with everything that can be done with it. Below it:
//! - [`backend`]: what is asked of a database, one folder for each;
//! - `journal`: what was done, kept in the database itself;
//! - `lease`: one runner at a time;
//! - `runner`: the steps of a plan, forward and backward, from wherever they were left;
//! - `lifecycle`: one file per verb of PQL.
//!
//! Knows no terminal and no PQL text beyond what the planner lowers for it.

pub mod backend;
pub mod codes;
mod engine;
pub mod error;
#[cfg(feature = "testing")]
pub mod fault;
mod journal;
mod lease;
mod lifecycle;
mod location;
mod options;
mod process;
mod runner;
mod value;

pub use engine::Engine;
pub use error::{Error, Result};
pub use journal::Event;
pub use lifecycle::{
    Change, Detection, Drift, Interrupted, MigrationInfo, Report, RollbackTarget, StepProgress,
};
pub use location::{Location, PostgresUrl};
pub use options::{ApplyOptions, OnFailure, OpenOptions, Retain};
pub use runner::{Observer, RunProgress, Signal, Silent};
pub use value::{ResultSet, SqlOutcome, Value};
