//! Row numbers that a restored database has not kept. A text dump (`.dump`) leaves the numbers of rows out that have no
//! key of their own, and such rows are numbered anew when it is read; what was remembered of them by their number would
//! then be about others. So beside everything that remembers stands a row with a number that no restored row gets.
//!
//! The witness stays from when something begins to remember until it ends, whatever is renamed or rebuilt meanwhile.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, OptionalExtension};

use super::{catalog, guards};
use crate::error::codes;
use crate::{Error, Result};

const TABLE: &str = "_pql_witness";

/// Numbers from here on are ours: a table is numbered from 1 when it is restored.
const FIRST: i64 = 1 << 40;

/// From now on the rows of the table are remembered by their numbers, if it has rows of that kind.
pub(super) fn note(db: &Db, table: &str, owner: &str) -> Result<()> {
    if !guards::is_needed(db, table)? {
        return Ok(());
    }
    if !catalog::has_table(db, TABLE)? {
        db.execute_batch(&format!("CREATE TABLE main.{TABLE} (owner TEXT)"))?;
        guards::set(db, TABLE, TABLE)?;
    }
    forget_row(db, owner)?;
    db.prepare_cached(&format!(
        "INSERT INTO main.{TABLE} (rowid, owner) SELECT max(coalesce(max(rowid), 0) + 1, ?1), ?2 FROM main.{TABLE}"
    ))?
    .execute((FIRST, owner))?;
    Ok(())
}

/// The numbers that the owner remembers are still those of the same rows of the table.
pub(super) fn check(db: &Db, table: &str, owner: &str) -> Result<()> {
    if !catalog::has_table(db, TABLE)? {
        return Ok(());
    }
    let number: Option<i64> = db
        .prepare_cached(&format!("SELECT rowid FROM main.{TABLE} WHERE owner = ?1 COLLATE NOCASE"))?
        .query_row([owner], |row| row.get(0))
        .optional()?;
    if number.is_none_or(|number| number >= FIRST) {
        return Ok(());
    }
    Err(Error::new(
        codes::RENUMBERED,
        format!(
            "the rows of {} have other numbers than those that were remembered: this database was restored from a text dump",
            ident(table)
        ),
    )
    .with_help(
        "nothing was changed; MIGRATE PURGE gives up the way back, and MIGRATE CANCEL a migration that is not finished; \
         to keep both, restore from a copy that keeps the numbers (.backup, VACUUM INTO, .dump --preserve-rowids)",
    ))
}

/// The owner remembers nothing any more.
pub(super) fn forget(db: &Db, owner: &str) -> Result<()> {
    if !catalog::has_table(db, TABLE)? {
        return Ok(());
    }
    forget_row(db, owner)?;
    let rest: bool =
        db.query_row(&format!("SELECT EXISTS (SELECT 1 FROM main.{TABLE})"), [], |row| row.get(0))?;
    if rest { Ok(()) } else { Ok(db.execute_batch(&format!("DROP TABLE main.{TABLE}"))?) }
}

fn forget_row(db: &Db, owner: &str) -> Result<()> {
    db.prepare_cached(&format!("DELETE FROM main.{TABLE} WHERE owner = ?1 COLLATE NOCASE"))?
        .execute([owner])?;
    Ok(())
}
