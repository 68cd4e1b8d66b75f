//! What older migrations log of the target while rows come back to it.
//!
//! A row comes back by being taken out and put in again. A capture would take that for one row that is gone and another
//! that is new, and the rollback of its own migration would not give back what is kept of the row. So the captures are
//! told by hand of a row that was there and stays, and see the others for themselves.

use std::fmt::Write as _;

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::cell::Cell;
use super::super::{capture, moves, run};
use super::flow::Flow;
use super::pairs::Tie;
use crate::Result;

impl Flow<'_> {
    /// Whether a logged row is on both sides, as the same one under the same key.
    pub(super) fn stays(&self, db: &Db, key: &[Cell]) -> Result<bool> {
        if self.watchers.is_empty() {
            return Ok(false);
        }
        let Some(there) = self.key_there(db, key)? else { return Ok(false) };
        let (source, target) = (ident(self.source), ident(self.target));
        let mut comes = self.source_key.is_param(&source, 1);
        let mut params = key.to_vec();
        if matches!(self.tie, Tie::Pairs(_)) {
            for (value, cell) in self.target_key_values()?.iter().zip(&there) {
                params.push(cell.clone());
                let _ = write!(comes, " AND ({value}) IS ?{}", params.len());
            }
        }
        let is = self.target_key.is_param(&target, params.len() + 1);
        params.extend(there);
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM main.{source} WHERE {comes}) AND EXISTS (SELECT 1 FROM main.{target} WHERE {is})"
        );
        let both =
            db.prepare_cached(&sql)?.query_row(params_from_iter(&params), |row| row.get::<_, bool>(0))?;
        Ok(both && !moves::is_newcomer(db, self.log, &self.source_key, key)?)
    }

    /// Before a row is taken out: tells the captures of one that stays.
    pub(super) fn tell(&self, db: &Db, key: &[Cell], stays: bool) -> Result<()> {
        self.watch(db, stays)?;
        if stays && let Some(there) = self.key_there(db, key)? {
            let target = ident(self.target);
            self.note(db, &self.target_key.is_param(&target, 1), &there)?;
        }
        Ok(())
    }

    /// Whether the captures see what is done next: not with a row that stays.
    pub(super) fn watch(&self, db: &Db, stays: bool) -> Result<()> {
        run::set_triggers(db, !stays && !self.watchers.is_empty())
    }

    /// Tells the captures of rows of the target that are going to change.
    pub(super) fn note(&self, db: &Db, condition: &str, params: &[Cell]) -> Result<()> {
        self.watchers.iter().try_for_each(|log| capture::log_rows(db, self.target, log, condition, params))
    }

    /// The target's key of a row of the source.
    fn key_there(&self, db: &Db, key: &[Cell]) -> Result<Option<Vec<Cell>>> {
        match &self.tie {
            Tie::Same { .. } => Ok(Some(key.to_vec())),
            Tie::Pairs(name) => self.paired(db, name, self.side(), key),
        }
    }
}
