//! Misspelt keywords that parse.
//!
//! SQLite takes any run of words for a type, and `ADD [COLUMN]` may leave its keyword out, so `a TEXT UNIQ`,
//! `a INT b TEXT` and `ADD COLUM x INT` are all read without an error, and all mean something that nobody wrote. The
//! tree builder shows each name to this module, which objects to the unlikely ones. The tree stays whole: SQL that
//! SQLite itself has accepted and stored can still be read from it.

use std::ops::Range;

use crate::diagnose::foreign_word;
use crate::suggest::nearest;
use crate::{Diagnostic, SyntaxKind, codes};

/// Words that can follow a column's type.
#[rustfmt::skip] // a list reads better in lines than in a column
const AFTER_TYPE: &[&str] = &[
    "NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "COLLATE", "GENERATED", "CONSTRAINT",
    "AUTOINCREMENT", "BACKFILL", "CONCURRENTLY", "USING", "REVERT", "RENAMED", "DEFERRABLE", "STORAGE", "COMPRESSION",
];
const AFTER_ADD: &[&str] = &["COLUMN", "CONSTRAINT"];
const BEFORE_NAME: &[&str] = &["CONSTRAINT"];
const BEFORE_KEY: &[&str] = &["PRIMARY", "FOREIGN"];
const AFTER_KEY: &[&str] = &["DESC", "ASC", "NULLS", "COLLATE"];

/// The first words of the usual types.
#[rustfmt::skip]
const TYPES: &[&str] = &[
    "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "INT2", "INT4", "INT8", "SERIAL", "BIGSERIAL", "TEXT", "STRING",
    "VARCHAR", "CHAR", "CHARACTER", "CLOB", "BLOB", "BYTEA", "BYTES", "BINARY", "VARBINARY", "REAL", "FLOAT", "FLOAT4",
    "FLOAT8", "DOUBLE", "DECIMAL", "NUMERIC", "NUMBER", "MONEY", "BOOL", "BOOLEAN", "DATE", "TIME", "TIMETZ",
    "DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "UUID", "JSON", "JSONB", "VECTOR", "ENUM", "XML", "INET",
];

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// May `word` follow `before` inside one type? These are the types of several words that exist.
fn belongs(before: &str, word: &str) -> bool {
    const SIZES: &[&str] = &["BIG", "SMALL", "TINY", "MEDIUM", "LONG", "UNSIGNED", "SIGNED"];
    const UNITS: &[&str] = &["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
    let heads: &[&str] = match word.to_ascii_uppercase().as_str() {
        "PRECISION" => &["DOUBLE"],
        "VARYING" => &["CHARACTER", "CHAR", "NCHAR", "BIT"],
        "CHARACTER" | "CHAR" | "VARCHAR" => &["VARYING", "NATIVE", "NATIONAL", "LONG"],
        "TEXT" => &["LONG", "MEDIUM", "TINY", "SUB_TYPE"],
        "INT" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "DOUBLE" | "FLOAT" | "REAL" | "LONG"
        | "BIG" | "BLOB" => SIZES,
        "RAW" | "BINARY" => &["LONG"],
        "LARGE" => &["BINARY", "CHARACTER", "CHAR"],
        "OBJECT" => &["LARGE"],
        "SUB_TYPE" => &["BLOB"],
        "UNSIGNED" | "SIGNED" | "ZEROFILL" | "ARRAY" => return true,
        "TO" => UNITS,
        "YEAR" | "MONTH" | "DAY" | "HOUR" | "MINUTE" | "SECOND" => &["INTERVAL", "TO"],
        _ => return false,
    };
    is_one_of(before, heads)
}

/// Watches the names of one statement go into the tree.
#[derive(Default)]
pub(crate) struct Doubts<'s> {
    found: Vec<Diagnostic>,
    /// The type being read: is its first word a usual one, and its last word so far.
    ty: Option<(bool, &'s str)>,
    /// The column's name, and whether ADD stands before it: an error if it looks like a keyword and no usual type
    /// follows.
    column: Option<(&'s str, Range<usize>, bool)>,
}

impl<'s> Doubts<'s> {
    /// What was found in the statement.
    pub(crate) fn take(&mut self) -> Vec<Diagnostic> {
        self.ty = None;
        self.column = None;
        std::mem::take(&mut self.found)
    }

    /// A node begins.
    pub(crate) fn start(&mut self, kind: SyntaxKind) {
        match kind {
            SyntaxKind::type_name => self.ty = None,
            SyntaxKind::column_def | SyntaxKind::field_def => self.column = None,
            _ => {}
        }
    }

    /// A bare name goes into the tree, inside the nodes `open` and behind a token of the kind `before`.
    pub(crate) fn name(
        &mut self,
        name: &'s str,
        span: Range<usize>,
        open: &[SyntaxKind],
        before: SyntaxKind,
    ) {
        use SyntaxKind as K;
        match open {
            [.., K::column_def | K::field_def] => self.column = Some((name, span, before == K::kw_add)),
            [.., K::type_name] => self.type_word(name, span, before),
            [.., K::opclass, K::qualified_name] => {
                if let Some(suggestion) = nearest(name, AFTER_KEY.iter().copied()) {
                    self.misspelt(name, span, suggestion);
                }
            }
            _ => {}
        }
    }

    fn type_word(&mut self, word: &'s str, span: Range<usize>, before: SyntaxKind) {
        let Some((usual, last)) = self.ty else {
            let usual = is_one_of(word, TYPES);
            self.ty = Some((usual, word));
            match self.column.take() {
                Some((name, span, after_add)) if !usual => self.first_type_word(name, span, word, after_add),
                _ => {}
            }
            return;
        };
        self.ty = Some((usual, word));
        if before == SyntaxKind::dot || belongs(last, word) || !self.found.is_empty() {
            return;
        }
        let suggestion = nearest(word, AFTER_TYPE.iter().copied());
        let foreign = foreign_word(word);
        // A type that nobody knows may have any words.
        if !usual && suggestion.is_none() && foreign.is_none() && !is_one_of(word, TYPES) {
            return;
        }
        let help = match (foreign, suggestion) {
            (Some(help), _) => help.to_owned(),
            (None, Some(suggestion)) => {
                format!("did you mean `{suggestion}`? If it is a type's name, quote it")
            }
            (None, None) => format!("is a comma missing before `{word}`? If it is a type's name, quote it"),
        };
        let message = format!("`{word}` cannot follow the type `{last}`");
        let diagnostic = Diagnostic::error(codes::MISSPELT, span, message);
        self.found.push(diagnostic.with_help(help).with_label("no part of the type"));
    }

    fn first_type_word(&mut self, name: &str, span: Range<usize>, ty: &str, after_add: bool) {
        let candidates = match (ty.eq_ignore_ascii_case("key"), after_add) {
            (true, _) => BEFORE_KEY,
            (false, true) => AFTER_ADD,
            (false, false) => BEFORE_NAME,
        };
        if let Some(suggestion) = nearest(name, candidates.iter().copied()) {
            self.misspelt(name, span, suggestion);
        }
    }

    fn misspelt(&mut self, word: &str, span: Range<usize>, suggestion: &str) {
        let message = format!("`{word}` is read as a name here, but looks like a misspelt `{suggestion}`");
        let help = format!("did you mean `{suggestion}`? If not, quote it: \"{word}\"");
        let diagnostic = Diagnostic::error(codes::MISSPELT, span, message);
        self.found.push(diagnostic.with_help(help).with_label("misspelt?"));
    }
}
