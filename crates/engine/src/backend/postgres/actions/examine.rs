//! What a definition demands of the rows, as queries for those that do not fulfil it.
//!
//! The examined table stands in each query under its own name, because the user's expressions may say it.

use pql_planner::{Change, Check};
use pql_schema::{ConstraintKind, ForeignKey, KeyPart, ObjectName};

use super::super::errors::state;
use super::super::link::Session;
use super::catalog;
use super::rows::{self, Key, NAMED};
use super::statements::{ident, object};
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result};

/// Fails with the first rows that do not fulfil one of the checks.
pub(super) fn all(session: &mut Session, table: &ObjectName, checks: &[Check]) -> Result<()> {
    checks.iter().try_for_each(|check| one(session, table, check))
}

/// The same for one.
pub(super) fn one(session: &mut Session, table: &ObjectName, check: &Check) -> Result<()> {
    let named = if let Check::Distinct { columns, .. } = check {
        repeated(session, table, columns)?
    } else {
        let condition = condition(session, table, check)?;
        found(session, table, &condition)?
    };
    if named.is_empty() { Ok(()) } else { Err(refusal(table, check, &named)) }
}

/// The condition that another one does not hold of a row, or cannot even be computed; it is gone with the transaction.
pub(super) fn misfit(session: &mut Session, table: &ObjectName, fits: &str) -> Result<String> {
    let name = ident(&table.name);
    session.batch(&format!(
        "CREATE FUNCTION pg_temp.pql_fits(r {}) RETURNS boolean LANGUAGE plpgsql AS $pql$ BEGIN \
         RETURN (SELECT {fits} FROM (SELECT r.*) AS {name}); \
         EXCEPTION WHEN OTHERS THEN RETURN false; END $pql$",
        object(table)
    ))?;
    Ok(format!("NOT pg_temp.pql_fits({name}.*)"))
}

/// Ends that where the transaction goes on.
pub(super) const NO_MISFIT: &str = "DROP FUNCTION pg_temp.pql_fits";

/// The rows for which a condition holds, in words.
pub(super) fn found(session: &mut Session, table: &ObjectName, condition: &str) -> Result<Vec<String>> {
    shown(session, table, condition, None)
}

/// The same, each with its value of a column.
pub(super) fn shown(
    session: &mut Session,
    table: &ObjectName,
    condition: &str,
    column: Option<&str>,
) -> Result<Vec<String>> {
    let key = Key::of_table(session, table)?;
    let name = ident(&table.name);
    let value =
        column.map(|column| format!(", {name}.{}::text AS _pql_v", ident(column))).unwrap_or_default();
    // Planned as a whole: a plan that is good at finding the first few rows takes long where there are none.
    let sql = format!(
        "WITH _pql_f AS MATERIALIZED (SELECT {}{value} FROM {} WHERE {condition}) SELECT * FROM _pql_f LIMIT {}",
        key.texts(&name),
        object(table),
        NAMED + 1
    );
    let found = session.query(&sql, &[])?;
    let words = |row: Vec<crate::Value>| {
        let values: Vec<Option<String>> = row.into_iter().map(catalog::text).collect();
        match column {
            Some(column) => key.describe_with(values, &ident(column)),
            None => key.describe(&values),
        }
    };
    Ok(found.rows.into_iter().map(words).collect())
}

/// The query, for showing.
pub(super) fn query(table: &ObjectName, check: &Check) -> String {
    let condition = match check {
        Check::Distinct { columns, .. } => {
            let list = list(columns);
            return format!("SELECT {list} FROM {} GROUP BY {list} HAVING count(*) > 1", object(table));
        }
        Check::NotNull { column, .. } => format!("{} IS NULL", ident(column)),
        Check::Holds { expr, .. } => format!("NOT ({expr})"),
        Check::References { key, .. } => orphan(table, key, &key.referenced),
    };
    format!("SELECT :key FROM {} WHERE {condition}", object(table))
}

fn condition(session: &mut Session, table: &ObjectName, check: &Check) -> Result<String> {
    Ok(match check {
        Check::NotNull { column, .. } => format!("{} IS NULL", ident(column)),
        Check::Holds { expr, .. } => format!("NOT ({expr})"),
        Check::Distinct { .. } => "false".to_owned(),
        Check::References { key, .. } if key.referenced.is_empty() => {
            let parent = catalog::key_columns(session, &key.table)?;
            orphan(table, key, &parent)
        }
        Check::References { key, .. } => orphan(table, key, &key.referenced),
    })
}

/// The row refers to one that does not exist. A key with a NULL in it refers to nothing.
fn orphan(table: &ObjectName, key: &ForeignKey, parent: &[String]) -> String {
    let own = |column: &String| format!("{}.{}", ident(&table.name), ident(column));
    let present: Vec<String> =
        key.columns.iter().map(|column| format!("{} IS NOT NULL", own(column))).collect();
    let equal: Vec<String> = parent
        .iter()
        .zip(&key.columns)
        .map(|(parent, child)| format!("_pql_p.{} = {}", ident(parent), own(child)))
        .collect();
    format!(
        "{} AND NOT EXISTS (SELECT 1 FROM {} AS _pql_p WHERE {})",
        present.join(" AND "),
        object(&key.table),
        equal.join(" AND ")
    )
}

fn list(columns: &[KeyPart]) -> String {
    columns.iter().map(|part| ident(&part.column)).collect::<Vec<_>>().join(", ")
}

fn repeated(session: &mut Session, table: &ObjectName, columns: &[KeyPart]) -> Result<Vec<String>> {
    let list = list(columns);
    let texts: Vec<String> = columns.iter().map(|part| format!("{}::text", ident(&part.column))).collect();
    let present: Vec<String> =
        columns.iter().map(|part| format!("{} IS NOT NULL", ident(&part.column))).collect();
    let found = session.query(
        &format!(
            "SELECT {} FROM {} WHERE {} GROUP BY {list} HAVING count(*) > 1 LIMIT {}",
            texts.join(", "),
            object(table),
            present.join(" AND "),
            NAMED + 1
        ),
        &[],
    )?;
    let key = Key::of(&pql_planner::RowKey::Columns(columns.to_vec()));
    let words =
        |row: Vec<crate::Value>| key.describe(&row.into_iter().map(catalog::text).collect::<Vec<_>>());
    Ok(found.rows.into_iter().map(words).collect())
}

fn refusal(table: &ObjectName, check: &Check, named: &[String]) -> Error {
    let shown = object(table);
    let (what, help) = match check {
        Check::NotNull { column, .. } => (
            format!("{shown}.{} cannot be NOT NULL, because it is NULL in", ident(column)),
            "give those rows a value; SET NOT NULL with BACKFILL does that by itself",
        ),
        Check::Holds { name, .. } => {
            (format!("the check {} does not hold for", ident(name)), "change those rows, or the condition")
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
    rows::error(codes::ROWS, &what, named).with_help(help)
}

/// The error of a statement that examined rows: with the rows, where these can be found.
pub(super) fn explained(session: &mut Session, table: &ObjectName, check: &Check, error: Error) -> Error {
    if !matches!(state(&error), Some("23502" | "23503" | "23505" | "23514")) {
        return error;
    }
    match one(session, table, check) {
        Err(named) if named.code() == codes::ROWS => named,
        _ => error,
    }
}

/// The error of changes that were rolled back: with the rows that stand in the way of one of them.
pub(super) fn after_roll_back(
    session: &mut Session,
    table: &ObjectName,
    changes: &[Change],
    error: Error,
) -> Error {
    let checks = changes.iter().filter_map(|change| match change {
        Change::SetNotNull { column } => Some(Check::NotNull { column: column.clone(), fill: None }),
        Change::AddConstraint { constraint } => {
            let name = constraint.effective_name(&table.name);
            Some(match &constraint.kind {
                ConstraintKind::Check { expr } => Check::Holds { name, expr: expr.clone() },
                ConstraintKind::ForeignKey(key) => Check::References { name, key: key.clone() },
                ConstraintKind::Unique(unique) => Check::Distinct { name, columns: unique.columns.clone() },
                ConstraintKind::PrimaryKey(key) => Check::Distinct { name, columns: key.columns.clone() },
                ConstraintKind::Native { .. } => return None,
            })
        }
        _ => None,
    });
    checks.fold(error, |error, check| explained(session, table, &check, error))
}
