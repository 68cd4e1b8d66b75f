//! Running scripts: `-c`, `-f`, and standard input.

use std::path::PathBuf;

use pql::{Error, Event, Job, Output, Session};

use crate::commands::connect::{block_on, fail};
use crate::commands::source::Source;
use crate::exit::Exit;
use crate::interrupt::{Choice, Interrupts};
use crate::progress::Progress;
use crate::render::Ui;

/// Something to run.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// PQL from the command line.
    Command(String),
    /// A script.
    File(PathBuf),
}

/// Reads all of it; nothing is to run when any of it does not parse or cannot be read.
pub(crate) fn read(ui: &mut Ui, inputs: &[Input]) -> Result<Vec<Source>, Exit> {
    let mut scripts = Vec::new();
    for input in inputs {
        match input {
            Input::Command(text) => scripts.push(Source { name: "command".to_owned(), text: text.clone() }),
            Input::File(path) => match Source::read(path) {
                Ok(source) => scripts.push(source),
                Err(problem) => {
                    ui.problem(&problem);
                    return Err(Exit::Failed);
                }
            },
        }
    }
    if scripts.len() > 1 && !all_parse(ui, &scripts) {
        return Err(Exit::Failed);
    }
    Ok(scripts)
}

/// Runs all of it in order.
pub(crate) fn run(ui: &mut Ui, session: &mut Session, inputs: &[Input]) -> Exit {
    let scripts = match read(ui, inputs) {
        Ok(scripts) => scripts,
        Err(exit) => return exit,
    };
    let mut interrupts = Interrupts::install();
    let mut exit = Exit::Done;
    for script in &scripts {
        exit = block_on(script_to_end(ui, session, &mut interrupts, &script.name, &script.text));
        if exit != Exit::Done {
            break;
        }
    }
    match block_on(session.roll_back_open()) {
        Ok(false) => exit,
        Ok(true) => {
            ui.warning("a transaction was still open at the end and was rolled back; end it with COMMIT");
            Exit::Failed
        }
        Err(error) => fail(ui, &error),
    }
}

fn all_parse(ui: &mut Ui, scripts: &[Source]) -> bool {
    let mut fine = true;
    for script in scripts {
        let parse = pql_syntax::parse(&script.text);
        if !parse.is_ok() {
            fine = false;
            let mut places = pql::Places::new(&script.text);
            for diagnostic in parse.diagnostics() {
                ui.problem(&crate::render::Problem::of_diagnostic(diagnostic, &script.name, &mut places));
            }
        }
    }
    fine
}

/// Runs one script, shows what it answers and how it goes on, and listens to Ctrl-C.
pub(crate) async fn script_to_end(
    ui: &mut Ui,
    session: &mut Session,
    interrupts: &mut Interrupts,
    name: &str,
    text: &str,
) -> Exit {
    let mut rest = text;
    let mut consent = Consent::default();
    let exit = loop {
        let outcome = match session.start(rest) {
            Ok(job) => watch(ui, job, interrupts, true).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(_) => break Exit::Done,
            Err(error) => {
                let Some(statement) = consent.ask(ui, session, &error).await else {
                    ui.error(&error, name, rest);
                    break Exit::Failed;
                };
                rest = &rest[statement..];
            }
        }
    };
    consent.end(session).await;
    exit
}

/// What somebody in front of the terminal has agreed to, for one script.
#[derive(Debug, Default)]
struct Consent {
    answers: Vec<(String, bool)>,
    destructive: bool,
}

impl Consent {
    /// Asks what the statement that failed needs to know, where there is somebody to ask. With an answer it can be
    /// run again, from the place that is given.
    async fn ask(&mut self, ui: &Ui, session: &mut Session, error: &Error) -> Option<usize> {
        let statement = error.span().filter(|_| error.origin().is_none() && ui.can_ask())?.start;
        if error.code() == pql::codes::LOSES_DATA {
            self.destructive = ui.ask(&format!("{}. Do it?", error.message()));
            if !self.destructive {
                return None;
            }
            session.execute("SET allow_destructive = true").await.ok()?;
            return Some(statement);
        }
        let known = |id: &str| self.answers.iter().any(|(answered, _)| answered == id);
        let open: Vec<_> = error.questions().iter().filter(|question| !known(&question.id)).collect();
        if open.is_empty() {
            return None;
        }
        for question in open {
            self.answers.push((question.id.clone(), ui.ask(&question.question)));
        }
        for (id, answer) in &self.answers {
            session.answer(id.clone(), *answer);
        }
        Some(statement)
    }

    /// What was agreed to holds for one script.
    async fn end(self, session: &mut Session) {
        if self.destructive {
            // It was false before, or nobody would have been asked.
            let _ = session.execute("SET allow_destructive = false").await;
        }
    }
}

/// Follows a job to its end; answers are printed as they come, or gathered.
pub(crate) async fn watch(
    ui: &mut Ui,
    mut job: Job,
    interrupts: &mut Interrupts,
    print: bool,
) -> Result<Vec<Output>, Error> {
    let mut outputs = Vec::new();
    let mut progress = Progress::new(ui);
    interrupts.forget();
    loop {
        tokio::select! {
            event = job.next() => match event {
                Some(Event::Output(output)) => {
                    progress.clear();
                    if print {
                        ui.output(&output);
                    } else {
                        outputs.push(output);
                    }
                }
                Some(Event::Progress(now)) => progress.show(&now, !interrupts.is_asking()),
                Some(Event::Paused) => {
                    progress.clear();
                    // Letting go of the job leaves the migration paused; its last word says how to go on.
                    job.give_up();
                }
                Some(Event::Finished(result)) => {
                    progress.clear();
                    return result.map(|()| outputs);
                }
                None => return Ok(outputs),
            },
            choice = interrupts.next(progress.is_running(), ui.terminal) => {
                progress.clear();
                match choice {
                    Choice::Pause => job.pause(),
                    Choice::Cancel => job.cancel(),
                    Choice::GoOn => {}
                    Choice::Quit => std::process::exit(130),
                }
            }
        }
    }
}
