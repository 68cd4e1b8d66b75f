//! Expressions, as the token text of the database that owns them.
//!
//! The model needs three things of an expression: whether two are the same however they were spaced and cased, which
//! columns it mentions, and what it becomes when one of them is renamed. Tokens are enough for that; the grammar of
//! expressions belongs to the database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quote_ident;

/// An expression, a query or a statement of the database, kept as written.
///
/// Two are equal when their tokens are: space, comments, the case of unquoted words, quotes around a plain word and
/// parentheses around the whole make no difference.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expr(String);

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A name in `"…"`, `` `…` `` or `[…]`.
    QuotedName,
    /// A string in any of its forms, or a blob.
    String,
    /// A number.
    Number,
    /// Anything else: one operator or punctuation character.
    Punctuation,
}

/// A token of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text as written.
    pub text: &'a str,
    /// Where it starts, in bytes.
    pub start: usize,
}

impl Token<'_> {
    /// The name that a word or quoted name spells.
    pub fn name(&self) -> Option<String> {
        let inner = || self.text.get(1..self.text.len() - 1).unwrap_or_default();
        match self.kind {
            TokenKind::Word => Some(self.text.to_owned()),
            TokenKind::QuotedName => Some(match self.text.as_bytes()[0] {
                b'"' => inner().replace("\"\"", "\""),
                b'`' => inner().replace("``", "`"),
                _ => inner().to_owned(),
            }),
            _ => None,
        }
    }

    /// The form under which tokens that mean the same are equal.
    fn key(&self) -> String {
        match self.kind {
            TokenKind::Word => self.text.to_ascii_lowercase(),
            TokenKind::QuotedName => {
                let name = self.name().unwrap_or_default();
                if quote_ident(&name) == name { name.to_ascii_lowercase() } else { format!("\"{name}\"") }
            }
            TokenKind::Number => self.text.to_ascii_lowercase(),
            TokenKind::String | TokenKind::Punctuation => self.text.to_owned(),
        }
    }
}

/// The tokens of an SQL text, without space and comments. Never fails: an unterminated string reaches to the end.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at = skip_trivia(text, at);
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let (kind, len) = token(rest);
        let token = Token { kind, text: &rest[..len], start: at };
        at += len;
        Some(token)
    })
}

fn skip_trivia(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("--") {
            at += trimmed.find('\n').unwrap_or(trimmed.len());
        } else if trimmed.starts_with("/*") {
            at += comment(trimmed);
        } else {
            return at;
        }
    }
}

/// The length of the (nested) comment that the text starts with.
fn comment(text: &str) -> usize {
    let mut depth = 0usize;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..(at + 2).min(bytes.len())] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn token(rest: &str) -> (TokenKind, usize) {
    let mut chars = rest.chars();
    let first = chars.next().unwrap_or_default();
    let second = chars.next();
    match first {
        '\'' => (TokenKind::String, quoted(rest, 0, '\'', false)),
        'e' | 'E' if second == Some('\'') => (TokenKind::String, quoted(rest, 1, '\'', true)),
        'x' | 'X' | 'b' | 'B' | 'n' | 'N' if second == Some('\'') => {
            (TokenKind::String, quoted(rest, 1, '\'', false))
        }
        '"' | '`' => (TokenKind::QuotedName, quoted(rest, 0, first, false)),
        // `a[1]` is a subscript, `[a b]` a name: a name never starts with a digit, a sign or another bracket.
        '[' if second.is_some_and(|c| c.is_alphabetic() || c == '_') && rest.contains(']') => {
            (TokenKind::QuotedName, rest.find(']').map_or(rest.len(), |end| end + 1))
        }
        '$' => match dollar_quoted(rest) {
            Some(len) => (TokenKind::String, len),
            None => (TokenKind::Punctuation, 1),
        },
        c if c.is_alphabetic() || c == '_' => {
            let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            (TokenKind::Word, len)
        }
        c if c.is_ascii_digit() || (c == '.' && second.is_some_and(|c| c.is_ascii_digit())) => {
            (TokenKind::Number, number(rest))
        }
        c => (TokenKind::Punctuation, c.len_utf8()),
    }
}

fn quoted(rest: &str, prefix: usize, quote: char, backslash: bool) -> usize {
    let mut chars = rest.char_indices().skip(prefix + 1).peekable();
    while let Some((at, c)) = chars.next() {
        if backslash && c == '\\' {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|&(_, next)| next == quote) {
                chars.next();
            } else {
                return at + c.len_utf8();
            }
        }
    }
    rest.len()
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[..end];
    let word = &tag[1..tag.len() - 1];
    if !word.chars().all(|c| c.is_alphanumeric() || c == '_') || word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(rest[end..].find(tag).map_or(rest.len(), |at| end + at + tag.len()))
}

fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    if bytes.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X') {
        return 2 + bytes[2..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
    }
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'0'..=b'9' | b'.' | b'_' => at += 1,
            b'e' | b'E' => {
                let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
                if !bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
                    break;
                }
                at += 1 + sign;
            }
            _ => break,
        }
    }
    at
}

impl Expr {
    /// An expression from its text; parentheses around the whole are taken off.
    pub fn new(text: impl AsRef<str>) -> Self {
        let mut text = text.as_ref().trim();
        while let Some(inner) = strip_parentheses(text) {
            text = inner.trim();
        }
        Self(text.to_owned())
    }

    /// A statement or query, kept as it is.
    pub fn statement(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The expression that is one column.
    pub fn column(name: &str) -> Self {
        Self(quote_ident(name))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name stands in it that denotes the column (in any case: that errs on the safe side).
    pub fn mentions(&self, column: &str) -> bool {
        let names: Vec<_> = tokens(&self.0).collect();
        names.iter().enumerate().any(|(at, token)| {
            token.name().is_some_and(|name| name.eq_ignore_ascii_case(column))
                && names.get(at + 1).is_none_or(|next| next.text != "(" || token.kind == TokenKind::QuotedName)
        })
    }

    /// The expression after a column (or table) it mentions got another name.
    pub fn renamed(&self, from: &str, to: &str) -> Self {
        let mut text = String::with_capacity(self.0.len());
        let mut copied = 0;
        let mut all = tokens(&self.0).peekable();
        while let Some(token) = all.next() {
            let called = all.peek().is_some_and(|next| next.text == "(") && token.kind == TokenKind::Word;
            if !called && token.name().is_some_and(|name| name.eq_ignore_ascii_case(from)) {
                text.push_str(&self.0[copied..token.start]);
                text.push_str(&quote_ident(to));
                copied = token.start + token.text.len();
            }
        }
        text.push_str(&self.0[copied..]);
        Self(text)
    }

    /// The text under which equal expressions are equal strings.
    pub fn key(&self) -> String {
        let mut key = String::with_capacity(self.0.len());
        for token in tokens(&self.0) {
            if !key.is_empty() {
                key.push(' ');
            }
            key.push_str(&token.key());
        }
        key
    }
}

/// What is inside the parentheses, if one pair encloses the whole text.
fn strip_parentheses(text: &str) -> Option<&str> {
    if !text.starts_with('(') || !text.ends_with(')') {
        return None;
    }
    let mut depth = 0usize;
    for token in tokens(text) {
        match token.text {
            "(" => depth += 1,
            ")" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return (token.start + 1 == text.len()).then(|| &text[1..token.start]);
                }
            }
            _ => {}
        }
    }
    None
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.key() == other.key()
    }
}

impl Eq for Expr {}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:?})", self.0)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_token() {
        for (a, b) in [
            ("(a  >  1)", "A > 1 -- always"),
            ("((x))", "\"x\""),
            ("lower(`Name`)", "LOWER( name )"),
            ("'it''s' || b", "'it''s'||b"),
            ("x /* a /* nested */ comment */ + 1", "x+1"),
        ] {
            assert_eq!(Expr::new(a), Expr::new(b));
        }
        for (a, b) in [("'A'", "'a'"), ("(a) + (b)", "a + b"), ("\"a b\"", "a b"), ("1.0", "1"), ("$$x$$", "'x'")] {
            assert_ne!(Expr::new(a), Expr::new(b));
        }
    }

    #[test]
    fn renaming_touches_names_only() {
        let expr = Expr::new("lower(name) || 'name' || \"Name\" || t.name || names || name(1)");
        assert_eq!(
            expr.renamed("name", "full name").as_str(),
            "lower(\"full name\") || 'name' || \"full name\" || t.\"full name\" || names || name(1)"
        );
        assert!(expr.mentions("NAMES"));
        assert!(!expr.mentions("lower"));
    }

    #[test]
    fn tokens_of_odd_text() {
        let text = "E'a\\'b' x'ff' $t$ ; $t$ a[1] [b c] 1e-3 .5 'open";
        let found: Vec<_> = tokens(text).map(|token| token.text).collect();
        assert_eq!(
            found,
            ["E'a\\'b'", "x'ff'", "$t$ ; $t$", "a", "[", "1", "]", "[b c]", "1e-3", ".5", "'open"]
        );
    }
}
