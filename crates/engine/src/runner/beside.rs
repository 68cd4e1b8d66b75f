//! Steps of one plan side by side, each on a connection of its own: builds of indexes and proofs on different tables,
//! which keep nobody waiting and need nothing of each other. Steps of one table stay in their order.
//!
//! What each of them has come to stands in the journal as ever, so that a run which is interrupted among them goes on,
//! or is taken back, with each from where it is. What the tables looked like is not noted with such a step: it would
//! change with the end of any other.

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pql_planner::Action;
use pql_schema::{MigrationStrategy, ObjectName};

use super::meter::Meter;
use super::{Observer, RunProgress, Runner, Signal, Unit, find};
use crate::Result;
use crate::backend::Backend;
use crate::journal::{State, StepRow};

/// How often the observer is told.
const GLANCE: Duration = Duration::from_millis(20);

/// Steps of one table.
type Lane = Vec<usize>;

/// The steps from one on that may run side by side.
pub(super) struct Group {
    lanes: Vec<Lane>,
    /// The step after them.
    pub(super) end: usize,
}

/// The table that a step works on alone, when it may have others beside it.
fn table(action: &Action) -> Option<&ObjectName> {
    match action {
        Action::CreateIndexConcurrently { index } => Some(&index.table),
        Action::ValidateConstraint { table, .. } | Action::Validate { table, .. } => Some(table),
        _ => None,
    }
}

/// What all that work side by side have in common.
struct Shared {
    /// The steps that nobody has begun.
    waiting: VecDeque<Lane>,
    /// How far each of those is that work.
    views: Vec<Option<RunProgress>>,
    /// What they are told.
    signal: Signal,
}

/// One of them, as its run sees it.
struct Seat<'s> {
    shared: &'s Mutex<Shared>,
    at: usize,
}

impl Observer for Seat<'_> {
    fn progress(&mut self, progress: &RunProgress) -> Signal {
        let mut shared = lock(self.shared);
        shared.views[self.at] = Some(progress.clone());
        shared.signal
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runner<'_> {
    /// The steps from this one on that may run side by side, where there are any.
    pub(super) fn group(&self, first: usize, rows: &[StepRow]) -> Option<Group> {
        if self.side_by_side < 2 || self.plan.strategy != MigrationStrategy::Online {
            return None;
        }
        let mut lanes: Vec<(&ObjectName, Lane)> = Vec::new();
        let mut end = first;
        while let Some(on) = self.plan.steps.get(end).and_then(|step| table(&step.action)) {
            let done = find(rows, Unit { step: end, undo: None }).is_some_and(|row| row.state == State::Done);
            match lanes.iter_mut().find(|(table, _)| *table == on) {
                _ if done => {}
                Some((_, lane)) => lane.push(end),
                None => lanes.push((on, vec![end])),
            }
            end += 1;
        }
        (lanes.len() > 1).then(|| Group { lanes: lanes.into_iter().map(|(_, lane)| lane).collect(), end })
    }

    /// Executes a group; false when there are no connections for it.
    pub(super) fn execute_beside(&mut self, group: &Group, rows: &[StepRow]) -> Result<bool> {
        let mut backends: Vec<Box<dyn Backend>> = Vec::new();
        while backends.len() < group.lanes.len().min(self.side_by_side) {
            // A server that has no more connections to give has as many as it wants to work.
            match self.backend.another() {
                Ok(Some(backend)) => backends.push(backend),
                Ok(None) | Err(_) => break,
            }
        }
        if backends.len() < 2 {
            return Ok(false);
        }
        for step in group.lanes.iter().flatten() {
            let unit = Unit { step: *step, undo: None };
            if let Some(row) = find(rows, unit) {
                self.undisturbed(unit, Some(row))?;
            }
        }
        let shared = Mutex::new(Shared {
            waiting: group.lanes.iter().cloned().collect(),
            views: vec![None; backends.len()],
            signal: Signal::Go,
        });
        let (plan, id, journal, lease) = (self.plan, self.id, self.journal, self.lease);
        let (options, cancellable, names) = (self.options, self.cancellable, &self.names);
        let (reports, inbox) = channel();
        let mut open = backends.len();
        let mut failure = None;
        thread::scope(|scope| {
            for (at, mut backend) in backends.into_iter().enumerate() {
                let (shared, reports) = (&shared, reports.clone());
                scope.spawn(move || {
                    let mut seat = Seat { shared, at };
                    let mut runner = Runner {
                        backend: backend.as_mut(),
                        journal,
                        id,
                        plan,
                        names: names.clone(),
                        lease,
                        options,
                        observer: &mut seat,
                        meter: Meter::new(id, plan.steps.len()),
                        cancellable,
                        side_by_side: 1,
                        beside: true,
                    };
                    let outcome = runner.lanes(shared, rows);
                    lock(shared).views[at] = None;
                    // Nobody listens any more only when everything is over.
                    let _ = reports.send((outcome, runner.meter));
                });
            }
            while open > 0 {
                match inbox.recv_timeout(GLANCE) {
                    Ok((outcome, meter)) => {
                        open -= 1;
                        self.meter.take_in(&meter);
                        if let Err(error) = outcome {
                            // The others stop where they are; why they do is not news.
                            let mut shared = lock(&shared);
                            shared.waiting.clear();
                            shared.signal = Signal::Pause;
                            failure.get_or_insert(error);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let view = lock(&shared).views.iter().flatten().min_by_key(|view| view.step).cloned();
                if let Some(view) = view {
                    let signal = self.meter.show(&view, self.observer);
                    let mut shared = lock(&shared);
                    if failure.is_none() {
                        shared.signal = signal;
                    }
                }
            }
        });
        failure.map_or(Ok(true), Err)
    }

    /// Takes up one table's steps after another.
    fn lanes(&mut self, shared: &Mutex<Shared>, rows: &[StepRow]) -> Result<()> {
        loop {
            let Some(lane) = lock(shared).waiting.pop_front() else { return Ok(()) };
            for step in lane {
                let unit = Unit { step, undo: None };
                self.execute(unit, find(rows, unit), false)?;
            }
        }
    }
}
