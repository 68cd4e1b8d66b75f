//! The embedded query API of PQL.

mod application_schema;
pub mod codes;
mod duration;
mod error;
mod near;
mod output;
mod settings;
mod table;

pub use application_schema::{ApplicationSchema, SchemaOf, Tables};
pub use error::{Error, Question, Span};
pub use output::{Answer, Output, ResultSet, value_json, value_text};
pub use pql_derive::Table;
pub use pql_engine::Value;
pub use pql_planner::Dialect;
pub use pql_schema::Schema;
pub use settings::{Given, OnFailure, Retain, SETTINGS, Setting, Settings};
pub use table::TableStyle;
