//! Sessions as an application uses them: asynchronous, on a real file, beside other connections.

mod auto_migrate;
mod files;
mod jobs;
mod locks;
mod statements;
mod typed;

use std::path::PathBuf;

use pql::{Output, ResultSet, Session, Value};
use tempfile::TempDir;

/// A database in a directory of its own.
struct Database {
    directory: TempDir,
}

impl Database {
    /// With these tables and rows, made by a plain connection.
    fn with(sql: &str) -> Self {
        let database = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        database.plain().execute_batch(sql).expect("SQL of the test");
        database
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("test.db")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    /// A connection that knows nothing of PQL.
    fn plain(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path()).expect("the file opens");
        connection.pragma_update(None, "journal_mode", "WAL").expect("WAL");
        connection.busy_timeout(std::time::Duration::from_secs(5)).expect("a timeout");
        connection
    }

    fn number(&self, sql: &str) -> i64 {
        self.plain().query_row(sql, [], |row| row.get(0)).expect("one number")
    }

    async fn session(&self) -> Session {
        Session::open(&self.url()).await.expect("the database opens")
    }
}

/// The rows of the last answer.
fn rows(outputs: &[Output]) -> &ResultSet {
    outputs.last().and_then(Output::rows).expect("an answer with rows")
}

fn text(rows: &ResultSet, row: usize, column: &str) -> String {
    match rows.get(row, column) {
        Some(value) => pql::value_text(value),
        None => panic!("there is no {column} in row {row} of {rows}"),
    }
}

fn number(rows: &ResultSet, row: usize, column: &str) -> i64 {
    match rows.get(row, column) {
        Some(Value::Integer(number)) => *number,
        other => panic!("{column} is {other:?}"),
    }
}
