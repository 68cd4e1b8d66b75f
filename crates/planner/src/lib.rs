//! From statements to plans, purely: no clock, no driver, no global state.
//!
//! - [`lower`]: AST and schema to operations, names resolved, spans kept;
//! - [`rules`]: one file per operation: what it needs, which ladder of steps it takes;
//! - [`plan()`]: operations to a [`Plan`], data that can be stored, shown and executed; [`explain()`]: in words;
//! - [`text`]: operations and schemas back to PQL, and DDL in the words of a database.

mod capabilities;
mod change;
pub mod codes;
mod column_swap;
mod conversion;
mod error;
mod estimate;
mod explain;
mod exprs;
mod free_names;
pub mod lower;
mod names;
pub mod plan;
pub mod rules;
pub mod text;
mod verb;

pub use capabilities::{
    Capabilities, Dialect, Flavour, Held, Hold, Lacks, REFERENCE_TABLE, Rates, Statistics, TableStatistics,
};
pub use change::Change;
pub use column_swap::{ColumnSwap, ConstraintTwin, IndexTwin};
pub use error::PlanError;
pub use explain::{PlanRow, explain};
pub use exprs::substitute;
pub use free_names::name_keys;
pub use names::{PREFIX as HIDDEN_PREFIX, SCHEMA as HIDDEN_SCHEMA};
pub use plan::{
    Action, Backfill, Capture, Check, ColumnMapping, Estimate, Hazard, IndexBuild, Lock, Phase, Plan,
    Rebuild, RowKey, Severity, Step,
};
pub use rules::{PlanOptions, plan};
