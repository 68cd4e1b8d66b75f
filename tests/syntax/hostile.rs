//! Input made to hurt: very deep, very long, broken. The answer is a tree and a message, never a panic,
//! an overflowing stack or a time that grows faster than the input.

use pql_syntax::{parse, parse_bytes};

/// Deep enough to overflow the stack of any parser that descends once per level.
const DEEP: usize = 100_000;

/// Parses, checks that nothing is lost, and returns the number of errors.
fn errors(source: &str) -> usize {
    let parse = parse(source);
    assert!(parse.syntax().text() == source, "the tree loses text");
    parse.diagnostics().len()
}

/// The threads of a test runner have small stacks; this one is smaller still.
fn with_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(test).expect("a thread starts");
    thread.join().expect("no overflow, no panic");
}

fn nested(before: &str, open: &str, inner: &str, close: &str, after: &str) -> String {
    format!("{before}{}{inner}{}{after}", open.repeat(DEEP), close.repeat(DEEP))
}

#[test]
fn deep_parentheses_in_an_expression_are_refused() {
    with_a_small_stack(|| {
        let source = nested("ALTER TABLE t ADD CONSTRAINT k CHECK (", "(", "1", ")", ");\nMIGRATE STATUS;");
        let parse = parse(&source);
        assert_eq!(parse.diagnostics().len(), 1);
        assert!(parse.diagnostics()[0].message.contains("nest"), "{:?}", parse.diagnostics()[0].message);
        assert_eq!(parse.statements().count(), 2, "the next statement is found");
    });
}

#[test]
fn deep_parentheses_in_other_sql_pass() {
    with_a_small_stack(|| {
        assert_eq!(errors(&nested("SELECT ", "(", "1", ")", "; MIGRATE STATUS;")), 0);
    });
}

#[test]
fn deep_parentheses_that_never_close() {
    with_a_small_stack(|| {
        assert_eq!(errors(&format!("SELECT {}", "(".repeat(DEEP))), 1);
        assert_eq!(errors(&format!("ALTER TABLE t ADD CONSTRAINT k CHECK {}", "(".repeat(DEEP))), 1);
        assert_eq!(errors(&"(".repeat(DEEP)), 1);
        assert!(errors(&")".repeat(DEEP)) >= 1);
    });
}

#[test]
fn deep_comments() {
    with_a_small_stack(|| {
        // How deep comments may nest depends on the stack, so this may be refused; it must not overflow.
        assert!(errors(&nested("MIGRATE ", "/* ", "x", " */", " STATUS;")) <= 1);
        assert_eq!(errors(&format!("MIGRATE STATUS; {}", "/*".repeat(DEEP))), 1);
    });
}

#[test]
fn deep_expressions_of_every_kind() {
    with_a_small_stack(|| {
        for (open, inner, close) in [
            ("NOT ", "a", ""),
            ("- ", "1", ""),
            ("f(", "1", ")"),
            ("CASE WHEN ", "a", " THEN 1 END"),
            ("ARRAY[", "1", "]"),
            ("(SELECT ", "1", ")"),
            ("CAST(", "1", " AS TEXT)"),
            ("a[", "1", "]"),
        ] {
            let (before, after) = (open.repeat(DEEP / 10), close.repeat(DEEP / 10));
            let source = format!("ALTER TABLE t ADD CONSTRAINT k CHECK ({before}{inner}{after});");
            assert!(errors(&source) <= 1, "one statement, at most one error: {open}");
        }
    });
}

#[test]
fn long_chains_are_not_deep() {
    with_a_small_stack(|| {
        for chain in [" + 1", " AND a", "::text", "[1]", " || 'x'", " COLLATE c"] {
            let source = format!("ALTER TABLE t ADD CONSTRAINT k CHECK (a{});", chain.repeat(DEEP / 10));
            assert_eq!(errors(&source), 0, "a chain of{chain}");
        }
    });
}

#[test]
fn many_trigger_bodies_that_never_end() {
    with_a_small_stack(|| {
        assert_eq!(errors(&format!("CREATE TRIGGER t AFTER INSERT ON u {}", "BEGIN ".repeat(DEEP))), 1);
        assert_eq!(errors(&format!("CREATE TRIGGER t AFTER INSERT ON u BEGIN {}", "CASE ".repeat(DEEP))), 1);
    });
}

#[test]
fn long_literals_and_names() {
    let long = "x".repeat(1_000_000);
    assert_eq!(errors(&format!("SELECT '{long}';")), 0);
    assert_eq!(errors(&format!("ALTER TABLE t ALTER COLUMN c SET DEFAULT '{long}';")), 0);
    assert_eq!(errors(&format!("ALTER TABLE {long} ADD COLUMN c TEXT;")), 0);
    assert_eq!(errors(&format!("ALTER TABLE \"{long}\" ADD COLUMN c TEXT;")), 0);
    assert_eq!(errors(&format!("MIGRATE STATUS; -- {long}")), 0);
    assert_eq!(errors(&format!("SELECT ${long}$ 1 ${long}$;")), 0);
    assert_eq!(errors(&format!("{long};")), errors("x;"));
}

/// The size of the requirement; slow without optimisation, so it runs when asked for.
#[test]
#[ignore = "100 MB; run with --release -- --ignored"]
fn a_literal_of_100_megabytes() {
    let long = "x".repeat(100_000_000);
    assert_eq!(errors(&format!("SELECT '{long}';")), 0);
    assert_eq!(errors(&format!("ALTER TABLE t ALTER COLUMN c SET DEFAULT '{long}';")), 0);
    assert_eq!(errors(&format!("SELECT '{long}")), 1);
}

#[test]
fn everything_unterminated_is_one_error() {
    for source in [
        "'",
        "\"",
        "/*",
        "$$",
        "$a$",
        "$a$ $b$",
        "E'",
        "E'\\",
        "x'",
        "SELECT '",
        "SELECT \"",
        "SELECT `",
        "SELECT /*",
        "SELECT $$",
        "SELECT $a$ $b$ $$",
        "SELECT E'\\'",
        "SELECT '''",
        "SELECT (",
        "SELECT ('",
        "U&'",
        "MIGRATE STATUS /*",
        "ALTER TABLE t ADD COLUMN c TEXT DEFAULT '",
    ] {
        assert_eq!(errors(source), 1, "{source}");
    }
}

#[test]
fn a_lone_at_sign() {
    for source in
        ["@", "@;", "MIGRATE APPLY migration_id = @", "MIGRATE APPLY migration_id = @;", "SET a = @;"]
    {
        assert_eq!(errors(source), 1, "{source}");
    }
}

#[test]
fn empty_and_blank_sources() {
    for source in ["", " ", "\n", "\u{feff}", ";", ";;;", "-- x", "-- x\n", "/* x */", "\t\r\n"] {
        assert_eq!(errors(source), 0, "{source:?}");
    }
}

#[test]
fn control_characters_are_named_not_printed() {
    for source in
        ["ALTER TABLE a\0b ADD c TEXT;", "\0", "MIGRATE \u{1b}[31m STATUS;", "MIGRATE STATUS \u{202e};"]
    {
        let parse = parse(source);
        assert_eq!(parse.diagnostics().len(), 1, "{source:?}");
        let message = &parse.diagnostics()[0].message;
        assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{message:?}");
    }
}

#[test]
fn broken_utf8_is_reported_with_its_offset() {
    for (bytes, offset) in [
        (&b"\xff"[..], 0),
        (b"MIGRATE STATUS; \xc3", 16),
        (b"SELECT '\xed\xa0\x80';", 8),
        (b"SELECT '\xc0\xaf';", 8),
        (b"-- \xf4\x90\x80\x80\n", 3),
    ] {
        let diagnostic = parse_bytes(bytes).expect_err("this is no UTF-8");
        assert_eq!(diagnostic.span.start, offset, "{bytes:?}");
        assert!(diagnostic.message.contains("UTF-8"), "{}", diagnostic.message);
    }
    assert!(parse_bytes("SELECT 'größe';".as_bytes()).is_ok());
}
