//! Expressions, judged by the server.

use pql_planner::text::{postgres_ident, postgres_type_name};
use pql_schema::{DataType, Expr, Table};

use super::errors;
use super::link::Session;
use crate::Result;
use crate::backend::Connection;

/// What the server says of expressions that name a column which a row of their table does not have, by their positions.
/// They are analysed over rows that are not there, so nothing is computed; many in one statement, as long as none is wrong.
pub(super) fn unknown_columns(
    session: &mut Session,
    exprs: &[(Table, Expr)],
) -> Result<Vec<(usize, String)>> {
    let mut found = Vec::new();
    for (chunk, some) in exprs.chunks(AT_ONCE).enumerate() {
        let all: Vec<String> = some.iter().map(|(table, expr)| over_no_row(table, expr)).collect();
        let exist: Vec<String> = all.iter().map(|query| format!("EXISTS ({query})")).collect();
        if analyse(session, &format!("SELECT {} LIMIT 0", exist.join(", ")))?.is_ok() {
            continue;
        }
        for (at, query) in all.iter().enumerate() {
            if let Err((state, said)) = analyse(session, query)?
                && state.as_deref() == Some(UNDEFINED_COLUMN)
            {
                found.push((chunk * AT_ONCE + at, said));
            }
        }
    }
    Ok(found)
}

/// A SELECT gives at most 1,664 columns.
const AT_ONCE: usize = 1_000;
const UNDEFINED_COLUMN: &str = "42703";

/// The server's code and words, when it does not understand the query.
fn analyse(session: &mut Session, query: &str) -> Result<std::result::Result<(), (Option<String>, String)>> {
    match session.query(query, &[]) {
        Err(error) if errors::is_lost(&error) => Err(error),
        Err(error) => Ok(Err((errors::state(&error).map(str::to_owned), error.to_string()))),
        Ok(_) => Ok(Ok(())),
    }
}

fn over_no_row(table: &Table, expr: &Expr) -> String {
    let typed = |name: &str, of: &str| format!("CAST(NULL AS {of}) AS {}", postgres_ident(name));
    let own = table.visible().map(|column| typed(&column.name, &stored_type(&column.data_type)));
    let columns: Vec<String> = own.chain(OF_EVERY_TABLE.map(|(name, of)| typed(name, of))).collect();
    format!(
        "SELECT ({}\n) FROM (SELECT {}) AS {} LIMIT 0",
        expr.as_str(),
        columns.join(", "),
        postgres_ident(&table.name.name)
    )
}

/// What a SERIAL column has is an integer.
fn stored_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Native(name) if name.to_ascii_uppercase().contains("SERIAL") => "BIGINT".to_owned(),
        other => postgres_type_name(other),
    }
}

/// The columns that the server gives every table.
const OF_EVERY_TABLE: [(&str, &str); 6] = [
    ("ctid", "tid"),
    ("xmin", "xid"),
    ("xmax", "xid"),
    ("cmin", "cid"),
    ("cmax", "cid"),
    ("tableoid", "oid"),
];
