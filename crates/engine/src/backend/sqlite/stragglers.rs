//! Rows that are NULL in a column that is to be NOT NULL, although a fill has been through the table: the application
//! wrote them so since, or the value that they were given was NULL itself. The former get the value, the latter are
//! named.

use std::time::Instant;

use pql_planner::Check;
use pql_planner::text::ident;
use pql_schema::Expr;
use rusqlite::{Connection as Db, params_from_iter};

use super::capture;
use super::cell::{self, Cell};
use super::checks::Subject;
use super::report::Rows;
use super::run::{Batch, Run};
use crate::Result;
use crate::backend::Progress;

/// Keys that are looked up at a time.
const AT_ONCE: usize = 1_000;

/// What comes faster than this is met by its log.
const PASSES: usize = 20;

/// A column and the value for those rows.
struct Stragglers<'c> {
    check: &'c Check,
    column: &'c str,
    value: &'c Expr,
}

/// The checks that rows are made to pass.
fn of(checks: &[Check]) -> impl Iterator<Item = Stragglers<'_>> {
    checks.iter().filter_map(|check| match check {
        Check::NotNull { column, fill: Some(value) } => Some(Stragglers { check, column, value }),
        _ => None,
    })
}

/// Whether it is one of these checks.
pub(super) fn is_filled(check: &Check) -> bool {
    matches!(check, Check::NotNull { fill: Some(_), .. })
}

/// Looks through the whole table; who writes NULL meanwhile is in the log, if there is one.
pub(super) fn everywhere(run: &mut Run<'_>, table: &str, checks: &[Check]) -> Result<()> {
    for one in of(checks) {
        for _ in 0..PASSES {
            let keys = run.read(|db| one.keys(db, &Subject::of(db, table)?, None))?;
            let all = keys.len() < AT_ONCE;
            one.fill(run, table, &keys, None)?;
            run.step.breathe(&Progress::default())?;
            if all {
                break;
            }
        }
    }
    Ok(())
}

/// Those whose keys are in a log, in paced batches.
pub(super) fn logged(run: &mut Run<'_>, table: &str, checks: &[Check], log: &str) -> Result<()> {
    for one in of(checks) {
        for _ in 0..PASSES {
            let keys = run.read(|db| one.keys(db, &Subject::of(db, table)?, Some(log)))?;
            if keys.is_empty() {
                break;
            }
            one.fill(run, table, &keys, Some(log))?;
        }
    }
    Ok(())
}

/// The last of them, inside a transaction in which nobody writes others: those in the log, or, without one, all.
pub(super) fn rest(db: &Db, table: &str, checks: &[Check], log: Option<&str>) -> Result<()> {
    for one in of(checks) {
        if log.is_none() {
            one.fill_at_once(db, table)?;
            continue;
        }
        let subject = Subject::of(db, table)?;
        loop {
            let keys = one.keys(db, &subject, log)?;
            let mut null = Rows::default();
            keys.iter().try_for_each(|key| one.fill_row(db, &subject, key, log, &mut null))?;
            one.refuse(&subject, &null)?;
            if keys.len() < AT_ONCE {
                break;
            }
        }
    }
    Ok(())
}

/// A condition over the table: the row is one of them.
pub(super) fn condition(table: &str, checks: &[Check]) -> String {
    let each: Vec<String> =
        of(checks).map(|one| format!("{}.{} IS NULL", ident(table), ident(one.column))).collect();
    if each.is_empty() { "0".to_owned() } else { each.join(" OR ") }
}

impl Stragglers<'_> {
    /// Their first keys: among those of the log, or in the whole table.
    fn keys(&self, db: &Db, subject: &Subject, log: Option<&str>) -> Result<Vec<Vec<Cell>>> {
        let t = ident(&subject.table);
        let (from, only) = match log {
            // From the log to the row: the log is short.
            Some(log) => (
                format!("main.{} AS _pql_l CROSS JOIN main.{t}", ident(log)),
                subject.key.is_logged(&t, "_pql_l"),
            ),
            None => (format!("main.{t}"), "1".to_owned()),
        };
        let sql = format!(
            "SELECT DISTINCT {} FROM {from} WHERE {only} AND {t}.{} IS NULL LIMIT {AT_ONCE}",
            subject.key.columns(&t),
            ident(self.column)
        );
        cell::rows(db, &sql, &[], subject.key.len())
    }

    fn fill(&self, run: &mut Run<'_>, table: &str, keys: &[Vec<Cell>], log: Option<&str>) -> Result<()> {
        let mut left = keys;
        while !left.is_empty() {
            let most = usize::try_from(run.batch()).unwrap_or(usize::MAX).min(left.len());
            let enough = run.enough();
            let done = run.write_rows(|db| {
                let subject = Subject::of(db, table)?;
                let (start, mut done, mut null) = (Instant::now(), 0, Rows::default());
                for key in &left[..most] {
                    self.fill_row(db, &subject, key, log, &mut null)?;
                    done += 1;
                    if start.elapsed() > enough {
                        break;
                    }
                }
                self.refuse(&subject, &null)?;
                Ok(Batch { value: done, rows: done as u64, progress: Progress::default() })
            })?;
            left = &left[done..];
        }
        Ok(())
    }

    /// Gives one row the value; what stays NULL is added to `null`.
    fn fill_row(
        &self,
        db: &Db,
        subject: &Subject,
        key: &[Cell],
        log: Option<&str>,
        null: &mut Rows,
    ) -> Result<()> {
        let (t, column) = (ident(&subject.table), ident(self.column));
        let condition = format!("{} AND {t}.{column} IS NULL", subject.key.is_param(&t, 1));
        capture::note(db, &subject.table, log, &condition, key)?;
        let sql = format!("UPDATE main.{t} SET {column} = ({}) WHERE {condition}", self.value);
        db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        let sql = format!("SELECT 1 FROM main.{t} WHERE {condition}");
        if db.prepare_cached(&sql)?.exists(params_from_iter(key))? {
            null.push(&subject.key, key, []);
        }
        Ok(())
    }

    fn refuse(&self, subject: &Subject, null: &Rows) -> Result<()> {
        if null.is_empty() { Ok(()) } else { Err(subject.error(self.check, null)) }
    }

    fn fill_at_once(&self, db: &Db, table: &str) -> Result<()> {
        let (t, column) = (ident(table), ident(self.column));
        let condition = format!("{column} IS NULL");
        capture::note(db, table, None, &condition, &[])?;
        db.execute(&format!("UPDATE main.{t} SET {column} = ({}) WHERE {condition}", self.value), [])?;
        Ok(())
    }
}
