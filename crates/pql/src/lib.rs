//! The embedded query API of PQL: sessions, settings, jobs, typed calls and migration files.
//!
//! - [`Session`]: runs statements and answers with [`Output`]s; asynchronous at the edge, while the engine blocks on
//!   a thread of its own;
//! - [`Job`]: a script that runs while others look on and steer it;
//! - [`ApplicationSchema`], `#[derive(Table)]` and [`SchemaOf`]: what the application wants the database to be;
//! - [`SchemaMigrator`] and [`MigrationLog`]: the same work without text;
//! - [`files`]: migrations as files of a project;
//! - [`Fleet`]: the same work on many databases.
//!
//! Knows no terminal: the program `pql` is one user of this crate among others.
//!
//! ```no_run
//! use pql::{Schema, SchemaOf, Session, Table};
//!
//! #[derive(Table)]
//! struct User {
//!     #[column(primary_key)]
//!     id: i64,
//!     #[column(unique)]
//!     email: String,
//! }
//!
//! # async fn example() -> Result<(), pql::Error> {
//! let mut session = Session::open("sqlite:app.db").await?;
//! session.bind("target_schema", Schema::of::<(User,)>());
//! for output in session.execute("MIGRATE DETECT TO application_schema = @target_schema").await? {
//!     print!("{}", output.rows().expect("DETECT answers with rows"));
//! }
//! # Ok(())
//! # }
//! ```

mod application_schema;
pub mod codes;
mod duration;
mod error;
pub mod files;
pub mod fleet;
mod interpreter;
mod job;
mod migrator;
mod output;
mod params;
mod schema_form;
mod session;
mod settings;
mod size;
mod table;
mod worker;

pub use application_schema::{ApplicationSchema, SchemaOf, Tables};
pub use error::{Error, Places, Question, Span};
pub use fleet::Fleet;
pub use job::{Event, Job};
pub use migrator::{MigrationLog, SchemaMigrator};
pub use output::{Answer, Output, ResultSet, value_json, value_text};
pub use params::Param;
pub use pql_derive::Table;
pub use pql_engine::{
    Change, Drift, Event as HistoryEvent, Interrupted, MigrationInfo, OnFailure, Report, Retain, RunProgress,
    Signal, Value,
};
pub use pql_planner::Dialect;
pub use pql_schema::{Migration, MigrationId, MigrationOp, MigrationStatus, MigrationStrategy, Schema};
pub use schema_form::SchemaForm;
pub use session::{Session, SessionBuilder};
pub use settings::{Given, SETTINGS, Setting, Settings};
pub use table::TableStyle;
