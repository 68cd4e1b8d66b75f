//! Building an index beside the application: read and sorted outside any lock, filled in paced batches, brought up to
//! date from a log, compared with the table, and declared in one short transaction.
//!
//! Where a precondition is not met (an expression that may fail, a function only the application has, a database in
//! memory) nothing is prepared, and publishing it is the plain statement.

mod discard;
mod job;
mod layout;
mod log;
mod run_file;
mod same;

use pql_planner::text::{SQLITE, ident};
use pql_planner::{Capture, IndexBuild};
use pql_schema::Index;
use rusqlite::Connection as Db;

pub(super) use self::discard::drop_index;
use self::job::{Job, Row, State};
use self::layout::Names;
use self::run_file::Entries;
use super::retained::{self, Kind, Memory};
use super::run::Run;
use super::{capture, catalog, metadata, purge, rates};
use crate::backend::Progress;
use crate::error::codes;
use crate::{Error, Result};

/// Up to so many rows with a NULL in their key get their entries while the index is published.
const FEW_NULLS: u64 = 5_000;

/// Starts the log, and the tables that the index grows in.
pub(super) fn prepare(run: &mut Run<'_>, build: &IndexBuild) -> Result<()> {
    discard(run, build)?;
    let Some(job) = job(run, build)? else { return run.finish() };
    run.write_last(|db| {
        for sql in log::statements(db, &job, &build.capture.log.name)? {
            db.execute_batch(&sql)?;
        }
        job.create(db)
    })
}

/// The statements of [`prepare`], for showing.
pub(super) fn prepare_statements(db: &Db, build: &IndexBuild) -> Result<Vec<String>> {
    let Some(layout) = layout::layout(db, &build.index)? else { return Ok(Vec::new()) };
    let job = Job { index: &build.index, layout, names: Names::planned(build) };
    log::statements(db, &job, &build.capture.log.name)
}

/// Reads, sorts and fills.
pub(super) fn fill(run: &mut Run<'_>, build: &IndexBuild) -> Result<()> {
    match started(run, build)? {
        Some(job) => {
            fill_all(run, &job)?;
            run.finish()
        }
        None => run.finish(),
    }
}

/// Drains the log and compares.
pub(super) fn verify(run: &mut Run<'_>, build: &IndexBuild) -> Result<()> {
    let Some(job) = started(run, build)? else { return run.finish() };
    let log = &build.capture.log.name;
    log::until_few(run, &job, log)?;
    compare(run, &job)?;
    log::until_few(run, &job, log)?;
    run.finish()
}

/// Drains the rest and declares the index.
pub(super) fn publish(run: &mut Run<'_>, build: &IndexBuild) -> Result<()> {
    let name = &build.index.name.name;
    if let Some(job) = started(run, build)? {
        let log = &build.capture.log.name;
        log::until_few(run, &job, log)?;
        let in_pieces = declare(run, &job, Some((log, &build.capture)))?;
        let check = in_pieces && run.step.options().verify;
        return if check { same::check_all(run, &build.index.table.name, name) } else { Ok(()) };
    }
    metadata::change(run, |db| Ok(db.execute_batch(&SQLITE.create_index(&build.index))?))
}

/// Takes back what was done before it was published, however far it came.
pub(super) fn abandon(run: &mut Run<'_>, build: &IndexBuild) -> Result<()> {
    discard(run, build)?;
    run.finish()
}

/// Builds an index on a table that only we write.
pub(super) fn on_hidden_table(run: &mut Run<'_>, index: &Index) -> Result<()> {
    let plain = |run: &mut Run<'_>| {
        run.write(|db| {
            db.execute_batch(&SQLITE.create_index(index))?;
            Ok(((), Progress::default()))
        })
    };
    let rows = rates::rows(run.reader, &index.table.name)?;
    let stall = run.step.options().max_stall.as_secs_f64() * 1_000.0;
    if !run.online() || rates::predicted_index(rows) <= stall {
        return plain(run);
    }
    let Some(layout) = layout::layout(run.db, index)? else { return plain(run) };
    let job = Job { index, layout, names: Names::hidden(index, &helper_of(index)) };
    drop_tables(run, &job.names.fill)?;
    run.write(|db| {
        job.create(db)?;
        Ok(((), Progress::default()))
    })?;
    fill_all(run, &job)?;
    compare(run, &job)?;
    declare(run, &job, None).map(drop)
}

/// Whether the index is what it should be, before anybody uses it: it has the entries of the table's rows, and SQLite
/// finds it whole and in its order.
fn compare(run: &mut Run<'_>, job: &Job<'_>) -> Result<()> {
    if !run.step.options().verify {
        return Ok(());
    }
    run.read(|db| same::compare(db, job))?;
    run.read(|db| same::check(db, job))
}

/// Gives the rows that wait their entries and declares the index; a log is drained before. Tells whether many waited, so
/// that their entries came in transactions of their own.
fn declare(run: &mut Run<'_>, job: &Job<'_>, logged: Option<(&str, &Capture)>) -> Result<bool> {
    let nulls = &job.names.nulls;
    if job.state(run.db)? == State::Table && capture::pending(run.db, nulls, FEW_NULLS + 1)? > FEW_NULLS {
        run.write(|db| {
            job.declare(db)?;
            Ok(((), Progress::default()))
        })?;
    }
    let in_pieces = job.state(run.db)? == State::Index;
    if in_pieces {
        loop {
            let rows = run.batch();
            let more = run.write(|db| Ok((job.add_waiting(db, rows)?, Progress::default())))?;
            if !more {
                break;
            }
        }
    }
    if let Some((log, _)) = logged {
        log::until_few(run, job, log)?;
    }
    run.write(|db| {
        if let Some((log, capture)) = logged {
            log::rest(db, job, log)?;
            capture::stop(db, capture)?;
        }
        if capture::pending(db, nulls, 1)? > 0 {
            job.declare(db)?;
            job.add_waiting(db, u64::from(u32::MAX))?;
        }
        metadata::within(db, |db| job.publish(db))?;
        db.execute_batch(&format!("DROP TABLE main.{}", ident(nulls)))?;
        if in_pieces {
            retained::remember(db, Kind::Garbage, &Memory::new(&job.names.stand_in))?;
        } else {
            db.execute_batch(&format!("DROP TABLE main.{}", ident(&job.names.stand_in)))?;
        }
        // A planned build is complete with this.
        Ok((in_pieces, Progress { done: logged.is_some(), ..Progress::default() }))
    })
}

/// Drops what an interrupted [`on_hidden_table`] left.
pub(super) fn discard_hidden(run: &mut Run<'_>, index: &Index) -> Result<()> {
    drop_tables(run, &helper_of(index))
}

fn helper_of(index: &Index) -> String {
    format!("{}_fill", index.name.name)
}

/// The build, when it can be done beside the application.
fn job<'a>(run: &Run<'_>, build: &'a IndexBuild) -> Result<Option<Job<'a>>> {
    if run.place.memory {
        return Ok(None);
    }
    let layout = layout::layout(run.db, &build.index)?;
    Ok(layout.map(|layout| Job { index: &build.index, layout, names: Names::planned(build) }))
}

/// The build, when it was started and is not published yet.
fn started<'a>(run: &Run<'_>, build: &'a IndexBuild) -> Result<Option<Job<'a>>> {
    match job(run, build)? {
        Some(job) if job.exists(run.db)? && catalog::has_table(run.db, &build.capture.log.name)? => {
            Ok(Some(job))
        }
        _ => Ok(None),
    }
}

fn discard(run: &mut Run<'_>, build: &IndexBuild) -> Result<()> {
    run.write(|db| {
        capture::stop(db, &build.capture)?;
        Ok(((), Progress::default()))
    })?;
    drop_tables(run, &build.helper.name)
}

fn drop_tables(run: &mut Run<'_>, helper: &str) -> Result<()> {
    purge::drop_hidden(run, &format!("{helper}_of"))?;
    purge::drop_hidden(run, &format!("{helper}_nulls"))?;
    purge::drop_hidden(run, helper)
}

/// Fills from the cursor on; rows with a NULL in their key are put aside.
fn fill_all(run: &mut Run<'_>, job: &Job<'_>) -> Result<()> {
    let after: Option<Row> = (job.names.log.as_ref())
        .and_then(|_| run.step.cursor())
        .map(|cursor| serde_json::from_str(cursor).map_err(unreadable))
        .transpose()?;
    let outcome =
        run_file::collect(run, job, after.as_ref()).and_then(|entries| fill_sorted(run, job, entries));
    run_file::discard(run.db)?;
    outcome
}

fn fill_sorted(run: &mut Run<'_>, job: &Job<'_>, entries: Entries) -> Result<()> {
    let total = Some(entries.sorted + entries.with_null);
    let mut done = 0;
    while done < entries.sorted {
        let upto = (done + run.batch()).min(entries.sorted);
        run.write(|db| {
            let refused = job.fill_piece(db, done, upto)?;
            job.note(db, &refused)?;
            let cursor = serde_json::to_string(&run_file::entry(db, job, upto)?).map_err(unreadable)?;
            Ok(((), Progress { cursor: Some(cursor), rows: upto, total, done: false }))
        })?;
        done = upto;
    }
    let mut waiting = 0;
    while waiting < entries.with_null {
        let batch = run_file::with_null(run.db, job, waiting, run.batch())?;
        waiting += batch.len() as u64;
        let cursor = run.step.cursor().map(str::to_owned);
        run.write(|db| {
            batch.iter().try_for_each(|row| job.insert_beside(db, &job.names.nulls, row))?;
            Ok(((), Progress { cursor, rows: entries.sorted + waiting, total, done: false }))
        })?;
    }
    Ok(())
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(codes::UNREADABLE, "the place where the last attempt stopped cannot be read")
        .with_source(error)
}
