//! Rows that keep their numbers. VACUUM numbers the rows of a table anew when it has neither an INTEGER PRIMARY KEY nor
//! an index; whatever is remembered of such rows by their number would then be about others. So as long as something
//! is, the table has an index: one without an entry, over no column, that costs a write nothing.
//!
//! A guard belongs to what remembers (a log, a record, a table that is kept in step with another) and is named after it;
//! it stays on its table whatever that is called.

use pql_planner::text::ident;
use rusqlite::Connection as Db;

use super::catalog::Entry;
use super::keys;
use crate::Result;

const PREFIX: &str = "_pql_guard_";

/// Puts a guard on a table that needs one.
pub(super) fn set(db: &Db, table: &str, owner: &str) -> Result<()> {
    if let Some(sql) = statement(db, table, owner)? {
        db.execute_batch(&format!("DROP INDEX IF EXISTS main.{}; {sql}", ident(&name(owner))))?;
    }
    Ok(())
}

/// The statement of [`set`]; `None` where VACUUM leaves the rows their numbers.
pub(super) fn statement(db: &Db, table: &str, owner: &str) -> Result<Option<String>> {
    if !is_needed(db, table)? {
        return Ok(None);
    }
    Ok(Some(format!("CREATE INDEX {} ON {} (1) WHERE 0", ident(&name(owner)), ident(table))))
}

/// Whether the rows of the table are told apart by numbers that are no column of theirs.
pub(super) fn is_needed(db: &Db, table: &str) -> Result<bool> {
    Ok(keys::row_number(db, table)?.is_some())
}

/// Takes it away.
pub(super) fn lift(db: &Db, owner: &str) -> Result<()> {
    Ok(db.execute_batch(&format!("DROP INDEX IF EXISTS main.{}", ident(&name(owner))))?)
}

/// Whether the index is a guard.
pub(super) fn is_guard(entry: &Entry) -> bool {
    entry.kind == "index" && is_name(&entry.name)
}

/// Whether the name is that of a guard.
pub(super) fn is_name(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn name(owner: &str) -> String {
    format!("{PREFIX}{owner}")
}
