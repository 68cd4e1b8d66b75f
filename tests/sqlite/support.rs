//! A database in a temporary directory, a runner's side that journals into it, and what can be compared of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pql_engine::backend::sqlite::Sqlite;
use pql_engine::backend::{Backend, Connection, Progress, RunOptions, Step, Ticket};
use pql_engine::{Error, Result, Value};
use pql_planner::lower::stored;
use pql_planner::{Action, Capture, ColumnMapping, Plan, Rebuild, RowKey};
use pql_schema::{Expr, Fingerprint, Index, MigrationStrategy, NameRule, Schema, Table};
use rusqlite::Connection as Db;
use tempfile::TempDir;

/// A file that is removed with this.
pub(crate) struct Place {
    _directory: TempDir,
    pub path: PathBuf,
}

impl Place {
    pub(crate) fn new(sql: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let place = Self { _directory: directory, path };
        let db = place.db();
        db.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        db.execute_batch(sql).unwrap();
        place
    }

    /// The application's connection.
    pub(crate) fn db(&self) -> Db {
        let db = Db::open(&self.path).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        db
    }

    pub(crate) fn backend(&self) -> Sqlite {
        Sqlite::open(&self.path, false, false).unwrap()
    }

    /// Every object that is not PQL's with its place and text, and every row with its rowid.
    pub(crate) fn state(&self) -> Vec<String> {
        state(&self.db())
    }

    /// Neither the file nor its references are damaged.
    pub(crate) fn check(&self) {
        let db = self.db();
        let integrity: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok");
        let violations: i64 =
            db.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(violations, 0, "foreign keys");
    }

    /// Nothing of PQL's is left but what it remembers.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let db = self.db();
        let mut found = db
            .prepare("SELECT name FROM sqlite_schema WHERE name GLOB '_pql_*' AND name NOT IN ('_pql_retained', '_pql_test')")
            .unwrap();
        let names = found.query_map([], |row| row.get(0)).unwrap();
        names.map(std::result::Result::unwrap).collect()
    }
}

pub(crate) fn state(db: &Db) -> Vec<String> {
    let mut lines = Vec::new();
    let mut objects = db
        .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB '_pql_*' AND tbl_name NOT GLOB '_pql_*' AND sql IS NOT NULL ORDER BY rowid")
        .unwrap();
    let objects: Vec<(String, String, String)> = objects
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(std::result::Result::unwrap)
        .collect();
    for (kind, name, sql) in &objects {
        lines.push(sql.clone());
        if kind == "table" {
            lines.extend(rows(db, name));
        }
    }
    lines
}

/// The rows of a table in their order, with the rowid where there is one; retained columns left out.
pub(crate) fn rows(db: &Db, table: &str) -> Vec<String> {
    let columns: Vec<String> = db
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE name NOT GLOB '_pql_*'")
        .unwrap()
        .query_map([table], |row| row.get::<_, String>(0))
        .unwrap()
        .map(|name| format!("quote(\"{}\")", name.unwrap()))
        .collect();
    let list = columns.join(" || ', ' || ");
    let query = |rowid: &str| format!("SELECT {rowid} || {list} FROM \"{table}\"");
    let mut statement = db
        .prepare(&format!("{} ORDER BY rowid", query("rowid || ': ' ")))
        .or_else(|_| db.prepare(&query("'' ")))
        .unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| format!("{table} {}", row.unwrap())).collect()
}

/// The runner's side: its cursor lives in the database, written in the transaction that it belongs to.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    cursor: Option<String>,
    options: RunOptions,
    /// Fails at this commit (before it), counted from 1.
    pub fail_at: Option<u64>,
    /// Or, instead of failing before the commit, after it.
    pub after: bool,
    pub commits: u64,
    pub longest: Duration,
    pub done: bool,
    pub waits: Vec<String>,
}

impl Runner {
    pub(crate) fn new() -> Self {
        Self {
            options: RunOptions { retry_for: Duration::from_secs(20), ..RunOptions::default() },
            ..Self::default()
        }
    }

    pub(crate) fn with(options: RunOptions) -> Self {
        Self { options, ..Self::default() }
    }

    pub(crate) fn failing(at: u64, after: bool) -> Self {
        Self { fail_at: Some(at), after, ..Self::new() }
    }

    /// Continues where the database says that the last one stopped.
    pub(crate) fn resuming(place: &Place) -> Self {
        let db = place.db();
        let cursor = db.query_row("SELECT cursor FROM _pql_test", [], |row| row.get(0)).unwrap_or(None);
        Self { cursor, ..Self::new() }
    }
}

pub(crate) const KILLED: &str = "TEST001";

impl Step for Runner {
    fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    fn commit(&mut self, connection: &mut dyn Connection, progress: &Progress) -> Result<()> {
        self.commits += 1;
        if self.fail_at == Some(self.commits) && !self.after {
            return Err(Error::new(KILLED, "before the commit"));
        }
        connection
            .execute("CREATE TABLE IF NOT EXISTS _pql_test (id INTEGER PRIMARY KEY, cursor TEXT)", &[])?;
        let cursor = if progress.done { None } else { progress.cursor.clone() };
        connection.execute("INSERT OR REPLACE INTO _pql_test VALUES (1, ?1)", &[Value::from(cursor)])?;
        self.done = progress.done;
        Ok(())
    }

    fn ticket(&mut self, _progress: &Progress) -> Result<Ticket> {
        unreachable!("a database in a file gets no messages")
    }

    fn breathe(&mut self, _progress: &Progress) -> Result<()> {
        if self.fail_at == Some(self.commits) && self.after {
            return Err(Error::new(KILLED, "after the commit"));
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<()> {
        self.breathe(&Progress::default())
    }

    fn options(&self) -> &RunOptions {
        &self.options
    }

    fn held(&mut self, lock: Duration) {
        self.longest = self.longest.max(lock);
    }

    fn waiting(&mut self, what: &str) {
        self.waits.push(what.to_owned());
    }

    fn note(&mut self, _: &str) {}
}

pub(crate) fn plan(strategy: MigrationStrategy) -> Plan {
    Plan {
        format: pql_planner::plan::FORMAT,
        strategy,
        touches: Vec::new(),
        base: Fingerprint(String::new()),
        steps: Vec::new(),
        rebuilds: Vec::new(),
        index_builds: Vec::new(),
        column_swaps: Vec::new(),
        hazards: Vec::new(),
    }
}

pub(crate) fn online() -> Plan {
    plan(MigrationStrategy::Online)
}

/// Runs one action to its end.
pub(crate) fn run(place: &Place, plan: &Plan, action: &Action) -> Result<Runner> {
    let mut runner = Runner::new();
    place.backend().execute(plan, action, &mut runner)?;
    assert!(runner.done, "{action:?} was not journalled as done");
    Ok(runner)
}

pub(crate) fn run_all(place: &Place, plan: &Plan, actions: &[Action]) {
    for action in actions {
        run(place, plan, action).unwrap_or_else(|error| panic!("{action:?}: {error} {error:?}"));
    }
}

/// The table that a text defines.
pub(crate) fn table(sql: &str) -> Table {
    stored::stored_table(sql).unwrap_or_else(|error| panic!("{sql}: {}", error.message))
}

pub(crate) fn index(sql: &str, of: &Table) -> Index {
    let mut schema = Schema::new(NameRule::AsciiInsensitive);
    schema.tables.insert(of.name.clone(), of.clone());
    stored::stored_index(sql, &schema).unwrap_or_else(|error| panic!("{sql}: {}", error.message))
}

/// A rebuild from one text to another; columns of the same name are copied unless `mapping` says otherwise.
pub(crate) fn rebuild(
    before: &str,
    after: &str,
    mapping: &[(&str, &str)],
    back: &[(&str, &str)],
    indexes: &[&str],
) -> Rebuild {
    let (before, after) = (table(before), table(after));
    let name = before.name.name.clone();
    let key = |table: &Table| match table.primary_key() {
        Some(key) if table.options.without_rowid => RowKey::Columns(key.columns.clone()),
        Some(key) if key.columns.len() == 1 && is_integer(table, &key.columns[0].column) => {
            RowKey::Rowid(key.columns[0].column.clone())
        }
        _ => RowKey::Rowid("rowid".to_owned()),
    };
    let capture = |suffix: &str, key: RowKey| Capture {
        table: name.as_str().into(),
        log: format!("_pql_{suffix}_{name}").as_str().into(),
        key,
        columns: None,
        follows: false,
        moves: false,
    };
    Rebuild {
        forward: capture("log", key(&before)),
        reverse: capture("back", key(&after)),
        shadow: format!("_pql_new_{name}").as_str().into(),
        retained: format!("_pql_old_{name}").as_str().into(),
        mapping: mapped(&before, &after, mapping),
        mapping_back: mapped(&after, &before, back),
        indexes: indexes.iter().map(|sql| index(sql, &after)).collect(),
        before,
        after,
    }
}

fn is_integer(table: &Table, column: &str) -> bool {
    table
        .column(column, NameRule::AsciiInsensitive)
        .is_some_and(|column| column.data_type.to_string() == "INTEGER")
}

fn mapped(from: &Table, to: &Table, given: &[(&str, &str)]) -> Vec<ColumnMapping> {
    let given: BTreeMap<&str, &str> = given.iter().copied().collect();
    (to.columns.iter())
        .filter(|column| column.generated.is_none())
        .filter_map(|column| {
            let expr = match given.get(column.name.as_str()) {
                Some(text) => Expr::new(text),
                None => Expr::column(&from.column(&column.name, NameRule::AsciiInsensitive)?.name),
            };
            Some(ColumnMapping { column: column.name.clone(), from: expr, fits: None, unstable: false })
        })
        .collect()
}

/// The actions of an online rebuild.
pub(crate) fn online_rebuild() -> [Action; 4] {
    [
        Action::RebuildPrepare { rebuild: 0 },
        Action::RebuildCopy { rebuild: 0 },
        Action::RebuildVerify { rebuild: 0 },
        Action::RebuildSwap { rebuild: 0 },
    ]
}

/// Two lists are the same, or the first difference is shown.
#[track_caller]
pub(crate) fn same(left: &[String], right: &[String]) {
    let at = left.iter().zip(right).position(|(left, right)| left != right);
    if let Some(at) = at {
        panic!("line {at}:\n  {}\n  {}", left[at], right[at]);
    }
    assert_eq!(left.len(), right.len(), "one is the start of the other");
}
