//! Proving checks without a lock, and declaring what was proved.
//!
//! Rows are examined in snapshots while a capture logs which ones change; the transaction that declares examines those
//! again, and nothing else. So it is short, and what it declares is true of every row.

use pql_planner::text::ident;
use pql_planner::{Capture, Check};
use rusqlite::Connection as Db;

use super::checks::{Among, Subject, parent_capture};
use super::retained::Kind;
use super::run::Run;
use super::{capture, metadata, rates, stragglers};
use crate::Result;
use crate::backend::Progress;

/// More logged keys than this are examined before the lock is taken, not under it.
pub(super) const FEW: u64 = 50;

/// Examines all rows and writes nothing (but captures on the tables that foreign keys refer to).
pub(super) fn validate(run: &mut Run<'_>, table: &str, checks: &[Check]) -> Result<()> {
    if run.online()
        && let Some(log) = running_on(run.db, table)?
    {
        watch_parents(run, &log, checks, Kind::Capture)?;
    }
    examine_all(run, table, checks)?;
    run.finish()
}

/// Makes the change of definitions `declare` in a transaction in which all checks hold.
pub(super) fn declare(
    run: &mut Run<'_>,
    table: &str,
    checks: &[Check],
    captured: Option<&Capture>,
    declare: impl FnOnce(&Db) -> Result<()>,
) -> Result<()> {
    let own = match captured {
        Some(_) => None,
        None if checks.is_empty() || !run.online() || fits_under_lock(run, table, checks)? => {
            return metadata::change(run, |db| {
                stragglers::rest(db, table, checks, None)?;
                let subject = Subject::of(db, table)?;
                checks.iter().try_for_each(|check| subject.examine(db, check, Among::All))?;
                declare(db)
            });
        }
        None => Some(watch(run, table, checks)?),
    };
    let Some(capture) = captured.or(own.as_ref()) else { return Ok(()) };
    let log = &capture.log.name;
    examine_logged(run, table, checks, log)?;
    metadata::change(run, |db| {
        stragglers::rest(db, table, checks, Some(log))?;
        let subject = Subject::of(db, table)?;
        for check in checks {
            subject.examine(db, check, Among::Logged(log))?;
            if let Check::References { key, .. } = check {
                let parents = parent_capture(db, log, key)?.log.name;
                if super::catalog::has_table(db, &parents)? {
                    if capture::pending(db, &parents, 1)? > 0 {
                        subject.examine_children(db, check, key, &parents)?;
                    }
                } else {
                    subject.examine(db, check, Among::All)?;
                }
            }
        }
        declare(db)?;
        if own.is_some() { capture::stop(db, capture) } else { Ok(()) }
    })
}

/// Starts a capture for this action alone and examines all rows.
fn watch(run: &mut Run<'_>, table: &str, checks: &[Check]) -> Result<Capture> {
    let capture = run.write(|db| {
        let capture = capture::transient(db, table, None)?;
        capture::start(db, &capture, Kind::Transient, None)?;
        Ok((capture, Progress::default()))
    })?;
    watch_parents(run, &capture.log.name, checks, Kind::Transient)?;
    examine_all(run, table, checks)?;
    Ok(capture)
}

fn watch_parents(run: &mut Run<'_>, log: &str, checks: &[Check], kind: Kind) -> Result<()> {
    let keys: Vec<_> = (checks.iter())
        .filter_map(|check| if let Check::References { key, .. } = check { Some(key) } else { None })
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    run.write(|db| {
        for key in keys {
            let parents = parent_capture(db, log, key)?;
            capture::start(db, &parents, kind, Some(log))?;
        }
        Ok(((), Progress::default()))
    })
}

fn examine_all(run: &mut Run<'_>, table: &str, checks: &[Check]) -> Result<()> {
    stragglers::everywhere(run, table, checks)?;
    for check in checks.iter().filter(|check| !stragglers::is_filled(check)) {
        run.read(|db| Subject::of(db, table)?.examine(db, check, Among::All))?;
        run.step.breathe(&Progress::default())?;
    }
    Ok(())
}

/// While many keys are logged, examines them in a snapshot and strikes out those that did not change meanwhile.
fn examine_logged(run: &mut Run<'_>, table: &str, checks: &[Check], log: &str) -> Result<()> {
    // A writer that is faster than this for ever is met under the lock in the end.
    for _ in 0..20 {
        if capture::pending(run.db, log, FEW + 1)? <= FEW {
            return Ok(());
        }
        stragglers::logged(run, table, checks, log)?;
        let aside = format!("{log}_seen");
        let quoted = (ident(log), ident(&aside));
        // What is logged so far is set aside; whatever changes from here on is logged again. Rows that have become
        // NULL in a column that is filled stay in the log, from which they are filled.
        run.write(|db| {
            let subject = Subject::of(db, table)?;
            let seen = format!(
                "NOT EXISTS (SELECT 1 FROM main.{} WHERE {} AND ({}))",
                ident(table),
                subject.key.is_logged(&ident(table), &quoted.0),
                stragglers::condition(table, checks)
            );
            db.execute_batch(&format!(
                "DROP TABLE IF EXISTS main.{1}; CREATE TABLE main.{1} AS SELECT * FROM main.{0} WHERE {seen}; \
                 DELETE FROM main.{0} WHERE {seen}",
                quoted.0, quoted.1
            ))?;
            Ok(((), Progress::default()))
        })?;
        let outcome = run.read(|db| {
            let subject = Subject::of(db, table)?;
            (checks.iter())
                .filter(|check| !stragglers::is_filled(check))
                .try_for_each(|check| subject.examine(db, check, Among::Logged(&aside)))
        });
        run.write(|db| {
            db.execute_batch(&format!("DROP TABLE main.{}", quoted.1))?;
            Ok(((), Progress::default()))
        })?;
        outcome?;
    }
    Ok(())
}

/// Whether examining all rows under the lock is predicted to be short.
fn fits_under_lock(run: &mut Run<'_>, table: &str, checks: &[Check]) -> Result<bool> {
    let rows = rates::rows(run.reader, table)?;
    let millis = rates::predicted_scan(rows, checks.len());
    Ok(millis <= run.step.options().max_stall.as_secs_f64() * 1_000.0)
}

fn running_on(db: &Db, table: &str) -> Result<Option<String>> {
    let found = capture::running(db)?.into_iter().rev().find(|(memory, _)| {
        memory.owner.as_deref().is_some_and(|owner| owner.eq_ignore_ascii_case(table)) && memory.sql.is_none()
    });
    Ok(found.map(|(memory, _)| memory.name))
}
