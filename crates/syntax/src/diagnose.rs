//! Why a statement does not parse, in the user's words.
//!
//! pest says how far it came and which rules would have gone on. From that, and from the words around the place, the
//! most likely mistake is told first: a quote or bracket that is not closed, a character that means nothing, a
//! misspelt word, a reserved word; otherwise what was expected.

use std::ops::Range;

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use crate::grammar::Grammar;
use crate::split::{MAX_DEPTH, Slice};
use crate::suggest::nearest;
use crate::{Diagnostic, SyntaxKind, codes, expected};

/// Statements longer than this are not parsed again to try out a suggestion.
const TRIED: usize = 16 * 1024;
/// Longer tokens are shortened in messages.
const SHOWN: usize = 40;

/// A quote or comment that lasts to the end of the source.
pub(crate) fn unterminated(source: &str, at: usize) -> Diagnostic {
    let rest = &source[at..];
    let (what, close) = match rest.as_bytes() {
        [b'/', ..] => ("comment", "*/".to_owned()),
        [b'"', ..] => ("quoted name", "\"".to_owned()),
        [b'`', ..] => ("quoted name", "`".to_owned()),
        [b'$', ..] => {
            let tag = rest[1..].find('$').map_or(1, |end| end + 2);
            ("dollar-quoted text", rest[..tag].to_owned())
        }
        _ => ("string", "'".to_owned()),
    };
    let span = at..at + first_char(rest).len_utf8();
    let help = if what == "comment" {
        "comments nest: every `/*` needs its own `*/`".to_owned()
    } else {
        format!("add the closing `{close}`; a quote inside is written twice")
    };
    Diagnostic::error(codes::UNTERMINATED, span, format!("this {what} is never closed"))
        .with_help(help)
        .with_label("begins here")
}

/// Nesting beyond what is parsed.
pub(crate) fn too_deep(at: usize) -> Diagnostic {
    let message = format!("nested more than {MAX_DEPTH} levels deep");
    Diagnostic::error(codes::TOO_DEEP, at..at + 1, message).with_label("one level too many")
}

/// The rows of a COPY cannot be read.
pub(crate) fn copy_from_stdin(slice: &Slice<'_>) -> Diagnostic {
    let message = "the rows after COPY … FROM STDIN are not SQL and cannot be loaded here";
    Diagnostic::error(codes::COPY_FROM_STDIN, slice.start..slice.end, message)
        .with_help("dump the data with `pg_dump --inserts`, or load it with psql")
        .with_label("not supported")
}

/// Brackets, or BEGIN and END, that do not match in SQL that is passed through.
pub(crate) fn unbalanced(source: &str, slice: &Slice<'_>) -> Option<Diagnostic> {
    if let Some(at) = slice.stray {
        let message = format!("this `{}` closes nothing", first_char(&source[at..]));
        return Some(
            Diagnostic::error(codes::UNBALANCED, at..at + 1, message).with_label("nothing to close"),
        );
    }
    if let Some(at) = slice.unclosed {
        let message = format!("this `{}` is never closed", first_char(&source[at..]));
        return Some(Diagnostic::error(codes::UNBALANCED, at..at + 1, message).with_label("opened here"));
    }
    let at = slice.open_body?;
    let message = "this BEGIN has no END";
    Some(Diagnostic::error(codes::UNBALANCED, at..at + 5, message).with_label("the body begins here"))
}

/// No statement begins with these words.
pub(crate) fn unknown_statement(
    source: &str,
    slice: &Slice<'_>,
    word: usize,
    suggestion: Option<&'static str>,
) -> Diagnostic {
    let Some(offender) = slice.head.get(word) else {
        let Some(verb) = slice.head.first() else {
            let token = token_at(source, slice.start, slice.end);
            let message = format!("no statement begins with {}", shown(&source[token.clone()]));
            return Diagnostic::error(codes::UNKNOWN_STATEMENT, token, message);
        };
        let verb = verb.to_uppercase();
        let message = format!("{verb} what?");
        return Diagnostic::error(codes::UNKNOWN_STATEMENT, slice.end..slice.end, message)
            .with_help(format!("for example `{verb} TABLE`, `{verb} INDEX` or `{verb} VIEW`"));
    };
    let start = slice.head_starts[word];
    let span = start..start + offender.len();
    let message = match slice.head[..word].last() {
        Some(before) => format!("`{}` cannot be followed by `{offender}`", before.to_uppercase()),
        None => format!("no statement begins with {}", shown(offender)),
    };
    let diagnostic = Diagnostic::error(codes::UNKNOWN_STATEMENT, span, message);
    match suggestion {
        Some(word) => did_you_mean(diagnostic, word),
        None if word == 0 => {
            diagnostic.with_help("statements of PQL begin with MIGRATE, SET, SHOW, CREATE, ALTER, …")
        }
        None => diagnostic,
    }
}

fn did_you_mean(diagnostic: Diagnostic, word: &str) -> Diagnostic {
    diagnostic.with_help(format!("did you mean `{word}`?")).with_label("misspelt?")
}

/// What pest's error means for the user. `rule` is the rule that the statement should have matched, `text` the
/// statement without its comments.
pub(crate) fn describe(
    source: &str,
    slice: &Slice<'_>,
    text: &str,
    rule: SyntaxKind,
    error: &Error<SyntaxKind>,
) -> Diagnostic {
    let at = slice.start + offset(error);
    let (expected, unexpected) = match &error.variant {
        ErrorVariant::ParsingError { positives, negatives } => (positives.as_slice(), negatives.as_slice()),
        ErrorVariant::CustomError { .. } => return too_deep(slice.start),
    };
    let place =
        Place { source, slice, text, rule, at, token: token_at(source, at, slice.end), expected, unexpected };
    place
        .bracket()
        .or_else(|| place.character())
        .or_else(|| place.misspelt())
        .or_else(|| place.reserved())
        .or_else(|| place.table_missing())
        .or_else(|| place.misspelt_before())
        .unwrap_or_else(|| place.unexpected())
}

fn offset(error: &Error<SyntaxKind>) -> usize {
    match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    }
}

/// Where parsing stopped.
struct Place<'s> {
    source: &'s str,
    slice: &'s Slice<'s>,
    text: &'s str,
    rule: SyntaxKind,
    at: usize,
    /// The token that stands there; empty at the end of the statement.
    token: Range<usize>,
    expected: &'s [SyntaxKind],
    unexpected: &'s [SyntaxKind],
}

impl Place<'_> {
    fn found(&self) -> &str {
        &self.source[self.token.clone()]
    }

    /// The statement up to here.
    fn before(&self) -> &str {
        self.text[..self.at - self.slice.start].trim_end()
    }

    fn word(&self) -> Option<&str> {
        Some(self.found()).filter(|text| is_word(text))
    }

    /// A bracket that is open at the end, or closed without having been opened.
    fn bracket(&self) -> Option<Diagnostic> {
        if self.slice.stray == Some(self.at) || (self.token.is_empty() && self.slice.unclosed.is_some()) {
            return unbalanced(self.source, self.slice);
        }
        None
    }

    /// A character that begins no token.
    fn character(&self) -> Option<Diagnostic> {
        if self.token.is_empty() || Grammar::parse(SyntaxKind::flat_token, self.found()).is_ok() {
            return None;
        }
        let c = first_char(self.found());
        let shown = if is_visible(c) && !c.is_whitespace() { format!("`{c}`, ") } else { String::new() };
        let message = format!("the character {shown}U+{:04X}, has no meaning here", u32::from(c));
        let diagnostic = Diagnostic::error(codes::UNKNOWN_CHARACTER, self.token.clone(), message);
        Some(match c {
            '“' | '”' | '„' | '«' | '»' => diagnostic.with_help("names are quoted with `\"`"),
            '‘' | '’' | '‚' | '´' => diagnostic.with_help("strings are quoted with `'`"),
            c if c.is_whitespace() => diagnostic.with_help("replace it by an ordinary space"),
            _ => diagnostic,
        })
    }

    /// A word near one that may stand here.
    fn misspelt(&self) -> Option<Diagnostic> {
        let suggestion = nearest(self.word()?, expected::keywords(self.expected))?;
        Some(did_you_mean(self.unexpected(), &suggestion.to_uppercase()))
    }

    fn reserved(&self) -> Option<Diagnostic> {
        let word = self.word()?;
        let is_name = self.unexpected.contains(&SyntaxKind::reserved)
            || self.expected.contains(&SyntaxKind::column_def)
                && Grammar::parse(SyntaxKind::reserved, word).is_ok();
        if !is_name {
            return None;
        }
        let message = format!("`{word}` is a reserved word and names something only in quotes");
        let diagnostic = Diagnostic::error(codes::RESERVED, self.token.clone(), message);
        Some(diagnostic.with_help(format!("write \"{word}\" to use it as a name")).with_label("reserved"))
    }

    /// A column or constraint of an operation without its table.
    fn table_missing(&self) -> Option<Diagnostic> {
        if self.expected != [SyntaxKind::dot] || self.rule != SyntaxKind::one_migrate {
            return None;
        }
        let before = self.before();
        let word = last_word(before);
        let message = format!("`{word}` does not say which table it belongs to");
        let end = self.slice.start + before.len();
        let span = end - word.len()..end;
        let diagnostic = Diagnostic::error(codes::INCOMPLETE, span, message);
        Some(diagnostic.with_help(format!("write `table.{word}`")).with_label("the table is missing"))
    }

    /// A misspelt keyword that was taken for a name, so that parsing stopped only behind it. The suggestion is tried
    /// out: it must lead further.
    fn misspelt_before(&self) -> Option<Diagnostic> {
        let text = self.text;
        if text.len() > TRIED {
            return None;
        }
        let head = self.before();
        let mut end = head.len();
        for _ in 0..3 {
            let word_end = head[..end].trim_end_matches(|c: char| !is_word_char(c)).len();
            let start = head[..word_end]
                .rfind(|c| !is_word_char(c))
                .map_or(0, |at| at + first_char(&head[at..]).len_utf8());
            let word = &head[start..word_end];
            if let Some(suggestion) = nearest(word, SyntaxKind::keywords())
                && !SyntaxKind::keywords().any(|keyword| keyword.eq_ignore_ascii_case(word))
                && self.helps(text, start..word_end, suggestion)
            {
                let span = self.slice.start + start..self.slice.start + word_end;
                let message = format!("`{word}` is not known here");
                let diagnostic = Diagnostic::error(codes::MISSPELT, span, message);
                return Some(did_you_mean(diagnostic, &suggestion.to_uppercase()));
            }
            end = start;
        }
        None
    }

    fn helps(&self, text: &str, word: Range<usize>, suggestion: &str) -> bool {
        let tried = format!("{}{suggestion}{}", &text[..word.start], &text[word.end..]);
        let reached = self.at - self.slice.start + suggestion.len() - word.len().min(suggestion.len());
        match Grammar::parse(self.rule, &tried) {
            Ok(_) => true,
            Err(error) => offset(&error) > reached.max(word.start + suggestion.len()),
        }
    }

    /// What was expected and what is there instead.
    fn unexpected(&self) -> Diagnostic {
        let found = if self.token.is_empty() { None } else { Some(shown(self.found())) };
        let expected = expected::list(self.expected);
        let message = match (expected, &found) {
            (Some(expected), Some(found)) if expected == expected::END => {
                format!("the statement should end before {found}")
            }
            (Some(expected), Some(found)) => format!("expected {expected}, found {found}"),
            (Some(expected), None) => format!("expected {expected}, but the statement ends"),
            (None, Some(found)) => format!("{found} cannot stand here"),
            (None, None) => "the statement is not complete".to_owned(),
        };
        let label = if found.is_some() { "not expected here" } else { "something is missing" };
        let diagnostic = Diagnostic::error(codes::UNEXPECTED, self.token.clone(), message).with_label(label);
        match self.help() {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        }
    }

    /// The way out of the mistakes that people make most.
    fn help(&self) -> Option<String> {
        use SyntaxKind as K;
        let expects = |kind: SyntaxKind| self.expected.contains(&kind);
        let before = self.before();
        let word = self.word().unwrap_or_default().to_lowercase();
        if expects(K::kw_modify) && expected::UNMANAGED_ACTIONS.contains(&word.as_str()) {
            return Some(format!(
                "{} is left to the database: make it a statement of its own",
                word.to_uppercase()
            ));
        }
        if let Some(help) = foreign_word(&word).or_else(|| foreign_word(last_word(before))) {
            return Some(help.to_owned());
        }
        if self.rule == K::one_migrate && expects(K::comma) && OPERATION_VERBS.contains(&word.as_str()) {
            return Some("operations are separated by commas".to_owned());
        }
        if expects(K::schema_source) {
            return Some("for example `FILE 'schema.pql'`".to_owned());
        }
        if expects(K::l_paren) && last_word(before).eq_ignore_ascii_case("check") {
            return Some("the condition stands in parentheses: `CHECK (…)`".to_owned());
        }
        if expects(K::kw_migration_id) && !self.token.is_empty() {
            return Some("name the migration with `migration_id = …`".to_owned());
        }
        let assigned = self.source[self.token.end..self.slice.end].trim_start().starts_with('=');
        if expects(K::kw_with) && expects(K::EOI) && assigned {
            return Some("options follow `WITH`: `WITH name = value, …`".to_owned());
        }
        if before.ends_with(',') && self.found() == ")" {
            return Some("remove the comma before it".to_owned());
        }
        None
    }
}

/// The words by which the operations of MIGRATE GENERATE begin.
const OPERATION_VERBS: &[&str] = &["add", "drop", "rename", "change", "set", "create", "execute"];

/// What other systems call things that people try here.
pub(crate) fn foreign_word(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "auto_increment" | "identity" => {
            "use `INTEGER PRIMARY KEY AUTOINCREMENT` (SQLite) or `GENERATED ALWAYS AS IDENTITY`"
        }
        "comment" => "comments are set by `COMMENT ON COLUMN …` where the database has them",
        "after" | "first" => "a new column is always the last one",
        "engine" | "charset" => {
            "tables have no storage engine or character set of their own here: leave it out"
        }
        _ => return None,
    })
}

/// The token that begins at a place, or nothing at the end.
fn token_at(source: &str, at: usize, end: usize) -> Range<usize> {
    let rest = &source[at..end];
    if rest.is_empty() {
        return at..at;
    }
    let length = match Grammar::parse(SyntaxKind::flat_token, rest) {
        Ok(pairs) => pairs.last().map_or(0, |pair| pair.as_span().end()),
        Err(_) => 0,
    };
    at..at + length.max(first_char(rest).len_utf8())
}

fn first_char(text: &str) -> char {
    text.chars().next().unwrap_or(' ')
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(is_word_char)
}

fn last_word(text: &str) -> &str {
    &text[text.rfind(|c| !is_word_char(c)).map_or(0, |at| at + first_char(&text[at..]).len_utf8())..]
}

/// A token in a message.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).take_while(|c| *c != '\n').collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    let visible = |c: char| if is_visible(c) { c.to_string() } else { c.escape_unicode().to_string() };
    format!("`{}{more}`", start.chars().map(visible).collect::<String>())
}

/// Neither a control character nor one that only changes how its neighbours are shown.
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
