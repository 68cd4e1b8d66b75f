//! A script that runs while others look on and steer it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pql_engine::{Observer, RunProgress, Signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::error::Error;
use crate::output::Output;

/// What a job tells.
#[derive(Debug)]
pub enum Event {
    /// A statement is done.
    Output(Output),
    /// A migration goes on.
    Progress(RunProgress),
    /// A migration stands still because [`Job::pause`] was called; it waits for [`Job::resume`] or [`Job::cancel`].
    Paused,
    /// The script is at its end; nothing comes after it.
    Finished(Result<(), Error>),
}

/// A running script. Dropping it pauses the migration that is under way; nothing is left half done.
#[derive(Debug)]
pub struct Job {
    events: UnboundedReceiver<Event>,
    control: Arc<Control>,
}

impl Job {
    pub(crate) fn new(events: UnboundedReceiver<Event>, control: Arc<Control>) -> Self {
        Self { events, control }
    }

    /// The next event; `None` after [`Event::Finished`].
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Waits for the end and gives the outputs that were not taken by [`Job::next`].
    pub async fn finish(mut self) -> Result<Vec<Output>, Error> {
        let mut outputs = Vec::new();
        while let Some(event) = self.next().await {
            match event {
                Event::Output(output) => outputs.push(output),
                Event::Progress(_) | Event::Paused => {}
                Event::Finished(result) => return result.map(|()| outputs),
            }
        }
        Err(Error::session_closed())
    }

    /// Asks the migration to stop at the next place where it can; it can be resumed, also by another session.
    pub fn pause(&self) {
        self.control.set(Signal::Pause);
    }

    /// Lets a paused migration go on.
    pub fn resume(&self) {
        self.control.set(Signal::Go);
    }

    /// Leaves a paused migration to be resumed later, by whoever it may be; the job then ends with the error that
    /// says so.
    pub fn give_up(&self) {
        self.control.abandon();
    }

    /// Asks the migration to stop and to take back what it did.
    pub fn cancel(&self) {
        self.control.set(Signal::Cancel);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.control.abandon();
    }
}

/// What a job's script has been told.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    signal: Signal,
    /// Nobody is left to say anything else.
    abandoned: bool,
}

impl Control {
    fn set(&self, signal: Signal) {
        self.lock().signal = signal;
        self.changed.notify_all();
    }

    fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        if state.signal == Signal::Go {
            state.signal = Signal::Pause;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// What was said last.
    pub(crate) fn signal(&self) -> Signal {
        self.lock().signal
    }

    /// Whether nobody waits for the result any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Waits until a pause is over and gives what was said then; `Pause` when nobody is left to say it.
    pub(crate) fn wait(&self) -> Signal {
        let state = self
            .changed
            .wait_while(self.lock(), |state| state.signal == Signal::Pause && !state.abandoned)
            .unwrap_or_else(PoisonError::into_inner);
        state.signal
    }

    /// A word and a flag are never half written, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The script's end of a job.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) control: Arc<Control>,
}

impl Line {
    /// Nobody may be listening any more; then there is nobody to tell that either.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

impl Observer for &Line {
    fn progress(&mut self, progress: &RunProgress) -> Signal {
        self.tell(Event::Progress(progress.clone()));
        self.control.signal()
    }
}
