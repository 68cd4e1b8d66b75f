//! Questions to the catalogue.

use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::statements::object;
use crate::backend::Connection as _;
use crate::{Result, Value};

/// Whether a query's only value is true.
pub(super) fn is_true(session: &mut Session, sql: &str) -> Result<bool> {
    Ok(session.batch_value(sql)?.as_deref() == Some("t"))
}

/// A relation as a constant of the catalogue; NULL when there is none.
pub(super) fn regclass(name: &ObjectName) -> String {
    format!("pg_catalog.to_regclass({})", literal(&object(name)))
}

/// Whether there is such a relation.
pub(in super::super) fn has_relation(session: &mut Session, name: &ObjectName) -> Result<bool> {
    is_true(session, &format!("SELECT {} IS NOT NULL", regclass(name)))
}

/// Whether there is such a relation of this kind (`relkind`).
pub(super) fn is_relation_of(session: &mut Session, name: &ObjectName, kind: char) -> Result<bool> {
    is_true(
        session,
        &format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE oid = {} AND relkind = '{kind}')",
            regclass(name)
        ),
    )
}

/// Whether the table has such a column.
pub(super) fn has_column(session: &mut Session, table: &ObjectName, column: &str) -> Result<bool> {
    is_true(
        session,
        &format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = {} AND attname = {} \
             AND NOT attisdropped)",
            regclass(table),
            literal(column)
        ),
    )
}

/// A column's type, as the server spells it.
pub(super) fn type_of(session: &mut Session, table: &ObjectName, column: &str) -> Result<Option<String>> {
    session.batch_value(&format!(
        "SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute \
         WHERE attrelid = {} AND attname = {} AND NOT attisdropped",
        regclass(table),
        literal(column)
    ))
}

/// Whether the table has such a constraint; `valid`: one that was examined.
pub(super) fn has_constraint(
    session: &mut Session,
    table: &ObjectName,
    name: &str,
    valid: bool,
) -> Result<bool> {
    is_true(
        session,
        &format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = {} AND conname = {} \
             AND (convalidated OR NOT {valid}))",
            regclass(table),
            literal(name)
        ),
    )
}

/// The columns of the table's primary key, or of another key without NULLs; none when there is no such key.
pub(super) fn key_columns(session: &mut Session, table: &ObjectName) -> Result<Vec<String>> {
    let found = session.query(
        &format!(
            "SELECT a.attname::text FROM ( \
                 SELECT i.indexrelid, i.indrelid, i.indkey FROM pg_catalog.pg_index i \
                 WHERE i.indrelid = {} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL \
                   AND i.indexprs IS NULL AND NOT EXISTS ( \
                     SELECT 1 FROM pg_catalog.pg_attribute n WHERE n.attrelid = i.indrelid \
                       AND n.attnum = ANY (i.indkey) AND (NOT n.attnotnull OR n.attname LIKE '\\_pql\\_%')) \
                 ORDER BY NOT i.indisprimary, i.indexrelid LIMIT 1) k \
             CROSS JOIN LATERAL pg_catalog.unnest(k.indkey) WITH ORDINALITY AS c(attnum, at) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = c.attnum ORDER BY c.at",
            regclass(table)
        ),
        &[],
    )?;
    Ok(texts(found.rows))
}

/// The columns of the table that can be read and written, without those that PQL keeps out of sight.
pub(super) fn columns(session: &mut Session, table: &ObjectName) -> Result<Vec<String>> {
    let found = session.query(
        &format!(
            "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = {} AND attnum > 0 \
             AND NOT attisdropped ORDER BY attnum",
            regclass(table)
        ),
        &[],
    )?;
    Ok(texts(found.rows))
}

/// The first column of each row, where it is text.
pub(super) fn texts(rows: Vec<Vec<Value>>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).filter_map(text).collect()
}

/// A value as text; `None` for NULL.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Blob(bytes) => Some(super::super::decode::hex(&bytes)),
    }
}
