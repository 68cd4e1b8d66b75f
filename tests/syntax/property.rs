//! What holds for every text, tried on generated ones: the tree keeps every byte, formatting twice is
//! formatting once, and formatting changes neither a token nor a comment.

use std::sync::LazyLock;

use pql_syntax::ast::AstNode;
use pql_syntax::{SyntaxKind, format, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::fixture::Fixture;

/// What the fixtures say, read once.
static SOURCES: LazyLock<Vec<String>> =
    LazyLock::new(|| Fixture::all().iter().map(Fixture::source).collect());

/// Words that mean something to the parser, and things that upset it.
static SOUP: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let words = "MIGRATE GENERATE DETECT APPLY ROLLBACK STATUS PURGE BASELINE VERIFY PLAN FROM TO WITH AS ADD DROP \
        RENAME CHANGE MODIFY SET RESET SHOW ALL DESCRIBE COLUMN TABLE COLLECTION INDEX UNIQUE CONSTRAINT PRIMARY KEY \
        FOREIGN REFERENCES CHECK DEFAULT NOT NULL NOW() CREATE ALTER VIEW TRIGGER FUNCTION BEGIN ATOMIC END CASE WHEN \
        THEN ELSE CONCURRENTLY USING WHERE INCLUDE ON DELETE CASCADE TYPE TEXT INTEGER DECIMAL(10,2) VECTOR(3) \
        TIMESTAMP ZONE SELECT INSERT COPY stdin users t.c a.b.c `b` [x] größe a$b 'it''s' E'\\'' x'00' U&'x' 1 1.5e3 .5 \
        0xF @p @ @> @@ <@ :: || ->> = <> ( ) { } [ ] , ; : . * /* */ ' \" $$ \0 \u{feff} € \\ -- $ # ?";
    let with_blanks =
        ["\"q \"\" n\"", "$$ ; $$", "$t$ $$ $t$", "-- c\n", "/* c /* d */ */", "\n", "\n\n", "\r\n", "\t"];
    words.split_ascii_whitespace().chain(with_blanks).collect()
});

fn soup() -> impl Strategy<Value = String> {
    proptest::collection::vec((select(&**SOUP), select(&["", " ", "\n"][..])), 0..60)
        .prop_map(|words| words.into_iter().flat_map(|(word, gap)| [word, gap]).collect())
}

/// A change at one place of a text: what is taken out, what is put in, where from.
#[derive(Debug, Clone)]
enum Edit {
    Remove(Index, usize),
    Insert(Index, &'static str),
    Repeat(Index, usize),
    Cut(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), 1..12_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), select(&**SOUP)).prop_map(|(at, word)| Edit::Insert(at, word)),
        (any::<Index>(), 1..20_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
        any::<Index>().prop_map(Edit::Cut),
    ]
}

fn edited(source: &str, edits: &[Edit]) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for edit in edits {
        let size = bytes.len() + 1;
        match edit {
            Edit::Remove(at, length) => {
                let at = at.index(size);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Edit::Insert(at, word) => {
                let at = at.index(size);
                bytes.splice(at..at, word.bytes());
            }
            Edit::Repeat(at, length) => {
                let at = at.index(size);
                let copy = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
            Edit::Cut(at) => bytes.truncate(at.index(size)),
        }
    }
    // Bytes may fall within a character; `parse_bytes` has its own tests.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every token that means something, keywords in one case; trivia and the sugar's spelling left out.
fn significant(source: &str) -> Vec<String> {
    let tokens = parse(source).syntax().descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token);
    tokens.filter(|token| !token.kind().is_trivia()).map(|token| token.text().to_ascii_uppercase()).collect()
}

fn comments(source: &str) -> Vec<String> {
    let tokens = parse(source).syntax().descendants_with_tokens().filter_map(rowan::NodeOrToken::into_token);
    let comments = tokens.filter(|token| token.kind() == SyntaxKind::comment);
    comments.map(|token| token.text().replace('\r', "").trim_end().to_owned()).collect()
}

/// The properties themselves.
fn holds(source: &str) {
    let tree = parse(source);
    assert!(tree.syntax().text() == source, "the tree loses text of {source:?}");
    let covered = tree.statements().map(|statement| statement.syntax().text_range()).collect::<Vec<_>>();
    assert!(covered.is_sorted_by(|a, b| a.end() <= b.start()), "statements overlap in {source:?}");
    for diagnostic in tree.diagnostics() {
        assert!(source.get(diagnostic.span.clone()).is_some(), "a span lies outside of {source:?}");
        assert!(!diagnostic.message.is_empty());
    }

    let Ok(once) = format(source) else {
        assert!(!tree.is_ok(), "what parses is formatted: {source:?}");
        return;
    };
    let twice = format(&once).unwrap_or_else(|errors| panic!("{source:?} became {once:?}: {errors:?}"));
    assert_eq!(once, twice, "formatting twice differs from once for {source:?}");
    assert_eq!(comments(source), comments(&once), "comments of {source:?}");
    if !SUGAR.iter().any(|word| source.to_ascii_uppercase().contains(word)) {
        assert_eq!(significant(source), significant(&once), "tokens of {source:?}");
    }
}

/// What the formatter rewrites to its standard form, changing tokens.
const SUGAR: &[&str] = &["COLLECTION", "MODIFY", "{"];

#[test]
fn every_fixture_keeps_its_text_tokens_and_comments() {
    SOURCES.iter().for_each(|source| holds(source));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn token_soup(source in soup()) {
        holds(&source);
    }

    #[test]
    fn any_text(source in "\\PC{0,80}") {
        holds(&source);
    }

    #[test]
    fn edited_fixtures(which in any::<Index>(), edits in proptest::collection::vec(edit(), 1..4)) {
        holds(&edited(&SOURCES[which.index(SOURCES.len())], &edits));
    }
}
