//! The thread beside a run: renews the lease and looks for what other sessions ask, on a connection of its own, so
//! that neither waits for a long step. A failed attempt is simply tried again: what must not go wrong is verified
//! inside the run's own transactions. The connection is opened when there is something to do with it: most runs are over
//! before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pql_schema::MigrationId;

use crate::backend::{Connection, Opener};
use crate::journal::Journal;
use crate::runner::Signal;

use super::{BEAT, beat, release};

/// How often the flags are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What other sessions ask of a run.
#[derive(Debug, Default)]
pub(crate) struct Control(AtomicU8);

impl Control {
    /// What is asked now.
    pub(crate) fn signal(&self) -> Signal {
        match self.0.load(Ordering::Relaxed) {
            0 => Signal::Go,
            1 => Signal::Pause,
            _ => Signal::Cancel,
        }
    }

    fn set(&self, word: Option<&str>) {
        let signal = match word {
            Some("pause") => 1,
            Some("cancel") => 2,
            _ => 0,
        };
        self.0.store(signal, Ordering::Relaxed);
    }
}

/// The running thread.
pub(super) struct Watch {
    stop: Option<Sender<bool>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(
        opener: Opener,
        journal: Journal,
        fence: u64,
        id: Option<MigrationId>,
        control: Arc<Control>,
    ) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("pql-lease".to_owned())
            .spawn(move || run(opener, journal, fence, id, &control, &stopped))
            // Without the thread the lease ends after a while and the next commit says so.
            .ok();
        Self { stop: Some(stop), thread }
    }

    /// Ends the thread; the lease is given back by the caller.
    pub(super) fn stop(mut self) {
        self.end(false);
    }

    fn end(&mut self, give_back: bool) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already; then there is nobody to tell.
            let _ = stop.send(give_back);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    /// The run ended without giving the lease back (a panic in an observer): nobody should have to wait for it.
    fn drop(&mut self) {
        self.end(true);
    }
}

fn run(
    mut open: Opener,
    journal: Journal,
    fence: u64,
    id: Option<MigrationId>,
    control: &Control,
    stopped: &Receiver<bool>,
) {
    let mut beaten = Instant::now();
    let mut opened: Option<Box<dyn Connection + Send>> = None;
    loop {
        let word = stopped.recv_timeout(LOOK);
        if word == Ok(false) {
            return;
        }
        let ends = word != Err(RecvTimeoutError::Timeout);
        if opened.is_none() {
            opened = open().ok();
        }
        if let Some(connection) = opened.as_mut().filter(|_| ends) {
            let _ = release(journal, connection.as_mut(), fence);
        }
        if ends {
            return;
        }
        let Some(connection) = &mut opened else { continue };
        if let Some(id) = id
            && let Ok(word) = journal.control(connection.as_mut(), id)
        {
            control.set(word.as_deref());
        }
        if beaten.elapsed() >= BEAT && beat(journal, connection.as_mut(), fence).is_ok() {
            beaten = Instant::now();
        }
    }
}
