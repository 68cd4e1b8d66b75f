//! The one error type of the embedded API.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::codes;

/// What went wrong, with a stable code, in the user's words, and what to do next.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Cow<'static, str>,
    message: String,
    help: Option<String>,
    label: Option<String>,
    place: Place,
    /// The text that the place is in, when it is not the one that was executed.
    origin: Option<(String, String)>,
    questions: Vec<Question>,
    more: Vec<Error>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Where an error is; who finds it often does not have the text at hand.
#[derive(Debug, Clone)]
enum Place {
    Unknown,
    Bytes(Range<usize>),
    Span(Span),
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
        Places::new(text).span(start, end)
    }
}

/// Finds lines and columns in a text. Places that are asked for in their order cost one pass over the text together,
/// however many they are and however long its lines.
#[derive(Debug, Clone)]
pub struct Places<'t> {
    text: &'t str,
    /// Where the last place was.
    at: usize,
    line: usize,
    column: usize,
}

impl<'t> Places<'t> {
    /// At the beginning of a text.
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The place of a byte range.
    pub fn span(&mut self, start: usize, end: usize) -> Span {
        if start < self.at {
            *self = Self::new(self.text);
        }
        let to = self.text.floor_char_boundary(start);
        let passed = &self.text[self.at..to];
        match passed.rfind('\n') {
            Some(last) => {
                self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
                self.column = passed[last + 1..].chars().count() + 1;
            }
            None => self.column += passed.chars().count(),
        }
        self.at = to;
        Span { start, end, line: self.line, column: self.column }
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
            place: Place::Unknown,
            origin: None,
            questions: Vec::new(),
            more: Vec::new(),
            source: None,
        }))
    }

    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
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
        self.0.place = Place::Span(span);
        self
    }

    /// Says where it is, unless that is known better.
    pub(crate) fn at(mut self, bytes: Range<usize>) -> Self {
        if matches!(self.0.place, Place::Unknown) && self.0.origin.is_none() {
            self.0.place = Place::Bytes(bytes);
        }
        self
    }

    /// Finds the line and column of its place, now that the text is known.
    pub(crate) fn located(mut self, text: &str) -> Self {
        self.locate(&mut Places::new(text));
        self
    }

    fn locate(&mut self, places: &mut Places<'_>) {
        if let Place::Bytes(bytes) = &self.0.place {
            self.0.place = Place::Span(places.span(bytes.start, bytes.end));
        }
        for error in &mut self.0.more {
            error.locate(places);
        }
    }

    /// Says that its place is in another text.
    pub(crate) fn in_text(mut self, name: &str, text: &str) -> Self {
        self = self.located(text);
        let origin = Some((name.to_owned(), text.to_owned()));
        for error in &mut self.0.more {
            error.0.origin.clone_from(&origin);
        }
        self.0.origin = origin;
        self
    }

    /// The error of a session whose thread is gone.
    pub(crate) fn session_closed() -> Self {
        Self::new(codes::SESSION_CLOSED, "the session has ended")
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
        match self.0.place {
            Place::Span(span) => Some(span),
            Place::Unknown | Place::Bytes(_) => None,
        }
    }

    /// Name and content of the text that the span is in, when it is not the one that was executed.
    pub fn origin(&self) -> Option<(&str, &str)> {
        self.0.origin.as_ref().map(|(name, text)| (name.as_str(), text.as_str()))
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
        self.code().starts_with("PQL00") || self.code().starts_with("PQL01")
    }

    /// Whether the migration stands still and can be resumed.
    pub fn is_paused(&self) -> bool {
        self.code() == pql_engine::codes::PAUSED
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
