//! What a file says, independent of how it is laid out: a digest over its tokens. Line ends, blanks, comments, a byte
//! order mark and a final newline do not count.

use pql_schema::Fingerprint;
use pql_syntax::{SyntaxKind, SyntaxToken};

/// The digest of a text.
pub(crate) fn checksum(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = pql_syntax::parse(text).syntax();
    let mut tokens: Vec<String> = tree
        .descendants_with_tokens()
        .filter_map(rowan::NodeOrToken::into_token)
        .filter(|token: &SyntaxToken| !token.kind().is_trivia())
        .map(|token| token.text().replace("\r\n", "\n"))
        .collect();
    // The last statement may omit its end.
    while tokens.last().is_some_and(|token| token == ";") {
        tokens.pop();
    }
    debug_assert!(SyntaxKind::whitespace.is_trivia());
    Fingerprint::of_text(&tokens.join("\u{1f}")).0
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn layout_does_not_count() {
        let plain = checksum("CREATE TABLE t (id INTEGER);");
        for same in [
            "CREATE TABLE t (id INTEGER)",
            "\u{feff}CREATE TABLE t (id INTEGER);\n",
            "-- why\r\nCREATE TABLE t (\r\n  id INTEGER /* key */\r\n);\r\n\r\n",
        ] {
            assert_eq!(checksum(same), plain, "{same:?}");
        }
    }

    #[test]
    fn content_counts() {
        let plain = checksum("INSERT INTO t VALUES ('a b');");
        for other in [
            "INSERT INTO t VALUES ('a  b');",
            "INSERT INTO t VALUES ('a b', 1);",
            "INSERT INTO u VALUES ('a b');",
        ] {
            assert_ne!(checksum(other), plain, "{other:?}");
        }
    }
}
