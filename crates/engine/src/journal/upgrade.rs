//! The journal's tables, its format version, and the way from each format to the next.

use pql_planner::Dialect;

use crate::backend::Connection;
use crate::{Error, Result, codes};

use super::Journal;
use super::row::{Row, damaged};

/// What leads from each format to the next; the first entry makes format 1 from nothing. Entries are never changed
/// once released: a journal that exists has run them.
const FORMATS: &[&[&str]] = &[&[
    "CREATE TABLE {meta} (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "INSERT INTO {meta} (key, value) VALUES ('format', '0')",
    "CREATE TABLE {migrations} (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        version BIGINT,
        status TEXT NOT NULL,
        operations TEXT NOT NULL,
        digest TEXT NOT NULL,
        touches TEXT NOT NULL,
        base TEXT NOT NULL,
        attributes TEXT,
        attempt BIGINT NOT NULL,
        run TEXT,
        control TEXT,
        strategy TEXT,
        retain TEXT,
        retention TEXT NOT NULL,
        row_count BIGINT,
        duration_us BIGINT,
        longest_lock_us BIGINT,
        failure TEXT,
        actor TEXT NOT NULL,
        created_at TEXT NOT NULL,
        applied_at TEXT)",
    "CREATE TABLE {plans} (
        migration_id TEXT NOT NULL,
        attempt BIGINT NOT NULL,
        plan TEXT NOT NULL,
        base TEXT NOT NULL,
        expected TEXT NOT NULL,
        PRIMARY KEY (migration_id, attempt))",
    "CREATE TABLE {steps} (
        migration_id TEXT NOT NULL,
        step BIGINT NOT NULL,
        undo BIGINT NOT NULL,
        state TEXT NOT NULL,
        cursor TEXT,
        row_count BIGINT NOT NULL,
        row_total BIGINT,
        schema_print TEXT,
        started_at TEXT NOT NULL,
        PRIMARY KEY (migration_id, step, undo))",
    "CREATE TABLE {events} (
        seq BIGINT NOT NULL PRIMARY KEY,
        at TEXT NOT NULL,
        migration_id TEXT,
        event TEXT NOT NULL,
        detail TEXT,
        actor TEXT NOT NULL)",
    "CREATE TABLE {versions} (
        version BIGINT NOT NULL PRIMARY KEY,
        migration_id TEXT,
        delta TEXT NOT NULL,
        at TEXT NOT NULL)",
    "CREATE TABLE {settings} (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE {lease} (
        one BIGINT NOT NULL PRIMARY KEY,
        fence BIGINT NOT NULL,
        beat BIGINT NOT NULL,
        owner TEXT,
        process TEXT,
        migration_id TEXT,
        at TEXT NOT NULL)",
]];

/// Whether there is a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// No: nothing has been recorded yet.
    Absent,
    /// One of an older format, to be upgraded before it is used.
    Older,
    /// Yes.
    Present,
}

impl Journal {
    /// Whether there is a journal that this program can use.
    pub(crate) fn presence(self, connection: &mut dyn Connection) -> Result<Presence> {
        Ok(match self.format(connection)? {
            0 => Presence::Absent,
            format if format < FORMATS.len() => Presence::Older,
            _ => Presence::Present,
        })
    }

    /// Makes the journal's tables, or brings them up to date. Runs inside a transaction.
    pub(crate) fn ensure(self, connection: &mut dyn Connection) -> Result<()> {
        let have = self.format(connection)?;
        if have == FORMATS.len() {
            return Ok(());
        }
        if have == 0 && self.dialect == Dialect::Postgres {
            connection.execute("CREATE SCHEMA IF NOT EXISTS _pql", &[])?;
        }
        for statement in FORMATS[have..].iter().copied().flatten() {
            connection.execute(&self.sql(statement), &[])?;
        }
        if have == 0 && self.dialect == Dialect::Postgres {
            // What makes the number a key, and a change of it wait for those who rely on it: see `fence_sql`.
            connection.execute(&self.sql("CREATE UNIQUE INDEX lease_fence ON {lease} (fence)"), &[])?;
        }
        let format = FORMATS.len().to_string();
        connection
            .execute(&self.sql("UPDATE {meta} SET value = ?1 WHERE key = 'format'"), &[format.into()])?;
        Ok(())
    }

    /// The format of the journal that is there; 0: none is.
    fn format(self, connection: &mut dyn Connection) -> Result<usize> {
        let exists = match self.dialect {
            Dialect::Sqlite => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_pql_meta'",
            Dialect::Postgres => {
                "SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('_pql.meta')"
            }
        };
        if connection.query(exists, &[])?.rows.is_empty() {
            return Ok(0);
        }
        let found = connection.query(&self.sql("SELECT value FROM {meta} WHERE key = 'format'"), &[])?;
        let row = found.rows.into_iter().next().ok_or_else(|| damaged("its format is not recorded"))?;
        let format: usize = Row::new(row).parse()?;
        if format > FORMATS.len() {
            return Err(Error::new(
                codes::JOURNAL_NEWER,
                format!(
                    "this database's journal has format {format}; this program knows formats up to {}",
                    FORMATS.len()
                ),
            )
            .with_help("use the newer version of PQL that made it; nothing was read or changed"));
        }
        Ok(format)
    }
}
