//! Sequences of columns that count by themselves.

use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::statements::{ident, object};
use crate::Result;

/// Lets a new identity go on after the largest value there is.
pub(super) fn catch_up(session: &mut Session, table: &ObjectName, column: &str) -> Result<()> {
    let (name, column_name) = (object(table), ident(column));
    session.batch(&format!(
        "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({}, {}), \
         (SELECT coalesce(max({column_name}), 0) + 1 FROM {name}), false)",
        literal(&name),
        literal(column)
    ))
}
