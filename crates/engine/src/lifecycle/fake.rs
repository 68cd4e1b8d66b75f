//! A backend for the tests of the core: a SQLite file, actions that are plain SQL, and a failure wherever a test
//! wants one. It shares no code with the real backend.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pql_planner::{Action, Capabilities, Dialect, Flavour, Lacks, Plan, Rates, Statistics};
use pql_schema::{Expr, NameRule, ObjectName, Schema, Table};

use crate::backend::{Backend, Connection, Opener, Progress, Step};
use crate::{Error, Result, ResultSet, SqlOutcome, Value, codes};

/// What goes wrong at a commit, and at which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The transaction is rolled back with an error.
    Before(u32),
    /// It is committed, and then an error comes.
    After(u32),
    /// As `Before`, but the whole process is gone: nothing more is written by this run.
    KillBefore(u32),
    /// As `After`, in the same way.
    KillAfter(u32),
    /// A lock cannot be had, twice.
    Busy(u32),
}

pub(super) struct Fake {
    connection: Link,
    path: PathBuf,
    capabilities: Capabilities,
    pub(super) fault: Option<Fault>,
    pub(super) commits: Arc<AtomicU32>,
}

struct Link(rusqlite::Connection);

fn failed(error: &rusqlite::Error) -> Error {
    Error::new("PQL0000", error.to_string())
}

impl Connection for Link {
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        let params = params.iter().map(value);
        self.0
            .execute(sql, rusqlite::params_from_iter(params))
            .map(|count| count as u64)
            .map_err(|error| failed(&error))
    }

    fn query(&mut self, sql: &str, params: &[Value]) -> Result<ResultSet> {
        let mut statement = self.0.prepare(sql).map_err(|error| failed(&error))?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let rows = statement
            .query_map(rusqlite::params_from_iter(params.iter().map(value)), |row| {
                (0..width).map(|at| row.get_ref(at).map(from)).collect()
            })
            .and_then(Iterator::collect)
            .map_err(|error| failed(&error))?;
        Ok(ResultSet { columns, rows })
    }

    fn run(&mut self, sql: &str, params: &[Value]) -> Result<SqlOutcome> {
        let rows = self.query(sql, params)?;
        Ok(SqlOutcome { rows: Some(rows), changed: 0 })
    }
}

fn value(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Boolean(truth) => i64::from(*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::Blob(bytes) => bytes.clone().into(),
    }
}

fn from(value: rusqlite::types::ValueRef<'_>) -> Value {
    match value {
        rusqlite::types::ValueRef::Null => Value::Null,
        rusqlite::types::ValueRef::Integer(number) => Value::Integer(number),
        rusqlite::types::ValueRef::Real(number) => Value::Real(number),
        rusqlite::types::ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

impl Fake {
    /// One that changes each definition in a transaction of its own.
    pub(super) fn apart(path: &std::path::Path) -> Self {
        let mut fake = Self::open(path);
        fake.capabilities.lacks.transactional_ddl = true;
        fake
    }

    pub(super) fn open(path: &std::path::Path) -> Self {
        let connection = connect(path);
        Self {
            connection: Link(connection),
            path: path.to_owned(),
            capabilities: Capabilities {
                dialect: Dialect::Sqlite,
                version: "fake".into(),
                definition_edit: false,
                snapshot_reads: true,
                vectors: Ok(()),
                rates: Rates::default(),
                flavour: Flavour::default(),
                lacks: Lacks::default(),
            },
            fault: None,
            commits: Arc::default(),
        }
    }

    /// One transaction of an action, with the fault that is due.
    fn piece(&mut self, sql: &str, step: &mut dyn Step, progress: &Progress) -> Result<()> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let injected = || Error::new(codes::INJECTED, format!("failed at commit {number}"));
        let killed = || Error::new(codes::LEASE_LOST, format!("killed at commit {number}"));
        if self.fault == Some(Fault::Busy(number))
            || self.fault == Some(Fault::Busy(number.saturating_sub(1)))
        {
            return Err(Error::new(codes::LOCKED, "busy").retryable());
        }
        let fault = self.fault;
        self.transaction(&mut |connection| {
            connection.execute(sql, &[])?;
            step.commit(connection, progress)?;
            match fault {
                Some(Fault::Before(at)) if at == number => Err(injected()),
                Some(Fault::KillBefore(at)) if at == number => Err(killed()),
                _ => Ok(()),
            }
        })?;
        match fault {
            Some(Fault::After(at)) if at == number => Err(injected()),
            Some(Fault::KillAfter(at)) if at == number => Err(killed()),
            _ => Ok(()),
        }
    }
}

fn connect(path: &std::path::Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection
}

impl Backend for Fake {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn introspect(&mut self) -> Result<Schema> {
        let found = self.connection.query(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_pql\\_%' ESCAPE '\\'",
            &[],
        )?;
        let mut schema = Schema::new(NameRule::AsciiInsensitive);
        for row in found.rows {
            if let [Value::Text(name)] = row.as_slice() {
                let table = Table::new(name.as_str());
                schema.tables.insert(table.name.clone(), table);
            }
        }
        Ok(schema)
    }

    fn unknown_columns(&mut self, _: &[(Table, Expr)]) -> Result<Vec<(usize, String)>> {
        Ok(Vec::new())
    }

    fn statistics(&mut self, _: &[ObjectName]) -> Result<Statistics> {
        Ok(Statistics::default())
    }

    fn statements(&self, _: &Plan, action: &Action) -> Vec<String> {
        match action {
            Action::Execute { sql, .. } => vec![sql.clone()],
            _ => Vec::new(),
        }
    }

    fn probe(&mut self, _: &Plan, action: &Action) -> Result<Option<bool>> {
        let Action::CreateTable { table } = action else { return Ok(None) };
        Ok(Some(self.introspect()?.table(&table.name).is_some()))
    }

    fn fits(&mut self, _: &Plan, _: &Action) -> Result<()> {
        Ok(())
    }

    /// `Execute` runs its text in one transaction, or, with `…` between them, in one for each part.
    fn execute(&mut self, _: &Plan, action: &Action, step: &mut dyn Step) -> Result<()> {
        if let Action::CreateTable { table } = action {
            // In a transaction of its own; the journal's comes after it.
            self.connection.execute(&format!("CREATE TABLE {} (x)", table.name), &[])?;
            return self.piece(
                "DROP TABLE IF EXISTS _pql_kept",
                step,
                &Progress { done: true, ..Progress::default() },
            );
        }
        let Action::Execute { sql, .. } = action else {
            return Err(Error::new("PQL0000", "the fake backend executes plain SQL only"));
        };
        let parts: Vec<&str> = sql.split('…').collect();
        let from = step.cursor().map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        for (number, part) in parts.iter().enumerate().skip(from) {
            let progress = Progress {
                cursor: Some((number + 1).to_string()),
                rows: number as u64 + 1,
                total: Some(parts.len() as u64),
                done: number + 1 == parts.len(),
            };
            self.piece(part, step, &progress)?;
            if !progress.done {
                step.breathe(&progress)?;
            }
        }
        Ok(())
    }

    fn purge(&mut self, _: &Plan, step: &mut dyn Step) -> Result<()> {
        self.piece("DROP TABLE IF EXISTS _pql_kept", step, &Progress { done: true, ..Progress::default() })
    }

    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Result<()>) -> Result<()> {
        self.connection.execute("BEGIN IMMEDIATE", &[])?;
        match work(&mut self.connection) {
            Ok(()) => self.connection.execute("COMMIT", &[]).map(|_| ()),
            Err(error) => {
                self.connection.execute("ROLLBACK", &[])?;
                Err(error)
            }
        }
    }

    fn connection(&mut self) -> &mut dyn Connection {
        &mut self.connection
    }

    fn companion(&mut self) -> Option<Opener> {
        let path = self.path.clone();
        Some(Box::new(move || Ok(Box::new(Link(connect(&path))))))
    }
}
