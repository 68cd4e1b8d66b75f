//! Finds where statements end, in one pass over the source.
//!
//! A `;` ends a statement unless something hides it: a string, a comment, a quoted name, brackets, or the body of a
//! trigger or of an SQL-standard routine. This module knows the characters that open such things; where they end is
//! asked of the grammar, so there is no second definition of a string or a comment. It also counts the nesting,
//! because the parser that comes after it recurses and must not be led too deep.
//!
//! Recovery: a `;` inside brackets that are still open does end the statement when the next line begins with a verb,
//! so a forgotten `)` does not swallow the rest of the file.

use std::ops::Range;

use pest::Parser;
use pest::unicode::{XID_CONTINUE, XID_START};

use crate::SyntaxKind;
use crate::grammar::Grammar;

/// How deep brackets and CASE may be nested in a statement that is parsed strictly.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many leading words of a statement are kept for classifying it.
const HEAD_WORDS: usize = 5;

/// A stretch of the source between which only blanks and comments stand.
pub(crate) enum Piece<'s> {
    Semicolon(usize),
    /// A line that begins with a backslash.
    MetaCommand(Range<usize>),
    /// What follows `COPY … FROM stdin;`.
    CopyData(Range<usize>),
    Statement(Slice<'s>),
}

/// One statement's place and what the walk over it showed.
#[derive(Default)]
pub(crate) struct Slice<'s> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The words it begins with, up to the first token that is not a bare word.
    pub(crate) head: Vec<&'s str>,
    /// Where each of them begins.
    pub(crate) head_starts: Vec<usize>,
    /// Where the nesting exceeds [`MAX_DEPTH`].
    pub(crate) too_deep: Option<usize>,
    /// An opening bracket that is not closed.
    pub(crate) unclosed: Option<usize>,
    /// A closing bracket that nothing opened.
    pub(crate) stray: Option<usize>,
    /// Where a quote or comment begins that nothing closes; it lasts to the end of the source.
    pub(crate) unterminated: Option<usize>,
    /// `BEGIN` of a trigger's or routine's body without its `END`.
    pub(crate) open_body: Option<usize>,
    pub(crate) copy_from_stdin: bool,
}

/// What may contain `;` between BEGIN and END.
#[derive(Clone, Copy, PartialEq)]
enum Body {
    None,
    Trigger,
    Routine,
}

pub(crate) struct Splitter<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
    /// The statement just seen is followed by data, which begins behind its `;`.
    copy: bool,
    /// The data begins here.
    data: bool,
    /// No data of a COPY follows any more.
    no_data: bool,
    /// Every comment, in order: the tree builder's key to the gaps between tokens.
    pub(crate) comments: Vec<Range<usize>>,
}

impl<'s> Splitter<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self {
            source,
            bytes: source.as_bytes(),
            at: 0,
            copy: false,
            data: false,
            no_data: false,
            comments: Vec::new(),
        }
    }

    /// The next piece, or `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Option<Piece<'s>> {
        if std::mem::take(&mut self.data) {
            if let Some(end) = self.token_end(SyntaxKind::copy_data, self.at) {
                let start = std::mem::replace(&mut self.at, end);
                return Some(Piece::CopyData(start..end));
            }
            // Nor does any other: do not look for it behind every COPY.
            self.no_data = true;
        }
        self.skip_trivia();
        let start = self.at;
        match *self.bytes.get(start)? {
            b';' => {
                self.at += 1;
                self.data = std::mem::take(&mut self.copy) && !self.no_data;
                Some(Piece::Semicolon(start))
            }
            b'\\' => {
                self.at = self.token_end(SyntaxKind::meta_command, start).unwrap_or(self.bytes.len());
                Some(Piece::MetaCommand(start..self.at))
            }
            _ => {
                let slice = self.statement();
                self.copy = slice.copy_from_stdin;
                Some(Piece::Statement(slice))
            }
        }
    }

    /// Where the grammar says that the token at `start` ends.
    fn token_end(&self, rule: SyntaxKind, start: usize) -> Option<usize> {
        let pairs = Grammar::parse(rule, &self.source[start..]).ok()?;
        pairs.last().map(|pair| start + pair.as_span().end())
    }

    fn peek(&self, offset: usize) -> u8 {
        self.bytes.get(self.at + offset).copied().unwrap_or(0)
    }

    fn opens_comment(&self) -> bool {
        matches!((self.peek(0), self.peek(1)), (b'-', b'-') | (b'/', b'*'))
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\n' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                0xef if self.bytes[self.at..].starts_with("\u{feff}".as_bytes()) => self.at += 3,
                _ => return,
            }
        }
    }

    fn skip_trivia(&mut self) {
        loop {
            self.skip_blanks();
            if !self.opens_comment() || !self.comment() {
                return;
            }
        }
    }

    /// Passes the comment that begins here; false when it never ends.
    fn comment(&mut self) -> bool {
        // The grammar would call itself once for each level, and comments may nest as deep as they like.
        let end = match self.peek(1) {
            b'*' => block_comment_end(self.bytes, self.at),
            _ => self.token_end(SyntaxKind::comment, self.at),
        };
        let Some(end) = end else { return false };
        self.comments.push(self.at..end);
        self.at = end;
        true
    }

    /// Passes a statement, up to but without its `;`.
    fn statement(&mut self) -> Slice<'s> {
        let mut walk = Walk::new(self.at);
        while self.at < self.bytes.len() {
            self.skip_blanks();
            let start = self.at;
            let Some(&byte) = self.bytes.get(start) else { break };
            let ok = match byte {
                b';' => {
                    if walk.semicolon_ends() || (walk.may_recover() && self.verb_on_next_line(&walk)) {
                        break;
                    }
                    walk.other();
                    self.at += 1;
                    true
                }
                b'-' | b'/' if self.opens_comment() => {
                    if self.comment() {
                        continue;
                    }
                    false
                }
                b'\'' => walk.other_if(self.quoted(SyntaxKind::string)),
                b'"' | b'`' => walk.other_if(self.quoted(SyntaxKind::name)),
                b'[' if self.opens_name() => walk.other_if(self.quoted(SyntaxKind::name)),
                b'(' | b'{' | b'[' => {
                    walk.open(start);
                    self.at += 1;
                    true
                }
                b')' | b'}' | b']' => {
                    walk.close(start);
                    self.at += 1;
                    true
                }
                b'$' => walk.other_if(self.dollar()),
                _ if self.word_end(start) > start => self.word(&mut walk),
                _ => {
                    walk.other();
                    self.mark();
                    true
                }
            };
            if !ok {
                walk.slice.unterminated = Some(start);
                self.at = self.bytes.len();
            }
            walk.slice.end = self.at;
        }
        walk.finish()
    }

    fn quoted(&mut self, rule: SyntaxKind) -> bool {
        match self.token_end(rule, self.at) {
            Some(end) => {
                self.at = end;
                true
            }
            None => false,
        }
    }

    /// A `$` begins a dollar-quoted text or a parameter of the database's; false when the text never ends.
    fn dollar(&mut self) -> bool {
        let rest = &self.source[self.at + 1..];
        let tag = rest.find(|c| c == '$' || !is_word_char(c)).unwrap_or(rest.len());
        let opens = rest[tag..].starts_with('$') && !rest.starts_with(|c: char| c.is_ascii_digit());
        if opens {
            return self.quoted(SyntaxKind::string);
        }
        self.at = self.word_end(self.at + 1);
        true
    }

    /// Passes an operator, a parameter, or a character that means nothing. Where words begin behind them decides whether
    /// an `E` before a quote opens a string of its own, so `@` and `:` are looked at closely.
    fn mark(&mut self) {
        let rest = &self.source[self.at..];
        let run = &rest[..rest.find(|c| !is_operator_char(c)).unwrap_or(rest.len())];
        self.at = match rest.as_bytes()[0] {
            b':' if rest.starts_with("::") => self.at + 2,
            b':' if rest[1..].starts_with(is_word_start) => self.word_end(self.at + 1),
            _ if run.contains('@') => {
                let end = self.token_end(SyntaxKind::param, self.at);
                end.or_else(|| self.token_end(SyntaxKind::operator, self.at)).unwrap_or(self.at + 1)
            }
            _ => self.at + rest.chars().next().map_or(1, char::len_utf8),
        };
    }

    /// A `[` that opens a quoted name and no subscript. Asking the grammar in vain is not cheap, hence the look ahead.
    fn opens_name(&self) -> bool {
        let rest = &self.bytes[self.at + 1..];
        let stop = rest.iter().position(|byte| matches!(byte, b'[' | b']' | b'\n'));
        !self.touches_operand() && stop.is_some_and(|stop| stop > 0 && rest[stop] == b']')
    }

    /// A `[` right behind an operand is a subscript; elsewhere it opens a quoted name.
    fn touches_operand(&self) -> bool {
        self.at > 0
            && matches!(self.bytes[self.at - 1], b')' | b']' | b'"' | b'\'' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | 0x80..)
    }

    /// Where the letters, digits, `_` and `$` from `start` on end; `start` itself where no word or number begins.
    fn word_end(&self, start: usize) -> usize {
        let rest = &self.source[start..];
        if !rest.starts_with(|c: char| is_word_char(c) && (c.is_ascii() || is_word_start(c))) {
            return start;
        }
        start + rest.find(|c| c != '$' && !is_word_char(c)).unwrap_or(rest.len())
    }

    fn word(&mut self, walk: &mut Walk<'s>) -> bool {
        let start = self.at;
        let end = self.word_end(start);
        let before_quote = self.bytes.get(end) == Some(&b'\'') && matches!(self.bytes[end - 1], b'e' | b'E');
        if before_quote && end - start == 1 {
            return walk.other_if(self.quoted(SyntaxKind::string));
        }
        // A number ends before letters that follow it: `E'…'` or `$$…$$` may begin there.
        if (before_quote || self.bytes[start..end].contains(&b'$'))
            && let Some(number) = self.token_end(SyntaxKind::number, start).filter(|number| *number < end)
        {
            self.at = number;
            return walk.other_if(true);
        }
        self.at = end;
        let field = start > 0 && self.bytes[start - 1] == b'.';
        walk.word(&self.source[start..end], start, field);
        true
    }

    /// Is the `;` here followed by a line that begins a statement? Only verbs that cannot stand in the open body count.
    fn verb_on_next_line(&mut self, walk: &Walk<'_>) -> bool {
        let here = self.at;
        self.at += 1;
        self.skip_blanks();
        let start = std::mem::replace(&mut self.at, here);
        let on_next_line = self.bytes[here..start].contains(&b'\n');
        let word = &self.source[start..self.word_end(start)];
        let verbs: &[&str] = if walk.body_depth > 0 { &VERBS[..VERBS_OF_DEFINITIONS] } else { &VERBS };
        on_next_line && verbs.iter().any(|verb| verb.eq_ignore_ascii_case(word))
    }
}

/// The end of the block comment that begins here, with those that are nested in it.
fn block_comment_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Verbs by which a statement is recognised after a bracket that was never closed.
const VERBS: [&str; 12] = [
    "CREATE", "ALTER", "DROP", "MIGRATE", "SET", "GRANT", "COMMENT", "INSERT", "UPDATE", "DELETE", "SELECT",
    "PRAGMA",
];
/// The first of them never stand in a body.
const VERBS_OF_DEFINITIONS: usize = 4;

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii() && XID_START(c)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() && XID_CONTINUE(c)
}

fn is_operator_char(c: char) -> bool {
    "=<>+-*/|%!~&^#?@".contains(c)
}

/// What is known while walking over one statement.
struct Walk<'s> {
    slice: Slice<'s>,
    /// Positions of the open brackets.
    open: Vec<usize>,
    head_open: bool,
    body: Body,
    body_depth: usize,
    cases: usize,
    /// The word right before, in lower case, for pairs such as BEGIN ATOMIC.
    last: Last,
    is_rule: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Last {
    Begin(usize),
    From,
    Other,
}

impl<'s> Walk<'s> {
    fn new(start: usize) -> Self {
        Self {
            slice: Slice { start, end: start, ..Slice::default() },
            open: Vec::new(),
            head_open: true,
            body: Body::None,
            body_depth: 0,
            cases: 0,
            last: Last::Other,
            is_rule: false,
        }
    }

    fn finish(mut self) -> Slice<'s> {
        self.slice.unclosed = self.open.last().copied();
        self.slice
    }

    fn semicolon_ends(&self) -> bool {
        self.open.is_empty() && self.body_depth == 0
    }

    /// In `CREATE RULE … DO (a; b)` the brackets hold statements.
    fn may_recover(&self) -> bool {
        !self.is_rule
    }

    fn other(&mut self) {
        self.head_open = false;
        self.last = Last::Other;
    }

    fn other_if(&mut self, ok: bool) -> bool {
        self.other();
        ok
    }

    fn open(&mut self, at: usize) {
        self.other();
        self.open.push(at);
        self.check_depth(at);
    }

    fn close(&mut self, at: usize) {
        self.other();
        if self.open.pop().is_none() {
            self.slice.stray.get_or_insert(at);
        }
    }

    fn check_depth(&mut self, at: usize) {
        if self.open.len() + self.cases > MAX_DEPTH {
            self.slice.too_deep.get_or_insert(at);
        }
    }

    fn word(&mut self, word: &'s str, at: usize, field: bool) {
        if self.head_open && self.slice.head.len() < HEAD_WORDS {
            self.slice.head.push(word);
            self.slice.head_starts.push(at);
            self.see_head(word);
        }
        let last = std::mem::replace(&mut self.last, Last::Other);
        // Only a handful of words matter, and all have two to six letters.
        if field || !(3..=6).contains(&word.len()) && word.len() != 4 {
            return;
        }
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        match word.as_bytes()[0] {
            b'c' | b'C' if is("case") => {
                self.cases += 1;
                self.check_depth(at);
                if self.body_depth > 0 {
                    self.body_depth += 1;
                }
            }
            b'e' | b'E' if is("end") => {
                self.cases = self.cases.saturating_sub(1);
                self.body_depth = self.body_depth.saturating_sub(1);
                if self.body_depth == 0 {
                    self.slice.open_body = None;
                }
            }
            b'b' | b'B' if is("begin") => {
                self.last = Last::Begin(at);
                if self.body == Body::Trigger && self.body_depth == 0 && self.open.is_empty() {
                    self.enter_body(at);
                }
            }
            b'a' | b'A' if is("atomic") => {
                if let Last::Begin(begin) = last
                    && self.body == Body::Routine
                {
                    self.enter_body(begin);
                }
            }
            b'f' | b'F' if is("from") => self.last = Last::From,
            b's' | b'S' if is("stdin") && last == Last::From => {
                self.slice.copy_from_stdin =
                    self.slice.head.first().is_some_and(|verb| verb.eq_ignore_ascii_case("copy"));
            }
            _ => {}
        }
    }

    fn enter_body(&mut self, begin: usize) {
        self.body_depth = 1;
        self.slice.open_body = Some(begin);
    }

    fn see_head(&mut self, word: &str) {
        if self.slice.head.len() < 2 || !self.slice.head[0].eq_ignore_ascii_case("create") {
            return;
        }
        if word.eq_ignore_ascii_case("trigger") {
            self.body = Body::Trigger;
        } else if word.eq_ignore_ascii_case("function") || word.eq_ignore_ascii_case("procedure") {
            self.body = Body::Routine;
        } else if word.eq_ignore_ascii_case("rule") {
            self.is_rule = true;
        }
    }
}
