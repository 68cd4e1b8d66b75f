//! Text from the model: operations and schemas as PQL, DDL in the words of a database, and the dialect of SQLite.
//!
//! - [`statement`], [`schema`]: what `MIGRATE DETECT` and `pql schema` print; both parse back;
//! - [`Style`] with [`PQL`] and [`PQL_FOLDED`], [`SQLITE`] and [`POSTGRES`]: tables, columns, constraints, indexes and views as DDL;
//! - [`sqlite_type`] and [`sqlite_type_name`], [`sqlite_expr`], [`normalise_sqlite`]: SQLite's types and expressions;
//! - [`postgres_type`] and [`postgres_type_name`], [`normalise_postgres`]: PostgreSQL's.
//!
//! Nothing here runs anything, and nothing here is read back by it: reading is the syntax crate's and lowering's.

mod ddl;
mod postgres;
mod postgres_normal;
mod quote;
mod schema_file;
mod serial;
mod sqlite;
mod sqlite_expr;
mod sqlite_normal;
mod statement;
mod types;

pub use ddl::{PQL, PQL_FOLDED, Style, identity_words, object, pql};
pub use postgres::{
    POSTGRES, POSTGRES_LONGEST, postgres_comparable, postgres_cut, postgres_expr, postgres_ident,
    postgres_literal, postgres_object, postgres_type, postgres_type_name,
};
pub(crate) use postgres_normal::cut as postgres_invented;
pub use postgres_normal::normalise_postgres;
use postgres_normal::normalise_postgres_table;
pub use quote::{ident, string};
pub use schema_file::schema as schema_in;
pub use serial::count_by_type;
pub use sqlite::{Affinity, SQLITE, absorb_vector_checks, sqlite_meaning, sqlite_type, sqlite_type_name};
pub use sqlite_expr::{ExprError, sqlite_expr};
pub use sqlite_normal::normalise_sqlite;
use sqlite_normal::normalise_table;
pub(crate) use sqlite_normal::{drop_needless_collations, drop_needless_part_collations};
pub use statement::{statement, statement_in};
pub use types::neutral_type;

/// Turns one table into what reading it back from the database would give.
pub(crate) fn normalise_in(dialect: crate::Dialect, table: &mut pql_schema::Table) {
    match dialect {
        crate::Dialect::Sqlite => normalise_table(table, None),
        crate::Dialect::Postgres => normalise_postgres_table(table, None),
    }
}

/// A whole schema as a schema file in PQL.
pub fn schema(schema: &pql_schema::Schema) -> String {
    schema_in(schema, pql(schema.names))
}
