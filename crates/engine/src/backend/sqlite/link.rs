//! [`Connection`] over rusqlite.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection as Db, Statement, params_from_iter};

use crate::backend::Connection;
use crate::{Error, Result, ResultSet, SqlOutcome, Value};

/// A connection inside or outside a transaction, for those who know only the trait.
pub(super) struct Link<'a>(pub(super) &'a Db);

impl Connection for Link<'_> {
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        Ok(ours(self.0, sql, params)?.changed)
    }

    fn query(&mut self, sql: &str, params: &[Value]) -> Result<ResultSet> {
        Ok(ours(self.0, sql, params)?.rows.unwrap_or_default())
    }

    fn run(&mut self, sql: &str, params: &[Value]) -> Result<SqlOutcome> {
        users(self.0, sql, params)
    }
}

/// A connection of its own.
pub(super) struct Owned(pub(super) Db);

impl Connection for Owned {
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        Link(&self.0).execute(sql, params)
    }

    fn query(&mut self, sql: &str, params: &[Value]) -> Result<ResultSet> {
        Link(&self.0).query(sql, params)
    }

    fn run(&mut self, sql: &str, params: &[Value]) -> Result<SqlOutcome> {
        users(&self.0, sql, params)
    }
}

/// A statement of ours, which may come again.
fn ours(db: &Db, sql: &str, params: &[Value]) -> Result<SqlOutcome> {
    run(db, &mut *db.prepare_cached(sql).map_err(located)?, params)
}

/// One of the user's: what a statement that was compiled before knows of `*` may be of an older schema.
fn users(db: &Db, sql: &str, params: &[Value]) -> Result<SqlOutcome> {
    run(db, &mut db.prepare(sql).map_err(located)?, params)
}

fn run(db: &Db, statement: &mut Statement<'_>, params: &[Value]) -> Result<SqlOutcome> {
    let reads = statement.readonly();
    let before = db.total_changes();
    let rows = if statement.column_count() == 0 {
        statement.execute(params_from_iter(params))?;
        None
    } else {
        Some(collect(statement, params)?)
    };
    // `changes()` keeps the number of the last statement that changed something; a statement that changed nothing
    // (DDL, a pragma) must not repeat it.
    let changed = if reads || db.total_changes() == before { 0 } else { db.changes() };
    Ok(SqlOutcome { rows, changed })
}

/// The error with the place in the statement that SQLite complains about.
fn located(error: rusqlite::Error) -> Error {
    let place = match &error {
        rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(*offset).ok(),
        _ => None,
    };
    let error = Error::from(error);
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

fn collect(statement: &mut Statement<'_>, params: &[Value]) -> rusqlite::Result<ResultSet> {
    let names =
        |statement: &Statement<'_>| -> Vec<String> { statement.column_names().map(str::to_owned).collect() };
    let mut columns = None;
    let mut rows = Vec::new();
    let mut found = statement.query(params_from_iter(params))?;
    while let Some(row) = found.next()? {
        // Somebody may have changed the schema since it was compiled; then it was compiled again with this step.
        let columns = columns.get_or_insert_with(|| names(row.as_ref()));
        rows.push((0..columns.len()).map(|at| row.get_ref(at).map(value)).collect::<rusqlite::Result<_>>()?);
    }
    drop(found);
    Ok(ResultSet { columns: columns.unwrap_or_else(|| names(statement)), rows })
}

/// A value as the engine knows it. Text that is not UTF-8 is shown with replacement characters; nothing of ours
/// writes it back.
pub(super) fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Boolean(truth) => ValueRef::Integer(i64::from(*truth)),
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
