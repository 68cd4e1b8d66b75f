//! Walking over the rows that were there at the start, in key order and in pieces, from a cursor.

use rusqlite::Connection as Db;
use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::keys::{Key, Range};
use super::rates;
use crate::backend::{Progress, Step};
use crate::error::codes;
use crate::{Error, Result};

/// Where a walk is: the rows after `after`, up to `upto`, are left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Walk {
    /// What is left.
    pub(super) left: Range,
    /// Rows done.
    pub(super) rows: u64,
    /// About how many there are.
    pub(super) total: u64,
    /// The end is reached.
    pub(super) over: bool,
}

impl Walk {
    /// Goes on where the cursor says, or starts; bounded by the last key there is now, so that rows which are added
    /// meanwhile cannot keep it going.
    pub(super) fn start(db: &Db, step: &dyn Step, table: &str, key: &Key) -> Result<Self> {
        if let Some(cursor) = step.cursor() {
            return serde_json::from_str(cursor).map_err(|error| {
                Error::new(codes::UNREADABLE, "the place where the last attempt stopped cannot be read")
                    .with_source(error)
            });
        }
        Self::fresh(db, table, key)
    }

    /// Starts from the beginning, whatever the cursor says.
    pub(super) fn fresh(db: &Db, table: &str, key: &Key) -> Result<Self> {
        let last = key.edge(db, table, true)?;
        let over = last.is_none();
        Ok(Self { left: Range { after: None, upto: last }, rows: 0, total: rates::rows(db, table)?, over })
    }

    /// The next piece of about so many rows.
    pub(super) fn next(&self, db: &Db, table: &str, key: &Key, rows: u64) -> Result<Range> {
        let end = key.nth(db, table, &self.left, rows)?.or_else(|| self.left.upto.clone());
        Ok(Range { after: self.left.after.clone(), upto: end })
    }

    /// A piece is done.
    pub(super) fn done(&mut self, piece: &Range, rows: u64) {
        self.over = piece.upto == self.left.upto;
        self.left.after.clone_from(&piece.upto);
        self.rows += rows;
        self.total = self.total.max(self.rows);
    }

    /// As progress; the action is complete with the end when `last` says so.
    pub(super) fn progress(&self, last: bool) -> Result<Progress> {
        let cursor = serde_json::to_string(self).map_err(|error| {
            Error::new(codes::DATABASE, "the cursor of a batch could not be written down").with_source(error)
        })?;
        Ok(Progress {
            cursor: Some(cursor),
            rows: self.rows,
            total: Some(self.total),
            done: last && self.over,
        })
    }
}

/// Finds the row on which a piece of work fails: `attempt` is made for each row of the range alone, and all is rolled
/// back. Gives the key with the error, or `None` when no row fails by itself.
pub(super) fn culprit(
    db: &Db,
    table: &str,
    key: &Key,
    piece: &Range,
    mut attempt: impl FnMut(&Range) -> Result<()>,
) -> Result<Option<(Vec<Cell>, Error)>> {
    db.execute_batch("SAVEPOINT culprit")?;
    let mut left = piece.clone();
    let mut found = None;
    while let Some(next) = key.nth(db, table, &left, 1)? {
        let row = Range { after: left.after.clone(), upto: Some(next.clone()) };
        if let Err(error) = attempt(&row) {
            found = Some((next, error));
            break;
        }
        if Some(&next) == piece.upto.as_ref() {
            break;
        }
        left.after = Some(next);
    }
    // Some errors roll the whole transaction back by themselves; then there is no savepoint left.
    if !db.is_autocommit() {
        db.execute_batch("ROLLBACK TO culprit; RELEASE culprit")?;
    }
    Ok(found)
}
