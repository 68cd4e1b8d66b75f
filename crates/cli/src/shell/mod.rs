//! The interactive shell.

mod complete;
mod editor;
mod highlight;
mod history;
mod meta;

use std::time::Instant;

use pql::Session;
use rustyline::error::ReadlineError;

use crate::args::Common;
use crate::commands::connect::{block_on, connect, fail};
use crate::commands::run::script_to_end;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::render::Ui;
use editor::Editor;

/// What the shell remembers between two inputs.
pub(crate) struct Shell<'u> {
    ui: &'u mut Ui,
    common: &'u Common,
    session: Session,
    interrupts: Interrupts,
    database: String,
    timing: bool,
}

/// What comes after an input.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Quit,
}

/// Reads and runs until the end of input or `\q`.
pub(crate) fn run(ui: &mut Ui, common: &Common, session: Session, database: Option<&str>) -> Exit {
    let mut editor = match Editor::new(ui.terminal.color_stdout()) {
        Ok(editor) => editor,
        Err(error) => return ui.usage(&format!("the terminal cannot be used: {error}"), None),
    };
    let mut shell = Shell {
        ui,
        common,
        session,
        interrupts: Interrupts::install(),
        database: database.unwrap_or_default().to_owned(),
        timing: false,
    };
    shell.ui.note(&format!("pql {} · \\? for help, \\q to leave", env!("CARGO_PKG_VERSION")));
    shell.refresh(&mut editor);
    loop {
        match editor.read(&shell.prompt()) {
            Ok(input) if input.trim().is_empty() => {}
            Ok(input) => {
                if shell.input(&mut editor, &input) == Next::Quit {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                shell.ui.warning(&format!("cannot read: {error}"));
                break;
            }
        }
    }
    editor.save();
    Exit::Done
}

impl Shell<'_> {
    fn prompt(&self) -> String {
        // What follows a ? or stands before an @ may be a secret, slashes and all.
        let name = self.database.split('?').next().unwrap_or_default();
        let name = name.rsplit(['/', '\\', '@']).next().unwrap_or_default();
        let name = name.strip_prefix("sqlite:").unwrap_or(name);
        if name.is_empty() { "pql> ".to_owned() } else { format!("{name}> ") }
    }

    fn input(&mut self, editor: &mut Editor, input: &str) -> Next {
        let trimmed = input.trim();
        if trimmed.starts_with('\\') {
            let next = self.meta(editor, trimmed);
            return next;
        }
        self.script("input", input);
        self.refresh(editor);
        Next::GoOn
    }

    /// Runs text; `name`: what messages call it.
    fn script(&mut self, name: &str, text: &str) {
        let started = Instant::now();
        let exit = block_on(script_to_end(self.ui, &mut self.session, &mut self.interrupts, name, text));
        if self.timing {
            self.ui.note(&format!("{:.1} ms", started.elapsed().as_secs_f64() * 1e3));
        }
        debug_assert!(exit != Exit::Usage, "a statement cannot be a wrong usage of the program");
    }

    /// Gives the editor the names that it can complete.
    fn refresh(&mut self, editor: &mut Editor) {
        if self.database.is_empty() {
            return;
        }
        // Without names there is less to complete; what is wrong with the database the next statement will say.
        if let Ok(names) = block_on(complete::Names::load(&mut self.session)) {
            editor.set_names(names);
        }
    }

    /// Another database; the one there was stays when the other cannot be opened.
    fn reconnect(&mut self, editor: &mut Editor, database: &str) {
        let Ok(mut connection) = connect(self.ui, self.common, Some(database)) else {
            self.ui.note("still connected as before");
            return;
        };
        match block_on(connection.session.probe()) {
            Ok(notices) => {
                for notice in notices {
                    self.ui.warning(&notice);
                }
                self.session = connection.session;
                database.clone_into(&mut self.database);
                self.refresh(editor);
            }
            Err(error) => {
                fail(self.ui, &error);
                self.ui.note("still connected as before");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn the_database_stays_when_another_cannot_be_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("notes.txt"), "These are notes and not a database at all.").expect("a file");
        let cli = Cli::parse_from(["pql"]);
        let mut ui = Ui::new(&cli.common);
        let session = connect(&mut ui, &cli.common, Some(&path("app.db"))).expect("a session").session;
        let mut editor = Editor::new(false).expect("an editor");
        let mut shell = Shell {
            ui: &mut ui,
            common: &cli.common,
            session,
            interrupts: Interrupts::install(),
            database: path("app.db"),
            timing: false,
        };
        block_on(shell.session.execute("CREATE TABLE t (id INTEGER)")).expect("it is made");
        for wrong in [path("notes.txt"), path("nowhere/app.db"), "mysql://host/app".to_owned()] {
            shell.reconnect(&mut editor, &wrong);
            assert_eq!(shell.prompt(), "app.db> ");
            block_on(shell.session.execute("SELECT id FROM t")).expect("it is the same database");
        }
        shell.reconnect(&mut editor, &path("other.db"));
        assert_eq!(shell.prompt(), "other.db> ");
        assert!(!directory.path().join("other.db").exists(), "looking makes nothing");
    }
}
