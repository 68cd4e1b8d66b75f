//! Rows on their way from one table to another: forward from the original to the shadow, and after the swap back from
//! the new table to the retained original.

use std::fmt::Write as _;

use pql_planner::text::ident;
use pql_planner::{Capture, ColumnMapping, Rebuild, RowKey};
use pql_schema::Table;
use rusqlite::{Connection as Db, OptionalExtension, params_from_iter};

use super::super::cell::{self, Cell};
use super::super::keys::{Key, Range, log_column};
use super::super::redefine::rowid_column;
use super::super::report::{NAMED, Rows};
use super::super::{capture, errors, moves, witness};
use super::pairs::{Tie, equal, tie};
use super::restore::{Kept, Restore};
use crate::error::codes;
use crate::{Error, Result};

/// One direction.
pub(super) struct Flow<'a> {
    /// Where rows come from, and the key that the log holds.
    pub(super) source: &'a str,
    /// How its rows are told apart.
    pub(super) source_key: Key,
    /// Where they go.
    pub(super) target: &'a str,
    /// How its rows are told apart.
    pub(super) target_key: Key,
    /// Each written column from the source's row.
    pub(super) mapping: &'a [ColumnMapping],
    /// The keys of rows that changed.
    pub(super) log: &'a str,
    /// How the two keys belong together.
    pub(super) tie: Tie,
    /// What a row that was there gets back.
    pub(super) restore: Restore,
    /// The target's stored columns without those of its key.
    pub(super) beside_key: Vec<String>,
    /// The target's column that is its rowid.
    pub(super) numbered: Option<String>,
    /// The target's rows have rowids.
    pub(super) target_is_rowid: bool,
    /// Rows are told apart by their rowids on both sides.
    pub(super) by_rowid: bool,
    /// The captures of older migrations on the target.
    pub(super) watchers: Vec<Capture>,
}

/// From the original to the shadow.
pub(super) fn forward<'a>(db: &Db, rebuild: &'a Rebuild) -> Result<Flow<'a>> {
    witness::check(db, &rebuild.before.name.name, &rebuild.forward.log.name)?;
    let source_key = Key::resolved(db, &rebuild.before.name.name, &rebuild.forward.key)?;
    let target_key = Key::resolved(db, &rebuild.shadow.name, &rebuild.reverse.key)?;
    let tie = tie(
        rebuild,
        &rebuild.forward.key,
        &rebuild.before,
        &rebuild.reverse.key,
        &rebuild.after,
        &rebuild.mapping,
    );
    Ok(Flow {
        source: &rebuild.before.name.name,
        source_key,
        target: &rebuild.shadow.name,
        target_key,
        mapping: &rebuild.mapping,
        log: &rebuild.forward.log.name,
        tie,
        restore: Restore::default(),
        beside_key: Vec::new(),
        numbered: numbered(&rebuild.after),
        target_is_rowid: !rebuild.after.options.without_rowid,
        by_rowid: by_rowid(rebuild),
        watchers: Vec::new(),
    })
}

/// From the new table to the retained original.
pub(super) fn backward<'a>(db: &Db, rebuild: &'a Rebuild) -> Result<Flow<'a>> {
    let source_key = Key::resolved(db, &rebuild.after.name.name, &rebuild.reverse.key)?;
    let target_key = Key::resolved(db, &rebuild.retained.name, &rebuild.forward.key)?;
    let there = tie(
        rebuild,
        &rebuild.forward.key,
        &rebuild.before,
        &rebuild.reverse.key,
        &rebuild.after,
        &rebuild.mapping,
    );
    let back = tie(
        rebuild,
        &rebuild.reverse.key,
        &rebuild.after,
        &rebuild.forward.key,
        &rebuild.before,
        &rebuild.mapping_back,
    );
    // Pairs that were made on the way there are needed on the way back.
    let tie = if matches!(there, Tie::Pairs(_)) { there } else { back };
    let is_key = |column: &str| target_key.names().any(|name| name.eq_ignore_ascii_case(column));
    let restore = Restore::of(rebuild, is_key);
    let stored = rebuild.before.columns.iter().filter(|column| column.generated.is_none());
    let beside_key = stored.map(|column| column.name.clone()).filter(|name| !is_key(name)).collect();
    Ok(Flow {
        source: &rebuild.after.name.name,
        source_key,
        target: &rebuild.retained.name,
        target_key,
        mapping: &rebuild.mapping_back,
        log: &rebuild.reverse.log.name,
        tie,
        restore,
        beside_key,
        numbered: numbered(&rebuild.before),
        target_is_rowid: !rebuild.before.options.without_rowid,
        by_rowid: by_rowid(rebuild),
        watchers: capture::watching(db, &rebuild.retained.name, None)?,
    })
}

fn by_rowid(rebuild: &Rebuild) -> bool {
    [&rebuild.forward.key, &rebuild.reverse.key].into_iter().all(|key| matches!(key, RowKey::Rowid(_)))
}

fn numbered(table: &Table) -> Option<String> {
    rowid_column(table).map(|at| table.columns[at].name.clone())
}

impl Flow<'_> {
    /// `INSERT INTO target (…) SELECT … FROM source WHERE <condition>`; what was kept are the last parameters.
    fn insert(&self, condition: &str, kept: bool) -> String {
        let target = format!("main.{}", ident(self.target));
        let order = self.source_key.order(&ident(self.source));
        format!("{} WHERE {condition} ORDER BY {order}", self.insert_into(&target, kept))
    }

    /// The same for any table with the target's columns, and without a condition.
    pub(super) fn insert_into(&self, target: &str, kept: bool) -> String {
        let source = ident(self.source);
        let first = self.source_key.len() + 1;
        let mut columns = Vec::new();
        let mut values = Vec::new();
        if let Tie::Same { rowid: Some(name) } = &self.tie {
            columns.push(ident(name));
            values.push(self.source_key.columns(&source));
        }
        for map in self.mapping {
            columns.push(ident(&map.column));
            values.push(if kept {
                self.restore.value(&map.column, &map.from, &source, first)
            } else {
                map.from.to_string()
            });
        }
        for (name, param) in self.restore.unmapped(first).filter(|_| kept) {
            columns.push(ident(name));
            values.push(param);
        }
        format!(
            "INSERT INTO {target} ({}) SELECT {} FROM main.{source}",
            columns.join(", "),
            values.join(", ")
        )
    }

    /// Copies the rows of a range. A row that meets another one's unique value goes into the log: what is in its way
    /// may be out of date.
    pub(super) fn copy(&self, db: &Db, piece: &Range) -> Result<u64> {
        let source = ident(self.source);
        let (condition, params) = self.source_key.within(&source, piece, 1);
        self.refuse_misfits(db, &condition, &params)?;
        if matches!(self.tie, Tie::Pairs(_)) && self.gives_numbers(db, &condition, &params)? {
            // Which rowid a row gets is known when it has it.
            return self.copy_singly(db, piece);
        }
        let outcome = db.prepare_cached(&self.insert(&condition, false))?.execute(params_from_iter(&params));
        let copied = match outcome {
            Ok(copied) => copied as u64,
            Err(error) if errors::is_about_a_row(&error) => return self.copy_singly(db, piece),
            Err(error) => return Err(error.into()),
        };
        if let Tie::Pairs(name) = &self.tie {
            let sql = format!(
                "INSERT INTO main.{} SELECT {}, {} FROM main.{source} WHERE {condition}",
                ident(name),
                self.source_key.columns(&source),
                self.target_key_values()?.join(", ")
            );
            db.prepare_cached(&sql)?.execute(params_from_iter(&params))?;
        }
        Ok(copied)
    }

    /// Whether a row of the target gets its rowid from SQLite: no column says it, or one that is NULL.
    fn gives_numbers(&self, db: &Db, condition: &str, params: &[Cell]) -> Result<bool> {
        let Ok(values) = self.target_key_values() else { return Ok(true) };
        let [value] = values.as_slice() else { return Ok(false) };
        if self.numbered.is_none() {
            return Ok(false);
        }
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM main.{} WHERE {condition} AND ({value}) IS NULL)",
            ident(self.source)
        );
        Ok(db.prepare_cached(&sql)?.query_row(params_from_iter(params), |row| row.get(0))?)
    }

    fn copy_singly(&self, db: &Db, piece: &Range) -> Result<u64> {
        let mut bad = Rows::default();
        let mut copied = 0;
        for key in self.keys_within(db, piece)? {
            match self.place(db, &key, None, &mut bad)? {
                Placed::Done => copied += 1,
                Placed::InTheWay => self.log_key(db, &key)?,
                Placed::Bad => {}
            }
        }
        self.refuse(&bad)?;
        Ok(copied)
    }

    fn keys_within(&self, db: &Db, piece: &Range) -> Result<Vec<Vec<Cell>>> {
        let source = ident(self.source);
        let (condition, params) = self.source_key.within(&source, piece, 1);
        let sql = format!(
            "SELECT {} FROM main.{source} WHERE {condition} ORDER BY {}",
            self.source_key.columns(&source),
            self.source_key.order(&source)
        );
        cell::rows(db, &sql, &params, self.source_key.len())
    }

    /// The first keys of the log.
    pub(super) fn logged(&self, db: &Db, after: Option<&[Cell]>, rows: u64) -> Result<Vec<Vec<Cell>>> {
        let columns: Vec<String> = (0..self.source_key.len()).map(log_column).collect();
        let list = columns.join(", ");
        let condition = match after {
            Some(_) => {
                let params: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
                format!("({list}) > ({})", params.join(", "))
            }
            None => "1".to_owned(),
        };
        let sql = format!(
            "SELECT {list} FROM main.{} WHERE {condition} ORDER BY {list} LIMIT {rows}",
            ident(self.log)
        );
        cell::rows(db, &sql, after.unwrap_or_default(), columns.len())
    }

    fn log_key(&self, db: &Db, key: &[Cell]) -> Result<()> {
        let params: Vec<String> = (1..=key.len()).map(|at| format!("?{at}")).collect();
        let sql = format!("INSERT OR IGNORE INTO main.{} VALUES ({})", ident(self.log), params.join(", "));
        db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        Ok(())
    }

    /// Strikes a key out of the log.
    pub(super) fn strike(&self, db: &Db, key: &[Cell]) -> Result<()> {
        let terms: Vec<String> =
            (0..key.len()).map(|at| format!("{} = ?{}", log_column(at), at + 1)).collect();
        let sql = format!("DELETE FROM main.{} WHERE {}", ident(self.log), terms.join(" AND "));
        db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        Ok(())
    }

    /// Gives about so many of the target's rows the keys that they have in the source by now, so that they are found
    /// under them with what comes back.
    pub(super) fn follow_moves(&self, db: &Db, limit: u64) -> Result<()> {
        if !self.has_moves(db)? {
            return Ok(());
        }
        let log = self.log;
        self.watch(db, false)?;
        if let Tie::Pairs(pairs) = &self.tie {
            return self.follow_in_pairs(db, pairs, limit);
        }
        let (table, key, columns) = (self.target, &self.target_key, self.beside_key.as_slice());
        moves::Copy { db, log, table, key, columns, tied: None }.follow(limit)
    }

    /// Whether any are to be followed.
    pub(super) fn has_moves(&self, db: &Db) -> Result<bool> {
        let known = !self.restore.is_empty() || !self.watchers.is_empty();
        Ok(known && moves::any(db, self.log)?)
    }

    /// Removes the target's row of a key of the source; gives what it had that may come back.
    pub(super) fn remove(&self, db: &Db, key: &[Cell]) -> Result<Option<Kept>> {
        let target = ident(self.target);
        let there = match &self.tie {
            Tie::Same { .. } => Some(key.to_vec()),
            Tie::Pairs(name) => {
                let side = self.side();
                let found = self.paired(db, name, side, key)?;
                let terms = equal(&side.columns("", key.len()));
                db.prepare_cached(&format!("DELETE FROM main.{} WHERE {terms}", ident(name)))?
                    .execute(params_from_iter(key))?;
                found
            }
        };
        let Some(there) = there else { return Ok(None) };
        let mut sql = format!("DELETE FROM main.{target} WHERE {}", self.target_key.is_param(&target, 1));
        if self.restore.is_empty() {
            db.prepare_cached(&sql)?.execute(params_from_iter(there))?;
            return Ok(None);
        }
        let questions = self.restore.questions();
        sql = format!("{sql} RETURNING {}", questions.join(", "));
        let kept = cell::rows(db, &sql, &there, questions.len())?.into_iter().next();
        let of_another = kept.is_some() && moves::is_newcomer(db, self.log, &self.source_key, key)?;
        Ok(kept.filter(|_| !of_another))
    }

    /// Copies the row of one key, if there is one. The target's own must have been removed.
    pub(super) fn place(&self, db: &Db, key: &[Cell], kept: Option<&Kept>, bad: &mut Rows) -> Result<Placed> {
        let source = ident(self.source);
        let mut condition = self.source_key.is_param(&source, 1);
        for map in self.mapping {
            let Some(fits) = &map.fits else { continue };
            let same = kept.and_then(|_| self.restore.same(&map.column, &source, key.len() + 1));
            let same = same.map_or_else(String::new, |(same, _)| format!("({same}) OR "));
            let _ = write!(condition, " AND ({same}(NOT ({fits})) IS NOT TRUE)");
        }
        let outcome = db
            .prepare_cached(&self.insert(&condition, kept.is_some()))?
            .execute(params_from_iter(key.iter().chain(kept.into_iter().flatten())));
        match outcome {
            // There is no such row, or it may not be written.
            Ok(0) => return Ok(if self.fits(db, key, kept, bad)? { Placed::Done } else { Placed::Bad }),
            Ok(_) => {}
            Err(error) if errors::is_duplicate(&error) => return Ok(Placed::InTheWay),
            Err(error) if errors::is_about_a_row(&error) => {
                let cause = Cell::from(errors::message(&error));
                bad.push(&self.source_key, key, Some(("the reason", &cause)));
                return Ok(Placed::Bad);
            }
            Err(error) => return Err(error.into()),
        }
        if let Tie::Pairs(name) = &self.tie {
            self.pair(db, name, key)?;
        }
        Ok(Placed::Done)
    }

    /// Whether the row of a key may be written.
    fn fits(&self, db: &Db, key: &[Cell], kept: Option<&Kept>, bad: &mut Rows) -> Result<bool> {
        let source = ident(self.source);
        for map in self.mapping {
            let mut condition = self.source_key.is_param(&source, 1);
            if let Some((same, _)) = kept.and_then(|_| self.restore.same(&map.column, &source, key.len() + 1))
            {
                let _ = write!(condition, " AND NOT ({same})");
            }
            let Some(sql) = self.misfits(db, map, &condition, 1) else { continue };
            let mut statement = db.prepare_cached(&sql)?;
            let params = key.iter().chain(kept.into_iter().flatten()).take(statement.parameter_count());
            let wrong = statement
                .query_row(params_from_iter(params), |row| row.get_ref(key.len()).map(Cell::read))
                .optional()?;
            if let Some(value) = wrong {
                bad.push(&self.source_key, key, Some((map.column.as_str(), &value)));
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The query for rows that may not be written: their key, and the value that stands there. A column that has none
    /// there shows what would be written.
    fn misfits(&self, db: &Db, map: &ColumnMapping, condition: &str, limit: usize) -> Option<String> {
        let fits = map.fits.as_ref()?;
        let source = ident(self.source);
        Some(format!(
            "SELECT {} FROM main.{source} WHERE {condition} AND NOT ({fits}) LIMIT {limit}",
            self.shown(db, map)
        ))
    }

    /// What is shown of a row that may not be written.
    pub(super) fn shown(&self, db: &Db, map: &ColumnMapping) -> String {
        let source = ident(self.source);
        let own = format!("{source}.{}", ident(&map.column));
        let stands = db.prepare_cached(&format!("SELECT {own} FROM main.{source}")).is_ok();
        let value = if stands { own } else { map.from.to_string() };
        format!("{}, {value}", self.source_key.columns(&source))
    }

    /// Fails with the rows of a range that may not be written.
    pub(super) fn refuse_misfits(&self, db: &Db, condition: &str, params: &[Cell]) -> Result<()> {
        for map in self.mapping {
            let Some(sql) = self.misfits(db, map, condition, NAMED + 1) else { continue };
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query(params_from_iter(params))?;
            let mut bad = Rows::default();
            let width = self.source_key.len();
            while let Some(row) = found.next()? {
                let key = cell::row(row, width)?;
                let value = Cell::read(row.get_ref(width)?);
                bad.push(&self.source_key, &key, Some((map.column.as_str(), &value)));
            }
            self.refuse(&bad)?;
        }
        Ok(())
    }

    /// Fails when there are rows that do not fit.
    pub(super) fn refuse(&self, bad: &Rows) -> Result<()> {
        if bad.is_empty() {
            return Ok(());
        }
        Err(bad
            .error(codes::ROWS, &format!("rows of {} do not fit the other definition", ident(self.source)))
            .with_help("change or delete those rows and try again; nothing of them was changed"))
    }

    /// Fails with a row that meets another one's unique value.
    pub(super) fn refuse_duplicate(&self, key: &[Cell]) -> Error {
        Error::new(
            codes::ROWS,
            format!(
                "the row of {} with {} has a unique value that another row has as well",
                ident(self.source),
                self.source_key.describe(key)
            ),
        )
        .with_help("change or delete one of the two rows and try again")
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is there, or there is none.
    Done,
    /// Another row has a unique value of its own.
    InTheWay,
    /// It cannot be there.
    Bad,
}
