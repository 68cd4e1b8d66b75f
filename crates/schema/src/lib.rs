//! The schema model of PQL, its operations, and what can be computed from them alone.
//!
//! - [`Schema`], [`Table`], [`Column`], [`Constraint`], [`Index`], [`View`], [`Trigger`]: what a database looks like.
//! - [`MigrationOp`]: one change, a closed and serialisable vocabulary; [`Migration`]: a saved list of them.
//! - [`apply`](Schema::apply): the schema after an operation; [`diff`]: the operations between two schemas.
//! - [`MigrationOp::inverse`] and [`Schema::implied_by`]: what takes an operation back, and what has to go before it.
//! - [`Schema::from_json`]: a schema as people write it; [`Schema::same_as`]: whether it is what another asks for.
//! - [`Fingerprint`]: whether two schemas, or parts of them, are the same.
//!
//! Nothing here knows a database, a file or a clock, and nothing parses PQL: expressions are kept as the token text
//! of the database that owns them (see [`Expr`]), already lowered.

mod apply;
#[cfg(feature = "testing")]
mod arbitrary;
mod column;
mod constraint;
mod data_type;
mod dependants;
mod describe;
mod diff;
mod expr;
mod exprs;
mod fingerprint;
mod identity;
mod index;
mod inverse;
mod json;
mod keyword;
mod migration;
mod name;
mod near;
mod objects;
mod op;
mod reading;
mod same;
mod schema;
mod table;

pub use apply::ApplyError;
#[cfg(feature = "testing")]
pub use arbitrary::{random_pair, random_schema};
pub use column::{Column, Conflict, Generated};
pub use constraint::{
    Action, Constraint, ConstraintKind, Deferrable, ForeignKey, KeyPart, PrimaryKey, Unique,
};
pub use data_type::DataType;
pub use diff::{Answers, Diff, DiffError, Question, Rename, diff};
pub use expr::{Expr, Token, TokenKind, can_be_column, tokens};
pub use fingerprint::Fingerprint;
pub use identity::{Counting, Identity, IdentityKind};
pub use index::{Index, IndexPart, NullsOrder, SortOrder};
pub use json::SchemaJsonError;
pub use migration::{Migration, MigrationId, MigrationStatus, MigrationStrategy};
pub use name::{NameRule, ObjectName, quote_ident};
pub use objects::{Named, Objects};
pub use op::{MigrationOp, ObjectRef};
pub use schema::{Schema, Trigger, View};
pub use table::{Table, TableOptions};
