//! A table changed in batches: ranges of its key, one short transaction each, on two connections at a time where the
//! table is large.
//!
//! - A lane owns a part of the key's range. Its transaction is begun and its rows are changed on a thread of its own;
//!   the coordinator journals in it and commits it, so that the journal always says where each lane stands.
//! - The rows that were there at the start are bounded by the largest key then; rows that moved past a lane are found by
//!   a last look at the whole table.
//! - A batch waits for no disk: its transaction may be lost by a crash of the server, and its journal entry with it.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use postgres::SimpleQueryRow;
use pql_schema::ObjectName;
use serde::{Deserialize, Serialize};

use super::super::blockers::literal;
use super::super::brake::Brake;
use super::super::link::Session;
use super::super::run::{Run, done};
use super::super::transaction::{self, Settings};
use super::rows::Key;
use super::statements::{ident, object};
use super::{catalog, silence};
use crate::backend::{Connection as _, Progress};
use crate::error::codes;
use crate::runner::Backoff;
use crate::{Error, Result};

/// How long a batch should hold its rows: the application waits for those that it wants.
const TARGET: Duration = Duration::from_millis(20);
/// The size of the first batch.
const FIRST: u64 = 1_000;
/// The bounds of what a batch adapts to.
const SMALLEST: u64 = 50;
const LARGEST: u64 = 20_000;
/// How often is listened during a wait.
const GLANCE: Duration = Duration::from_millis(20);
/// Tables with fewer rows are not worth a second connection.
const WORTH_TWO: u64 = 20_000;

/// What is done to the rows of each range.
pub(super) struct Work<'a> {
    /// The table.
    pub(super) table: &'a ObjectName,
    /// What of it is written.
    pub(super) columns: Vec<String>,
    /// How its rows are told apart.
    pub(super) key: Key,
    /// The statement for the rows for which a condition holds; gives the number of rows it changed.
    pub(super) change: &'a (dyn Fn(&str) -> String + Sync),
    /// A condition of the rows that are still to be changed, for the last look.
    pub(super) left: String,
    /// A query that is true when a batch, for the rows of this condition, has changed a row that it must not; it is
    /// then rolled back and tried again.
    pub(super) conflict: Option<&'a (dyn Fn(&str) -> String + Sync)>,
}

/// Where all lanes stand, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    lanes: Vec<Lane>,
    rows: u64,
    /// The ranges are done; what is left is the last look.
    #[serde(default)]
    last_look: bool,
}

/// A part of the key's range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lane {
    after: Option<Vec<String>>,
    upto: Option<Vec<String>>,
    #[serde(default)]
    done: bool,
}

/// What a lane is asked to do, and hands back.
struct Order {
    session: Session,
    lane: Lane,
    rows: u64,
}

struct Answer {
    session: Session,
    outcome: Result<Batch>,
}

/// A batch whose transaction is open.
struct Batch {
    /// The last key of the batch; `None`: the lane is at its end.
    upto: Option<Vec<String>>,
    changed: u64,
    /// The transaction's number.
    number: Option<String>,
    /// Since when rows are held.
    held: Instant,
}

/// Changes all rows and marks the action as done.
pub(super) fn all(run: &mut Run<'_>, work: &Work<'_>) -> Result<()> {
    if !run.online() {
        return at_once(run, work);
    }
    let total = rows_of(run.session, work.table)?;
    let mut cursor = match run.step.cursor().map(serde_json::from_str) {
        Some(Ok(cursor)) => cursor,
        Some(Err(error)) => {
            return Err(
                Error::new(codes::UNREADABLE, "the cursor of a backfill cannot be read").with_source(error)
            );
        }
        None => begin(run.session, work, total)?,
    };
    let mut brake = Brake::new(run.step.options());
    if !cursor.last_look {
        ranges(run, work, &mut cursor, total, &mut brake)?;
    }
    last_look(run, work, &mut cursor, total, &mut brake)?;
    run.write(|_| Ok(((), Progress { rows: cursor.rows, total: Some(total), ..done() })))
}

/// In one transaction: nobody is to be kept from anything.
fn at_once(run: &mut Run<'_>, work: &Work<'_>) -> Result<()> {
    let silence = silence::of(run.session, work.table, &work.columns)?;
    let sql = (work.change)("true");
    run.write(|session| {
        session.batch(&silence)?;
        let rows = session.execute(&sql, &[])?;
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
            return Ok(Cursor { lanes: Vec::new(), rows: 0, last_look: false });
        };
        let middle = if total >= WORTH_TWO { edge(session, work, "ASC", total / 2)? } else { None };
        match middle.filter(|middle| *middle != end) {
            Some(middle) => vec![
                Lane { after: None, upto: Some(middle.clone()), done: false },
                Lane { after: Some(middle), upto: Some(end), done: false },
            ],
            None => vec![Lane { after: None, upto: Some(end), done: false }],
        }
    };
    Ok(Cursor { lanes, rows: 0, last_look: false })
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
    let found = session.query(sql, &[])?;
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
    cursor: &mut Cursor,
    total: u64,
    brake: &mut Brake,
) -> Result<()> {
    let silence = silence::of(run.session, work.table, &work.columns)?;
    let settings = Settings::of(run.step.options(), run.step.options().lock_timeout);
    let lanes = cursor.lanes.clone();
    hold(run, brake, work.table)?;
    let mut crew = Crew::new(run, cursor, total, brake);
    thread::scope(|scope| {
        let (answers, inbox) = channel::<(usize, Answer)>();
        let mut outboxes: Vec<Sender<Order>> = Vec::new();
        let mut open = 0usize;
        for (at, lane) in lanes.iter().enumerate() {
            let (outbox, orders) = channel::<Order>();
            let (answers, silence, settings) = (answers.clone(), &silence, &settings);
            scope.spawn(move || {
                while let Ok(mut order) = orders.recv() {
                    let outcome = batch(&mut order.session, work, settings, silence, &order.lane, order.rows);
                    let answer = Answer { session: order.session, outcome };
                    if answers.send((at, answer)).is_err() {
                        return;
                    }
                }
            });
            if !lane.done {
                let session = crew.run.another()?;
                open += usize::from(outbox.send(crew.order(at, session)).is_ok());
            }
            outboxes.push(outbox);
        }
        let mut parked = Vec::new();
        while open > 0 {
            let Ok((at, answer)) = inbox.recv() else { break };
            parked.extend(crew.settle(at, answer).map(|order| (at, order)));
            open -= 1;
            // No transaction is open while we wait.
            if !parked.is_empty() && crew.must_wait(work.table) {
                if open > 0 {
                    continue;
                }
                crew.failure = hold(crew.run, crew.brake, work.table).err();
            }
            for (at, order) in parked.drain(..).filter(|_| crew.failure.is_none()) {
                open += usize::from(outboxes[at].send(order).is_ok());
            }
        }
        drop(outboxes);
        crew.failure.take().map_or(Ok(()), Err)
    })
}

/// The lanes as their coordinator sees them.
struct Crew<'c, 'r> {
    run: &'c mut Run<'r>,
    cursor: &'c mut Cursor,
    total: u64,
    /// The size of each lane's next batch.
    sizes: Vec<u64>,
    /// Since when each lane tries, and how it waits.
    patience: Vec<(Backoff, Instant)>,
    /// What may make all of them wait.
    brake: &'c mut Brake,
    /// What ends the work, once the batches that are under way have ended.
    failure: Option<Error>,
}

impl<'c, 'r> Crew<'c, 'r> {
    fn new(run: &'c mut Run<'r>, cursor: &'c mut Cursor, total: u64, brake: &'c mut Brake) -> Self {
        let size = run.step.options().batch_rows.unwrap_or(FIRST);
        let patience = cursor.lanes.iter().map(|_| (Backoff::new(), Instant::now())).collect();
        Self { sizes: vec![size; cursor.lanes.len()], run, cursor, total, patience, brake, failure: None }
    }

    fn order(&self, at: usize, session: Session) -> Order {
        Order { session, lane: self.cursor.lanes[at].clone(), rows: self.sizes[at] }
    }

    /// Takes a batch up: journals and commits it, or rolls it back. Gives what the lane does next, if anything.
    fn settle(&mut self, at: usize, answer: Answer) -> Option<Order> {
        let Answer { mut session, outcome } = answer;
        if self.failure.is_some() {
            session.roll_back();
            return None;
        }
        let committed = outcome.and_then(|batch| {
            commit(self.run, &mut session, self.cursor, at, &batch, self.total)?;
            Ok((batch.upto.is_some(), batch.held.elapsed()))
        });
        match committed {
            Ok((more, held)) => {
                self.rest(at, held);
                (more && self.failure.is_none()).then(|| self.order(at, session))
            }
            Err(error) => {
                session.roll_back();
                self.try_again(at, error);
                self.failure.is_none().then(|| self.order(at, session))
            }
        }
    }

    /// Whether a standby or the disk asks for a pause.
    fn must_wait(&mut self, table: &ObjectName) -> bool {
        self.failure.is_none() && self.brake.reason(self.run.session, table, self.run.step).is_some()
    }

    /// After a batch: the size of the next, a word to whoever watches, and time for others.
    fn rest(&mut self, at: usize, held: Duration) {
        self.patience[at] = (Backoff::new(), Instant::now());
        self.run.step.held(held);
        if self.run.step.options().batch_rows.is_none() {
            self.sizes[at] = adapted(self.sizes[at], held);
        }
        let total = Some(self.total.max(self.cursor.rows));
        let progress = Progress { rows: self.cursor.rows, total, ..Progress::default() };
        self.failure = self.run.step.breathe(&progress).err();
        let throttle = self.run.step.options().throttle.clamp(0.0, 0.95);
        if throttle > 0.0 {
            thread::sleep(held.mul_f64(throttle / (1.0 - throttle)));
        }
    }

    /// After a batch that met somebody: a smaller one, in a while.
    fn try_again(&mut self, at: usize, error: Error) {
        let in_time = self.patience[at].1.elapsed() < self.run.step.options().retry_for;
        if !error.is_retryable() || error.code() == codes::CONNECTION || !in_time {
            self.failure = Some(error);
            return;
        }
        self.run.step.waiting(error.message());
        self.sizes[at] = (self.sizes[at] / 2).max(1);
        let step = &mut *self.run.step;
        self.failure = self.patience[at].0.wait(&mut || step.listen()).err();
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

/// The next size, from how long the last batch took.
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

/// Begins a transaction and changes the next rows of a lane in it: one round trip before rows are held, one for them.
/// On a server that is busy it is these that take the time.
fn batch(
    session: &mut Session,
    work: &Work<'_>,
    settings: &Settings,
    silence: &str,
    lane: &Lane,
    rows: u64,
) -> Result<Batch> {
    let upto = if work.key.is_place() {
        transaction::begin_asking(session, settings, silence)?;
        next_page(lane, rows)
    } else {
        let first = format!("{silence}; {}", next_edge(work, lane, rows));
        let found = transaction::begin_asking(session, settings, &first)?;
        let texts = |row: &SimpleQueryRow| {
            (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        found.first().map(texts)
    };
    let range = work.key.within(lane.after.as_deref(), upto.as_deref().or(lane.upto.as_deref()));
    let held = Instant::now();
    let mut sql = format!("{};\nSELECT pg_catalog.pg_current_xact_id()::text", (work.change)(&range));
    sql.extend(work.conflict.map(|conflict| format!(";\n{}", conflict(&range))));
    let mut found = session.batch_counts(&sql)?.into_iter();
    let mut next = || found.next().unwrap_or_default();
    let ((changed, _), (_, number), (_, conflict)) = (next(), next(), next());
    if changed > 0 && conflict.as_deref() == Some("t") {
        return Err(met());
    }
    Ok(Batch { upto, changed, number, held })
}

/// A batch has changed a row that the application wrote meanwhile.
fn met() -> Error {
    Error::new(codes::LOCKED, "the application wrote a row at the same moment").retryable()
}

/// The place with which the next batch ends; `None` when that is the lane's end.
fn next_page(lane: &Lane, rows: u64) -> Option<Vec<String>> {
    // Pages hold at least a few dozen rows.
    let page = |key: Option<&Vec<String>>| -> Option<u64> {
        key?.first()?.trim_start_matches('(').split(',').next()?.parse::<u64>().ok()
    };
    let next = page(lane.after.as_ref()).unwrap_or(0) + (rows / 50).max(1);
    let end = page(lane.upto.as_ref()).unwrap_or(0);
    (next < end).then(|| vec![format!("({next},0)")])
}

/// The query for the key with which the next batch ends; it gives no row when that is the lane's end.
fn next_edge(work: &Work<'_>, lane: &Lane, rows: u64) -> String {
    let range = work.key.within(lane.after.as_deref(), lane.upto.as_deref());
    let name = ident(&work.table.name);
    format!(
        "SELECT {} FROM {} WHERE {range} ORDER BY {} OFFSET {} LIMIT 1",
        work.key.texts(&name),
        object(work.table),
        work.key.list(&name),
        rows.saturating_sub(1)
    )
}

/// Journals a batch in its own transaction, and commits it.
fn commit(
    run: &mut Run<'_>,
    session: &mut Session,
    cursor: &mut Cursor,
    at: usize,
    batch: &Batch,
    total: u64,
) -> Result<()> {
    let mut next = cursor.clone();
    next.rows += batch.changed;
    match &batch.upto {
        Some(upto) => next.lanes[at].after = Some(upto.clone()),
        None => next.lanes[at].done = true,
    }
    let progress = Progress {
        cursor: serde_json::to_string(&next).ok(),
        rows: next.rows,
        total: Some(total.max(next.rows)),
        done: false,
    };
    run.step.commit(session, &progress)?;
    transaction::commit_numbered(session, batch.number.as_deref())?;
    *cursor = next;
    Ok(())
}

/// Changes the rows that no range has met: they moved meanwhile, or came below where a lane was.
fn last_look(
    run: &mut Run<'_>,
    work: &Work<'_>,
    cursor: &mut Cursor,
    total: u64,
    brake: &mut Brake,
) -> Result<()> {
    let silence = silence::of(run.session, work.table, &work.columns)?;
    cursor.last_look = true;
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
            return Ok(());
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
        let rows = cursor.rows;
        let so_far = serde_json::to_string(&*cursor).ok();
        cursor.rows = run.write(|session| {
            session.batch(&silence)?;
            let changed = session.execute(&change, &[])?;
            if let Some(conflict) = &conflict
                && catalog::is_true(session, conflict)?
            {
                return Err(met());
            }
            let rows = rows + changed;
            Ok((rows, Progress { cursor: so_far.clone(), rows, total: Some(total.max(rows)), done: false }))
        })?;
    }
}
