//! Ctrl-C: while a migration runs it asks what to do, and a second one pauses it. Nothing is ever left half done.

use std::io::{BufRead, Write};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::render::Terminal;

/// What the person in front of the terminal wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Stop the migration; it can be resumed.
    Pause,
    /// Stop it and take back what it did.
    Cancel,
    /// Let it run.
    GoOn,
    /// Nothing of ours is running: end the program.
    Quit,
}

#[derive(Debug)]
enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// The answer to the question.
    Answer(Choice),
}

/// The program's ear for Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signals: UnboundedReceiver<Signal>,
    answers: UnboundedSender<Signal>,
    asking: bool,
}

impl Interrupts {
    /// Takes Ctrl-C over from the operating system. Where that is not possible Ctrl-C ends the program as usual, and
    /// what it was doing is found and reported by the next session.
    pub(crate) fn install() -> Self {
        let (sender, signals) = unbounded_channel();
        let handler = sender.clone();
        // Only one handler can be installed; the first one's channel stays in use.
        let _ = ctrlc::set_handler(move || {
            let _ = handler.send(Signal::Interrupt);
        });
        Self { signals, answers: sender, asking: false }
    }

    /// A Ctrl-C from before does not belong to what begins now.
    pub(crate) fn forget(&mut self) {
        while self.signals.try_recv().is_ok() {}
        self.asking = false;
    }

    /// Whether a question stands on the terminal, which nothing should be drawn over.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Waits for a decision. Without a terminal there is nobody to ask, and Ctrl-C pauses.
    pub(crate) async fn next(&mut self, migrating: bool, terminal: Terminal) -> Choice {
        loop {
            match self.signals.recv().await {
                Some(Signal::Answer(choice)) => {
                    self.asking = false;
                    return choice;
                }
                Some(Signal::Interrupt) if !migrating => return Choice::Quit,
                Some(Signal::Interrupt) if self.asking || !(terminal.stdin && terminal.stderr) => {
                    return Choice::Pause;
                }
                Some(Signal::Interrupt) => {
                    self.asking = true;
                    self.ask();
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Asks on a thread of its own: the migration goes on meanwhile.
    fn ask(&self) {
        let answers = self.answers.clone();
        std::thread::spawn(move || {
            eprint!("\n[p]ause, [c]ancel and roll back, or [g]o on? ");
            let _ = std::io::stderr().flush();
            let mut line = String::new();
            let _ = std::io::stdin().lock().read_line(&mut line);
            let choice = match line.trim().chars().next().map(|c| c.to_ascii_lowercase()) {
                Some('p') => Choice::Pause,
                Some('c') => Choice::Cancel,
                _ => Choice::GoOn,
            };
            let _ = answers.send(Signal::Answer(choice));
        });
    }
}
