//! Colours from the tree that the parser builds.

use pql_syntax::{SyntaxElement, SyntaxKind};

const KEYWORD: &str = "\u{1b}[1;34m";
const STRING: &str = "\u{1b}[32m";
const NUMBER: &str = "\u{1b}[36m";
const PARAMETER: &str = "\u{1b}[35m";
const COMMENT: &str = "\u{1b}[2m";
const BROKEN: &str = "\u{1b}[31m";
const RESET: &str = "\u{1b}[0m";

/// The text with colours; without them it is the same text.
pub(super) fn colored(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for element in pql_syntax::parse(text).syntax().descendants_with_tokens() {
        let SyntaxElement::Token(token) = element else { continue };
        let color = match token.kind() {
            SyntaxKind::string => STRING,
            SyntaxKind::number => NUMBER,
            SyntaxKind::param => PARAMETER,
            SyntaxKind::comment => COMMENT,
            SyntaxKind::unterminated | SyntaxKind::unknown => BROKEN,
            kind if kind.is_keyword() => KEYWORD,
            SyntaxKind::word if is_sql_keyword(token.text()) => KEYWORD,
            _ => "",
        };
        if color.is_empty() {
            out.push_str(token.text());
        } else {
            // A colour does not survive the end of a line everywhere.
            for (at, line) in token.text().split('\n').enumerate() {
                if at > 0 {
                    out.push('\n');
                }
                out.push_str(color);
                out.push_str(line);
                out.push_str(RESET);
            }
        }
    }
    out
}

/// Words of SQL that goes to the database, where the tree has words and no keywords.
fn is_sql_keyword(word: &str) -> bool {
    super::complete::SQL_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::colored;

    #[test]
    fn colours_add_nothing_but_colours() {
        for text in ["SELECT 'a\nb' -- x", "MIGRATE DETECT TO application_schema = @s;", "", "' unterminated"]
        {
            let mut plain = String::new();
            let mut rest = colored(text);
            while let Some(at) = rest.find('\u{1b}') {
                plain.push_str(&rest[..at]);
                let end = rest[at..].find('m').expect("an escape ends");
                rest = rest[at + end + 1..].to_owned();
            }
            plain.push_str(&rest);
            assert_eq!(plain, text);
        }
    }
}
