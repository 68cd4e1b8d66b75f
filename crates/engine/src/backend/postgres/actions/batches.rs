//! A table changed in batches: ranges of its key, one short transaction each, on several connections at a time
//! where the table is large.
//!
//! - A lane (see `lanes`) owns a part of the key's range and goes through it by itself; it has leave for one message
//!   more than the coordinator has taken up. Its batches journal themselves, so that the journal always says where each
//!   lane stands.
//! - The rows that were there at the start are bounded by the largest key then; rows that moved past a lane are found by
//!   a last look at the whole table.
//! - A batch waits for no disk: its transaction may be lost by a crash of the server, and its journal entry with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use postgres::SimpleQueryRow;
use pql_schema::ObjectName;
use serde::{Deserialize, Serialize};

use super::super::blockers::literal;
use super::super::brake::Brake;
use super::super::ledger;
use super::super::link::Session;
use super::super::run::{Run, done};
use super::super::transaction::{Settings, transact};
use super::lanes::{FIRST, Lane, Report, Task, Worker};
use super::rows::Key;
use super::statements::{ident, object};
use super::{catalog, silence};
use crate::backend::{Connection as _, Progress, Ticket};
use crate::error::codes;
use crate::{Error, Result};

/// How often is listened during a wait.
pub(super) const GLANCE: Duration = Duration::from_millis(20);
/// How many lanes a table is worth, and from how many rows on. Beside applications that are always at work each lane gets
/// as much of the processors as one of them: with two a fill takes longer than one whose batches make them wait.
const LANES: u64 = 3;
const WORTH_MORE: u64 = 20_000;
/// How many messages a lane has leave for.
const AHEAD: usize = 2;
/// The rows that a batch has changed, in the WITH of its statement.
pub(super) const CHANGED: &str = "_pql_changed";

/// What is done to the rows of each range.
pub(super) struct Work<'a> {
    /// The table.
    pub(super) table: &'a ObjectName,
    /// What of it is written.
    pub(super) columns: Vec<String>,
    /// How its rows are told apart.
    pub(super) key: Key,
    /// The list of a WITH for the rows for which a condition holds; in it [`CHANGED`] are the rows that it changed.
    pub(super) change: &'a (dyn Fn(&str) -> String + Sync),
    /// A condition of the rows that are still to be changed, for the last look.
    pub(super) left: String,
    /// When a batch has met the application; it is then rolled back and tried again.
    pub(super) conflict: Option<&'a Conflict<'a>>,
}

/// Two conditions that hold when a batch, for the rows of a condition, has changed a row that it must not. The first says
/// quickly that there can be no such row.
pub(super) type Conflict<'a> = dyn Fn(&str) -> (String, String) + Sync + 'a;

/// Where all lanes stand, as the journal keeps it beside the number of the rows that are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) lanes: Vec<Lane>,
    /// The ranges are done; what is left is the last look.
    #[serde(default)]
    last_look: bool,
}

impl Cursor {
    fn progress(&self, rows: u64, total: u64) -> Result<Progress> {
        let cursor = serde_json::to_string(self).map_err(|error| unreadable(Some(error)))?;
        Ok(Progress { cursor: Some(cursor), rows, total: Some(total.max(rows)), done: false })
    }
}

/// What the journal says of an action that is under way.
pub(super) fn read(standing: &[Vec<SimpleQueryRow>]) -> Result<(Cursor, u64)> {
    let row = standing.iter().flatten().next();
    let text = row.and_then(|row| row.get(0)).ok_or_else(|| unreadable(None))?;
    let rows = row.and_then(|row| row.get(1)).and_then(|rows| rows.parse().ok()).unwrap_or(0);
    Ok((serde_json::from_str(text).map_err(|error| unreadable(Some(error)))?, rows))
}

/// The error of a journal that does not say where a lane is.
pub(super) fn unreadable(source: Option<serde_json::Error>) -> Error {
    let error = Error::new(codes::UNREADABLE, "the cursor of a backfill cannot be read");
    match source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

/// The number of the rows that a statement changes.
pub(super) fn count(changed: &str) -> String {
    format!("WITH {changed} SELECT pg_catalog.count(*) FROM {CHANGED}")
}

fn counted(session: &mut Session, changed: &str) -> Result<u64> {
    Ok(session.batch_value(&count(changed))?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Changes all rows and marks the action as done.
pub(super) fn all(run: &mut Run<'_>, work: &Work<'_>) -> Result<()> {
    if !run.online() {
        return at_once(run, work);
    }
    let total = rows_of(run.session, work.table)?;
    if run.step.cursor().is_none() {
        let begun = begin(run.session, work, total)?.progress(0, total)?;
        run.write(|_| Ok(((), begun.clone())))?;
    }
    let ticket = run.step.ticket(&Progress::default())?;
    let (mut cursor, rows) = standing(run.session, &ticket)?;
    let mut brake = Brake::new(run.step.options());
    if !cursor.last_look {
        ranges(run, work, &cursor, rows, total, &mut brake)?;
    }
    let (_, rows) = standing(run.session, &ticket)?;
    cursor.last_look = true;
    let rows = last_look(run, work, &cursor, rows, total, &mut brake)?;
    run.write(|_| Ok(((), Progress { rows, total: Some(total.max(rows)), ..done() })))
}

fn standing(session: &mut Session, ticket: &Ticket) -> Result<(Cursor, u64)> {
    read(&session.batch_rows(&ledger::standing(ticket))?)
}

/// In one transaction: nobody is to be kept from anything.
fn at_once(run: &mut Run<'_>, work: &Work<'_>) -> Result<()> {
    let silence = silence::of(run.session, work.table, &work.columns)?;
    let changed = (work.change)("true");
    run.write(|session| {
        session.batch(&silence)?;
        let rows = counted(session, &changed)?;
        Ok(((), Progress { rows, ..done() }))
    })
}

/// How many rows there are, as the planner of the database thinks.
fn rows_of(session: &mut Session, table: &ObjectName) -> Result<u64> {
    let text = session.batch_value(&format!(
        "SELECT CASE WHEN c.reltuples < 0 THEN 0 ELSE c.reltuples END::int8 FROM pg_catalog.pg_class c \
         WHERE c.oid = {}",
        catalog::regclass(table)
    ))?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Divides the rows that are there.
fn begin(session: &mut Session, work: &Work<'_>, total: u64) -> Result<Cursor> {
    let lanes = if work.key.is_place() {
        let pages = session.batch_value(&format!(
            "SELECT pg_catalog.pg_relation_size({}) / pg_catalog.current_setting('block_size')::int8",
            catalog::regclass(work.table)
        ))?;
        let end = format!("({},0)", pages.unwrap_or_default());
        vec![Lane { after: None, upto: Some(vec![end]), done: false }]
    } else {
        let Some(end) = edge(session, work, "DESC", 0)? else {
            return Ok(Cursor { lanes: Vec::new(), last_look: false });
        };
        let mut ends = Vec::new();
        for count in (1..LANES).filter(|_| total >= WORTH_MORE) {
            ends.extend(edge(session, work, "ASC", total * count / LANES)?);
        }
        ends.push(end);
        ends.dedup();
        let starts = std::iter::once(None).chain(ends.iter().cloned().map(Some));
        starts.zip(&ends).map(|(after, end)| Lane { after, upto: Some(end.clone()), done: false }).collect()
    };
    Ok(Cursor { lanes, last_look: false })
}

/// The key that stands so far from one end.
fn edge(session: &mut Session, work: &Work<'_>, order: &str, offset: u64) -> Result<Option<Vec<String>>> {
    let name = ident(&work.table.name);
    // A bare name would be the text that is selected, which is ordered in another way than the column.
    let by: Vec<String> = work.key.names().iter().map(|column| format!("{name}.{column} {order}")).collect();
    let sql = format!(
        "SELECT {} FROM {} ORDER BY {} OFFSET {offset} LIMIT 1",
        work.key.texts(&name),
        object(work.table),
        by.join(", ")
    );
    one_key(session, &sql)
}

fn one_key(session: &mut Session, sql: &str) -> Result<Option<Vec<String>>> {
    // A text that means the same key to every session.
    let settings = Settings { snapshot: true, ..Settings::default() };
    let found = transact(session, &settings, |session| session.query(sql, &[]))?;
    Ok(found
        .rows
        .into_iter()
        .next()
        .map(|row| row.into_iter().map(|value| catalog::text(value).unwrap_or_default()).collect()))
}

/// Goes through the ranges of all lanes.
fn ranges(
    run: &mut Run<'_>,
    work: &Work<'_>,
    cursor: &Cursor,
    rows: u64,
    total: u64,
    brake: &mut Brake,
) -> Result<()> {
    let silence = silence::of(run.session, work.table, &work.columns)?;
    let (options, stop) = (run.step.options().clone(), AtomicBool::new(false));
    let task = Task { work, options: &options, silence: &silence, stop: &stop };
    hold(run, brake, work.table)?;
    thread::scope(|scope| {
        let (reports, inbox) = channel::<(usize, Report)>();
        let mut crew = Crew { run, brake, rows, total, lanes: Vec::new(), failure: None };
        for (at, lane) in cursor.lanes.iter().enumerate() {
            crew.lanes.push(None);
            if lane.done {
                continue;
            }
            match crew.run.another() {
                Ok(session) => {
                    let (leave, tickets) = channel();
                    let (worker, reports) = (Worker::new(task, session, at, lane.clone()), reports.clone());
                    scope.spawn(move || worker.run(&tickets, &reports));
                    crew.lanes[at] = Some(Leave { tickets: leave, given: 0 });
                }
                Err(error) => crew.failure = Some(error),
            }
        }
        drop(reports);
        while crew.lanes.iter().any(Option::is_some) {
            crew.give_leave(work.table);
            if crew.failure.is_some() {
                break;
            }
            match inbox.recv_timeout(GLANCE) {
                Ok((at, report)) => crew.take_up(at, report),
                Err(RecvTimeoutError::Timeout) => crew.failure = crew.run.step.listen().err(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        stop.store(true, Ordering::Relaxed);
        // What they have leave for is still done, before anything else is.
        crew.lanes.clear();
        while inbox.recv().is_ok() {}
        crew.failure.take().map_or(Ok(()), Err)
    })
}

/// What a lane may do.
struct Leave {
    tickets: Sender<Ticket>,
    /// Those that it has not answered yet.
    given: usize,
}

/// The lanes as their coordinator sees them; `None`: one that has ended.
struct Crew<'c, 'r> {
    run: &'c mut Run<'r>,
    /// What may make all of them wait.
    brake: &'c mut Brake,
    rows: u64,
    total: u64,
    lanes: Vec<Option<Leave>>,
    /// What ends the work, once the messages that are under way have been answered.
    failure: Option<Error>,
}

impl Crew<'_, '_> {
    fn progress(&self) -> Progress {
        Progress { rows: self.rows, total: Some(self.total.max(self.rows)), ..Progress::default() }
    }

    /// Lets the lanes go on, unless a standby or the disk asks for a pause: then none has a transaction open.
    fn give_leave(&mut self, table: &ObjectName) {
        if self.brake.reason(self.run.session, table, self.run.step).is_some() {
            if self.lanes.iter().flatten().any(|lane| lane.given > 0) {
                return;
            }
            self.failure = hold(self.run, self.brake, table).err();
        }
        let progress = self.progress();
        for lane in self.lanes.iter_mut().flatten() {
            while lane.given < AHEAD && self.failure.is_none() {
                match self.run.step.ticket(&progress) {
                    Ok(ticket) => {
                        lane.given += 1;
                        // One that has ended meanwhile needs no leave, and has said so.
                        let _ = lane.tickets.send(ticket);
                    }
                    Err(error) => self.failure = Some(error),
                }
            }
        }
    }

    fn take_up(&mut self, at: usize, report: Report) {
        if let Some(lane) = &mut self.lanes[at] {
            lane.given = lane.given.saturating_sub(1);
        }
        match report {
            Report::Done { rows, held, over } => {
                self.rows += rows;
                self.run.step.held(held);
                if over {
                    self.lanes[at] = None;
                }
                self.failure = self.run.step.breathe(&self.progress()).err();
            }
            Report::Met(what) => {
                self.run.step.waiting(&what);
                self.failure = self.run.step.listen().err();
            }
            Report::Failed(error) => {
                self.lanes[at] = None;
                self.failure = Some(error);
            }
        }
    }
}

/// Waits as long as there is a reason to, however long that is: it can be paused and cancelled meanwhile.
fn hold(run: &mut Run<'_>, brake: &mut Brake, table: &ObjectName) -> Result<()> {
    while let Some(reason) = brake.reason(run.session, table, run.step) {
        run.step.waiting(reason);
        run.step.listen()?;
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// A last look has changed a row that the application wrote meanwhile.
fn met() -> Error {
    Error::new(codes::LOCKED, "the application wrote a row at the same moment").retryable()
}

/// Changes the rows that no range has met: they moved meanwhile, or came below where a lane was. Gives the rows done.
fn last_look(
    run: &mut Run<'_>,
    work: &Work<'_>,
    cursor: &Cursor,
    mut rows: u64,
    total: u64,
    brake: &mut Brake,
) -> Result<u64> {
    let silence = silence::of(run.session, work.table, &work.columns)?;
    let name = ident(&work.table.name);
    let mut before = u64::MAX;
    loop {
        hold(run, brake, work.table)?;
        let sql = format!(
            "SELECT {} FROM {} WHERE {} LIMIT {FIRST}",
            work.key.texts(&name),
            object(work.table),
            work.left
        );
        let found = run.read(|session| session.query(&sql, &[]))?;
        let left = found.rows.len() as u64;
        // What stays however often it is changed is not for us to fill.
        if left == 0 || (left >= before && left < FIRST) {
            return Ok(rows);
        }
        before = left;
        let keys: Vec<String> = found
            .rows
            .into_iter()
            .map(|row| {
                let values: Vec<String> = row
                    .into_iter()
                    .map(|value| {
                        catalog::text(value).map_or_else(|| "NULL".to_owned(), |text| literal(&text))
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let among = format!("({}) IN ({})", work.key.list(""), keys.join(", "));
        let change = (work.change)(&among);
        let conflict = work.conflict.map(|conflict| conflict(&among));
        rows = run.write(|session| {
            session.batch(&silence)?;
            let rows = rows + counted(session, &change)?;
            if let Some(conflict) = &conflict
                && catalog::is_true(session, &format!("SELECT {} AND {}", conflict.0, conflict.1))?
            {
                return Err(met());
            }
            Ok((rows, cursor.progress(rows, total)?))
        })?;
    }
}
