//! Executes plans against databases: backends, journal, lease, runner.
//!
//! Knows no terminal and no PQL text beyond what the planner lowers for it.

pub mod backend;
pub mod error;
mod value;

pub use error::{Error, Result};
pub use value::{ResultSet, SqlOutcome, Value};
