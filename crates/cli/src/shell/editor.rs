//! Line editing: several lines until a statement is complete, with history, completion and colours.

use rustyline::completion::Completer;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Helper};

use super::complete::{self, Names};
use super::{highlight, history};

/// The most entries that are kept.
const HISTORY: usize = 10_000;

/// The shell's input line.
pub(super) struct Editor {
    inner: rustyline::Editor<Assistant, DefaultHistory>,
}

impl Editor {
    pub(super) fn new(color: bool) -> Result<Self, ReadlineError> {
        let mut inner = rustyline::Editor::<Assistant, DefaultHistory>::new()?;
        inner.set_max_history_size(HISTORY)?;
        inner.set_auto_add_history(false);
        inner.set_completion_type(CompletionType::List);
        inner.set_helper(Some(Assistant { names: Names::default(), color }));
        if let Some(file) = history::file() {
            // The first time there is none.
            let _ = inner.load_history(&file);
        }
        Ok(Self { inner })
    }

    /// Reads one input: a command of the shell, or statements up to a `;` at the end of a line.
    pub(super) fn read(&mut self, prompt: &str) -> Result<String, ReadlineError> {
        let input = self.inner.readline(prompt)?;
        if !input.trim().is_empty() && !history::is_secret(&input) {
            self.inner.add_history_entry(input.trim())?;
        }
        Ok(input)
    }

    /// The names to complete.
    pub(super) fn set_names(&mut self, names: Names) {
        if let Some(assistant) = self.inner.helper_mut() {
            assistant.names = names;
        }
    }

    /// Keeps the history for the next time.
    pub(super) fn save(&mut self) {
        if let Some(file) = history::file() {
            // A history that cannot be kept is no reason to trouble anyone.
            let _ = self.inner.save_history(&file);
        }
    }
}

/// What helps while a line is edited.
struct Assistant {
    names: Names,
    color: bool,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> Result<(usize, Vec<String>), ReadlineError> {
        Ok(complete::complete(&self.names, line, at))
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> std::borrow::Cow<'l, str> {
        if self.color { highlight::colored(line).into() } else { line.into() }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.color
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult, ReadlineError> {
        Ok(if is_complete(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

/// Whether Enter runs the input: a command of the shell, nothing at all, or statements of which the last is ended.
fn is_complete(input: &str) -> bool {
    let trimmed = input.trim();
    if trimmed.is_empty() || trimmed.starts_with('\\') {
        return true;
    }
    let parse = pql_syntax::parse(input);
    let last = parse
        .syntax()
        .children_with_tokens()
        .filter(|element| !element.kind().is_trivia())
        .last()
        .map(|element| element.kind());
    last == Some(pql_syntax::SyntaxKind::semicolon)
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn a_statement_is_complete_at_its_end() {
        for text in ["", "\\d users", "SHOW ALL;", "SELECT ';';", "SELECT 1; -- done", "SELECT 1;\n"] {
            assert!(is_complete(text), "{text:?}");
        }
        for text in [
            "SHOW ALL",
            "SELECT ';",
            "SELECT (1;",
            "/* ;",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
        ] {
            assert!(!is_complete(text), "{text:?}");
        }
    }
}
