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

/// Words that can follow a column's type, or that stand where a column's name could.
const AFTER_TYPE: &[&str] = &[
    "NOT",
    "NULL",
    "DEFAULT",
    "PRIMARY",
    "UNIQUE",
    "CHECK",
    "REFERENCES",
    "COLLATE",
    "GENERATED",
    "CONSTRAINT",
    "AUTOINCREMENT",
    "BACKFILL",
    "CONCURRENTLY",
    "USING",
    "REVERT",
    "RENAMED",
    "DEFERRABLE",
    "STORAGE",
    "COMPRESSION",
];
const AFTER_ADD: &[&str] = &["COLUMN", "CONSTRAINT"];
const BEFORE_NAME: &[&str] = &["CONSTRAINT"];
const BEFORE_KEY: &[&str] = &["PRIMARY", "FOREIGN"];
const AFTER_KEY: &[&str] = &["DESC", "ASC", "NULLS", "COLLATE"];

/// The first word of the usual types: where one of them follows, the word before it is a name.
const TYPES: &[&str] = &[
    "INT",
    "INTEGER",
    "BIGINT",
    "SMALLINT",
    "TINYINT",
    "INT2",
    "INT4",
    "INT8",
    "SERIAL",
    "BIGSERIAL",
    "TEXT",
    "STRING",
    "VARCHAR",
    "CHAR",
    "CHARACTER",
    "CLOB",
    "BLOB",
    "BYTEA",
    "BYTES",
    "BINARY",
    "VARBINARY",
    "REAL",
    "FLOAT",
    "FLOAT4",
    "FLOAT8",
    "DOUBLE",
    "DECIMAL",
    "NUMERIC",
    "NUMBER",
    "MONEY",
    "BOOL",
    "BOOLEAN",
    "DATE",
    "TIME",
    "TIMETZ",
    "DATETIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "INTERVAL",
    "UUID",
    "JSON",
    "JSONB",
    "VECTOR",
    "ENUM",
    "XML",
    "INET",
];

/// May `word` follow `before` inside one type? These are the types of several words that exist.
fn belongs(before: &str, word: &str) -> bool {
    const SIZES: &[&str] = &["BIG", "SMALL", "TINY", "MEDIUM", "LONG", "UNSIGNED", "SIGNED"];
    const UNITS: &[&str] = &["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
    let is = |text: &str, list: &[&str]| list.iter().any(|other| other.eq_ignore_ascii_case(text));
    match word.to_ascii_uppercase().as_str() {
        "PRECISION" => is(before, &["DOUBLE"]),
        "VARYING" => is(before, &["CHARACTER", "CHAR", "NCHAR", "BIT"]),
        "CHARACTER" | "CHAR" | "VARCHAR" | "TEXT" => {
            is(before, &["VARYING", "NATIVE", "NATIONAL", "LONG", "MEDIUM", "TINY"])
        }
        "INT" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "DOUBLE" | "FLOAT" | "REAL" | "LONG"
        | "BIG" | "BLOB" => is(before, SIZES),
        "RAW" | "BINARY" => is(before, &["LONG"]),
        "LARGE" => is(before, &["BINARY", "CHARACTER", "CHAR"]),
        "OBJECT" => is(before, &["LARGE"]),
        "UNSIGNED" | "SIGNED" | "ZEROFILL" | "ARRAY" => true,
        "TO" => is(before, UNITS),
        "YEAR" | "MONTH" | "DAY" | "HOUR" | "MINUTE" | "SECOND" => is(before, &["INTERVAL", "TO"]),
        _ => false,
    }
}

/// Watches the tokens of one statement go into the tree.
#[derive(Default)]
pub(crate) struct Doubts {
    found: Vec<Diagnostic>,
    /// The word before, inside a type.
    type_word: Option<String>,
    /// The column's name, and whether ADD stands before it: an error if it looks like a keyword and no usual type
    /// follows.
    name: Option<(String, Range<usize>, bool)>,
}

impl Doubts {
    /// What was found in the statement.
    pub(crate) fn take(&mut self) -> Vec<Diagnostic> {
        self.type_word = None;
        self.name = None;
        std::mem::take(&mut self.found)
    }

    /// A node begins.
    pub(crate) fn start(&mut self, kind: SyntaxKind) {
        if kind == SyntaxKind::type_name {
            self.type_word = None;
        }
    }

    /// A name goes into the node `parent`, behind a token of the kind `before`.
    pub(crate) fn name(&mut self, text: &str, span: Range<usize>, parent: SyntaxKind, before: SyntaxKind) {
        match parent {
            SyntaxKind::column_def | SyntaxKind::field_def => {
                self.name = Some((text.to_owned(), span, before == SyntaxKind::kw_add));
            }
            SyntaxKind::type_name => self.type_word(text, span, before),
            _ => {}
        }
    }

    /// The word after an index's key, which could be an operator class.
    pub(crate) fn opclass(&mut self, text: &str, span: Range<usize>) {
        if let Some(suggestion) = nearest(text, AFTER_KEY.iter().copied()) {
            self.misspelt(text, span, suggestion);
        }
    }

    fn type_word(&mut self, text: &str, span: Range<usize>, before: SyntaxKind) {
        let Some(previous) = self.type_word.replace(text.to_owned()) else {
            self.first_type_word(text);
            return;
        };
        if before == SyntaxKind::dot || belongs(&previous, text) || !self.found.is_empty() {
            return;
        }
        let (code, label) = (codes::MISSPELT, "no part of the type");
        let message = format!("`{text}` cannot follow the type `{previous}`");
        let help = if let Some(help) = foreign_word(text) {
            help.to_owned()
        } else if let Some(suggestion) = nearest(text, AFTER_TYPE.iter().copied()) {
            format!("did you mean `{suggestion}`? A type's name of several words can be quoted")
        } else {
            format!("is a comma missing before `{text}`? A type's name of several words can be quoted")
        };
        self.found.push(Diagnostic::error(code, span, message).with_help(help).with_label(label));
    }

    fn first_type_word(&mut self, text: &str) {
        let Some((word, span, after_add)) = self.name.take() else { return };
        let candidates = if text.eq_ignore_ascii_case("key") {
            BEFORE_KEY
        } else if TYPES.iter().any(|usual| usual.eq_ignore_ascii_case(text)) {
            return;
        } else if after_add {
            AFTER_ADD
        } else {
            BEFORE_NAME
        };
        if let Some(suggestion) = nearest(&word, candidates.iter().copied()) {
            self.misspelt(&word, span, suggestion);
        }
    }

    fn misspelt(&mut self, word: &str, span: Range<usize>, suggestion: &str) {
        let message = format!("`{word}` is read as a name here, but looks like a misspelt `{suggestion}`");
        self.found.push(
            Diagnostic::error(codes::MISSPELT, span, message)
                .with_help(format!("did you mean `{suggestion}`? If not, quote it: \"{word}\""))
                .with_label("misspelt?"),
        );
    }
}
