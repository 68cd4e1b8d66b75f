//! Rows on their way from one table to another: forward from the original to the shadow, and after the swap back from
//! the new table to the retained original.
//!
//! A row of the source and its row in the target know each other by their keys. When the key itself changes (a rowid
//! becomes a key column's value, a key column gets another type), a table of pairs keeps them together.

use pql_planner::text::ident;
use pql_planner::{ColumnMapping, Rebuild, RowKey};
use pql_schema::{NameRule, Table};
use rusqlite::{Connection as Db, OptionalExtension, params_from_iter};

use super::super::keys::{Key, Range, log_column, qualified};
use super::super::redefine::rowid_column;
use super::super::report::{NAMED, Rows};
use super::super::{catalog, errors, exprs, link};
use crate::error::codes;
use crate::{Error, Result, Value};

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
    /// The target's columns that nothing is mapped to: a row that was there keeps what it had.
    pub(super) kept: Vec<String>,
    target_is_rowid: bool,
}

/// What a row had in the columns that are kept.
pub(super) type Kept = Vec<Value>;

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
enum Side {
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

    fn other(self) -> Self {
        match self {
            Self::Original => Self::New,
            Self::New => Self::Original,
        }
    }

    fn columns(self, of: &str, width: usize) -> Vec<String> {
        (0..width).map(|at| qualified(of, &format!("_pql_{}{at}", self.letter()))).collect()
    }
}

/// From the original to the shadow.
pub(super) fn forward<'a>(db: &Db, rebuild: &'a Rebuild) -> Result<Flow<'a>> {
    let source_key = Key::resolved(db, &rebuild.before.name.name, &rebuild.forward.key)?;
    let target_key = Key::resolved(db, &rebuild.shadow.name, &rebuild.reverse.key)?;
    let tie = tie(
        rebuild,
        &rebuild.forward.key,
        &rebuild.before,
        &rebuild.reverse.key,
        &rebuild.after,
        &rebuild.mapping,
    )?;
    Ok(Flow {
        source: &rebuild.before.name.name,
        source_key,
        target: &rebuild.shadow.name,
        target_key,
        mapping: &rebuild.mapping,
        log: &rebuild.forward.log.name,
        tie,
        kept: Vec::new(),
        target_is_rowid: !rebuild.after.options.without_rowid,
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
    )?;
    let back = tie(
        rebuild,
        &rebuild.reverse.key,
        &rebuild.after,
        &rebuild.forward.key,
        &rebuild.before,
        &rebuild.mapping_back,
    )?;
    // Pairs that were made on the way there are needed on the way back.
    let tie = if matches!(there, Tie::Pairs(_)) { there } else { back };
    Ok(Flow {
        source: &rebuild.after.name.name,
        source_key,
        target: &rebuild.retained.name,
        target_key,
        mapping: &rebuild.mapping_back,
        log: &rebuild.reverse.log.name,
        tie,
        kept: unmapped(&rebuild.before, &rebuild.mapping_back),
        target_is_rowid: !rebuild.before.options.without_rowid,
    })
}

fn unmapped(table: &Table, mapping: &[ColumnMapping]) -> Vec<String> {
    (table.columns.iter())
        .filter(|column| column.generated.is_none())
        .filter(|column| !mapping.iter().any(|map| map.column.eq_ignore_ascii_case(&column.name)))
        .map(|column| column.name.clone())
        .collect()
}

/// The table of pairs of a rebuild.
pub(super) fn pairs_name(rebuild: &Rebuild) -> String {
    format!("{}_pairs", rebuild.retained.name)
}

fn tie(
    rebuild: &Rebuild,
    from: &RowKey,
    source: &Table,
    to: &RowKey,
    target: &Table,
    mapping: &[ColumnMapping],
) -> Result<Tie> {
    let same = NameRule::AsciiInsensitive;
    let comes_from = |column: &str| {
        mapping.iter().find(|map| same.same(&map.column, column)).and_then(|map| exprs::as_column(&map.from))
    };
    let pairs = Tie::Pairs(pairs_name(rebuild));
    Ok(match (from, to) {
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
        (RowKey::Rowid(_), RowKey::Columns(_)) => pairs,
        (RowKey::Columns(_), RowKey::Rowid(_)) if rowid_column(target).is_some() => pairs,
        (RowKey::Columns(_), RowKey::Rowid(_)) => {
            return Err(Error::new(
                codes::UNSUPPORTED,
                format!(
                    "The rows of {} cannot be followed to a table without their key.",
                    ident(&source.name.name)
                ),
            ));
        }
    })
}

impl Flow<'_> {
    /// Which side of a table of pairs the source is.
    fn side(&self) -> Side {
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

    /// `INSERT INTO target (…) SELECT … FROM source WHERE <condition>`; kept columns get the last parameters.
    fn insert(&self, condition: &str, kept: &[String]) -> String {
        let source = ident(self.source);
        let mut columns = Vec::new();
        let mut values = Vec::new();
        if let Tie::Same { rowid: Some(name) } = &self.tie {
            columns.push(ident(name));
            values.push(self.source_key.columns(&source));
        }
        for map in self.mapping {
            columns.push(ident(&map.column));
            values.push(map.from.to_string());
        }
        for (at, name) in kept.iter().enumerate() {
            columns.push(ident(name));
            values.push(format!("?{}", self.source_key.len() + at + 1));
        }
        format!(
            "INSERT INTO main.{} ({}) SELECT {} FROM main.{source} WHERE {condition} ORDER BY {}",
            ident(self.target),
            columns.join(", "),
            values.join(", "),
            self.source_key.order(&source)
        )
    }

    /// Copies the rows of a range. A row that meets another one's unique value goes into the log: what is in its way
    /// may be out of date.
    pub(super) fn copy(&self, db: &Db, piece: &Range) -> Result<u64> {
        let source = ident(self.source);
        let (condition, params) = self.source_key.within(&source, piece, 1);
        self.refuse_misfits(db, &condition, &params)?;
        let outcome = db.prepare_cached(&self.insert(&condition, &[]))?.execute(params_from_iter(&params));
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

    /// The values of the target's key, over the source's row.
    fn target_key_values(&self) -> Result<Vec<String>> {
        (self.target_key.names())
            .map(|name| {
                (self.mapping.iter())
                    .find(|map| map.column.eq_ignore_ascii_case(name))
                    .map(|map| map.from.to_string())
                    .ok_or_else(|| {
                        Error::new(
                            codes::UNSUPPORTED,
                            format!("The new key {} is computed from nothing.", ident(name)),
                        )
                    })
            })
            .collect()
    }

    fn keys_within(&self, db: &Db, piece: &Range) -> Result<Vec<Vec<Value>>> {
        let source = ident(self.source);
        let (condition, params) = self.source_key.within(&source, piece, 1);
        let sql = format!(
            "SELECT {} FROM main.{source} WHERE {condition} ORDER BY {}",
            self.source_key.columns(&source),
            self.source_key.order(&source)
        );
        keys(db, &sql, &params, self.source_key.len())
    }

    /// The first keys of the log.
    pub(super) fn logged(&self, db: &Db, after: Option<&[Value]>, rows: u64) -> Result<Vec<Vec<Value>>> {
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
        keys(db, &sql, after.unwrap_or_default(), columns.len())
    }

    fn log_key(&self, db: &Db, key: &[Value]) -> Result<()> {
        let params: Vec<String> = (1..=key.len()).map(|at| format!("?{at}")).collect();
        let sql = format!("INSERT OR IGNORE INTO main.{} VALUES ({})", ident(self.log), params.join(", "));
        db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        Ok(())
    }

    /// Strikes a key out of the log.
    pub(super) fn strike(&self, db: &Db, key: &[Value]) -> Result<()> {
        let terms: Vec<String> =
            (0..key.len()).map(|at| format!("{} = ?{}", log_column(at), at + 1)).collect();
        let sql = format!("DELETE FROM main.{} WHERE {}", ident(self.log), terms.join(" AND "));
        db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        Ok(())
    }

    /// Removes the target's row of a key of the source; gives what it had in the columns that nothing is mapped to.
    pub(super) fn remove(&self, db: &Db, key: &[Value]) -> Result<Option<Kept>> {
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
        if self.kept.is_empty() {
            db.prepare_cached(&sql)?.execute(params_from_iter(there))?;
            return Ok(None);
        }
        let names: Vec<String> = self.kept.iter().map(|name| ident(name)).collect();
        sql = format!("{sql} RETURNING {}", names.join(", "));
        Ok(keys(db, &sql, &there, names.len())?.into_iter().next())
    }

    fn paired(&self, db: &Db, pairs: &str, side: Side, key: &[Value]) -> Result<Option<Vec<Value>>> {
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
                (0..width).map(|at| row.get_ref(at).map(link::value)).collect::<rusqlite::Result<Vec<_>>>()
            })
            .optional()?;
        Ok(found)
    }

    /// Copies the row of one key, if there is one. The target's own must have been removed.
    pub(super) fn place(
        &self,
        db: &Db,
        key: &[Value],
        kept: Option<&Kept>,
        bad: &mut Rows,
    ) -> Result<Placed> {
        if !self.fits(db, key, bad)? {
            return Ok(Placed::Bad);
        }
        let source = ident(self.source);
        let condition = self.source_key.is_param(&source, 1);
        let (names, values) = kept.map_or((&[][..], &[][..]), |kept| (&self.kept[..], &kept[..]));
        let outcome = db
            .prepare_cached(&self.insert(&condition, names))?
            .execute(params_from_iter(key.iter().chain(values)));
        match outcome {
            Ok(0) => return Ok(Placed::Done),
            Ok(_) => {}
            Err(error) if errors::is_duplicate(&error) => return Ok(Placed::InTheWay),
            Err(error) if errors::is_about_a_row(&error) => {
                let cause = Value::from(errors::message(&error));
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

    fn pair(&self, db: &Db, name: &str, key: &[Value]) -> Result<()> {
        let there: Vec<Value> = if self.target_is_rowid {
            vec![Value::Integer(db.last_insert_rowid())]
        } else {
            let source = ident(self.source);
            let sql = format!(
                "SELECT {} FROM main.{source} WHERE {}",
                self.target_key_values()?.join(", "),
                self.source_key.is_param(&source, 1)
            );
            keys(db, &sql, key, self.target_key.len())?.into_iter().next().unwrap_or_default()
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

    /// Whether the row of a key may be written.
    fn fits(&self, db: &Db, key: &[Value], bad: &mut Rows) -> Result<bool> {
        let source = ident(self.source);
        for map in self.mapping {
            let Some(sql) = self.misfits(map, &self.source_key.is_param(&source, 1), 1) else { continue };
            let wrong = db
                .prepare_cached(&sql)?
                .query_row(params_from_iter(key), |row| row.get_ref(key.len()).map(link::value))
                .optional()?;
            if let Some(value) = wrong {
                bad.push(&self.source_key, key, Some((&map.column, &value)));
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The query for rows that may not be written: their key, and the value that would be.
    fn misfits(&self, map: &ColumnMapping, condition: &str, limit: usize) -> Option<String> {
        let fits = map.fits.as_ref()?;
        let source = ident(self.source);
        Some(format!(
            "SELECT {}, {} FROM main.{source} WHERE {condition} AND NOT ({fits}) LIMIT {limit}",
            self.source_key.columns(&source),
            map.from,
        ))
    }

    /// Fails with the rows of a range that may not be written.
    fn refuse_misfits(&self, db: &Db, condition: &str, params: &[Value]) -> Result<()> {
        for map in self.mapping {
            let Some(sql) = self.misfits(map, condition, NAMED + 1) else { continue };
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query(params_from_iter(params))?;
            let mut bad = Rows::default();
            let width = self.source_key.len();
            while let Some(row) = found.next()? {
                let key = (0..width)
                    .map(|at| row.get_ref(at).map(link::value))
                    .collect::<rusqlite::Result<Vec<_>>>()?;
                let value = link::value(row.get_ref(width)?);
                bad.push(&self.source_key, &key, Some((&map.column, &value)));
            }
            self.refuse(&bad)?;
        }
        Ok(())
    }

    /// The query for the keys of a range that are not in the log and whose row in the target is missing or other than
    /// it should be.
    pub(super) fn different(&self, range: &Range, limit: usize) -> (String, Vec<Value>) {
        let source = ident(self.source);
        let (condition, params) = self.source_key.within(&source, range, 1);
        let keys: Vec<String> = (0..self.source_key.len()).map(log_column).collect();
        // The values are computed where no other table's columns are in sight. A bare `+` takes a value's own affinity
        // away, so that it is compared as the target's column would store it.
        let mut columns: Vec<String> = (self.source_key.names().zip(&keys))
            .map(|(name, key)| format!("{} AS {key}", qualified(&source, name)))
            .collect();
        let mut equal = Vec::new();
        for (at, map) in self.mapping.iter().enumerate() {
            if !map.unstable && exprs::is_stable(&map.from) {
                columns.push(format!("+({}) AS _pql_v{at}", map.from));
                equal.push(format!("_pql_t.{} COLLATE BINARY IS _pql_s._pql_v{at}", ident(&map.column)));
            }
        }
        let own: Vec<String> = keys.iter().map(|key| format!("_pql_s.{key}")).collect();
        let target = ident(self.target);
        let (from, same) = match &self.tie {
            Tie::Same { .. } => {
                (format!("main.{target} AS _pql_t"), self.target_key.equal("_pql_t", own.iter().cloned()))
            }
            Tie::Pairs(name) => {
                let side = self.side();
                let there = side.other().columns("_pql_p", self.target_key.len());
                let here: Vec<String> = (side.columns("_pql_p", own.len()).iter().zip(&own))
                    .map(|(pair, own)| format!("{pair} = {own}"))
                    .collect();
                let tables = format!(
                    "main.{} AS _pql_p JOIN main.{target} AS _pql_t ON {}",
                    ident(name),
                    self.target_key.equal("_pql_t", there.into_iter())
                );
                (tables, here.join(" AND "))
            }
        };
        equal.insert(0, same);
        let sql = format!(
            "SELECT {} FROM (SELECT {} FROM main.{source} WHERE {condition} AND NOT EXISTS (SELECT 1 FROM main.{} AS _pql_l \
             WHERE {})) AS _pql_s WHERE NOT EXISTS (SELECT 1 FROM {from} WHERE {}) LIMIT {limit}",
            own.join(", "),
            columns.join(", "),
            ident(self.log),
            self.source_key.is_logged(&source, "_pql_l"),
            equal.join(" AND "),
        );
        (sql, params)
    }

    /// The query for how many logged keys have a row in the target.
    pub(super) fn logged_in_target(&self) -> String {
        let log = ident(self.log);
        match &self.tie {
            Tie::Same { .. } => format!(
                "SELECT count(*) FROM main.{log} AS _pql_l WHERE EXISTS (SELECT 1 FROM main.{} AS _pql_t WHERE {})",
                ident(self.target),
                self.target_key.is_logged("_pql_t", "_pql_l")
            ),
            Tie::Pairs(name) => {
                let sides = self.side().columns("_pql_p", self.source_key.len());
                let equal: Vec<String> = (sides.iter().enumerate())
                    .map(|(at, column)| format!("{column} = _pql_l.{}", log_column(at)))
                    .collect();
                format!(
                    "SELECT count(*) FROM main.{log} AS _pql_l JOIN main.{} AS _pql_p ON {}",
                    ident(name),
                    equal.join(" AND ")
                )
            }
        }
    }

    /// Fails when there are rows that do not fit.
    pub(super) fn refuse(&self, bad: &Rows) -> Result<()> {
        if bad.is_empty() {
            return Ok(());
        }
        Err(bad
            .error(codes::ROWS, &format!("Rows of {} do not fit the other definition", ident(self.source)))
            .with_help("Change or delete those rows and try again; nothing of them was changed."))
    }

    /// Fails with a row that meets another one's unique value.
    pub(super) fn refuse_duplicate(&self, key: &[Value]) -> Error {
        Error::new(
            codes::ROWS,
            format!(
                "The row of {} with {} has a unique value that another row has as well.",
                ident(self.source),
                self.source_key.describe(key)
            ),
        )
        .with_help("Change or delete one of the two rows and try again.")
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

fn equal(columns: &[String]) -> String {
    let terms: Vec<String> =
        columns.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + 1)).collect();
    terms.join(" AND ")
}

fn keys(db: &Db, sql: &str, params: &[Value], width: usize) -> Result<Vec<Vec<Value>>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| {
        (0..width).map(|at| row.get_ref(at).map(link::value)).collect::<rusqlite::Result<Vec<_>>>()
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
