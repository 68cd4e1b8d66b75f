//! Literals and parameters, decoded.

use std::ops::Range;

use super::span;
use crate::{SyntaxKind, SyntaxToken};

/// The value of a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `'it''s'`, `E'\n'`, `N'…'`, `$tag$…$tag$`.
    String(String),
    /// `x'c0ffee'`.
    Bytes(Vec<u8>),
    /// `B'0101'`: the digits.
    Bits(String),
    /// The digits as written, without separators.
    Number(String),
    /// TRUE or FALSE.
    Boolean(bool),
    /// NULL.
    Null,
}

impl Literal {
    /// The value of a token, if it is a literal and well-formed inside.
    pub fn from_token(token: &SyntaxToken) -> Option<Self> {
        match token.kind() {
            SyntaxKind::string => string(token.text()),
            SyntaxKind::number => Some(Self::Number(token.text().replace('_', ""))),
            SyntaxKind::kw_true => Some(Self::Boolean(true)),
            SyntaxKind::kw_false => Some(Self::Boolean(false)),
            SyntaxKind::kw_null => Some(Self::Null),
            _ => None,
        }
    }
}

fn string(raw: &str) -> Option<Literal> {
    let doubled = |text: &str| text.get(1..text.len() - 1).unwrap_or_default().replace("''", "'");
    match raw.as_bytes() {
        [b'\'', ..] => Some(Literal::String(doubled(raw))),
        [b'$', ..] => {
            let tag = raw[1..].find('$')? + 2;
            Some(Literal::String(raw.get(tag..raw.len() - tag)?.to_owned()))
        }
        [b'e' | b'E', ..] => unescape(raw.get(2..raw.len() - 1)?).map(Literal::String),
        [b'x' | b'X', ..] => hex(&doubled(&raw[1..])).map(Literal::Bytes),
        [b'b' | b'B', ..] => Some(Literal::Bits(doubled(&raw[1..]))),
        [b'n' | b'N', ..] => Some(Literal::String(doubled(&raw[1..]))),
        [b'u' | b'U', b'&', ..] => unicode(&doubled(&raw[2..])).map(Literal::String),
        _ => None,
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The inside of `E'…'`. Byte escapes must make UTF-8 together.
fn unescape(text: &str) -> Option<String> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut buffer = [0; 4];
    while let Some(c) = chars.next() {
        let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        match c {
            '\'' => {
                chars.next();
                push('\'');
            }
            '\\' => match chars.next()? {
                'b' => push('\u{8}'),
                'f' => push('\u{c}'),
                'n' => push('\n'),
                'r' => push('\r'),
                't' => push('\t'),
                'u' => push(char::from_u32(digits(&mut chars, 16, 4, 4)?)?),
                'U' => push(char::from_u32(digits(&mut chars, 16, 8, 8)?)?),
                'x' if chars.peek().is_some_and(char::is_ascii_hexdigit) => {
                    out.push(u8::try_from(digits(&mut chars, 16, 1, 2)?).ok()?);
                }
                c @ '0'..='7' => {
                    let mut value = c.to_digit(8)?;
                    for _ in 0..2 {
                        let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                        chars.next();
                        value = value * 8 + digit;
                    }
                    out.push(u8::try_from(value).ok()?);
                }
                other => push(other),
            },
            other => push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// The inside of `U&'…'` with the usual escape character.
fn unicode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
        } else if chars.next_if_eq(&'\\').is_some() {
            out.push('\\');
        } else if chars.next_if_eq(&'+').is_some() {
            out.push(char::from_u32(digits(&mut chars, 16, 6, 6)?)?);
        } else {
            out.push(char::from_u32(digits(&mut chars, 16, 4, 4)?)?);
        }
    }
    Some(out)
}

fn digits(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    least: usize,
    most: usize,
) -> Option<u32> {
    let mut value = 0;
    for n in 0..most {
        match chars.peek().and_then(|c| c.to_digit(radix)) {
            Some(digit) => value = value * radix + digit,
            None if n >= least => break,
            None => return None,
        }
        chars.next();
    }
    Some(value)
}

/// A parameter `@name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param(SyntaxToken);

impl Param {
    /// The token, if it is a parameter.
    pub fn cast(token: SyntaxToken) -> Option<Self> {
        (token.kind() == SyntaxKind::param).then(|| Self(token))
    }

    /// The name without `@`.
    pub fn name(&self) -> &str {
        &self.0.text()[1..]
    }

    /// Byte range in the source, `@` included.
    pub fn span(&self) -> Range<usize> {
        span(self.0.text_range())
    }
}

#[cfg(test)]
mod tests {
    use super::{Literal, string};

    #[test]
    fn strings_are_decoded() {
        let text = |raw: &str| match string(raw) {
            Some(Literal::String(text)) => Some(text),
            _ => None,
        };
        assert_eq!(text("'it''s'").as_deref(), Some("it's"));
        assert_eq!(text(r"E'a\n\x41\101\u00e9\'\\'''").as_deref(), Some("a\nAAé'\\'"));
        assert_eq!(text(r"E'\xc3\xa9'").as_deref(), Some("é"));
        assert_eq!(text(r"E'\xff'"), None, "not UTF-8");
        assert_eq!(text("$$a'b$$").as_deref(), Some("a'b"));
        assert_eq!(text("$t$a$$b$t$").as_deref(), Some("a$$b"));
        assert_eq!(text(r"U&'d\0061t\+000061'").as_deref(), Some("data"));
        assert_eq!(string("x'C0ff'"), Some(Literal::Bytes(vec![0xc0, 0xff])));
        assert_eq!(string("x'c0f'"), None);
        assert_eq!(string("b'01'"), Some(Literal::Bits("01".to_owned())));
    }
}
