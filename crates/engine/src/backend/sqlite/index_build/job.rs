//! The statements of a build.
//!
//! The file format of an index and of a WITHOUT ROWID table is the same, so the entries are written in their order
//! into such a table, which is declared to be the index when it is done. A table's key cannot be NULL, though: rows
//! whose entry has a NULL in its key wait in a table of their own, and get their entries through an empty table, the
//! stand-in, whose index the b-tree is for that long. Where they are few, that is within the publishing transaction.

use pql_planner::RowKey;
use pql_planner::text::{SQLITE, ident};
use pql_schema::{Index, SortOrder};
use rusqlite::{Connection as Db, params_from_iter};

use super::super::catalog::{self, Entry};
use super::super::cell::{self, Cell};
use super::super::{edit, errors};
use super::layout::{Layout, Names, declaration, list, place_names};
use super::run_file::SORTED;
use super::same;
use crate::error::codes;
use crate::{Error, Result};

/// A build.
pub(super) struct Job<'a> {
    pub(super) index: &'a Index,
    pub(super) layout: Layout,
    pub(super) names: Names,
}

/// What the b-tree is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A table of its own.
    Table,
    /// The index of the stand-in.
    Index,
}

/// An entry.
pub(super) type Row = Vec<Cell>;

impl Job<'_> {
    /// Creates the table to fill and the stand-in.
    pub(super) fn create(&self, db: &Db) -> Result<()> {
        db.execute_batch(&self.layout.as_table(&self.names.fill))?;
        db.execute_batch(&self.beside(&self.names.stand_in))?;
        Ok(db.execute_batch(&self.beside(&self.names.nulls))?)
    }

    /// A table with the columns that the entries need, whose rows are told apart as the real table's are.
    fn beside(&self, name: &str) -> String {
        let mut seen: Vec<&str> = Vec::new();
        let mut parts = Vec::new();
        let rowid = match &self.layout.key {
            RowKey::Rowid(name) => Some(name.as_str()),
            RowKey::Columns(_) => None,
        };
        for column in &self.layout.columns {
            if seen.iter().any(|name| name.eq_ignore_ascii_case(&column.name)) {
                continue;
            }
            seen.push(&column.name);
            if rowid == Some(column.name.as_str()) {
                parts.push(format!("{} INTEGER PRIMARY KEY", ident(&column.name)));
            } else {
                parts.push(declaration(&column.name, column));
            }
        }
        let mut tail = "";
        if let RowKey::Columns(key) = &self.layout.key {
            let key = key.iter().map(|part| {
                let collation = part.collation.as_deref().unwrap_or("BINARY");
                let direction = if part.order == SortOrder::Desc { " DESC" } else { "" };
                format!("{} COLLATE {}{direction}", ident(&part.column), ident(collation))
            });
            parts.push(format!("PRIMARY KEY ({})", list(key)));
            tail = " WITHOUT ROWID";
        }
        format!("CREATE TABLE main.{} ({}){tail}", ident(name), list(parts))
    }

    /// What the b-tree is declared to be.
    pub(super) fn state(&self, db: &Db) -> Result<State> {
        Ok(if catalog::find(db, "index", &self.names.fill)?.is_some() { State::Index } else { State::Table })
    }

    /// Whether there is a build at all: where a precondition was not met, none was started.
    pub(super) fn exists(&self, db: &Db) -> Result<bool> {
        catalog::has_table(db, &self.names.stand_in)
    }

    /// Declares the filled table to be an index of the stand-in. Not a unique one: while changes are mended, a new
    /// entry may come before the stale one has gone.
    pub(super) fn declare(&self, db: &Db) -> Result<()> {
        let Some(entry) = catalog::find(db, "table", &self.names.fill)? else { return Ok(()) };
        let keys = self.layout.columns.iter().filter(|column| column.key).map(|column| {
            let direction = if column.descending { " DESC" } else { "" };
            format!("{} COLLATE {}{direction}", ident(&column.name), ident(&column.collation))
        });
        let sql = format!(
            "CREATE INDEX {} ON {} ({})",
            ident(&self.names.fill),
            ident(&self.names.stand_in),
            list(keys)
        );
        Self::move_entry(
            db,
            Entry { kind: "index".to_owned(), table: self.names.stand_in.clone(), sql: Some(sql), ..entry },
        )
    }

    /// Declares it to be the real table's.
    pub(super) fn publish(&self, db: &Db) -> Result<()> {
        let kind = if self.state(db)? == State::Index { "index" } else { "table" };
        let Some(entry) = catalog::find(db, kind, &self.names.fill)? else {
            return Err(errors::moved(format!("the unfinished index {} is gone", ident(&self.names.index))));
        };
        let mut filled = same::order(db, &self.btree(db)?)?;
        // Where no two entries have the same key, what leads to the row has no part in their order.
        let distinct = self.layout.unique && self.state(db)? == State::Table;
        let counts = self.layout.columns.iter().filter(|column| column.key || !distinct).count();
        let sql = SQLITE.create_index(self.index);
        let name = self.names.index.clone();
        let kind = "index".to_owned();
        Self::move_entry(db, Entry { kind, name, table: self.names.table.clone(), sql: Some(sql), ..entry })?;
        let mut declared = same::order(db, &self.names.index)?;
        filled.truncate(counts);
        declared.truncate(counts);
        if declared == filled && !filled.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            codes::VERIFY,
            format!(
                "the index {} was filled in another order than it is declared to have",
                ident(&self.names.index)
            ),
        )
        .with_help(
            "it was not published; please report it; strategy = 'offline' builds it by the plain statement",
        ))
    }

    /// The index that the filled b-tree is: the stand-in's, or that of its own key.
    fn btree(&self, db: &Db) -> Result<String> {
        if self.state(db)? == State::Index {
            return Ok(self.names.fill.clone());
        }
        let sql = "SELECT name FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'";
        Ok(db.query_row(sql, [&self.names.fill], |row| row.get(0))?)
    }

    /// An index must be listed after its table.
    fn move_entry(db: &Db, mut entry: Entry) -> Result<()> {
        edit::edit(db, |db| {
            db.execute("DELETE FROM main.sqlite_schema WHERE rowid = ?1", [entry.rowid])?;
            let next: i64 =
                db.query_row("SELECT ifnull(max(rowid), 0) + 1 FROM main.sqlite_schema", [], |row| {
                    row.get(0)
                })?;
            entry.rowid = next;
            db.execute(
                "INSERT INTO main.sqlite_schema (rowid, type, name, tbl_name, rootpage, sql) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                rusqlite::params![entry.rowid, entry.kind, entry.name, entry.table, entry.root, entry.sql],
            )?;
            Ok(())
        })
    }

    /// Whether the entry has a NULL in its key.
    pub(super) fn has_null(&self, row: &[Cell]) -> bool {
        self.layout.columns.iter().zip(row).any(|(column, value)| column.key && *value == Cell::Null)
    }

    /// Adds entries to the table; gives those that met another one with the same unique key.
    pub(super) fn fill(&self, db: &Db, rows: &[Row]) -> Result<Vec<Row>> {
        let params = (1..=self.layout.columns.len()).map(|at| format!("?{at}"));
        let mut insert = db.prepare_cached(&format!(
            "INSERT OR IGNORE INTO main.{} VALUES ({})",
            ident(&self.names.fill),
            list(params)
        ))?;
        let mut refused = Vec::new();
        for row in rows {
            if insert.execute(params_from_iter(row))? == 0 {
                refused.push(row.clone());
            }
        }
        Ok(refused)
    }

    /// Adds a stretch of the sorted entries, after the first position up to the second; gives those that met another
    /// one with the same unique key.
    pub(super) fn fill_piece(&self, db: &Db, after: u64, upto: u64) -> Result<Vec<Row>> {
        let fill = ident(&self.names.fill);
        let places = place_names(self.layout.columns.len());
        let stretch = [after.cast_signed(), upto.cast_signed()];
        let from = format!("FROM {SORTED} AS _pql_s WHERE rowid > ?1 AND rowid <= ?2");
        let sql = format!("INSERT OR IGNORE INTO main.{fill} SELECT {} {from}", list(places.iter().cloned()));
        let added = db.prepare_cached(&sql)?.execute(stretch)? as u64;
        if added == upto - after {
            return Ok(Vec::new());
        }
        let same = places.iter().map(|name| format!("_pql_f.{name} COLLATE BINARY IS _pql_s.{name}"));
        let sql = format!(
            "SELECT {} {from} AND NOT EXISTS (SELECT 1 FROM main.{fill} AS _pql_f WHERE {} AND {})",
            list(places.iter().cloned()),
            self.same_key("_pql_f", "_pql_s"),
            same.collect::<Vec<_>>().join(" AND ")
        );
        let mut statement = db.prepare_cached(&sql)?;
        let refused = statement.query_map(stretch, |row| cell::row(row, places.len()))?;
        Ok(refused.collect::<rusqlite::Result<_>>()?)
    }

    /// The condition that two entries have the same key, for SQLite to find one by.
    fn same_key(&self, of: &str, other: &str) -> String {
        let places = place_names(self.layout.columns.len());
        let terms: Vec<String> = (self.layout.columns.iter().zip(&places))
            .filter(|(column, _)| column.key)
            .map(|(column, name)| {
                format!("{of}.{name} = {other}.{name} COLLATE {}", ident(&column.collation))
            })
            .collect();
        terms.join(" AND ")
    }

    /// Notes entries in the log, to be looked at again.
    pub(super) fn note(&self, db: &Db, rows: &[Row]) -> Result<()> {
        let Some(log) = &self.names.log else {
            return rows.first().map_or(Ok(()), |row| Err(self.duplicate(row)));
        };
        let places = place_names(self.layout.columns.len());
        let params: Vec<String> = (1..=places.len()).map(|at| format!("?{at}")).collect();
        let sql = format!("INSERT INTO main.{} ({}) VALUES ({})", ident(log), list(places), list(params));
        let mut insert = db.prepare_cached(&sql)?;
        for row in rows {
            insert.execute(params_from_iter(row))?;
        }
        Ok(())
    }

    /// Adds an entry.
    pub(super) fn add(&self, db: &Db, state: State, row: &[Cell]) -> Result<()> {
        match state {
            State::Index => self.insert_beside(db, &self.names.stand_in, row),
            State::Table if self.has_null(row) => self.insert_beside(db, &self.names.nulls, row),
            State::Table => self.fill(db, &[row.to_vec()]).map(|_| ()),
        }
    }

    /// Adds a row to the stand-in, and with it its entry, or to the rows that wait.
    pub(super) fn insert_beside(&self, db: &Db, table: &str, row: &[Cell]) -> Result<()> {
        let positions = self.distinct_positions();
        let names = positions.iter().map(|at| ident(&self.layout.columns[*at].name));
        let params = (1..=positions.len()).map(|at| format!("?{at}"));
        let sql = format!(
            "INSERT OR REPLACE INTO main.{} ({}) VALUES ({})",
            ident(table),
            list(names),
            list(params)
        );
        db.prepare_cached(&sql)?.execute(params_from_iter(positions.iter().map(|at| &row[*at])))?;
        Ok(())
    }

    /// Removes an entry if it is there.
    pub(super) fn remove(&self, db: &Db, state: State, row: &[Cell]) -> Result<()> {
        self.delete_beside(db, &self.names.nulls, row)?;
        match state {
            State::Table if self.has_null(row) => Ok(()),
            State::Table => {
                let fill = ident(&self.names.fill);
                let terms: Vec<String> = (self.layout.columns.iter().zip(place_names(row.len())).enumerate())
                    .map(|(at, (column, place))| {
                        format!("{place} COLLATE {} = ?{}", ident(&column.collation), at + 1)
                    })
                    .collect();
                let sql = format!("DELETE FROM main.{fill} WHERE {}", terms.join(" AND "));
                db.prepare_cached(&sql)?.execute(params_from_iter(row))?;
                Ok(())
            }
            State::Index => {
                // Whether it came through the stand-in or was filled in: where the stand-in has no row for it, one is
                // made over it first.
                self.delete_beside(db, &self.names.stand_in, row)?;
                self.insert_beside(db, &self.names.stand_in, row)?;
                self.delete_beside(db, &self.names.stand_in, row)
            }
        }
    }

    /// Forgets that a row's entry was added a moment ago.
    pub(super) fn forget(&self, db: &Db, state: State, row: &[Cell]) -> Result<()> {
        match state {
            State::Table => self.remove(db, state, row),
            State::Index => self.delete_beside(db, &self.names.stand_in, row),
        }
    }

    fn delete_beside(&self, db: &Db, table: &str, row: &[Cell]) -> Result<()> {
        let key = self.layout.key_positions();
        let terms: Vec<String> = (key.iter().enumerate())
            .map(|(at, position)| format!("{} = ?{}", ident(&self.layout.columns[*position].name), at + 1))
            .collect();
        let sql = format!("DELETE FROM main.{} WHERE {}", ident(table), terms.join(" AND "));
        db.prepare_cached(&sql)?.execute(params_from_iter(key.iter().map(|position| &row[*position])))?;
        Ok(())
    }

    /// Gives some of the rows that wait their entries; tells whether any was left to do. The b-tree is the stand-in's.
    pub(super) fn add_waiting(&self, db: &Db, rows: u64) -> Result<bool> {
        let columns = list(self.layout.columns.iter().map(|column| ident(&column.name)));
        let nulls = ident(&self.names.nulls);
        let mut statement = db.prepare(&format!("SELECT {columns} FROM main.{nulls} LIMIT {rows}"))?;
        let width = self.layout.columns.len();
        let waiting: Vec<Row> =
            statement.query_map([], |row| cell::row(row, width))?.collect::<rusqlite::Result<_>>()?;
        for row in &waiting {
            self.insert_beside(db, &self.names.stand_in, row)?;
            self.delete_beside(db, &self.names.nulls, row)?;
        }
        Ok(!waiting.is_empty())
    }

    /// Whether another row's entry has the same unique key.
    pub(super) fn is_taken(&self, db: &Db, state: State, row: &[Cell]) -> Result<bool> {
        if !self.layout.unique || self.has_null(row) {
            return Ok(false);
        }
        let columns = &self.layout.columns;
        let (from, names) = match state {
            State::Table => (format!("main.{}", ident(&self.names.fill)), place_names(columns.len())),
            State::Index => (
                format!("main.{} INDEXED BY {}", ident(&self.names.stand_in), ident(&self.names.fill)),
                columns.iter().map(|column| ident(&column.name)).collect(),
            ),
        };
        let mut params: Vec<&Cell> = Vec::new();
        let mut terms = Vec::new();
        for ((column, name), value) in
            columns.iter().zip(&names).zip(row).filter(|((column, _), _)| column.key)
        {
            params.push(value);
            terms.push(format!("{name} COLLATE {} = ?{}", ident(&column.collation), params.len()));
        }
        let mut own = Vec::new();
        for position in self.layout.key_positions() {
            params.push(&row[position]);
            own.push(format!("{} = ?{}", names[position], params.len()));
        }
        let sql =
            format!("SELECT 1 FROM {from} WHERE {} AND NOT ({})", terms.join(" AND "), own.join(" AND "));
        Ok(db.prepare_cached(&sql)?.exists(params_from_iter(params))?)
    }

    /// The entry that a row of the table has now, told by the key of another entry of it.
    pub(super) fn current(&self, db: &Db, row: &[Cell]) -> Result<Option<Row>> {
        let table = ident(&self.names.table);
        let key = self.layout.key_positions();
        let terms: Vec<String> = (key.iter().enumerate())
            .map(|(at, position)| {
                format!("{table}.{} = ?{}", ident(&self.layout.columns[*position].name), at + 1)
            })
            .collect();
        let sql = format!(
            "SELECT {} FROM main.{table} WHERE {} AND {}",
            list(self.layout.values(&table)),
            terms.join(" AND "),
            self.layout.holds(&table)
        );
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(key.iter().map(|position| &row[*position])))?;
        rows.next()?.map(|row| cell::row(row, self.layout.columns.len())).transpose().map_err(Error::from)
    }

    /// The first position of each column of the stand-in in the entry.
    fn distinct_positions(&self) -> Vec<usize> {
        let columns = &self.layout.columns;
        (0..columns.len())
            .filter(|at| {
                !columns[..*at].iter().any(|other| other.name.eq_ignore_ascii_case(&columns[*at].name))
            })
            .collect()
    }

    /// Two rows have the same unique key; which, is found out when the lock is let go.
    pub(super) fn duplicate(&self, row: &[Cell]) -> Error {
        let values: Vec<String> = (self.layout.columns.iter().zip(row))
            .filter(|(column, _)| column.key)
            .map(|(column, value)| format!("{} = {}", column.shown(), value.literal()))
            .collect();
        Error::new(
            codes::CONSTRAINT,
            format!(
                "{} cannot be unique, because more than one row has {}",
                ident(&self.names.index),
                values.join(", ")
            ),
        )
        .with_help("change or delete the rows that repeat")
    }
}
