//! One lane of a table that is changed in batches: a part of the key's range, on a connection and a thread of its own.
//!
//! - A message to the server carries several batches, each of them a transaction with its own entry in the journal, and
//!   asks where the next ones end. So rows are held for as long as the server works on them, never while something is
//!   under way; and on a busy server a lane is always at work, like everyone else there.
//! - A batch's size follows the time for which the server held its rows.
//! - When a message fails, the journal says how far the lane came.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::SimpleQueryRow;
use serde::{Deserialize, Serialize};

use super::super::errors::MET;
use super::super::ledger;
use super::super::link::Session;
use super::super::transaction::Settings;
use super::batches::{CHANGED, GLANCE, Work, read, unreadable};
use super::statements::{ident, object};
use crate::backend::{RunOptions, Ticket};
use crate::error::codes;
use crate::runner::Backoff;
use crate::{Error, Result};

/// How long a batch should hold its rows: the application waits for those that it wants.
const TARGET: Duration = Duration::from_millis(20);
/// The size of the first batch.
pub(super) const FIRST: u64 = 1_000;
/// The bounds of what a batch adapts to.
const SMALLEST: u64 = 200;
const LARGEST: u64 = 20_000;
/// Batches in one message.
const TOGETHER: u64 = 4;
/// How long the first attempt at a batch queues for a row, while it holds others, and how long any does. The server looks
/// for deadlocks after a second: before that, of two that wait for each other, it is we who give way.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(400);

/// A part of the key's range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lane {
    pub(super) after: Option<Vec<String>>,
    pub(super) upto: Option<Vec<String>>,
    #[serde(default)]
    pub(super) done: bool,
}

/// What has become of a message.
pub(super) enum Report {
    /// Its batches are done.
    Done {
        rows: u64,
        /// The longest time for which rows were held.
        held: Duration,
        /// The lane is at its end.
        over: bool,
    },
    /// It met somebody; the lane has gone back to where the journal says that it is.
    Met(String),
    /// The lane gives up.
    Failed(Error),
}

/// What all lanes work with.
#[derive(Clone, Copy)]
pub(super) struct Task<'w> {
    pub(super) work: &'w Work<'w>,
    pub(super) options: &'w RunOptions,
    /// What keeps triggers from firing.
    pub(super) silence: &'w str,
    /// Nobody waits for what comes next.
    pub(super) stop: &'w AtomicBool,
}

/// One that is at work.
pub(super) struct Worker<'w> {
    task: Task<'w>,
    session: Session,
    /// Its place among the lanes.
    at: usize,
    lane: Lane,
    /// Where the next batches end.
    edges: Vec<Vec<String>>,
    /// No edge is missing between the last one and the lane's end.
    whole: bool,
    /// The size of the batches whose end is known, and of those that it is not known of.
    size: u64,
    next: u64,
    patience: Patience,
}

/// How a lane waits for others.
struct Patience {
    backoff: Backoff,
    since: Instant,
    /// How long an attempt queues.
    wait: Duration,
}

impl Patience {
    fn new(options: &RunOptions) -> Self {
        Self { backoff: Backoff::new(), since: Instant::now(), wait: FIRST_WAIT.min(options.lock_timeout) }
    }
}

/// What a message has done.
#[derive(Default)]
struct Answer {
    /// For each batch: the rows it changed, and how long it held them.
    batches: Vec<(u64, Duration)>,
    edges: Vec<Vec<String>>,
}

impl<'w> Worker<'w> {
    /// For the lane of that place.
    pub(super) fn new(task: Task<'w>, session: Session, at: usize, lane: Lane) -> Self {
        let size = task.options.batch_rows.unwrap_or(FIRST);
        let patience = Patience::new(task.options);
        let mut worker =
            Self { task, session, at, lane, edges: Vec::new(), whole: false, size, next: size, patience };
        if task.work.key.is_place() {
            worker.pages();
        }
        worker
    }

    /// Sends a message for each ticket, until there are no more or the lane is at its end.
    pub(super) fn run(mut self, tickets: &Receiver<Ticket>, reports: &Sender<(usize, Report)>) {
        while let Ok(ticket) = tickets.recv() {
            let report = match self.message(&ticket) {
                Ok((rows, held)) => Report::Done { rows, held, over: self.lane.done },
                Err(error) => self.met(&ticket, error).map_or_else(Report::Failed, Report::Met),
            };
            let over = matches!(report, Report::Done { over: true, .. } | Report::Failed(_));
            if reports.send((self.at, report)).is_err() || over {
                return;
            }
        }
    }

    /// Sends the batches whose ends are known; gives the rows that they changed, and the longest that any were held.
    fn message(&mut self, ticket: &Ticket) -> Result<(u64, Duration)> {
        let (sql, stops) = self.text(ticket)?;
        let answer = answer(&self.session.batch_rows(&sql)?);
        if let Some(last) = stops.last() {
            self.lane = last.clone();
        }
        let asked = self.next;
        let held: Duration = answer.batches.iter().map(|(_, held)| *held).sum();
        if let Ok(count @ 1..) = u32::try_from(answer.batches.len()) {
            self.next = self.task.options.batch_rows.unwrap_or_else(|| adapted(self.size, held / count));
            self.patience = Patience::new(self.task.options);
        }
        self.size = asked;
        if self.task.work.key.is_place() {
            self.pages();
        } else {
            self.whole = (answer.edges.len() as u64) < TOGETHER;
            self.edges = answer.edges;
        }
        let longest = answer.batches.iter().map(|(_, held)| *held).max();
        self.leave_to_others(held);
        Ok((answer.batches.iter().map(|(rows, _)| rows).sum(), longest.unwrap_or_default()))
    }

    /// Pauses for the part of the time that the options give to others.
    fn leave_to_others(&self, held: Duration) {
        let throttle = self.task.options.throttle.clamp(0.0, 0.95);
        let until = Instant::now() + held.mul_f64(throttle / (1.0 - throttle));
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !self.task.stop.load(Ordering::Relaxed)
        {
            sleep(left.min(GLANCE));
        }
    }

    /// The text of the next message, and where the lane stands after each of its batches.
    fn text(&self, ticket: &Ticket) -> Result<(String, Vec<Lane>)> {
        let settings = Settings::of(self.task.options, self.patience.wait);
        let begin = |settings: &Settings| format!("{};\n{}", settings.begin(false), self.task.silence);
        let mut ends: Vec<Lane> = Vec::new();
        let mut after = &self.lane.after;
        let edges = self.edges.iter().map(Some).chain(self.whole.then_some(None));
        let mut sql = String::new();
        let last = self.edges.last().or(self.lane.after.as_ref());
        if !self.whole && !self.task.work.key.is_place() {
            // In a transaction of its own: what is held for a batch is held for nothing else, and texts of keys mean the
            // same to every session.
            let begin = begin(&Settings { as_configured: false, ..settings });
            let _ = write!(sql, "{begin};\n{};\nCOMMIT;\n", self.next_edges(last));
        }
        let begin = begin(&settings);
        let mut from = self.lane.clone();
        for edge in edges {
            let to = Lane {
                after: edge.or(self.lane.upto.as_ref()).cloned(),
                upto: self.lane.upto.clone(),
                done: edge.is_none(),
            };
            let range = self.task.work.key.within(after.as_deref(), to.after.as_deref());
            let refused = self.task.work.conflict.map(|conflict| {
                let (perhaps, really) = conflict(&range);
                let met = ledger::raise(MET, "the application wrote a row at the same moment");
                format!("IF {perhaps} THEN IF {really} THEN {met} END IF; END IF; ")
            });
            let entry =
                ledger::lane(ticket, self.at, &json(&from)?, &json(&to)?, &refused.unwrap_or_default());
            let _ = write!(
                sql,
                "{begin};\nSELECT pg_catalog.set_config('pql.since', \
                 extract(epoch FROM pg_catalog.clock_timestamp())::text, true);\n\
                 {};\n{entry};\n\
                 SELECT {} AS _pql_rows, (1e6 * (extract(epoch FROM pg_catalog.clock_timestamp()) \
                 - pg_catalog.current_setting('pql.since')::float8))::int8;\nCOMMIT;\n",
                counted(&(self.task.work.change)(&range)),
                ledger::CHANGED
            );
            from = to.clone();
            ends.push(to);
            after = &ends[ends.len() - 1].after;
        }
        Ok((sql, ends))
    }

    /// The query for the keys with which the next batches end; it gives fewer than are asked for where the lane ends.
    fn next_edges(&self, after: Option<&Vec<String>>) -> String {
        let range = self.task.work.key.within(after.map(Vec::as_slice), self.lane.upto.as_deref());
        let name = ident(&self.task.work.table.name);
        let key = self.task.work.key.list(&name);
        let parts = self.task.work.key.names();
        let texts: Vec<String> =
            (0..parts.len()).map(|at| format!("_pql_k{at}::text AS _pql_k{at}")).collect();
        let named = parts.iter().enumerate().map(|(at, part)| format!("{name}.{part} AS _pql_k{at}"));
        format!(
            "SELECT {0} FROM (SELECT {1}, pg_catalog.row_number() OVER (ORDER BY {key}) AS _pql_n FROM {2} \
             WHERE {range} ORDER BY {key} LIMIT {3}) AS _pql_e WHERE _pql_n % {4} = 0",
            texts.join(", "),
            named.collect::<Vec<_>>().join(", "),
            object(self.task.work.table),
            self.next * TOGETHER,
            self.next
        )
    }

    /// The same of places, for which nobody has to be asked.
    fn pages(&mut self) {
        let page = |key: Option<&Vec<String>>| -> u64 {
            let first = key.and_then(|key| key.first()).map_or("", String::as_str);
            first.trim_start_matches('(').split(',').next().and_then(|page| page.parse().ok()).unwrap_or(0)
        };
        // Pages hold at least a few dozen rows.
        let (from, end, step) =
            (page(self.lane.after.as_ref()), page(self.lane.upto.as_ref()), (self.next / 50).max(1));
        let ends = (1..=TOGETHER).map(|count| from + count * step);
        self.edges = ends.take_while(|next| *next < end).map(|next| vec![format!("({next},0)")]).collect();
        self.whole = (self.edges.len() as u64) < TOGETHER;
        self.size = self.next;
    }

    /// After a message that failed: goes back to where the journal says that the lane is, for smaller batches in a while.
    fn met(&mut self, ticket: &Ticket, error: Error) -> Result<String> {
        self.session.roll_back();
        let in_time = self.patience.since.elapsed() < self.task.options.retry_for;
        // What was lost with the connection is left to the runner.
        if !error.is_retryable() || error.code() == codes::CONNECTION || !in_time {
            return Err(error);
        }
        let standing = self.session.batch_rows(&ledger::standing(ticket))?;
        self.lane = read(&standing)?.0.lanes.into_iter().nth(self.at).ok_or_else(|| unreadable(None))?;
        self.next = (self.next / 2).max(1);
        (self.edges, self.whole) = (Vec::new(), false);
        if self.task.work.key.is_place() {
            self.pages();
        }
        self.patience.wait = (self.patience.wait * 2).min(LONGEST_WAIT).min(self.task.options.lock_timeout);
        let stop = self.task.stop;
        let stopped = || Error::new(codes::PAUSED, "the other lanes have ended");
        self.patience
            .backoff
            .wait(&mut || if stop.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) })?;
        Ok(error.message().to_owned())
    }
}

/// The number of the rows that a batch changes, noted for its entry in the journal.
fn counted(changed: &str) -> String {
    format!(
        "WITH {changed} SELECT pg_catalog.set_config('pql.changed', pg_catalog.count(*)::text, true) FROM {CHANGED}"
    )
}

fn json(lane: &Lane) -> Result<String> {
    serde_json::to_string(lane).map_err(|error| unreadable(Some(error)))
}

/// What the rows of a message's answer say.
fn answer(rows: &[Vec<SimpleQueryRow>]) -> Answer {
    let mut answer = Answer::default();
    for row in rows.iter().flatten() {
        let number = |at: usize| row.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let Some(first) = row.columns().first() else { continue };
        match first.name() {
            "_pql_rows" => answer.batches.push((number(0), Duration::from_micros(number(1)))),
            "_pql_k0" => answer
                .edges
                .push((0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect()),
            _ => {}
        }
    }
    answer
}

/// The next size, from how long batches of a size held their rows.
fn adapted(size: u64, held: Duration) -> u64 {
    let ratio = TARGET.as_secs_f64() / held.as_secs_f64().max(0.000_1);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a size between two small bounds"
    )]
    let next = (size as f64 * ratio.clamp(0.5, 2.0)) as u64;
    next.clamp(SMALLEST, LARGEST)
}
