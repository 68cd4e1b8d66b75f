//! Keeping a source's row and its row in the target together: by the same key, or, where the key itself changes (a rowid
//! becomes a key column's value, a key column gets another type), by a table of pairs.

use pql_planner::text::ident;
use pql_planner::{ColumnMapping, Rebuild, RowKey};
use pql_schema::{NameRule, Table};
use rusqlite::{Connection as Db, OptionalExtension, params_from_iter};

use super::super::cell::{self, Cell};
use super::super::keys::{Key, qualified};
use super::super::moves::{self, Tied};
use super::super::redefine::rowid_column;
use super::super::{catalog, exprs};
use super::flow::Flow;
use crate::error::codes;
use crate::{Error, Result};

/// How a source row's key leads to the target's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tie {
    /// They are equal; the target's rowid is written under this name when no column is it.
    Same { rowid: Option<String> },
    /// The table of pairs has both.
    Pairs(String),
}

/// The sides of a table of pairs: `o` for the original's key, `n` for the new table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Original,
    New,
}

impl Side {
    fn letter(self) -> char {
        match self {
            Self::Original => 'o',
            Self::New => 'n',
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Original => Self::New,
            Self::New => Self::Original,
        }
    }

    fn column(self, at: usize) -> String {
        format!("_pql_{}{at}", self.letter())
    }

    pub(super) fn columns(self, of: &str, width: usize) -> Vec<String> {
        (0..width).map(|at| qualified(of, &self.column(at))).collect()
    }
}

/// The table of pairs of a rebuild.
pub(super) fn pairs_name(rebuild: &Rebuild) -> String {
    format!("{}_pairs", rebuild.retained.name)
}

/// How the keys of two tables belong together.
pub(super) fn tie(
    rebuild: &Rebuild,
    from: &RowKey,
    source: &Table,
    to: &RowKey,
    target: &Table,
    mapping: &[ColumnMapping],
) -> Tie {
    let same = NameRule::AsciiInsensitive;
    let comes_from = |column: &str| {
        mapping.iter().find(|map| same.same(&map.column, column)).and_then(|map| exprs::as_column(&map.from))
    };
    let pairs = Tie::Pairs(pairs_name(rebuild));
    match (from, to) {
        (RowKey::Rowid(_), RowKey::Rowid(name)) => match (rowid_column(source), rowid_column(target)) {
            (Some(old), Some(new)) => {
                let origin = comes_from(&target.columns[new].name);
                if origin.is_some_and(|origin| same.same(&origin, &source.columns[old].name)) {
                    Tie::Same { rowid: None }
                } else {
                    pairs
                }
            }
            // Rows keep the rowid that a key column gave them, whatever becomes of that column.
            (_, None) => Tie::Same { rowid: Some(name.clone()) },
            (None, Some(_)) => pairs,
        },
        (RowKey::Columns(old), RowKey::Columns(new)) => {
            let equal = old.len() == new.len()
                && old.iter().zip(new).all(|(old, new)| {
                    comes_from(&new.column).is_some_and(|origin| same.same(&origin, &old.column))
                });
            if equal { Tie::Same { rowid: None } } else { pairs }
        }
        (RowKey::Rowid(_), RowKey::Columns(_)) | (RowKey::Columns(_), RowKey::Rowid(_)) => pairs,
    }
}

impl Flow<'_> {
    /// Which side of a table of pairs the source is.
    pub(super) fn side(&self) -> Side {
        // The log of the way back is on the new table.
        if self.is_backward() { Side::New } else { Side::Original }
    }

    fn is_backward(&self) -> bool {
        matches!(&self.tie, Tie::Pairs(name) if *name == format!("{}_pairs", self.target))
    }

    /// Makes the table of pairs, where there is one.
    pub(super) fn create_pairs(&self, db: &Db) -> Result<()> {
        let Tie::Pairs(name) = &self.tie else { return Ok(()) };
        let (original, new) = if self.is_backward() {
            (&self.target_key, &self.source_key)
        } else {
            (&self.source_key, &self.target_key)
        };
        let declare = |key: &Key, side: Side| {
            let columns: Vec<String> = (side.columns("", key.len()).iter().zip(key.declared()))
                .map(|(name, declared)| format!("{name} {declared}"))
                .collect();
            columns.join(", ")
        };
        let columns = |key: &Key, side: Side| side.columns("", key.len()).join(", ");
        db.execute_batch(&format!(
            "DROP TABLE IF EXISTS main.{0}; CREATE TABLE main.{0} ({1}, {2}, PRIMARY KEY ({3})) WITHOUT ROWID; \
             CREATE INDEX main.{4} ON {0} ({5})",
            ident(name),
            declare(original, Side::Original),
            declare(new, Side::New),
            columns(original, Side::Original),
            ident(&format!("{name}_n")),
            columns(new, Side::New),
        ))?;
        Ok(())
    }

    /// On the way back, rows that kept their key until now become pairs of equal keys.
    pub(super) fn pair_equal(&self, db: &Db) -> Result<()> {
        let Tie::Pairs(name) = &self.tie else { return Ok(()) };
        if catalog::has_table(db, name)? {
            return Ok(());
        }
        self.create_pairs(db)?;
        let columns = self.target_key.columns("");
        db.execute_batch(&format!(
            "INSERT INTO main.{} SELECT {columns}, {columns} FROM main.{}",
            ident(name),
            ident(self.target)
        ))?;
        Ok(())
    }

    /// Gives the pairs of about so many rows the keys that these have in the source by now.
    pub(super) fn follow_in_pairs(&self, db: &Db, pairs: &str, limit: u64) -> Result<()> {
        let (own, other) = (self.side(), self.side().other());
        let named = |key: &Key, side: Side| key.of(|at| side.column(at));
        let (key, partner) = (named(&self.source_key, own), named(&self.target_key, other));
        let columns: Vec<String> = partner.names().map(str::to_owned).collect();
        let tied = Some(Tied { table: self.target, key: &self.target_key, columns: &columns });
        moves::Copy { db, log: self.log, table: pairs, key: &key, columns: &columns, tied }.follow(limit)
    }

    /// The values of the target's key, over the source's row.
    pub(super) fn target_key_values(&self) -> Result<Vec<String>> {
        (self.target_key.names())
            .map(|name| {
                (self.mapping.iter())
                    .find(|map| map.column.eq_ignore_ascii_case(name))
                    .map(|map| map.from.to_string())
                    .ok_or_else(|| {
                        Error::new(
                            codes::UNSUPPORTED,
                            format!("the new key {} is computed from nothing", ident(name)),
                        )
                    })
            })
            .collect()
    }

    pub(super) fn paired(&self, db: &Db, pairs: &str, side: Side, key: &[Cell]) -> Result<Option<Vec<Cell>>> {
        let width = self.target_key.len();
        let sql = format!(
            "SELECT {} FROM main.{} WHERE {}",
            side.other().columns("", width).join(", "),
            ident(pairs),
            equal(&side.columns("", key.len()))
        );
        let found = db
            .prepare_cached(&sql)?
            .query_row(params_from_iter(key), |row| {
                (0..width).map(|at| row.get_ref(at).map(Cell::read)).collect::<rusqlite::Result<Vec<_>>>()
            })
            .optional()?;
        Ok(found)
    }

    pub(super) fn pair(&self, db: &Db, name: &str, key: &[Cell]) -> Result<()> {
        let there: Vec<Cell> = if self.target_is_rowid {
            vec![Cell::Integer(db.last_insert_rowid())]
        } else {
            let source = ident(self.source);
            let sql = format!(
                "SELECT {} FROM main.{source} WHERE {}",
                self.target_key_values()?.join(", "),
                self.source_key.is_param(&source, 1)
            );
            cell::rows(db, &sql, key, self.target_key.len())?.into_iter().next().unwrap_or_default()
        };
        let side = self.side();
        let columns = [side.columns("", key.len()), side.other().columns("", there.len())].concat();
        let params: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let sql = format!(
            "INSERT OR REPLACE INTO main.{} ({}) VALUES ({})",
            ident(name),
            columns.join(", "),
            params.join(", ")
        );
        db.prepare_cached(&sql)?.execute(params_from_iter(key.iter().chain(&there)))?;
        Ok(())
    }
}

pub(super) fn equal(columns: &[String]) -> String {
    let terms: Vec<String> =
        columns.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + 1)).collect();
    terms.join(" AND ")
}
