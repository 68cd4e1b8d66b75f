//! What is wrong, in the user's words.

use pest::error::ErrorVariant;

use crate::split::Slice;
use crate::{Diagnostic, SyntaxKind, codes};

pub(crate) fn unterminated(source: &str, at: usize) -> Diagnostic {
    let what = if source[at..].starts_with("/*") { "comment" } else { "quote" };
    Diagnostic::error(codes::UNTERMINATED, at..at + 1, format!("this {what} is never closed"))
}

pub(crate) fn unknown_statement(
    source: &str,
    slice: &Slice<'_>,
    word: usize,
    suggestion: Option<&'static str>,
) -> Diagnostic {
    let _ = (source, word);
    let diagnostic =
        Diagnostic::error(codes::UNKNOWN_STATEMENT, slice.start..slice.end, "no statement begins like this");
    match suggestion {
        Some(word) => diagnostic.with_help(format!("did you mean `{word}`?")),
        None => diagnostic,
    }
}

pub(crate) fn describe(
    source: &str,
    slice: &Slice<'_>,
    at: usize,
    variant: &ErrorVariant<SyntaxKind>,
) -> Diagnostic {
    let _ = (source, slice);
    Diagnostic::error(codes::UNEXPECTED, at..at, format!("{variant}"))
}
