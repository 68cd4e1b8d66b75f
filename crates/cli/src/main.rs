//! The program `pql`.

mod args;
mod commands;
mod config;
mod exit;
mod render;

use std::process::ExitCode;

use args::{Action, Cli};
use clap::Parser;
use exit::Exit;
use render::Ui;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Nothing can be done when even this cannot be said.
            let _ = error.print();
            return exit.into();
        }
    };
    let mut ui = Ui::new(&cli.common);
    dispatch(&mut ui, &cli).into()
}

fn dispatch(ui: &mut Ui, cli: &Cli) -> Exit {
    match &cli.action {
        Some(Action::Fmt { check, files }) => commands::fmt::run(ui, files, *check),
        Some(Action::Check { files }) => commands::check::run(ui, files),
        Some(Action::Explain { code }) => commands::explain::run(ui, code.as_deref()),
        Some(Action::Completions { shell }) => commands::completions::run(ui, *shell),
        _ => Exit::Usage,
    }
}
