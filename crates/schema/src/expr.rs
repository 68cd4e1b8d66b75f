//! Expressions, as the token text of the database that owns them.
//!
//! The model needs three things of an expression: whether two are the same however they were spaced and cased, which
//! columns it mentions, and what it becomes when one of them is renamed. Tokens are enough for that; the grammar of
//! expressions belongs to the database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keyword::{is_never_a_name, needs_quotes};
use crate::{NameRule, quote_ident};

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

    /// Whether it spells this name. A word that is reserved everywhere spells none.
    pub(crate) fn spells(&self, rule: NameRule, name: &str) -> bool {
        match (self.kind, rule) {
            (TokenKind::Word, NameRule::AsciiInsensitive) => {
                self.text.eq_ignore_ascii_case(name) && !self.reserved()
            }
            // Such a database folds what is not quoted.
            (TokenKind::Word, NameRule::Exact) => {
                self.text.eq_ignore_ascii_case(name) && self.text.to_lowercase() == name && !self.reserved()
            }
            // Most tokens are shorter or longer than the name; those need no unquoting.
            (TokenKind::QuotedName, _) => {
                self.text.len() >= name.len() + 2 && self.name().is_some_and(|own| rule.same(&own, name))
            }
            _ => false,
        }
    }

    /// Whether it is this word, not quoted.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    fn reserved(&self) -> bool {
        self.kind == TokenKind::Word && is_never_a_name(self.text)
    }

    /// The form under which tokens that mean the same are equal.
    fn key(&self) -> String {
        match self.kind {
            TokenKind::QuotedName => {
                let name = self.name().unwrap_or_default();
                let plain = quote_ident(&name) == name && !is_never_a_name(&name);
                if plain { name.to_ascii_lowercase() } else { format!("\"{name}\"") }
            }
            TokenKind::Word | TokenKind::Number => self.text.to_ascii_lowercase(),
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
            let len =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
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
    if !word.chars().all(|c| c.is_alphanumeric() || c == '_')
        || word.starts_with(|c: char| c.is_ascii_digit())
    {
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
    /// An expression from its text; parentheses around the whole are taken off, but for those that make a query one.
    pub fn new(text: impl AsRef<str>) -> Self {
        let inner = without_parentheses(text.as_ref());
        let is_query = inner.len() < text.as_ref().trim().len()
            && tokens(inner)
                .next()
                .is_some_and(|first| ["SELECT", "VALUES", "WITH"].iter().any(|it| first.is(it)));
        Self(if is_query { format!("({inner})") } else { inner.to_owned() })
    }

    /// A statement or query, kept as it is.
    pub fn statement(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The expression that is one column.
    pub fn column(name: &str) -> Self {
        Self(sql_name(name))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name stands in it that can denote the column (in any case: that errs on the safe side).
    pub fn mentions(&self, column: &str) -> bool {
        if !may_contain(&self.0, column) {
            return false;
        }
        let all: Vec<_> = tokens(&self.0).collect();
        (0..all.len()).any(|at| all[at].spells(NameRule::AsciiInsensitive, column) && can_be_column(&all, at))
    }

    /// The expression over one table after a column of it got another name.
    pub fn renamed(&self, rule: NameRule, from: &str, to: &str) -> Self {
        let all: Vec<_> = tokens(&self.0).collect();
        self.with_names(&all, to, |at| all[at].spells(rule, from) && can_be_column(&all, at))
    }

    /// The expression after the table it is over got another name: `from.c` becomes `to.c`.
    pub(crate) fn requalified(&self, rule: NameRule, from: &str, to: &str) -> Self {
        let all: Vec<_> = tokens(&self.0).collect();
        self.with_names(&all, to, |at| {
            all[at].spells(rule, from) && all.get(at + 1).is_some_and(|next| next.text == ".")
        })
    }

    /// The same text with some of its tokens replaced by a name.
    pub(crate) fn with_names(&self, all: &[Token<'_>], to: &str, replace: impl Fn(usize) -> bool) -> Self {
        let mut text = String::with_capacity(self.0.len());
        let mut copied = 0;
        for (at, token) in all.iter().enumerate() {
            if replace(at) {
                text.push_str(&self.0[copied..token.start]);
                text.push_str(&sql_name(to));
                copied = token.start + token.text.len();
            }
        }
        text.push_str(&self.0[copied..]);
        Self(text)
    }

    /// The same; a name that is replaced may have to be said after AS.
    pub(crate) fn with_labels<'l>(
        &self,
        all: &[Token<'_>],
        to: &str,
        replace: impl Fn(usize) -> Option<Option<&'l str>>,
    ) -> Self {
        let mut text = String::with_capacity(self.0.len());
        let mut copied = 0;
        for (at, token) in all.iter().enumerate() {
            if let Some(label) = replace(at) {
                text.push_str(&self.0[copied..token.start]);
                text.push_str(&sql_name(to));
                if let Some(label) = label {
                    text.push_str(" AS ");
                    text.push_str(&sql_name(label));
                }
                copied = token.start + token.text.len();
            }
        }
        text.push_str(&self.0[copied..]);
        Self(text)
    }

    /// The text under which equal expressions are equal strings.
    pub fn key(&self) -> String {
        let text = without_parentheses(&self.0);
        let mut key = String::with_capacity(text.len());
        for token in tokens(text) {
            if !key.is_empty() {
                key.push(' ');
            }
            key.push_str(&token.key());
        }
        key
    }
}

/// The name as it can stand in a statement for any of the databases.
pub(crate) fn sql_name(name: &str) -> String {
    let plain = quote_ident(name) == name && !name.contains(char::is_uppercase) && !needs_quotes(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Whether a token can denote a column where it stands: it is not called, not an alias or a type (`AS x`, `::x`),
/// not a collation, not a qualifier, and not the END of a CASE or of a trigger's body.
pub fn can_be_column(all: &[Token<'_>], at: usize) -> bool {
    let token = &all[at];
    let next = all.get(at + 1).map_or("", |next| next.text);
    if next == "." || (next == "(" && token.kind == TokenKind::Word) {
        return false;
    }
    let behind = |back: usize| at.checked_sub(back).map(|before| &all[before]);
    if behind(1).is_some_and(|before| before.is("AS") || before.is("COLLATE"))
        || (behind(1).is_some_and(|a| a.text == ":") && behind(2).is_some_and(|b| b.text == ":"))
    {
        return false;
    }
    let open = || {
        all[..at].iter().fold(0usize, |open, token| match () {
            () if token.is("CASE") || token.is("BEGIN") => open + 1,
            () if token.is("END") => open.saturating_sub(1),
            () => open,
        })
    };
    !(token.is("END") && open() > 0)
}

/// A cheap test that spares the tokens of most texts: whether the name's letters stand in the text at all.
fn may_contain(text: &str, name: &str) -> bool {
    // A quote inside the name is doubled in the text.
    let (text, name) = (text.as_bytes(), name.split(['"', '`']).next().unwrap_or_default().as_bytes());
    name.is_empty() || text.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name))
}

/// The text without the pairs of parentheses that enclose all of it, in one pass however many there are.
fn without_parentheses(text: &str) -> &str {
    let text = text.trim();
    if !text.starts_with('(') {
        return text;
    }
    let all: Vec<Token<'_>> = tokens(text).collect();
    let mut open = Vec::new();
    let mut closed_by = vec![0; all.len()];
    for (at, token) in all.iter().enumerate() {
        match token.text {
            "(" => open.push(at),
            ")" => match open.pop() {
                Some(opened) => closed_by[opened] = at,
                None => return text,
            },
            _ => {}
        }
    }
    let encloses = |depth: &usize| all[*depth].text == "(" && closed_by[*depth] == all.len() - 1 - depth;
    match (0..all.len() / 2).take_while(encloses).count() {
        0 => text,
        pairs => text[all[pairs - 1].start + 1..all[all.len() - pairs].start].trim(),
    }
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
    fn a_query_keeps_the_parentheses_that_make_it_a_value() {
        for (text, kept) in [
            ("((SELECT max(a) FROM t))", "(SELECT max(a) FROM t)"),
            ("(with x AS (SELECT 1) SELECT * FROM x)", "(with x AS (SELECT 1) SELECT * FROM x)"),
            ("((a + (SELECT 1)))", "a + (SELECT 1)"),
            ("(selected)", "selected"),
        ] {
            assert_eq!(Expr::new(text).as_str(), kept);
        }
        assert_eq!(Expr::statement("(SELECT 1)"), Expr::statement("SELECT 1"));
    }

    #[test]
    fn equality_is_by_token() {
        for (a, b) in [
            ("(a  >  1)", "A > 1 -- always"),
            ("((x))", "\"x\""),
            ("lower(`Name`)", "LOWER( name )"),
            ("'it''s' || b", "'it''s'||b"),
            ("x /* a /* nested */ comment */ + 1", "x+1"),
            ("(( (a) + (b) ) ) -- so", "(a) + (b)"),
        ] {
            assert_eq!(Expr::new(a), Expr::new(b));
        }
        for (a, b) in
            [("'A'", "'a'"), ("(a) + (b)", "a + b"), ("\"a b\"", "a b"), ("1.0", "1"), ("$$x$$", "'x'")]
        {
            assert_ne!(Expr::new(a), Expr::new(b));
        }
    }

    #[test]
    fn parentheses_without_end() {
        let deep = format!("{}a{}", "(".repeat(50_000), ")".repeat(50_000));
        assert_eq!(Expr::new(deep).as_str(), "a");
        for odd in ["(a", "(a))", ")(", "()", "(a) (b)", "("] {
            assert_eq!(Expr::new(odd).as_str(), if odd == "()" { "" } else { odd });
        }
    }

    #[test]
    fn renaming_touches_names_only() {
        let expr = Expr::new("lower(name) || 'name' || \"Name\" || t.name || names || name(1)");
        assert_eq!(
            expr.renamed(NameRule::AsciiInsensitive, "name", "full name").as_str(),
            "lower(\"full name\") || 'name' || \"full name\" || t.\"full name\" || names || name(1)"
        );
        assert!(expr.mentions("NAMES"));
        assert!(!expr.mentions("lower"));
        assert_eq!(
            expr.renamed(NameRule::Exact, "name", "order").as_str(),
            "lower(\"order\") || 'name' || \"Name\" || t.\"order\" || names || name(1)"
        );
    }

    #[test]
    fn a_name_that_is_also_a_keyword_a_type_or_a_collation() {
        let rule = NameRule::AsciiInsensitive;
        let expr = Expr::new("CASE WHEN \"case\" THEN \"end\" ELSE end END");
        assert_eq!(expr.renamed(rule, "case", "x").as_str(), "CASE WHEN x THEN \"end\" ELSE end END");
        assert_ne!(Expr::new("\"null\""), Expr::new("null"));
        let expr = Expr::new("CAST(text AS text) COLLATE date = date::date");
        assert_eq!(expr.renamed(rule, "text", "t").as_str(), "CAST(t AS text) COLLATE date = date::date");
        assert_eq!(expr.renamed(rule, "date", "d").as_str(), "CAST(text AS text) COLLATE date = d::date");
        assert!(!Expr::new("a IS NOT NULL").mentions("not"));
        assert!(Expr::new("a > \"we \"\"said\"\"\"").mentions("we \"said\""));
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
