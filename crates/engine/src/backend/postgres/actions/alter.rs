//! Changes of a definition. Back to a narrower type the server would cut or round what is in the rows: such rows are
//! looked for before, and again once nobody writes.

use pql_planner::Change;
use pql_schema::{Expr, ObjectName};

use super::super::errors::state;
use super::super::link::Session;
use super::super::run::Run;
use super::super::transaction::{Settings, transact};
use super::statements::{self, ident, object};
use super::{catalog, examine, followers, identity, rows, views};
use crate::error::codes;
use crate::{Error, Result};

/// Makes them; views over a column whose type changes are taken down for it, and triggers of ours.
pub(super) fn alter(run: &mut Run<'_>, table: &ObjectName, changes: &[Change]) -> Result<()> {
    let columns: Vec<&str> = changes
        .iter()
        .filter_map(|change| match change {
            Change::SetType { column, .. } => Some(column.as_str()),
            _ => None,
        })
        .collect();
    let statements: Vec<String> = changes.iter().map(|change| statements::change(table, change)).collect();
    let asks = |change: &Change| matches!(change, Change::SetIdentity { from: None, to: Some(_), .. });
    if columns.is_empty() && !changes.iter().any(asks) {
        return run
            .write_text(&statements.join("; "))
            .map_err(|error| examine::after_roll_back(run.session, table, changes, error));
    }
    run.write_last(|session| {
        if narrowed(changes).next().is_some() {
            session.batch(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", object(table)))?;
        }
        for (column, fits) in narrowed(changes) {
            refuse(table, column, &examine::shown(session, table, &format!("NOT ({fits})"), Some(column))?)?;
        }
        let down = views::take_down(session, table, &columns, false)?;
        let followers = followers::take_down(session, table, &columns)?;
        for (change, sql) in changes.iter().zip(&statements) {
            session.batch(sql)?;
            if let Change::SetIdentity { column, from: None, to: Some(_) } = change {
                identity::catch_up(session, table, column)?;
            }
        }
        followers.put_up(session)?;
        down.put_back(session)
    })
    .map_err(|error| {
        if is_of_values(&error)
            && let Err(named) = fits(run.session, table, changes)
            && named.code() == codes::ROWS
        {
            return named;
        }
        examine::after_roll_back(run.session, table, changes, error)
    })
}

/// Fails with the rows whose values would not be the same in the former type.
pub(super) fn fits(session: &mut Session, table: &ObjectName, changes: &[Change]) -> Result<()> {
    for (column, fits) in narrowed(changes) {
        if !catalog::has_column(session, table, column)? {
            continue;
        }
        let found = examine::shown(session, table, &format!("NOT ({fits})"), Some(column));
        let named = match found {
            Err(error) if is_of_values(&error) => uncomputed(session, table, column, fits)?,
            found => found?,
        };
        refuse(table, column, &named)?;
    }
    Ok(())
}

/// The columns that get a narrower type, with what must hold of their values.
fn narrowed(changes: &[Change]) -> impl Iterator<Item = (&str, &Expr)> {
    changes.iter().filter_map(|change| match change {
        Change::SetType { column, fits: Some(fits), .. } => Some((column.as_str(), fits)),
        _ => None,
    })
}

/// A value cannot be computed, or may not be.
fn is_of_values(error: &Error) -> bool {
    state(error).is_some_and(|state| state.starts_with("22") || state.starts_with("23"))
}

/// The rows for which it does not hold, those included for which it cannot even be computed.
fn uncomputed(session: &mut Session, table: &ObjectName, column: &str, fits: &Expr) -> Result<Vec<String>> {
    let settings = Settings { discard: true, as_configured: true, ..Settings::default() };
    transact(session, &settings, |session| {
        let misfit = examine::misfit(session, table, &fits.to_string())?;
        examine::shown(session, table, &misfit, Some(column))
    })
}

fn refuse(table: &ObjectName, column: &str, named: &[String]) -> Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    let what = format!("values written since do not fit the old type of {}.{}", object(table), ident(column));
    Err(rows::error(codes::ROWS, &what, named).with_help("change or delete those rows and roll back again"))
}
