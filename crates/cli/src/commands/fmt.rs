//! `pql fmt`: files in the standard form.

use std::path::{Path, PathBuf};

use pql::Places;

use crate::commands::source::{Source, is_stdin};
use crate::exit::Exit;
use crate::render::{Problem, Ui};

/// Formats each file in place (standard input to standard output); with `check`, only says which would change.
pub(crate) fn run(ui: &mut Ui, files: &[PathBuf], check: bool) -> Exit {
    files.iter().map(|path| one(ui, path, check)).max_by_key(|exit| rank(*exit)).unwrap_or(Exit::Done)
}

/// A file that does not parse is worse than one that differs.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Differs => 1,
        Exit::Usage => 2,
        Exit::Failed => 3,
    }
}

fn one(ui: &mut Ui, path: &Path, check: bool) -> Exit {
    let source = match Source::read(path) {
        Ok(source) => source,
        Err(problem) => {
            ui.problem(&problem);
            return Exit::Failed;
        }
    };
    let formatted = match pql_syntax::format(&source.text) {
        Ok(formatted) => formatted,
        Err(diagnostics) => {
            let mut places = Places::new(&source.text);
            for diagnostic in &diagnostics {
                ui.problem(
                    &Problem::of_diagnostic(diagnostic, &source.name, &mut places).in_file(&source.name),
                );
            }
            return Exit::Failed;
        }
    };
    let differs = formatted != source.text;
    if check {
        if differs {
            ui.line(&source.name);
            return Exit::Differs;
        }
    } else if is_stdin(path) {
        ui.print(&formatted);
    } else if differs {
        if let Err(error) = std::fs::write(path, formatted) {
            ui.problem(&Problem::file(&format!("cannot write {}: {error}", source.name)));
            return Exit::Failed;
        }
        ui.note(&format!("formatted {}", source.name));
    }
    Exit::Done
}
