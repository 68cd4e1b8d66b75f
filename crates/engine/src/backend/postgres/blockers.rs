//! Who holds the locks that an action could not have.

use pql_planner::text::postgres_object;
use pql_schema::ObjectName;

use super::link::Session;
use crate::backend::Connection as _;
use crate::{Result, Value};

/// How many are named.
const NAMED: usize = 3;

/// The prepared transactions and the sessions with a lock on one of the tables, the oldest transaction of either first, in
/// words.
pub(super) fn of(session: &mut Session, tables: &[ObjectName]) -> Result<Vec<String>> {
    let found = session.query(
        &format!(
            "SELECT a.pid, coalesce(a.usename, '?'), \
                    coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8, \
                    a.state, left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80) \
             FROM pg_catalog.pg_stat_activity a \
             WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.pid IN ({}) \
             ORDER BY a.xact_start LIMIT {NAMED}",
            holders(tables)
        ),
        &[],
    )?;
    let text = |value: Option<Value>| match value {
        Some(Value::Text(text)) => text,
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Real(number)) => format!("{number:.1}"),
        _ => String::new(),
    };
    let mut named = prepared(session, tables)?;
    named.extend(found.rows.into_iter().map(|row| {
        let mut row = row.into_iter();
        let mut next = || text(row.next());
        let (pid, user, age, state, query) = (next(), next(), next(), next(), next());
        format!("process {pid} ({user}, {state}) has had its transaction open for {age} s: {query}")
    }));
    named.truncate(NAMED);
    Ok(named)
}

/// The prepared transactions among them: no session has them, so there is none to end. Their locks are known by the one
/// that each has on its own number.
fn prepared(session: &mut Session, tables: &[ObjectName]) -> Result<Vec<String>> {
    let found = session.query(
        &format!(
            "SELECT pg_catalog.format('prepared transaction %L of %s has been open for %s s, until COMMIT PREPARED or \
                 ROLLBACK PREPARED %1$L', p.gid, p.owner, \
                 pg_catalog.round(extract(epoch FROM clock_timestamp() - p.prepared)::numeric, 1)) \
             FROM pg_catalog.pg_prepared_xacts p \
             WHERE p.database = pg_catalog.current_database() AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l \
                 JOIN pg_catalog.pg_locks x USING (virtualtransaction) \
                 WHERE x.locktype = 'transactionid' AND x.transactionid = p.transaction AND l.pid IS NULL AND {}) \
             ORDER BY p.prepared LIMIT {NAMED}",
            of_tables(tables)
        ),
        &[],
    )?;
    let text = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    Ok(found.rows.into_iter().filter_map(text).collect())
}

/// What is said of a session, as an expression over `pg_stat_activity a`, with its process's number.
pub(super) fn described(pid: &str) -> String {
    format!(
        "pg_catalog.format('process %s (%s, %s) has had its transaction open for %s s: %s', {pid}, a.usename, a.state, \
             pg_catalog.round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1), \
             pg_catalog.left(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), 80))"
    )
}

/// Stops a vacuum that the server has begun by itself on one of the tables, as the server does for whoever has waited a
/// second for it: until then everyone who came after us would wait, too. It leaves one alone that must not be put off.
pub(super) fn send_vacuum_away(session: &mut Session, tables: &[ObjectName]) -> Result<()> {
    session.batch(&format!(
        "SELECT pg_catalog.pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a \
         WHERE a.backend_type = 'autovacuum worker' AND a.query NOT LIKE '%(to prevent wraparound)%' \
           AND a.pid IN ({})",
        holders(tables)
    ))
}

/// The query for the sessions with a lock on one of the tables.
fn holders(tables: &[ObjectName]) -> String {
    format!("SELECT l.pid FROM pg_catalog.pg_locks l WHERE {}", of_tables(tables))
}

/// What is true of a lock on one of the tables, over `pg_locks l`.
fn of_tables(tables: &[ObjectName]) -> String {
    let names: Vec<String> = tables.iter().map(|table| literal(&qualified(table))).collect();
    format!(
        "l.granted AND l.locktype = 'relation' \
           AND l.relation = ANY (ARRAY[{}]::pg_catalog.text[]::pg_catalog.regclass[])",
        names.join(", ")
    )
}

/// A table's name with its schema, always.
pub(super) fn qualified(table: &ObjectName) -> String {
    postgres_object(table)
}

/// A text as a literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
