//! `pql completions`: a script that teaches a shell the program's options.

use clap::CommandFactory;

use crate::args::Cli;
use crate::exit::Exit;
use crate::render::Ui;

/// Prints the script.
pub(crate) fn run(ui: &mut Ui, shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pql", &mut script);
    ui.print(&String::from_utf8_lossy(&script));
    Exit::Done
}
