//! Which row an expression fails on: SQLite says only what is wrong (`integer overflow`, `malformed JSON`).

use pql_planner::text::ident;
use pql_planner::{Action, Check, Plan, Rebuild};
use pql_schema::{Expr, Index};
use rusqlite::{Connection as Db, params_from_iter};

use super::cell::{self, Cell};
use super::checks::Subject;
use super::keys::Range;
use super::{duplicates, errors, model};
use crate::error::codes;
use crate::{Error, Result};

/// Names the row, by key and by what the expression reads of it, when that is what the error of an action is about.
pub(super) fn explain(db: &Db, plan: &Plan, action: &Action, error: Error) -> Error {
    let error = match indexed_by(plan, action) {
        // Outside the lock: it is not known which rows they are, so all are compared.
        Some(index) => duplicates::explain(db, index, error),
        None => error,
    };
    if error.code() == codes::DATABASE { computing(db, plan, action, error) } else { error }
}

/// The index that the action builds.
fn indexed_by<'p>(plan: &'p Plan, action: &'p Action) -> Option<&'p Index> {
    match action {
        Action::CreateIndex { index } => Some(index),
        Action::IndexFill { build } | Action::IndexVerify { build } | Action::IndexPublish { build } => {
            plan.index_builds.get(*build).map(|build| &build.index)
        }
        _ => None,
    }
}

fn computing(db: &Db, plan: &Plan, action: &Action, error: Error) -> Error {
    let Some(Computed { table, exprs }) = computed(plan, action) else { return error };
    // What cannot be found out leaves the database's own words.
    match row(db, table, &exprs) {
        Ok(Some(found)) => {
            Error::new(codes::ROWS, format!("the row of {} with {found}: {}", ident(table), error.message()))
                .with_help("change that row, or the expression")
                .with_source(error)
        }
        _ => error,
    }
}

/// What is read of a row by expressions: `n is 7, s is 'x'`.
pub(super) fn values(
    db: &Db,
    table: &str,
    key: &super::keys::Key,
    at: &[Cell],
    exprs: &[&Expr],
) -> Result<String> {
    let names = read_by(db, table, exprs)?;
    if names.is_empty() {
        return Ok(String::new());
    }
    let sql = format!("SELECT {} FROM main.{} WHERE {}", names.join(", "), ident(table), key.is_param("", 1));
    let values: Vec<String> = db.prepare(&sql)?.query_row(params_from_iter(at), |row| {
        let value = |at: usize| row.get_ref(at).map(|value| Cell::read(value).literal());
        (0..names.len()).map(|at| Ok(format!("{} is {}", names[at], value(at)?))).collect()
    })?;
    Ok(values.join(", "))
}

/// The columns of a table that expressions read.
pub(super) fn read_by(db: &Db, table: &str, exprs: &[&Expr]) -> Result<Vec<String>> {
    let names = model::table_of(db, table)?.columns.into_iter().map(|column| column.name);
    Ok(names.filter(|name| exprs.iter().any(|expr| expr.mentions(name))).map(|name| ident(&name)).collect())
}

/// Expressions over the rows of a table.
struct Computed<'a> {
    table: &'a str,
    exprs: Vec<One<'a>>,
}

/// One of them, and the condition that a row is concerned at all.
struct One<'a> {
    expr: &'a Expr,
    only: Option<&'a Expr>,
}

fn computed<'a>(plan: &'a Plan, action: &'a Action) -> Option<Computed<'a>> {
    let always = |expr: &'a Expr| One { expr, only: None };
    let rebuilt = |rebuild: usize, back: bool| {
        let rebuild: &Rebuild = plan.rebuilds.get(rebuild)?;
        let (table, mapping) = if back {
            (&rebuild.after.name, &rebuild.mapping_back)
        } else {
            (&rebuild.before.name, &rebuild.mapping)
        };
        let exprs = mapping.iter().flat_map(|map| map.fits.iter().chain([&map.from])).map(always);
        Some(Computed { table: &table.name, exprs: exprs.collect() })
    };
    let indexed = |index: &'a Index| {
        let parts = index.parts.iter().map(|part| One { expr: &part.expr, only: index.predicate.as_ref() });
        let exprs = index.predicate.iter().map(always).chain(parts);
        Some(Computed { table: &index.table.name, exprs: exprs.collect() })
    };
    let checked = |table: &'a str, checks: &'a [Check]| {
        let exprs = checks.iter().filter_map(|check| match check {
            Check::Holds { expr, .. } => Some(always(expr)),
            _ => None,
        });
        Some(Computed { table, exprs: exprs.collect() })
    };
    match action {
        Action::CreateIndex { .. }
        | Action::IndexFill { .. }
        | Action::IndexVerify { .. }
        | Action::IndexPublish { .. } => indexed(indexed_by(plan, action)?),
        Action::RebuildCopy { rebuild }
        | Action::RebuildVerify { rebuild }
        | Action::RebuildSwap { rebuild }
        | Action::RebuildAtOnce { rebuild } => rebuilt(*rebuild, false),
        Action::RebuildUnswap { rebuild } => rebuilt(*rebuild, true),
        Action::Validate { table, checks, .. } => checked(&table.name, checks),
        Action::Redefine { before, checks, .. } => checked(&before.name.name, checks),
        _ => None,
    }
}

/// The first row in key order on which one of the expressions fails.
fn row(db: &Db, table: &str, exprs: &[One<'_>]) -> Result<Option<String>> {
    let Subject { key, .. } = Subject::of(db, table)?;
    let texts: Vec<String> = exprs.iter().map(One::text).collect();
    let width = key.len();
    let sql = format!(
        "SELECT {}, {} FROM main.{} ORDER BY {}",
        key.columns(""),
        texts.join(", "),
        ident(table),
        key.order("")
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut after = None;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                after = Some(cell::row(row, width)?);
            }
            Ok(None) => return Ok(None),
            Err(error) if errors::is_about_a_row(&error) => break,
            Err(error) => return Err(error.into()),
        }
    }
    // Rows come in the order of the key: it fails on the one after the last that came.
    let Some(at) = key.nth(db, table, &Range { after, upto: None }, 1)? else { return Ok(None) };
    let fails = |text: &String| {
        let sql = format!("SELECT {text} FROM main.{} WHERE {}", ident(table), key.is_param("", 1));
        Ok::<_, Error>(db.prepare(&sql)?.query_row(params_from_iter(&at), |_| Ok(())).is_err())
    };
    for (one, text) in exprs.iter().zip(&texts) {
        if fails(text)? {
            let shown = values(db, table, &key, &at, &[one.expr])?;
            let shown = if shown.is_empty() { shown } else { format!(" ({shown})") };
            return Ok(Some(format!("{}{shown}", key.describe(&at))));
        }
    }
    Ok(Some(key.describe(&at)))
}

impl One<'_> {
    fn text(&self) -> String {
        match self.only {
            Some(only) => format!("CASE WHEN ({only}) THEN ({}) END", self.expr),
            None => format!("({})", self.expr),
        }
    }
}
