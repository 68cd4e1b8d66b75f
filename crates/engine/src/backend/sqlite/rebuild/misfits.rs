//! Values written since a rebuild that have no place in the old definition, looked for before anything is taken back.
//!
//! What nobody has changed since comes back as it was, whatever it was made into: it is not asked.

use pql_planner::text::ident;
use pql_planner::{ColumnMapping, Rebuild};
use rusqlite::Connection as Db;

use super::super::cell::{self, Cell};
use super::super::report::{NAMED, Rows};
use super::super::{catalog, model, moves};
use super::flow::{self, Flow};
use super::pairs::Tie;
use super::{check_numbers, without_purged};
use crate::Result;
use crate::error::codes;

/// Fails with the rows that cannot go back.
pub(in super::super) fn turned_back(db: &Db, rebuild: &Rebuild) -> Result<()> {
    let tables = [&rebuild.after.name.name, &rebuild.reverse.log.name, &rebuild.retained.name];
    for table in tables {
        if !catalog::has_table(db, table)? {
            return Ok(());
        }
    }
    check_numbers(db, rebuild)?;
    let rebuild = &without_purged(db, rebuild)?;
    let now = model::table_of(db, &rebuild.after.name.name)?;
    if !now.columns.iter().map(|column| &column.name).eq(rebuild
        .after
        .columns
        .iter()
        .map(|column| &column.name))
    {
        // It is what a later operation has made of it, and looked at when that has been taken back.
        return Ok(());
    }
    let flow = flow::backward(db, rebuild)?;
    rebuild.mapping_back.iter().try_for_each(|map| flow.all_fit(db, map))
}

impl Flow<'_> {
    fn all_fit(&self, db: &Db, map: &ColumnMapping) -> Result<()> {
        let (Some(fits), Some(unchanged)) = (&map.fits, self.unchanged(db, map)?) else { return Ok(()) };
        let (log, source) = (ident(self.log), ident(self.source));
        let sql = format!(
            "SELECT {} FROM main.{log} AS _pql_l CROSS JOIN main.{source} ON {} \
             WHERE NOT ({fits}) AND NOT ({unchanged}) LIMIT {}",
            self.shown(db, map),
            self.source_key.is_logged(&source, "_pql_l"),
            NAMED + 1,
        );
        let width = self.source_key.len();
        let mut bad = Rows::default();
        for mut key in cell::rows(db, &sql, &[], width + 1)? {
            let value = key.pop().unwrap_or(Cell::Null);
            bad.push(&self.source_key, &key, Some((map.column.as_str(), &value)));
        }
        if bad.is_empty() {
            return Ok(());
        }
        let what =
            format!("values written since do not fit the old {}.{}", ident(self.source), ident(&map.column));
        Err(bad
            .error(codes::ROWS, &what)
            .with_help("change or delete those rows and roll back again; nothing was changed"))
    }

    /// The condition over a row of the source that the column gets back what it was. None where that is not known before
    /// the row comes back.
    fn unchanged(&self, db: &Db, map: &ColumnMapping) -> Result<Option<String>> {
        let (source, target) = (ident(self.source), ident(self.target));
        let Some(same) = self.restore.made_of(&map.column, &source) else { return Ok(Some("0".to_owned())) };
        if matches!(self.tie, Tie::Pairs(_)) {
            return Ok(None);
        }
        let there = self.target_key.same(&target, &source, &self.source_key);
        let stayed = format!("EXISTS (SELECT 1 FROM main.{target} WHERE {there} AND {same})");
        let (moves, new) = (moves::table(self.log), moves::newcomers(self.log));
        if !catalog::has_table(db, &moves)? {
            return Ok(Some(stayed));
        }
        let noted = |table: &str| {
            let is = self.source_key.is_logged(&source, "_pql_m");
            format!("EXISTS (SELECT 1 FROM main.{} AS _pql_m WHERE {is})", ident(table))
        };
        let is_new = if catalog::has_table(db, &new)? { noted(&new) } else { "0".to_owned() };
        let then = self.source_key.of(moves::then_column);
        Ok(Some(format!(
            "CASE WHEN {is_new} THEN 0 WHEN {} THEN EXISTS (SELECT 1 FROM main.{} AS _pql_m CROSS JOIN main.{target} ON {} \
             WHERE {} AND {same}) ELSE {stayed} END",
            noted(&moves),
            ident(&moves),
            self.target_key.same(&target, "_pql_m", &then),
            self.source_key.is_logged(&source, "_pql_m"),
        )))
    }
}
