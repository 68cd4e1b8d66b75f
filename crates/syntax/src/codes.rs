//! The codes of this crate's diagnostics: one table, printed by `pql explain CODE`.

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The stable code itself.
    pub code: &'static str,
    /// A title of a few words.
    pub title: &'static str,
    /// What happened, why it is an error, and what to do.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal, $explanation:literal;)*) => {
        $($(#[$doc])* #[doc = $title] pub const $name: &str = $code;)*
        const TABLE: &[Code] = &[$(Code { code: $code, title: $title, explanation: $explanation }),*];
    };
}

codes! {
    NOT_UTF8 = "PQL0001", "the source is not UTF-8",
        "PQL text is UTF-8. The message gives the offset of the first byte that is not. Files saved by other tools in \
         UTF-16 or in a Windows code page have to be converted first, for example with iconv.";
    UNTERMINATED = "PQL0002", "a quote or a comment is never closed",
        "A string, a quoted name, a dollar-quoted text or a comment begins at the marked place and nothing closes it \
         before the end of the source, so everything after it belongs to it. Inside '…' a quote is written twice: \
         'it''s'. Comments nest: every /* needs its own */.";
    UNKNOWN_CHARACTER = "PQL0003", "a character that begins nothing",
        "Outside strings, comments and quoted names the text consists of words, numbers, operators and punctuation. \
         Control characters and typographic characters such as non-breaking spaces or curly quotes often come from \
         copying out of a document.";
    TOO_DEEP = "PQL0004", "nested too deeply",
        "Parentheses, brackets, braces and CASE expressions may be nested up to a fixed depth, so that no input can \
         exhaust the stack. Statements written by people stay far below it.";
    UNBALANCED = "PQL0005", "brackets do not match",
        "An opening parenthesis, bracket or brace is not closed before the statement ends, or one is closed that was \
         never opened.";
    UNEXPECTED = "PQL0101", "something else was expected here",
        "The statement is one of PQL's own and is correct up to the marked place. The message lists what may stand \
         there. Nothing of a script that does not parse is run.";
    UNKNOWN_STATEMENT = "PQL0102", "no statement begins like this",
        "A statement begins with one of PQL's words (MIGRATE, SET, SHOW, RESET, CREATE, ALTER, DROP, DESCRIBE) or \
         with a word of SQL, in which case it is passed to the database as it is. This one begins with neither.";
    RESERVED = "PQL0103", "a reserved word used as a name",
        "Words such as SELECT, TABLE, CHECK or PRIMARY begin something else where a new name is expected. Quoted they \
         are names like any other: \"order\".";
    MISSPELT = "PQL0104", "probably a misspelt keyword",
        "The text can be read, but then a word that looks like a misspelt keyword becomes a name or a part of a type. \
         That would silently change the meaning, so it is an error. If the word is meant, quote it.";
    COPY_FROM_STDIN = "PQL0105", "COPY … FROM STDIN is not supported",
        "COPY … FROM STDIN is followed by rows that are not SQL and that only psql and pg_dump's own restore send. \
         Use INSERT statements (pg_dump --inserts), COPY … FROM 'file', or load the data with psql.";
    META_COMMAND = "PQL0106", "a command of psql's, not a statement",
        "Lines that begin with a backslash are commands of psql. They are skipped in scripts; the database to connect \
         to is an argument of pql.";
    INCOMPLETE = "PQL0107", "something is missing",
        "The statement can be read but lacks a part that it needs to be carried out.";
}

/// The entry of a code, upper or lower case.
pub fn lookup(code: &str) -> Option<&'static Code> {
    TABLE.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

/// Every code of this crate, in order.
pub fn all() -> &'static [Code] {
    TABLE
}
