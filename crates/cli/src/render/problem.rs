//! One error or warning, drawn for people and as JSON for programs.

use std::fmt;
use std::ops::Range;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity};
use pql::{Places, Question, Span};
use pql_syntax::Diagnostic;
use serde_json::{Map, Value, json};

use super::Terminal;
use super::excerpt::Excerpt;

/// Something to say about a text, or about no text at all.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: String,
    warning: bool,
    message: String,
    help: Option<String>,
    label: Option<String>,
    place: Option<Place>,
    questions: Vec<Question>,
    /// The file, where several are read.
    file: Option<String>,
    /// The database, where there are several.
    database: Option<String>,
}

#[derive(Debug)]
struct Place {
    /// In the text.
    span: Span,
    excerpt: Excerpt,
    /// In the excerpt.
    shown: Range<usize>,
}

impl Problem {
    /// A finding of the parser's.
    pub(crate) fn of_diagnostic(diagnostic: &Diagnostic, name: &str, places: &mut Places<'_>) -> Self {
        let span = places.span(diagnostic.span.start, diagnostic.span.end);
        Self(Box::new(Inner {
            code: diagnostic.code.to_owned(),
            warning: diagnostic.severity == pql_syntax::Severity::Warning,
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            label: diagnostic.label.clone(),
            place: Some(Place::new(span, name, places.text())),
            questions: Vec::new(),
            file: None,
            database: None,
        }))
    }

    /// A session's error.
    pub(crate) fn of_error(error: &pql::Error, name: &str, text: &str) -> Self {
        Self(Box::new(Inner {
            code: error.code().to_owned(),
            warning: false,
            message: error.message().to_owned(),
            help: error.help().map(ToOwned::to_owned),
            label: error.label().map(ToOwned::to_owned),
            // What a command of the program's own ran has no text that its user wrote.
            place: error
                .span()
                .filter(|span| span.end <= text.len() && !text.is_empty())
                .map(|span| Place::new(span, name, text)),
            questions: error.questions().to_vec(),
            file: None,
            database: None,
        }))
    }

    /// A file cannot be read or written.
    pub(crate) fn file(message: &str) -> Self {
        Self::plain(pql::codes::FILE, message, None)
    }

    /// The program was called wrongly.
    pub(crate) fn usage(message: &str, help: Option<&str>) -> Self {
        Self::plain("usage", message, help)
    }

    fn plain(code: &str, message: &str, help: Option<&str>) -> Self {
        Self(Box::new(Inner {
            code: code.to_owned(),
            warning: false,
            message: message.to_owned(),
            help: help.map(ToOwned::to_owned),
            label: None,
            place: None,
            questions: Vec::new(),
            file: None,
            database: None,
        }))
    }

    /// Says the way out.
    pub(crate) fn with_help(mut self, help: String) -> Self {
        self.0.help = Some(help);
        self
    }

    /// Says which file it is about, for programs.
    pub(crate) fn in_file(mut self, name: &str) -> Self {
        self.0.file = Some(name.to_owned());
        self
    }

    /// Says which database it is about.
    pub(crate) fn in_database(mut self, name: &str) -> Self {
        self.0.database = Some(name.to_owned());
        self
    }

    /// For people.
    pub(crate) fn draw(&self, terminal: Terminal) -> String {
        let theme = if terminal.color_stderr() {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let width = terminal.width.filter(|_| terminal.stderr).unwrap_or(100).max(40);
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_context_lines(1)
            // A terminal breaks long lines itself, and then they can still be copied: ids, statements.
            .with_wrap_lines(false);
        let mut out = String::new();
        match handler.render_report(&mut out, self) {
            Ok(()) => out,
            // The place lies outside its text; the message is what matters.
            Err(fmt::Error) => format!("{}: {}\n", self.0.code, self.0.message),
        }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut inner = Map::new();
        inner.insert("code".into(), self.0.code.clone().into());
        inner.insert("message".into(), self.0.message.clone().into());
        inner.insert("help".into(), self.0.help.clone().into());
        if let Some(place) = &self.0.place {
            inner.insert("span".into(), json!(place.span));
        }
        if !self.0.questions.is_empty() {
            inner.insert("questions".into(), json!(self.0.questions));
        }
        let mut outer = Map::new();
        if let Some(file) = &self.0.file {
            outer.insert("file".into(), file.clone().into());
        }
        if let Some(database) = &self.0.database {
            outer.insert("database".into(), database.clone().into());
        }
        outer.insert(if self.0.warning { "warning" } else { "error" }.into(), inner.into());
        outer.into()
    }
}

impl Place {
    fn new(span: Span, name: &str, text: &str) -> Self {
        let (excerpt, shown) = Excerpt::new(name, text, &span);
        Self { span, excerpt, shown }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.0.database {
            write!(f, "{database}: ")?;
        }
        f.write_str(&self.0.message)?;
        for question in &self.0.questions {
            write!(f, "\n{} ({})", question.question, question.id)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl miette::Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.0.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.0.warning { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0.place.as_ref().map(|place| &place.excerpt as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.0.place.as_ref()?;
        let label = self.0.label.clone().unwrap_or_else(|| "here".to_owned());
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(Some(label), place.shown.clone()))))
    }
}
