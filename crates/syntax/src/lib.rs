//! PQL text to a lossless tree, a typed AST, diagnostics and a formatter.
//!
//! [`parse`] takes any text and never fails: it gives a tree whose text is the source, byte for byte, and a list of
//! [`Diagnostic`]s. A statement that does not parse becomes one `error` node and one diagnostic; its neighbours are
//! not affected. This crate knows no schema and no database.
//!
//! # How a source becomes a tree
//! 1. `split` walks the source once and finds where each statement ends. It only knows which characters open
//!    something that may hide a `;`; where a string, a comment or a quoted name ends is asked of the grammar.
//! 2. `classify` looks at a statement's first words: is it a statement of ours, which must parse to the letter, or
//!    SQL for the database?
//! 3. pest parses the statement's slice with the rule for it. Parsing by statement keeps pest's queues small, makes
//!    errors independent of each other, and lets each be parsed strictly once.
//! 4. `build` turns pest's flat event list into rowan nodes; the gaps between tokens are blanks and comments.
//! 5. A statement that failed is kept as flat tokens, and `expected` says in the user's words what was missing.
//!
//! # Why not one pest rule for the whole source?
//! A PEG yields nothing at all when it fails, backtracks into alternatives that hide the true place of an error, and
//! would hold the events of the whole source at once. Counting parentheses to bound the nesting, and finding the end
//! of a trigger's body, are also not things that a PEG does in linear time and bounded stack.

pub mod ast;
mod build;
mod classify;
pub mod codes;
mod diagnose;
mod diagnostic;
mod doubts;
mod expected;
mod format;
mod grammar;
mod parse;
mod split;
pub mod suggest;
#[cfg(test)]
mod tests;
mod tree;

pub use diagnostic::{Diagnostic, Report, Severity};
pub use format::format;
pub use grammar::Rule as SyntaxKind;
pub use parse::{Parse, parse, parse_bytes};
pub use tree::{PqlLanguage, SyntaxElement, SyntaxNode, SyntaxToken};
