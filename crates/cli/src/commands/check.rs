//! `pql check`: whether files parse; nothing runs and no database is asked.

use std::path::{Path, PathBuf};

use pql::Places;
use pql_syntax::Severity;
use pql_syntax::ast::Statement;
use serde_json::json;

use crate::commands::source::Source;
use crate::exit::Exit;
use crate::render::{Problem, Ui};

/// Nobody reads more findings of one file than these; programs get all of them.
const MOST: usize = 100;

/// Reports every statement that does not parse, of every file.
pub(crate) fn run(ui: &mut Ui, files: &[PathBuf]) -> Exit {
    let failed = files.iter().filter(|path| !one(ui, path)).count();
    if failed == 0 { Exit::Done } else { Exit::Failed }
}

fn one(ui: &mut Ui, path: &Path) -> bool {
    let source = match Source::read(path) {
        Ok(source) => source,
        Err(problem) => {
            ui.problem(&problem);
            return false;
        }
    };
    let parse = pql_syntax::parse(&source.text);
    let told = |severity: Severity| severity == Severity::Error || !ui.quiet;
    let found: Vec<_> = parse.diagnostics().iter().filter(|it| told(it.severity)).collect();
    let shown = if ui.is_json() { found.len() } else { found.len().min(MOST) };
    let mut places = Places::new(&source.text);
    for diagnostic in &found[..shown] {
        ui.problem(&Problem::of_diagnostic(diagnostic, &source.name, &mut places).in_file(&source.name));
    }
    if shown < found.len() {
        ui.note(&format!("… and {} more", found.len() - shown));
    }
    let errors = parse.diagnostics().iter().filter(|it| it.severity == Severity::Error).count();
    // A command of psql's that is skipped is no statement.
    let statements = parse.statements().filter(|it| !matches!(it, Statement::Meta(_))).count();
    if ui.is_json() {
        ui.line(&json!({"file": source.name, "statements": statements, "errors": errors}).to_string());
    } else if errors > 0 {
        ui.note(&format!("{}: {errors} of {statements} statements do not parse", source.name));
    } else {
        ui.note(&format!("{}: {statements} statements", source.name));
    }
    errors == 0
}
