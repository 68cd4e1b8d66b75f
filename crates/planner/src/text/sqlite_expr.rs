//! Expressions of PQL and PostgreSQL in the words of SQLite, token by token.
//!
//! Translated: the clock (`NOW()`), casts (`x::TYPE`), `ILIKE`, `gen_random_uuid()`, strings in PostgreSQL's forms.
//! Everything else is SQLite's own business and passes through as it is written.

use pql_schema::{DataType, Token, TokenKind, tokens};

use super::quote::string;
use super::sqlite::{Affinity, sqlite_type_name};
use super::types::neutral_type;

/// Something that SQLite cannot express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// What, in the user's words.
    pub message: String,
    /// The way out.
    pub help: String,
    /// Where in the expression, in bytes.
    pub span: std::ops::Range<usize>,
}

/// A random (version 4) UUID. It is computed anew for each row.
const UUID_V4: &str = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) \
                       || '-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || \
                       hex(randomblob(6)))";

/// The expression as SQLite understands it.
pub fn sqlite_expr(text: &str) -> Result<String, ExprError> {
    let all: Vec<Token<'_>> = tokens(text).collect();
    let mut out = Output::default();
    let mut at = 0;
    let mut end = 0;
    while let Some(token) = all.get(at) {
        let spaced = token.start > end && !out.pieces.is_empty();
        let taken = translate(&all[at..], &mut out, spaced)?;
        at += taken;
        end = all[at - 1].start + all[at - 1].text.len();
    }
    Ok(out.finish())
}

/// What has been written so far: pieces that are each a token or a whole operand, and whether a blank precedes each.
#[derive(Default)]
struct Output {
    pieces: Vec<(String, TokenKind, bool)>,
}

impl Output {
    fn push(&mut self, text: impl Into<String>, kind: TokenKind, spaced: bool) {
        self.pieces.push((text.into(), kind, spaced));
    }

    fn finish(self) -> String {
        let mut text = String::new();
        for (piece, _, spaced) in self.pieces {
            if spaced {
                text.push(' ');
            }
            text.push_str(&piece);
        }
        text
    }

    /// Takes off the operand that ends here: a literal, a column with its table, a call, or something in parentheses.
    fn take_operand(&mut self) -> Option<(String, bool)> {
        let mut from = self.pieces.len().checked_sub(1)?;
        if self.pieces[from].0 == ")" {
            let mut depth = 0usize;
            loop {
                match self.pieces[from].0.as_str() {
                    ")" => depth += 1,
                    "(" => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                from = from.checked_sub(1)?;
            }
            // `f(x)`, but not `a IN (x)`: between a function's name and its arguments there is no blank.
            if from > 0 && is_name(self.pieces[from - 1].1) && !self.pieces[from].2 {
                from -= 1;
            }
        } else if self.pieces[from].1 == TokenKind::Punctuation {
            return None;
        }
        while from > 1 && self.pieces[from - 1].0 == "." && is_name(self.pieces[from - 2].1) {
            from -= 2;
        }
        let spaced = self.pieces[from].2;
        let taken = Self { pieces: self.pieces.split_off(from) };
        let mut text = taken.finish();
        if spaced {
            text.remove(0);
        }
        Some((text, spaced))
    }
}

fn is_name(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Word | TokenKind::QuotedName)
}

/// Writes what the tokens begin with and tells how many of them that was.
fn translate(rest: &[Token<'_>], out: &mut Output, spaced: bool) -> Result<usize, ExprError> {
    let token = rest[0];
    let texts: Vec<&str> = rest.iter().take(3).map(|token| token.text).collect();
    let is_cast = |at: usize| {
        texts.get(at) == Some(&":")
            && texts.get(at + 1) == Some(&":")
            && rest[at].start + 1 == rest[at + 1].start
    };
    if is_cast(0) {
        return cast(rest, out);
    }
    match token.kind {
        TokenKind::String => {
            out.push(plain_string(token.text), TokenKind::String, spaced);
            return Ok(1);
        }
        TokenKind::Word => {}
        _ => {
            out.push(token.text, token.kind, spaced);
            return Ok(1);
        }
    }
    let word = token.text.to_ascii_lowercase();
    let called = texts.get(1..3) == Some(&["(", ")"]);
    match word.as_str() {
        "now" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp" if called => {
            out.push("CURRENT_TIMESTAMP", TokenKind::Word, spaced);
            Ok(3)
        }
        "gen_random_uuid" | "uuid_generate_v4" if called => {
            out.push(UUID_V4, TokenKind::Word, spaced);
            Ok(3)
        }
        "localtimestamp" => {
            out.push("CURRENT_TIMESTAMP", TokenKind::Word, spaced);
            Ok(1)
        }
        "ilike" => {
            out.push("LIKE", TokenKind::Word, spaced);
            Ok(1)
        }
        "interval" if rest.get(1).is_some_and(|next| next.kind == TokenKind::String) => Err(ExprError {
            message: "SQLite has no arithmetic with INTERVAL".to_owned(),
            help: "use its date functions, for example datetime(x, '+1 day')".to_owned(),
            span: token.start..rest[1].start + rest[1].text.len(),
        }),
        _ => {
            out.push(token.text, TokenKind::Word, spaced);
            Ok(1)
        }
    }
}

/// `operand::TYPE`.
fn cast(rest: &[Token<'_>], out: &mut Output) -> Result<usize, ExprError> {
    let colons = rest[0].start..rest[0].start + 2;
    let error = |message: &str, help: &str, span| {
        Err(ExprError { message: message.to_owned(), help: help.to_owned(), span })
    };
    let length = 2 + type_length(&rest[2..]);
    if length == 2 {
        return error("a type is missing after ::", "write for example amount::DECIMAL", colons);
    }
    let Some((operand, spaced)) = out.take_operand() else {
        return error("there is nothing to convert before ::", "write for example amount::DECIMAL", colons);
    };
    let name: Vec<&str> = rest[2..length].iter().map(|token| token.text).collect();
    let data_type = neutral_type(&name.join(" "));
    let end = rest[length - 1].start + rest[length - 1].text.len();
    let text = match &data_type {
        DataType::Array(_) => {
            return error("SQLite has no arrays", "store a JSON document instead", rest[2].start..end);
        }
        DataType::Boolean => format!(
            "iif(lower({operand}) IN ('true', 't', 'yes', 'y', 'on', '1'), 1, \
             iif(lower({operand}) IN ('false', 'f', 'no', 'n', 'off', '0'), 0, {operand}))"
        ),
        DataType::Date => format!("date({operand})"),
        DataType::Time => format!("time({operand})"),
        DataType::Timestamp | DataType::TimestampTz => format!("datetime({operand})"),
        DataType::Vector(_) => operand,
        other => {
            let declared = sqlite_type_name(other);
            let known = !matches!(other, DataType::Uuid | DataType::Json | DataType::Interval);
            let storage = Affinity::of_declared(&declared).storage();
            format!("CAST({operand} AS {})", if known { &declared } else { storage })
        }
    };
    // What was one operand is one again: the next `::` takes it whole.
    out.push(text, TokenKind::Word, spaced);
    Ok(length)
}

/// How many tokens a type's name has: words that belong together, numbers in parentheses, brackets.
fn type_length(rest: &[Token<'_>]) -> usize {
    let word = |at: usize| {
        rest.get(at)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|token| token.text.to_ascii_lowercase())
    };
    let Some(first) = word(0) else { return 0 };
    let mut at = 1;
    if matches!(
        (first.as_str(), word(1).as_deref()),
        ("double", Some("precision")) | ("character", Some("varying"))
    ) {
        at = 2;
    }
    if rest.get(at).is_some_and(|token| token.text == "(") {
        at += rest[at..].iter().position(|token| token.text == ")").map_or(0, |close| close + 1);
    }
    let zone = [word(at), word(at + 1), word(at + 2)];
    if let [Some(with), Some(time), Some(zone)] = zone
        && matches!(with.as_str(), "with" | "without")
        && time == "time"
        && zone == "zone"
    {
        at += 3;
    }
    while rest.get(at).is_some_and(|token| token.text == "[")
        && rest.get(at + 1).is_some_and(|t| t.text == "]")
    {
        at += 2;
    }
    at
}

/// A string in SQLite's only form; blobs and SQLite's own strings stay as they are.
fn plain_string(text: &str) -> String {
    match text.as_bytes() {
        [b'e' | b'E', b'\'', ..] => string(&unescape(text[2..].strip_suffix('\'').unwrap_or(&text[2..]))),
        [b'n' | b'N', b'\'', ..] => text[1..].to_owned(),
        [b'$', ..] => {
            let tag = text[1..].find('$').map_or(1, |at| at + 2);
            string(text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// The value of what stands between the quotes of an `E'…'` string.
fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            chars.next_if_eq(&'\'');
            out.push('\'');
            continue;
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escaped) = chars.next() else { break };
        let (radix, first, most) = match escaped {
            'x' => (16, None, 2),
            'u' => (16, None, 4),
            'U' => (16, None, 8),
            '0'..='7' => (8, Some(escaped), 2),
            _ => {
                out.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    other => other,
                });
                continue;
            }
        };
        let mut digits: String = first.into_iter().collect();
        for _ in 0..most {
            let Some(digit) = chars.next_if(|c| c.is_digit(radix)) else { break };
            digits.push(digit);
        }
        match u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32) {
            Some(c) => out.push(c),
            None => out.push(escaped),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations() {
        for (pql, sqlite) in [
            ("NOW()", "CURRENT_TIMESTAMP"),
            ("now ( )", "CURRENT_TIMESTAMP"),
            ("amount::DECIMAL", "CAST(amount AS DECIMAL)"),
            ("o.amount::decimal(10,2) * 2", "CAST(o.amount AS DECIMAL(10,2)) * 2"),
            ("coalesce(a, b)::text || 'x'", "CAST(coalesce(a, b) AS TEXT) || 'x'"),
            ("1 + (a + b)::int", "1 + CAST((a + b) AS INTEGER)"),
            ("a::text::bytes", "CAST(CAST(a AS TEXT) AS BLOB)"),
            ("'12'::double precision", "CAST('12' AS DOUBLE)"),
            ("a IN (1)::int", "a IN CAST((1) AS INTEGER)"),
            ("created::date", "date(created)"),
            ("x::uuid", "CAST(x AS TEXT)"),
            ("name ILIKE 'a%'", "name LIKE 'a%'"),
            ("E'it\\'s\\n\\x41'", "'it''s\nA'"),
            ("$q$it's$q$", "'it''s'"),
            ("a || 'x' -- note", "a || 'x'"),
            ("x'ff'", "x'ff'"),
            ("f.now(1) + \"now\"", "f.now(1) + \"now\""),
            ("a->>'$.b'", "a->>'$.b'"),
            ("current_timestamp", "current_timestamp"),
        ] {
            assert_eq!(sqlite_expr(pql).as_deref(), Ok(sqlite), "{pql}");
        }
    }

    #[test]
    fn what_sqlite_lacks() {
        for (text, span) in
            [("a + INTERVAL '1 day'", 4..20), ("a::int[]", 3..8), ("::int", 0..2), ("a::", 1..3)]
        {
            assert_eq!(sqlite_expr(text).expect_err(text).span, span, "{text}");
        }
    }
}
