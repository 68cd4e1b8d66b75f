//! Whose statement is it, by its first words: ours, parsed to the letter, or the database's, passed through?
//!
//! A misspelt statement of ours must not reach the database as if it were SQL, so pass-through is a closed list too.

use crate::SyntaxKind;
use crate::suggest::nearest;

/// What to do with a statement.
pub(crate) enum Form {
    /// Ours: the rule it must match, and the rule of the forms like it that the database keeps.
    Ours { rule: SyntaxKind, unmanaged: Option<SyntaxKind> },
    /// The database's.
    PassThrough,
    /// Nobody's: the number of the offending word, and the word it may stand for.
    Unknown { word: usize, suggestion: Option<&'static str> },
}

const fn ours(rule: SyntaxKind) -> Form {
    Form::Ours { rule, unmanaged: None }
}

/// Verbs of statements that PQL parses itself.
const OURS: [&str; 9] = ["MIGRATE", "SET", "RESET", "SHOW", "ALTER", "CREATE", "DROP", "DESCRIBE", "EXPLAIN"];

/// Verbs of SQL, in either database, that begin a statement PQL passes through.
#[rustfmt::skip] // a list reads better in lines than in a column
const PASSED: [&str; 51] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "PRAGMA", "BEGIN", "COMMIT", "ROLLBACK", "END",
    "SAVEPOINT", "RELEASE", "START", "ABORT", "VACUUM", "ANALYZE", "ANALYSE", "REINDEX", "ATTACH", "DETACH", "REPLACE",
    "EXPLAIN", "GRANT", "REVOKE", "COMMENT", "TRUNCATE", "LOCK", "COPY", "CALL", "DO", "EXECUTE", "PREPARE",
    "DEALLOCATE", "DECLARE", "FETCH", "MOVE", "CLOSE", "LISTEN", "NOTIFY", "UNLISTEN", "REFRESH", "CLUSTER", "DISCARD",
    "CHECKPOINT", "LOAD", "MERGE", "REASSIGN", "SECURITY", "IMPORT", "TABLE",
];

/// What CREATE, ALTER and DROP can be said of, besides tables, indexes and views.
#[rustfmt::skip]
const OBJECTS: [&str; 49] = [
    "ACCESS", "AGGREGATE", "CAST", "COLLATION", "CONSTRAINT", "CONVERSION", "DATABASE", "DEFAULT", "DOMAIN", "EVENT",
    "EXTENSION", "FOREIGN", "FUNCTION", "GLOBAL", "GROUP", "INDEX", "LANGUAGE", "LARGE", "LOCAL", "MATERIALIZED",
    "OPERATOR", "OR", "OWNED", "POLICY", "PROCEDURAL", "PROCEDURE", "PUBLICATION", "RECURSIVE", "ROLE", "ROUTINE",
    "RULE", "SCHEMA", "SEQUENCE", "SERVER", "STATISTICS", "SUBSCRIPTION", "SYSTEM", "TABLESPACE", "TEMP", "TEMPORARY",
    "TEXT", "TRANSFORM", "TRIGGER", "TRUSTED", "TYPE", "UNLOGGED", "USER", "VIEW", "VIRTUAL",
];

/// Objects whose definitions are PQL's own.
const DEFINED: [&str; 5] = ["TABLE", "COLLECTION", "INDEX", "UNIQUE", "VIEW"];

/// What follows SET when it is not a setting of the session.
const SQL_SETTINGS: [&str; 8] =
    ["LOCAL", "SESSION", "CONSTRAINTS", "TRANSACTION", "ROLE", "TIME", "SEARCH_PATH", "NAMES"];

pub(crate) fn classify(head: &[&str], first: u8) -> Form {
    let word = |n: usize| head.get(n).copied().unwrap_or("");
    let is = |n: usize, other: &str| word(n).eq_ignore_ascii_case(other);
    let any = |n: usize, list: &[&str]| list.iter().any(|other| is(n, other));
    // A statement that begins with a bracket is a query.
    let verb = match head.first() {
        Some(verb) => verb,
        None if first == b'(' => return Form::PassThrough,
        None => return Form::Unknown { word: 0, suggestion: None },
    };
    match verb.to_ascii_uppercase().as_str() {
        "MIGRATE" => ours(SyntaxKind::one_migrate),
        "EXPLAIN" if is(1, "MIGRATE") => ours(SyntaxKind::one_migrate),
        "SET" | "RESET" | "SHOW" if any(1, &SQL_SETTINGS) => Form::PassThrough,
        "SET" => Form::Ours { rule: SyntaxKind::one_set, unmanaged: Some(SyntaxKind::unmanaged_set) },
        "RESET" => Form::Ours { rule: SyntaxKind::one_reset, unmanaged: Some(SyntaxKind::unmanaged_show) },
        "SHOW" => Form::Ours { rule: SyntaxKind::one_show, unmanaged: Some(SyntaxKind::unmanaged_show) },
        "DESCRIBE" => ours(SyntaxKind::one_describe),
        "CREATE" => create(head),
        "ALTER" if any(1, &["TABLE", "COLLECTION"]) => Form::Ours {
            rule: SyntaxKind::one_alter_table,
            unmanaged: Some(SyntaxKind::unmanaged_alter_table),
        },
        "DROP" if any(1, &["TABLE", "COLLECTION"]) => ours(SyntaxKind::one_drop_table),
        "DROP" if is(1, "INDEX") => ours(SyntaxKind::one_drop_index),
        "DROP" if is_view(head, 1) => ours(SyntaxKind::one_drop_view),
        "ALTER" | "DROP" => object(head, 1),
        upper if PASSED.contains(&upper) => Form::PassThrough,
        _ => Form::Unknown { word: 0, suggestion: nearest(verb, OURS.into_iter().chain(PASSED)) },
    }
}

fn create(head: &[&str]) -> Form {
    let is = |n: usize, other: &str| head.get(n).is_some_and(|word| word.eq_ignore_ascii_case(other));
    let kind = if is(1, "UNLOGGED") { 2 } else { 1 };
    if is(kind, "TABLE") || is(kind, "COLLECTION") {
        let unmanaged = Some(SyntaxKind::unmanaged_create_table);
        return Form::Ours { rule: SyntaxKind::one_create_table, unmanaged };
    }
    if is(1, "INDEX") || is(1, "UNIQUE") {
        return ours(SyntaxKind::one_create_index);
    }
    let after_or_replace = if is(1, "OR") && is(2, "REPLACE") { 3 } else { 1 };
    if is_view(head, after_or_replace) {
        return ours(SyntaxKind::one_create_view);
    }
    object(head, after_or_replace)
}

fn is_view(head: &[&str], n: usize) -> bool {
    let is = |n: usize, other: &str| head.get(n).is_some_and(|word| word.eq_ignore_ascii_case(other));
    is(n, "VIEW") || is(n, "MATERIALIZED") && is(n + 1, "VIEW")
}

/// A definition of something that PQL does not manage, if there is such a thing.
fn object(head: &[&str], n: usize) -> Form {
    match head.get(n) {
        Some(word) if OBJECTS.iter().any(|other| other.eq_ignore_ascii_case(word)) => Form::PassThrough,
        Some(word) => {
            Form::Unknown { word: n, suggestion: nearest(word, DEFINED.into_iter().chain(OBJECTS)) }
        }
        None => Form::Unknown { word: head.len(), suggestion: None },
    }
}
