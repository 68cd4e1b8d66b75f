//! Migrations as files of a project: `migrations/001_add_status_column.up.sql` and `….down.sql`.
//!
//! Each up file becomes one migration in the database's own journal, with the file's number, name and checksum kept
//! beside it; so a project's files, `MIGRATE STATUS` and the typed calls all speak of the same thing. Everything is
//! validated before anything runs, and what is looked for is looked for in the parsed statements, never in the text.
//!
//! The way back of a file is the journal's own, with the data that was there. What the down file adds to it is the
//! SQL that PQL does not model (an `UPDATE`, a `DELETE`, …): that becomes the way back of the same kind of SQL in the
//! up file.

mod apply;
mod checksum;
mod create;
mod danger;
mod directory;
mod disk;
mod executor;
mod ledger;
mod name;
mod progress;
mod script;
mod validate;
mod way_back;

pub use create::Created;
pub use directory::{Directory, MigrationFile};
pub use executor::{
    MigrationConfig, MigrationExecutor, MigrationExecutorConfig, MigrationResult, PlannedFile,
};
pub use ledger::{FileStatus, StatusRow};
pub use progress::{ProgressEvent, ProgressReporter};
pub use validate::{Check, Severity, ValidationResult};
