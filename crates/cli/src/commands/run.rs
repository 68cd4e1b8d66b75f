//! Running scripts: `-c`, `-f`, and standard input.

use std::path::PathBuf;

use pql::{Error, Event, Job, Output, Session};

use crate::commands::connect::block_on;
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

/// Runs all of it in order, and nothing when any of it does not parse or cannot be read.
pub(crate) fn run(ui: &mut Ui, session: &mut Session, inputs: &[Input]) -> Exit {
    let mut scripts = Vec::new();
    for input in inputs {
        match input {
            Input::Command(text) => scripts.push(Source { name: "command".to_owned(), text: text.clone() }),
            Input::File(path) => match Source::read(path) {
                Ok(source) => scripts.push(source),
                Err(problem) => {
                    ui.problem(&problem);
                    return Exit::Failed;
                }
            },
        }
    }
    if scripts.len() > 1 && !all_parse(ui, &scripts) {
        return Exit::Failed;
    }
    let mut interrupts = Interrupts::install();
    for script in &scripts {
        let exit = block_on(script_to_end(ui, session, &mut interrupts, &script.name, &script.text));
        if exit != Exit::Done {
            return exit;
        }
    }
    Exit::Done
}

fn all_parse(ui: &mut Ui, scripts: &[Source]) -> bool {
    let mut fine = true;
    for script in scripts {
        let parse = pql_syntax::parse(&script.text);
        if !parse.is_ok() {
            fine = false;
            for diagnostic in parse.diagnostics() {
                ui.problem(&crate::render::Problem::of_diagnostic(diagnostic, &script.name, &script.text));
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
    let job = match session.start(text) {
        Ok(job) => job,
        Err(error) => {
            ui.error(&error, name, text);
            return Exit::Failed;
        }
    };
    match watch(ui, job, interrupts, true).await {
        Ok(_) => Exit::Done,
        Err(error) => {
            ui.error(&error, name, text);
            Exit::Failed
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
                Some(Event::Progress(now)) => progress.show(&now),
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
