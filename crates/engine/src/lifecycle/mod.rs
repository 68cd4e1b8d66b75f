//! What can be done with a migration, one file per verb, on top of the runner and the journal.

mod apply;
mod baseline;
mod columns;
mod describe;
mod detect;
mod drift;
#[cfg(test)]
mod fake;
mod generate;
mod history;
mod left;
mod mark;
mod plan;
mod planning;
mod purge;
mod report;
mod rollback;
mod run;
mod settings;
mod sql;
mod status;
mod steer;
#[cfg(test)]
mod tests;
mod verify;

pub use detect::{Change, Detection};
pub use drift::Drift;
pub use report::Report;
pub use rollback::RollbackTarget;
pub use status::{Interrupted, MigrationInfo, StepProgress};
