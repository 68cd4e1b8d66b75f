//! What a new definition demands of the rows that are there: as queries for the rows that do not fulfil it.
//!
//! The examined table stands in each query under its own name, because the user's expressions may say it.

use pql_planner::text::{ident, object};
use pql_planner::{Capture, Check, RowKey};
use pql_schema::{ForeignKey, KeyPart};
use rusqlite::{Connection as Db, params_from_iter};

use super::cell::{self, Cell};
use super::keys::{Key, log_column};
use super::report::{NAMED, Rows};
use super::{catalog, failing};
use crate::error::codes;
use crate::{Error, Result};

/// Which rows are examined.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among<'a> {
    /// All of them.
    All,
    /// Those whose key is in the log.
    Logged(&'a str),
}

/// A table whose rows are examined.
pub(super) struct Subject {
    /// Its name.
    pub(super) table: String,
    /// How its rows are told apart.
    pub(super) key: Key,
}

impl Subject {
    /// A table by its name.
    pub(super) fn of(db: &Db, table: &str) -> Result<Self> {
        let key = Key::resolved(db, table, &super::keys::of_table(db, table)?)?;
        Ok(Self { table: table.to_owned(), key })
    }

    /// Fails with the first rows that do not fulfil the check.
    pub(super) fn examine(&self, db: &Db, check: &Check, among: Among<'_>) -> Result<()> {
        if let (Check::Distinct { columns, .. }, Among::All) = (check, among) {
            return self.no_duplicates(db, check, columns);
        }
        let (sql, params) = self.query(db, check, among)?;
        self.report(db, check, &sql, &params)
    }

    /// Fails with the rows for which the condition holds.
    pub(super) fn examine_where(&self, db: &Db, check: &Check, bad: &str) -> Result<()> {
        let sql = self.select(&format!("main.{}", ident(&self.table)), "1", bad, &[]);
        self.report(db, check, &sql, &[])
    }

    /// The query that examines all rows, for showing.
    pub(super) fn shown(&self, db: &Db, check: &Check) -> Result<String> {
        Ok(match check {
            Check::Distinct { columns, .. } => self.duplicates(columns),
            _ => self.query(db, check, Among::All)?.0,
        })
    }

    /// Fails with the rows that refer to one whose key is in the log and that does not exist.
    pub(super) fn examine_children(&self, db: &Db, check: &Check, key: &ForeignKey, log: &str) -> Result<()> {
        let t = ident(&self.table);
        let equal: Vec<String> = (key.columns.iter().enumerate())
            .map(|(at, column)| format!("_pql_l.{} = {t}.{}", log_column(at), ident(column)))
            .collect();
        let bad = format!(
            "EXISTS (SELECT 1 FROM main.{} AS _pql_l WHERE {}) AND {}",
            ident(log),
            equal.join(" AND "),
            self.orphan(db, key)?
        );
        let sql = self.select(&format!("main.{t}"), "1", &bad, &self.shown_columns(db, check)?);
        self.report(db, check, &sql, &[])
    }

    fn report(&self, db: &Db, check: &Check, sql: &str, params: &[Cell]) -> Result<()> {
        let shown = self.shown_columns(db, check)?;
        let mut statement = db.prepare(sql)?;
        let mut found = statement.query(params_from_iter(params))?;
        let mut rows = Rows::default();
        let width = self.key.len();
        while let Some(row) = found.next()? {
            let mut key = cell::row(row, width + shown.len())?;
            let values = key.split_off(width);
            let wrong = shown.iter().map(String::as_str).zip(&values);
            rows.push(&self.key, &key, wrong);
        }
        if rows.is_empty() { Ok(()) } else { Err(self.error(check, &rows)) }
    }

    /// The error that names rows which do not fulfil a check.
    pub(super) fn error(&self, check: &Check, rows: &Rows) -> Error {
        let (what, help) = match check {
            Check::NotNull { column, fill: Some(value) } => (
                format!(
                    "{}.{} cannot be NOT NULL, because what fills it, {value}, is NULL in",
                    ident(&self.table),
                    ident(column)
                ),
                "change those rows, or give a value that is never NULL: coalesce(…, …)",
            ),
            Check::NotNull { column, .. } => match column.split_once("_dropped_") {
                Some((_, shown)) if catalog::is_ours(column) => {
                    let what = format!(
                        "the dropped {}.{} cannot come back as NOT NULL, because there is none in",
                        ident(&self.table),
                        ident(shown)
                    );
                    let help = format!(
                        "those rows came since: delete them, or give them a value (UPDATE {} SET {} = … WHERE …), and \
                         roll back again",
                        ident(&self.table),
                        ident(column)
                    );
                    return rows.error(codes::ROWS, &what).with_help(help);
                }
                _ => (
                    format!(
                        "{}.{} cannot be NOT NULL, because it is NULL in",
                        ident(&self.table),
                        ident(column)
                    ),
                    "give those rows a value; SET NOT NULL with BACKFILL does that by itself",
                ),
            },
            Check::Holds { name, .. } => (
                format!("the check {} does not hold for", ident(name)),
                "change those rows, or the condition",
            ),
            Check::References { name, key } if catalog::is_ours(&self.table) => {
                let what = format!(
                    "the foreign key {} of the dropped table refers to rows of {} that do not exist, in",
                    ident(name),
                    object(&key.table)
                );
                let help = format!(
                    "add the rows that are referred to, or DELETE FROM {} those that refer to them, and roll back again",
                    ident(&self.table)
                );
                return rows.error(codes::ROWS, &what).with_help(help);
            }
            Check::References { name, key } => (
                format!(
                    "the foreign key {} refers to rows of {} that do not exist, in",
                    ident(name),
                    object(&key.table)
                ),
                "add the rows that are referred to, or change or delete the ones that refer to them",
            ),
            Check::Distinct { name, .. } => (
                format!("{} cannot be unique, because values occur more than once, in", ident(name)),
                "change or delete the rows that repeat",
            ),
        };
        rows.error(codes::ROWS, &what).with_help(help)
    }

    fn query(&self, db: &Db, check: &Check, among: Among<'_>) -> Result<(String, Vec<Cell>)> {
        let t = ident(&self.table);
        let bad = match check {
            Check::NotNull { column, .. } => format!("{t}.{} IS NULL", ident(column)),
            Check::Holds { expr, .. } => format!("NOT ({expr})"),
            Check::References { key, .. } => self.orphan(db, key)?,
            Check::Distinct { columns, .. } => self.repeated(columns),
        };
        let (from, only, params) = match among {
            Among::All => (format!("main.{t}"), "1".to_owned(), Vec::new()),
            // From the log to the row: the log is short.
            Among::Logged(log) => (
                format!("main.{} AS _pql_l CROSS JOIN main.{t}", ident(log)),
                self.key.is_logged(&t, "_pql_l"),
                Vec::new(),
            ),
        };
        Ok((self.select(&from, &only, &bad, &self.shown_columns(db, check)?), params))
    }

    fn select(&self, from: &str, only: &str, bad: &str, shown: &[String]) -> String {
        let t = ident(&self.table);
        let mut columns = vec![self.key.columns(&t)];
        columns.extend(shown.iter().map(|column| format!("{t}.{column}")));
        format!("SELECT {} FROM {from} WHERE {only} AND ({bad}) LIMIT {}", columns.join(", "), NAMED + 1)
    }

    /// The columns whose values tell what is wrong, apart from those of the key.
    fn shown_columns(&self, db: &Db, check: &Check) -> Result<Vec<String>> {
        let mut columns = match check {
            Check::NotNull { .. } => Vec::new(),
            Check::Holds { expr, .. } => failing::read_by(db, &self.table, &[expr])?,
            Check::References { key, .. } => key.columns.iter().map(|column| ident(column)).collect(),
            Check::Distinct { columns, .. } => columns.iter().map(|part| ident(&part.column)).collect(),
        };
        columns.retain(|column| self.key.names().all(|name| ident(name) != *column));
        Ok(columns)
    }

    /// The row refers to one that does not exist. A key with a NULL in it refers to nothing.
    fn orphan(&self, db: &Db, key: &ForeignKey) -> Result<String> {
        leads_nowhere(db, key, &self.table, &key.table.name)
    }

    /// Another row has the same values.
    fn repeated(&self, columns: &[KeyPart]) -> String {
        let t = ident(&self.table);
        let equal: Vec<String> = columns
            .iter()
            .map(|part| format!("{} = {t}.{}", collated("_pql_o", part), ident(&part.column)))
            .collect();
        format!(
            "EXISTS (SELECT 1 FROM main.{t} AS _pql_o WHERE {} AND NOT ({}))",
            equal.join(" AND "),
            self.key.same("_pql_o", &t, &self.key)
        )
    }

    fn duplicates(&self, columns: &[KeyPart]) -> String {
        let t = ident(&self.table);
        let join = |parts: Vec<String>, by: &str| parts.join(by);
        format!(
            "SELECT {}, count(*) FROM main.{t} WHERE {} GROUP BY {} HAVING count(*) > 1 LIMIT {}",
            join(columns.iter().map(|part| format!("{t}.{}", ident(&part.column))).collect(), ", "),
            join(
                columns.iter().map(|part| format!("{t}.{} IS NOT NULL", ident(&part.column))).collect(),
                " AND "
            ),
            join(columns.iter().map(|part| collated(&t, part)).collect(), ", "),
            NAMED + 1
        )
    }

    fn no_duplicates(&self, db: &Db, check: &Check, columns: &[KeyPart]) -> Result<()> {
        let by_value = Key::resolved(db, &self.table, &RowKey::Columns(columns.to_vec()))?;
        let mut statement = db.prepare(&self.duplicates(columns))?;
        let mut found = statement.query([])?;
        let mut rows = Rows::default();
        while let Some(row) = found.next()? {
            let values = cell::row(row, columns.len())?;
            rows.push(&by_value, &values, []);
        }
        if rows.is_empty() { Ok(()) } else { Err(self.error(check, &rows)) }
    }
}

fn collated(of: &str, part: &KeyPart) -> String {
    match &part.collation {
        Some(collation) => format!("{of}.{} COLLATE {}", ident(&part.column), ident(collation)),
        None => format!("{of}.{}", ident(&part.column)),
    }
}

/// The columns that a foreign key refers to: those it names, or the primary key.
/// The condition that a row of the child refers to none of the parent, either of which may stand for the key's own.
pub(super) fn leads_nowhere(db: &Db, key: &ForeignKey, child: &str, parent: &str) -> Result<String> {
    let child = ident(child);
    let present: Vec<String> =
        key.columns.iter().map(|column| format!("{child}.{} IS NOT NULL", ident(column))).collect();
    // The parent's side stands left: its affinity and collation are the ones that count.
    let equal: Vec<String> = (referenced_columns(db, key)?.iter().zip(&key.columns))
        .map(|(parent, own)| format!("_pql_p.{} = {child}.{}", ident(parent), ident(own)))
        .collect();
    Ok(format!(
        "{} AND NOT EXISTS (SELECT 1 FROM main.{} AS _pql_p WHERE {})",
        present.join(" AND "),
        ident(parent),
        equal.join(" AND ")
    ))
}

/// The columns that a foreign key refers to.
pub(super) fn referenced_columns(db: &Db, key: &ForeignKey) -> Result<Vec<String>> {
    if !key.referenced.is_empty() {
        return Ok(key.referenced.clone());
    }
    let mut statement =
        db.prepare_cached("SELECT name FROM pragma_table_xinfo(?1) WHERE pk > 0 ORDER BY pk")?;
    let names = statement.query_map([&key.table.name], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// The capture on the table that a foreign key refers to: a row that goes there leaves others without what they refer
/// to. It lives as long as the capture on the referring table.
pub(super) fn parent_capture(db: &Db, child_log: &str, key: &ForeignKey) -> Result<Capture> {
    let columns = referenced_columns(db, key)?;
    Ok(Capture {
        table: key.table.clone(),
        log: format!("{child_log}_of_{}_{}", key.table.name, columns.join("_")).as_str().into(),
        key: RowKey::Columns(columns.into_iter().map(KeyPart::new).collect()),
        columns: None,
        follows: false,
        moves: false,
    })
}
