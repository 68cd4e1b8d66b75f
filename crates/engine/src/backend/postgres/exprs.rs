//! Expressions, judged by the server.

use pql_planner::text::{postgres_ident, postgres_type_name};
use pql_schema::{Expr, Table};

use super::errors;
use super::link::Session;
use crate::Result;
use crate::backend::Connection;

/// What the server says of an expression that names a column which a row of the table does not have. It is analysed
/// over a row that is not there, so nothing is computed.
pub(super) fn unknown_column(session: &mut Session, table: &Table, expr: &Expr) -> Result<Option<String>> {
    let typed = |name: &str, of: &str| format!("CAST(NULL AS {of}) AS {}", postgres_ident(name));
    let own = table.visible().map(|column| typed(&column.name, &postgres_type_name(&column.data_type)));
    let columns: Vec<String> = own.chain(OF_EVERY_TABLE.map(|(name, of)| typed(name, of))).collect();
    let sql = format!(
        "SELECT ({}\n) FROM (SELECT {}) AS {} LIMIT 0",
        expr.as_str(),
        columns.join(", "),
        postgres_ident(&table.name.name)
    );
    let Err(error) = session.query(&sql, &[]) else { return Ok(None) };
    if errors::is_lost(&error) {
        return Err(error);
    }
    Ok((errors::state(&error) == Some(UNDEFINED_COLUMN)).then(|| error.to_string()))
}

const UNDEFINED_COLUMN: &str = "42703";

/// The columns that the server gives every table.
const OF_EVERY_TABLE: [(&str, &str); 6] = [
    ("ctid", "tid"),
    ("xmin", "xid"),
    ("xmax", "xid"),
    ("cmin", "cid"),
    ("cmax", "cid"),
    ("tableoid", "oid"),
];
