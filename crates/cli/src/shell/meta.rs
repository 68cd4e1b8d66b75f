//! The shell's own commands.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::editor::Editor;
use super::{Next, Shell};
use crate::commands::connect::param_value;
use crate::commands::source::Source;

const HELP: &str = "\
\\?                 this help
\\d [NAME]          tables, or what one is made of
\\dm                migrations
\\timing            show how long statements take, or no longer
\\x                 rows upright, or as a table again
\\o [FILE]          results to a file, or here again
\\i FILE            run a script
\\e                 write statements in $EDITOR
\\bind NAME VALUE   give @NAME a value (@FILE: the content of a file)
\\c DATABASE        another database
\\q                 leave
Statements end with a semicolon. Ctrl-C while a migration runs asks what to do with it.";

impl Shell<'_> {
    pub(super) fn meta(&mut self, editor: &mut Editor, input: &str) -> Next {
        let (command, argument) = match input.split_once(char::is_whitespace) {
            Some((command, argument)) => (command, argument.trim()),
            None => (input, ""),
        };
        let argument = argument.trim_end_matches(';').trim();
        match command {
            "\\q" => return Next::Quit,
            "\\?" | "\\h" => self.ui.line(HELP),
            "\\d" if argument.is_empty() => self.script("input", "DESCRIBE;"),
            "\\d" => self.script("input", &format!("DESCRIBE {argument};")),
            "\\dm" => self.script("input", "MIGRATE STATUS;"),
            "\\timing" => {
                self.timing = !self.timing;
                self.ui.note(if self.timing { "times are shown" } else { "times are not shown" });
            }
            "\\x" => {
                self.ui.expanded = !self.ui.expanded;
                self.ui.note(if self.ui.expanded { "rows stand upright" } else { "rows lie in a table" });
            }
            "\\o" => self.redirect(argument),
            "\\i" if !argument.is_empty() => {
                self.run_file(Path::new(argument));
                self.refresh(editor);
            }
            "\\e" => {
                if let Some(text) = self.edit() {
                    self.ui.note(text.trim_end());
                    self.script("input", &text);
                    self.refresh(editor);
                }
            }
            "\\bind" => self.bind(argument),
            "\\c" if !argument.is_empty() => self.reconnect(editor, argument),
            "\\i" | "\\c" => self.ui.warning(&format!("{command} needs an argument; \\? for help")),
            _ => self.unknown(command),
        }
        Next::GoOn
    }

    fn unknown(&self, command: &str) {
        let near = pql_syntax::suggest::nearest(command, super::complete::META.iter().copied());
        let help = near.map_or_else(|| "\\? for help".to_owned(), |near| format!("did you mean {near}?"));
        self.ui.warning(&format!("there is no command {command}; {help}"));
    }

    fn redirect(&mut self, path: &str) {
        self.ui.redirect = None;
        if path.is_empty() {
            return;
        }
        match File::create(path) {
            Ok(file) => self.ui.redirect = Some(file),
            Err(error) => self.ui.warning(&format!("cannot write {path}: {error}")),
        }
    }

    fn run_file(&mut self, path: &Path) {
        match Source::read(path) {
            Ok(source) => self.script(&source.name, &source.text),
            Err(problem) => self.ui.problem(&problem),
        }
    }

    fn bind(&mut self, argument: &str) {
        let Some((name, value)) = argument.split_once(char::is_whitespace) else {
            self.ui.warning("\\bind needs a name and a value");
            return;
        };
        match param_value(value.trim()) {
            Ok(value) => self.session.bind(name.trim_start_matches('@'), value),
            Err(problem) => self.ui.problem(&problem),
        }
    }

    /// What was written in the editor; `None` when nothing was, or it could not be.
    fn edit(&mut self) -> Option<String> {
        let attempt = || -> std::io::Result<String> {
            let mut file = tempfile::Builder::new().prefix("pql-").suffix(".pql").tempfile()?;
            file.flush()?;
            let editor = std::env::var("VISUAL")
                .or_else(|_| std::env::var("EDITOR"))
                .unwrap_or_else(|_| "vi".to_owned());
            // The variable may hold options too.
            let mut words = editor.split_whitespace();
            let status = Command::new(words.next().unwrap_or("vi")).args(words).arg(file.path()).status()?;
            if status.success() { std::fs::read_to_string(file.path()) } else { Ok(String::new()) }
        };
        match attempt() {
            Ok(text) if text.trim().is_empty() => None,
            Ok(text) => Some(text),
            Err(error) => {
                self.ui.warning(&format!("the editor could not be used: {error}"));
                None
            }
        }
    }
}
