//! What is at the other end of the streams.

use std::io::{self, IsTerminal};

/// Which streams are terminals, and how they may be used.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Terminal {
    /// Standard input is typed.
    pub(crate) stdin: bool,
    /// Standard output is read by a person.
    pub(crate) stdout: bool,
    /// Standard error is.
    pub(crate) stderr: bool,
    /// Its width in columns.
    pub(crate) width: Option<usize>,
    no_color: bool,
}

impl Terminal {
    /// Asks the operating system and the environment.
    pub(crate) fn detect() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        Self {
            stdin: io::stdin().is_terminal(),
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
            width: width.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))),
            no_color: dumb || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Whether results may be coloured.
    pub(crate) fn color_stdout(self) -> bool {
        self.stdout && !self.no_color
    }

    /// Whether messages may be coloured.
    pub(crate) fn color_stderr(self) -> bool {
        self.stderr && !self.no_color
    }

    /// Whether a line of progress may be drawn over and over.
    pub(crate) fn can_redraw(self) -> bool {
        self.stderr && !self.no_color
    }
}
