//! Keys of rows as SQL: in which order they stand, which are in a range, which are equal.
//!
//! Comparisons name the key's collation, so that they mean the same on any table that has the columns.

use pql_planner::RowKey;
use pql_planner::text::ident;
use pql_schema::{SortOrder, Table};
use rusqlite::{Connection as Db, OptionalExtension, params_from_iter};
use serde::{Deserialize, Serialize};

use super::cell::{self, Cell};
use super::model;
use crate::error::codes;
use crate::{Error, Result};

/// A key, as SQL.
#[derive(Debug, Clone)]
pub(super) struct Key {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    name: String,
    declared: String,
    collation: Option<String>,
    descending: bool,
}

/// A range of keys: after the first, up to and including the second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Range {
    /// Exclusive; `None`: from the start.
    pub(super) after: Option<Vec<Cell>>,
    /// Inclusive; `None`: to the end.
    pub(super) upto: Option<Vec<Cell>>,
}

impl Key {
    /// The key of a table, with the types and collations that its columns have there.
    pub(super) fn resolved(db: &Db, table: &str, key: &RowKey) -> Result<Self> {
        let mut resolved = Self::new(key);
        if let RowKey::Columns(_) = key {
            let model = model::table_of(db, table)?;
            let mut types = db.prepare_cached("SELECT name, type FROM pragma_table_xinfo(?1)")?;
            let types: Vec<(String, String)> = types
                .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            for part in &mut resolved.parts {
                let column = model.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&part.name));
                if part.collation.is_none() {
                    part.collation = column.and_then(|column| column.collation.clone());
                }
                if let Some((_, declared)) =
                    types.iter().find(|(name, _)| name.eq_ignore_ascii_case(&part.name))
                {
                    part.declared = beside(declared, &model);
                }
            }
        }
        Ok(resolved)
    }

    /// The key as it is declared.
    fn new(key: &RowKey) -> Self {
        let parts = match key {
            RowKey::Rowid(name) => vec![Part {
                name: name.clone(),
                declared: "INTEGER".to_owned(),
                collation: None,
                descending: false,
            }],
            RowKey::Columns(parts) => parts
                .iter()
                .map(|part| Part {
                    name: part.column.clone(),
                    declared: String::new(),
                    collation: part.collation.clone(),
                    descending: part.order == SortOrder::Desc,
                })
                .collect(),
        };
        Self { parts }
    }

    /// How many columns it has.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// `a.x, a.y`.
    pub(super) fn columns(&self, of: &str) -> String {
        list(self.parts.iter().map(|part| qualified(of, &part.name)))
    }

    /// The same key in columns of other names: [`log_column`] in a log.
    pub(super) fn of(&self, column: impl Fn(usize) -> String) -> Self {
        let part = |(at, part): (usize, &Part)| Part { name: column(at), ..part.clone() };
        Self { parts: self.parts.iter().enumerate().map(part).collect() }
    }

    /// The columns of a log, declared as the table declares its own: comparisons between them then need no conversion,
    /// and are found by the log's key.
    pub(super) fn log_definition(&self) -> String {
        let columns = list(
            self.parts.iter().enumerate().map(|(at, part)| format!("{} {}", log_column(at), part.declared)),
        );
        let key = list(self.parts.iter().enumerate().map(|(at, part)| match &part.collation {
            Some(collation) => format!("{} COLLATE {}", log_column(at), ident(collation)),
            None => log_column(at),
        }));
        format!("{columns}, PRIMARY KEY ({key})")
    }

    /// `a.x = l._pql_k0 AND …`: the row that a log's entry is about.
    pub(super) fn is_logged(&self, row: &str, log: &str) -> String {
        self.equal(row, (0..self.len()).map(|at| qualified(log, &log_column(at))))
    }

    /// The statement of a trigger that adds the key of its row to a log, unless it is there.
    pub(super) fn add_to(&self, log: &str, row: &str, condition: &str) -> String {
        let present: Vec<String> =
            self.names().map(|name| format!("{} IS NOT NULL", qualified(row, name))).collect();
        format!(
            "INSERT INTO {log} SELECT {} WHERE {}{condition} AND NOT EXISTS (SELECT 1 FROM {log} AS _pql_l WHERE {});",
            self.columns(row),
            present.join(" AND "),
            self.is_logged(row, "_pql_l"),
            log = ident(log),
        )
    }

    /// `a._pql_k0 = l._pql_k0 AND …`: two that have the columns of a log.
    pub(super) fn same_in_logs(&self, of: &str, log: &str) -> String {
        let terms: Vec<String> = (self.parts.iter().enumerate())
            .map(|(at, part)| {
                let column = log_column(at);
                format!("{} = {}", collated(&qualified(of, &column), part), qualified(log, &column))
            })
            .collect();
        terms.join(" AND ")
    }

    /// `a.x = b.x AND …`, the other's columns by its own key's names.
    pub(super) fn same(&self, row: &str, other: &str, other_key: &Self) -> String {
        self.equal(row, other_key.parts.iter().map(|part| qualified(other, &part.name)))
    }

    /// `a.x = ?n AND …`.
    pub(super) fn is_param(&self, row: &str, first: usize) -> String {
        self.equal(row, (first..first + self.len()).map(|at| format!("?{at}")))
    }

    /// `a.x = o1 AND …`.
    pub(super) fn equal(&self, row: &str, others: impl Iterator<Item = String>) -> String {
        let terms: Vec<String> = self
            .parts
            .iter()
            .zip(others)
            .map(|(part, other)| format!("{} = {other}", collated(&qualified(row, &part.name), part)))
            .collect();
        terms.join(" AND ")
    }

    /// `x, y DESC`: the order in which the rows stand.
    pub(super) fn order(&self, of: &str) -> String {
        self.ordered(of, false)
    }

    /// The opposite order.
    pub(super) fn reverse_order(&self, of: &str) -> String {
        self.ordered(of, true)
    }

    fn ordered(&self, of: &str, reverse: bool) -> String {
        list(self.parts.iter().map(|part| {
            let direction = if part.descending == reverse { "" } else { " DESC" };
            format!("{}{direction}", collated(&qualified(of, &part.name), part))
        }))
    }

    /// The condition that a row is in the range; its bounds are the parameters from `first` on, `after`'s before
    /// `upto`'s. Gives the condition and its parameters.
    pub(super) fn within(&self, of: &str, range: &Range, first: usize) -> (String, Vec<Cell>) {
        let mut terms = Vec::new();
        let mut params = Vec::new();
        if let Some(after) = &range.after {
            terms.push(self.beyond(of, first, false));
            params.extend(after.iter().cloned());
        }
        if let Some(upto) = &range.upto {
            terms.push(self.beyond(of, first + params.len(), true));
            params.extend(upto.iter().cloned());
        }
        let condition = if terms.is_empty() { "1".to_owned() } else { terms.join(" AND ") };
        (condition, params)
    }

    /// Beyond the parameters, in key order, or (`upto`) up to and including them. The comparison of the first column
    /// stands apart, because that is what SQLite seeks by.
    fn beyond(&self, of: &str, first: usize, upto: bool) -> String {
        let last = self.len() - 1;
        let mut condition = String::new();
        for (at, part) in self.parts.iter().enumerate().rev() {
            let column = collated(&qualified(of, &part.name), part);
            let param = format!("?{}", first + at);
            let less = part.descending != upto;
            let strict = if less { "<" } else { ">" };
            if at == last {
                let equal = if upto { "=" } else { "" };
                condition = format!("{column} {strict}{equal} {param}");
            } else {
                condition =
                    format!("{column} {strict}= {param} AND ({column} {strict} {param} OR ({condition}))");
            }
        }
        format!("({condition})")
    }

    /// The first key in the order (`last`: the last one), if there is any row.
    pub(super) fn edge(&self, db: &Db, table: &str, last: bool) -> Result<Option<Vec<Cell>>> {
        let order = if last { self.reverse_order("") } else { self.order("") };
        let sql = format!("SELECT {} FROM main.{} ORDER BY {order} LIMIT 1", self.columns(""), ident(table));
        self.one(db, &sql, &[])
    }

    /// The key of the last of the next `rows` rows of the range; `None`: fewer are left.
    pub(super) fn nth(&self, db: &Db, table: &str, range: &Range, rows: u64) -> Result<Option<Vec<Cell>>> {
        let (condition, params) = self.within("", range, 1);
        let sql = format!(
            "SELECT {} FROM main.{} WHERE {condition} ORDER BY {} LIMIT 1 OFFSET {}",
            self.columns(""),
            ident(table),
            self.order(""),
            rows.saturating_sub(1)
        );
        self.one(db, &sql, &params)
    }

    fn one(&self, db: &Db, sql: &str, params: &[Cell]) -> Result<Option<Vec<Cell>>> {
        let mut statement = db.prepare_cached(sql)?;
        let found =
            statement.query_row(params_from_iter(params), |row| cell::row(row, self.len())).optional()?;
        Ok(found)
    }

    /// A key for a message: `id = 7`.
    pub(super) fn describe(&self, values: &[Cell]) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .zip(values)
            .map(|(part, value)| format!("{} = {}", part.name, value.literal()))
            .collect();
        parts.join(", ")
    }

    /// The types that its columns are declared with.
    pub(super) fn declared(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.declared.as_str())
    }

    /// Its columns' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }
}

/// A column of a log. Its name cannot be that of a column which an expression of the user's means.
pub(super) fn log_column(at: usize) -> String {
    format!("_pql_k{at}")
}

/// `a.x`, or `x` without a qualifier.
pub(super) fn qualified(of: &str, name: &str) -> String {
    if of.is_empty() { ident(name) } else { format!("{of}.{}", ident(name)) }
}

fn collated(column: &str, part: &Part) -> String {
    match &part.collation {
        Some(collation) => format!("{column} COLLATE {}", ident(collation)),
        None => column.to_owned(),
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// How the rows of a table are told apart, asked of the database.
pub(super) fn of_table(db: &Db, table: &str) -> Result<RowKey> {
    let without: bool = db
        .query_row("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'", [table], |row| row.get(0))
        .optional()?
        .ok_or_else(|| super::errors::moved(format!("there is no table {}", ident(table))))?;
    if without {
        return primary_key(db, table).map(RowKey::Columns);
    }
    let mut statement = db.prepare_cached("SELECT name FROM pragma_table_xinfo(?1)")?;
    let names: Vec<String> =
        statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let free = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|alias| names.iter().all(|name| !name.eq_ignore_ascii_case(alias)));
    match (free, integer_key(db, table)?) {
        (_, Some(column)) => Ok(RowKey::Rowid(column)),
        (Some(alias), None) => Ok(RowKey::Rowid(alias.to_owned())),
        (None, None) => Err(Error::new(
            codes::UNSUPPORTED,
            format!(
                "the rows of {} cannot be told apart: its columns hide every name of the rowid",
                ident(table)
            ),
        )),
    }
}

/// The name by which rows are told apart that have nothing but a number: no column is it.
pub(super) fn row_number(db: &Db, table: &str) -> Result<Option<String>> {
    match of_table(db, table)? {
        RowKey::Rowid(name) => Ok(integer_key(db, table)?.is_none().then_some(name)),
        RowKey::Columns(_) => Ok(None),
    }
}

/// How a column's type is declared in a table of ours that has its values, too: ANY keeps a value as it is in a STRICT
/// table only.
pub(super) fn beside(declared: &str, table: &Table) -> String {
    let any = table.options.strict && declared.eq_ignore_ascii_case("ANY");
    if any { "BLOB".to_owned() } else { declared.to_owned() }
}

/// The column that is the rowid, if one is.
pub(super) fn integer_key(db: &Db, table: &str) -> Result<Option<String>> {
    let mut statement = db.prepare_cached("SELECT name, type FROM pragma_table_xinfo(?1) WHERE pk > 0")?;
    let key: Vec<(String, String)> = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let [(name, declared)] = key.as_slice() else { return Ok(None) };
    let has_index: bool = db
        .prepare_cached("SELECT count(*) FROM pragma_index_list(?1) WHERE origin = 'pk'")?
        .query_row([table], |row| row.get(0))?;
    // `INTEGER PRIMARY KEY DESC` is no alias for the rowid, and has an index.
    Ok((declared.eq_ignore_ascii_case("INTEGER") && !has_index).then(|| name.clone()))
}

fn primary_key(db: &Db, table: &str) -> Result<Vec<pql_schema::KeyPart>> {
    let index: String = db
        .prepare_cached("SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk'")?
        .query_row([table], |row| row.get(0))?;
    let mut statement = db.prepare_cached(
        "SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE \"key\" ORDER BY seqno",
    )?;
    let parts = statement.query_map([index], |row| {
        Ok(pql_schema::KeyPart {
            column: row.get(0)?,
            collation: Some(row.get(2)?),
            order: if row.get::<_, bool>(1)? { SortOrder::Desc } else { SortOrder::Asc },
        })
    })?;
    Ok(parts.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use pql_schema::KeyPart;

    use super::*;

    fn composite() -> Key {
        let mut second = KeyPart::new("b c");
        second.order = SortOrder::Desc;
        second.collation = Some("NOCASE".to_owned());
        Key::new(&RowKey::Columns(vec![KeyPart::new("a"), second]))
    }

    #[test]
    fn order_and_ranges_of_a_mixed_key() {
        let db = Db::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE t (a, \"b c\", PRIMARY KEY (a, \"b c\" COLLATE NOCASE DESC)) WITHOUT ROWID;
             INSERT INTO t VALUES (1, 'x'), (1, 'Y'), (1, 'z'), (2, 'a'), (2, 'B'), (3, 'm');",
        )
        .unwrap();
        let key = composite();
        assert_eq!(key.order("t"), "t.a, t.\"b c\" COLLATE NOCASE DESC");
        let mut range = Range { after: None, upto: key.edge(&db, "t", true).unwrap() };
        let mut seen = Vec::new();
        while let Some(next) = key.nth(&db, "t", &range, 1).unwrap() {
            seen.push(key.describe(&next));
            range.after = Some(next);
        }
        assert_eq!(
            seen,
            [
                "a = 1, b c = 'z'",
                "a = 1, b c = 'Y'",
                "a = 1, b c = 'x'",
                "a = 2, b c = 'B'",
                "a = 2, b c = 'a'",
                "a = 3, b c = 'm'"
            ]
        );
        let read = of_table(&db, "t").unwrap();
        let RowKey::Columns(parts) = &read else { panic!("{read:?}") };
        assert_eq!((parts[1].order, parts[1].collation.as_deref()), (SortOrder::Desc, Some("NOCASE")));
    }

    #[test]
    fn a_rowid_by_a_name_that_no_column_hides() {
        let db = Db::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE a (x); CREATE TABLE b (id INTEGER PRIMARY KEY, rowid TEXT); CREATE TABLE c (rowid, _ROWID_);
             CREATE TABLE d (id INTEGER PRIMARY KEY DESC); CREATE TABLE e (rowid, _rowid_, oid);",
        )
        .unwrap();
        for (table, name) in [("a", "rowid"), ("b", "id"), ("c", "oid"), ("d", "rowid")] {
            assert_eq!(of_table(&db, table).unwrap(), RowKey::Rowid(name.to_owned()), "{table}");
        }
        assert_eq!(of_table(&db, "e").unwrap_err().code(), codes::UNSUPPORTED);
    }
}
