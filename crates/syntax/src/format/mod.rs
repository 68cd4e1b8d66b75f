//! The formatter: one layout for everybody, taken from the lossless tree.
//!
//! It keeps every comment, every token and the spelling of every name, so that a formatted script means
//! exactly what it meant. What it changes: blanks and line ends, the case of keywords, and the sugar
//! (`COLLECTION`, `{ name: TYPE }`, `MODIFY COLUMN`), which becomes the standard form. SQL that PQL does
//! not model keeps its text, as nobody but its database knows which of its words are keywords.
//!
//! `tokens` decides what each token's text is, `atoms` deals the comments out, `layout` says where lines
//! may start, and `printer` joins the three.

mod atoms;
mod layout;
mod printer;
mod tokens;

use crate::{Diagnostic, parse};

/// Formats a whole script; one that does not parse is returned as its errors.
pub fn format(source: &str) -> Result<String, Vec<Diagnostic>> {
    let parse = parse(source);
    if !parse.is_ok() {
        return Err(parse.diagnostics().to_vec());
    }
    let root = parse.syntax();
    let (atoms, rest) = tokens::collect(&root);
    Ok(printer::print(&atoms, &rest, &layout::Layout::of(&root)))
}

/// The text with every line end written as one character.
fn with_plain_line_ends(text: &str) -> String {
    text.split('\n').map(|line| line.trim_end_matches('\r')).collect::<Vec<_>>().join("\n")
}
