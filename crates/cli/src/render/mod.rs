//! Where everything that the program says goes: results to standard output, the rest to standard error.

pub(crate) mod csv;
mod excerpt;
pub(crate) mod problem;
mod terminal;

use std::io::{self, Write};

use pql::{Answer, Output, ResultSet, TableStyle};
use serde_json::json;

use crate::args::{Common, Format};
use crate::exit::Exit;

pub(crate) use problem::Problem;
pub(crate) use terminal::Terminal;

/// The program's voice.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Ui {
    /// How results are printed.
    pub(crate) format: Format,
    /// Results only.
    pub(crate) quiet: bool,
    /// Say more.
    pub(crate) verbose: bool,
    /// Prompts are answered with yes.
    yes: bool,
    /// Each row alone, a column a line.
    pub(crate) expanded: bool,
    /// What is on the other side.
    pub(crate) terminal: Terminal,
    /// Where results go instead of standard output.
    pub(crate) redirect: Option<std::fs::File>,
}

impl Ui {
    /// As the options say.
    pub(crate) fn new(options: &Common) -> Self {
        Self {
            format: options.output.unwrap_or(Format::Table),
            quiet: options.quiet,
            verbose: options.verbose,
            yes: options.yes,
            expanded: false,
            terminal: Terminal::detect(),
            redirect: None,
        }
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints text to standard output, as it is.
    pub(crate) fn print(&mut self, text: &str) {
        let result = match &mut self.redirect {
            Some(file) => file.write_all(text.as_bytes()),
            None => io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
        };
        if let Err(error) = result {
            // Whoever read us has had enough: `pql … | head`.
            let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Done } else { Exit::Failed };
            std::process::exit(exit as i32);
        }
    }

    /// Prints one line to standard output.
    pub(crate) fn line(&mut self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// Prints the answer to a statement.
    pub(crate) fn output(&mut self, output: &Output) {
        if self.is_json() {
            self.line(&output.to_json().to_string());
        } else {
            match &output.answer {
                Answer::Rows(rows) | Answer::Migration(_, rows) => self.rows(rows),
                Answer::Changed(count) if self.format != Format::Csv => {
                    self.note(&format!("{count} {} changed", if *count == 1 { "row" } else { "rows" }));
                }
                Answer::Changed(_) | Answer::Done => {}
            }
        }
        // For programs they are part of the answer.
        if !self.is_json() {
            output.warnings.iter().for_each(|warning| self.warning(warning));
        }
    }

    /// Prints rows in the chosen form.
    pub(crate) fn rows(&mut self, rows: &ResultSet) {
        match self.format {
            Format::Csv => self.print(&csv::text(rows)),
            Format::Json => {
                self.line(&json!({"columns": rows.columns(), "rows": rows.to_json()}).to_string());
            }
            Format::Table | Format::Pql | Format::Sql | Format::Mermaid => {
                let to_terminal = self.redirect.is_none();
                let style = TableStyle {
                    width: self.terminal.width.filter(|_| to_terminal && self.terminal.stdout),
                    expanded: self.expanded,
                    color: to_terminal && self.terminal.color_stdout(),
                };
                self.print(&rows.to_table(style));
                let count = rows.len();
                if self.terminal.stdout && to_terminal && !self.quiet {
                    self.line(&format!("({count} {})", if count == 1 { "row" } else { "rows" }));
                }
            }
        }
    }

    /// Something that went well, for people.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.is_json() {
            eprintln!("{text}");
        }
    }

    /// Something for those who asked for more.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            eprintln!("{text}");
        }
    }

    /// Something to know before it is too late.
    pub(crate) fn warning(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.is_json() {
            eprintln!("{}", json!({"warning": text}));
        } else if self.terminal.color_stderr() {
            eprintln!("\u{1b}[33mwarning:\u{1b}[0m {text}");
        } else {
            eprintln!("warning: {text}");
        }
    }

    /// Something went wrong: drawn on standard error for people, on standard output for programs.
    pub(crate) fn problem(&mut self, problem: &Problem) {
        if self.is_json() {
            let line = problem.to_json().to_string();
            self.line(&line);
        } else {
            eprint!("{}", problem.draw(self.terminal));
        }
    }

    /// An error with every other that was found with it.
    pub(crate) fn error(&mut self, error: &pql::Error, name: &str, text: &str) {
        for one in error.all() {
            let (name, text) = one.origin().unwrap_or((name, text));
            self.problem(&Problem::of_error(one, name, text));
        }
    }

    /// Whether there is somebody to ask, or somebody who has answered everything with yes.
    pub(crate) fn can_ask(&self) -> bool {
        self.yes || self.terminal.stdin && self.terminal.stderr && !self.is_json()
    }

    /// Asks a question that is answered with yes or no; anything else is no.
    pub(crate) fn ask(&self, question: &str) -> bool {
        if self.yes {
            return true;
        }
        eprint!("{question} [y/N] ");
        let mut line = String::new();
        let read = io::stderr().flush().and_then(|()| io::stdin().read_line(&mut line));
        read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// The program was called wrongly.
    pub(crate) fn usage(&mut self, message: &str, help: Option<&str>) -> Exit {
        self.problem(&Problem::usage(message, help));
        Exit::Usage
    }
}
