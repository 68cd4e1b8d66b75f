//! The one error type of the embedded API.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, with a stable code, in the user's words, and what to do next.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Cow<'static, str>,
    message: String,
    help: Option<String>,
    label: Option<String>,
    span: Option<Span>,
    questions: Vec<Question>,
    more: Vec<Error>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A place in the text that was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// The line of `start`, from 1.
    pub line: usize,
    /// The column of `start` in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The place of a byte range in its text.
    pub fn locate(text: &str, start: usize, end: usize) -> Self {
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            start,
            end,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Something that only the author of a change can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Stable for the same change: the name of the option that answers it.
    pub id: String,
    /// In words.
    pub question: String,
}

impl Error {
    /// An error with its code and message.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code: code.into(),
            message: message.into(),
            help: None,
            label: None,
            span: None,
            questions: Vec::new(),
            more: Vec::new(),
            source: None,
        }))
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(crate) fn with_label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    pub(crate) fn with_span(mut self, span: Span) -> Self {
        self.0.span = Some(span);
        self
    }

    pub(crate) fn with_questions(mut self, questions: Vec<Question>) -> Self {
        self.0.questions = questions;
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// One error out of several; the first speaks for them. `None` when there is none.
    pub(crate) fn of_several(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.0.more.extend(errors);
        Some(first)
    }

    /// The stable code, which `pql explain` explains.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The message, without the code.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// What to write beside the marked place.
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Where in the executed text.
    pub fn span(&self) -> Option<Span> {
        self.0.span
    }

    /// What must be answered first, several at once.
    pub fn questions(&self) -> &[Question] {
        &self.0.questions
    }

    /// This error and those found with it: each statement that does not parse has its own.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.0.more)
    }

    /// Whether nothing was run because the text does not parse.
    pub fn is_syntax(&self) -> bool {
        self.code().starts_with("PQL00")
    }

    /// Whether the migration stands still and can be resumed.
    pub fn is_paused(&self) -> bool {
        self.code() == pql_engine::error::codes::PAUSED
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<pql_engine::Error> for Error {
    fn from(error: pql_engine::Error) -> Self {
        let mut own = Self::new(error.code(), error.message());
        own.0.help = error.help().map(ToOwned::to_owned);
        own.with_source(error)
    }
}
