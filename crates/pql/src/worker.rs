//! The thread on which a session's engine lives. The engine blocks; its callers do not.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::interpreter::Interpreter;

type Task = Box<dyn FnOnce(&mut Interpreter) + Send>;

/// A handle of the thread, which ends when the last one is dropped and its work is done.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    tasks: Sender<Task>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(mut interpreter: Interpreter) -> Result<Self, Error> {
        let (tasks, queue) = channel::<Task>();
        let work = move || queue.into_iter().for_each(|task| task(&mut interpreter));
        thread::Builder::new()
            .name("pql-session".to_owned())
            .spawn(work)
            .map_err(|error| Error::session_closed().with_source(error))?;
        Ok(Self { tasks })
    }

    /// Puts a task at the end of the queue.
    pub(crate) fn post(&self, task: impl FnOnce(&mut Interpreter) + Send + 'static) -> Result<(), Error> {
        self.tasks.send(Box::new(task)).map_err(|_| Error::session_closed())
    }

    /// The same, and waits for what it gives.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Interpreter) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.post(move |interpreter| {
            // Who asked may have gone.
            let _ = answer.send(task(interpreter));
        })?;
        answered.await.map_err(|_| Error::session_closed())?
    }
}
