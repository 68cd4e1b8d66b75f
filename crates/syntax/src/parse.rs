//! A source to a [`Parse`]: the pieces put together.

use std::borrow::Cow;
use std::ops::Range;

use pest::Parser;
use rowan::GreenNode;

use crate::ast::{self, AstNode};
use crate::build::Builder;
use crate::classify::{Form, classify};
use crate::grammar::Grammar;
use crate::split::{Piece, Slice, Splitter};
use crate::{Diagnostic, Severity, SyntaxKind, SyntaxNode, codes, diagnose};

/// A parsed source: its tree and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Parse {
    green: GreenNode,
    diagnostics: Vec<Diagnostic>,
}

impl Parse {
    /// The tree. Its text is the source.
    pub fn syntax(&self) -> SyntaxNode {
        SyntaxNode::new_root(self.green.clone())
    }

    /// The statements in order; one that did not parse is [`ast::Statement::Error`].
    pub fn statements(&self) -> impl Iterator<Item = ast::Statement> + use<> {
        self.syntax().children().filter_map(ast::Statement::cast)
    }

    /// What is wrong, in the order of the source.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// True when nothing is wrong; warnings do not count.
    pub fn is_ok(&self) -> bool {
        self.diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error)
    }
}

/// Parses bytes that should be UTF-8.
pub fn parse_bytes(source: &[u8]) -> Result<Parse, Diagnostic> {
    match std::str::from_utf8(source) {
        Ok(text) => Ok(parse(text)),
        Err(error) => {
            let at = error.valid_up_to();
            let end = at + error.error_len().unwrap_or(source.len() - at);
            let message = format!("the text is not UTF-8: byte {at} begins no character");
            Err(Diagnostic::error(codes::NOT_UTF8, at..end, message).with_help("save the file as UTF-8"))
        }
    }
}

/// Parses any text.
pub fn parse(source: &str) -> Parse {
    let mut splitter = Splitter::new(source);
    let mut run = Run { source, builder: Builder::new(source), diagnostics: Vec::new() };
    while let Some(piece) = splitter.next_piece() {
        run.piece(piece, &splitter.comments);
    }
    let green = run.builder.finish(&splitter.comments);
    Parse { green, diagnostics: run.diagnostics }
}

struct Run<'s> {
    source: &'s str,
    builder: Builder<'s>,
    diagnostics: Vec<Diagnostic>,
}

impl<'s> Run<'s> {
    fn piece(&mut self, piece: Piece<'_>, comments: &[Range<usize>]) {
        match piece {
            Piece::Semicolon(at) => {
                self.builder.fill(at, comments);
                self.builder.token(SyntaxKind::semicolon, at + 1);
            }
            Piece::MetaCommand(range) => {
                self.builder.fill(range.start, comments);
                self.builder.start(SyntaxKind::meta_line);
                self.builder.token(SyntaxKind::meta_command, range.end);
                self.builder.end();
                let message = "a command of psql's is skipped";
                self.diagnostics.push(Diagnostic::warning(codes::META_COMMAND, range, message));
            }
            Piece::CopyData(range) => self.builder.token(SyntaxKind::copy_data, range.end),
            Piece::Statement(slice) => self.statement(&slice, comments),
        }
    }

    fn statement(&mut self, slice: &Slice<'_>, comments: &[Range<usize>]) {
        self.builder.fill(slice.start, comments);
        if let Err(diagnostic) = self.strictly(slice, comments) {
            self.diagnostics.push(diagnostic);
            self.flat(slice, comments);
        }
    }

    /// The statement as its form demands, into the tree.
    fn strictly(&mut self, slice: &Slice<'_>, comments: &[Range<usize>]) -> Result<(), Diagnostic> {
        if let Some(at) = slice.unterminated {
            return Err(diagnose::unterminated(self.source, at));
        }
        if slice.copy_from_stdin {
            return Err(diagnose::copy_from_stdin(slice));
        }
        let (rule, unmanaged) = match classify(&slice.head, self.source.as_bytes()[slice.start]) {
            Form::Ours { rule, unmanaged } => (rule, unmanaged),
            Form::PassThrough => {
                if let Some(diagnostic) = diagnose::unbalanced(self.source, slice) {
                    return Err(diagnostic);
                }
                (SyntaxKind::one_pass_through, None)
            }
            Form::Unknown { word, suggestion } => {
                return Err(diagnose::unknown_statement(self.source, slice, word, suggestion));
            }
        };
        if rule != SyntaxKind::one_pass_through
            && let Some(at) = slice.too_deep
        {
            return Err(diagnose::too_deep(at));
        }
        let text = &*self.without_comments(slice.start..slice.end, comments);
        let error = match Grammar::parse(rule, text) {
            Ok(pairs) => {
                self.builder.pairs(pairs, slice.start, comments);
                self.diagnostics.append(&mut self.builder.doubts.take());
                return Ok(());
            }
            Err(error) => error,
        };
        if let Some(unmanaged) = unmanaged
            && let Ok(pairs) = Grammar::parse(unmanaged, text)
        {
            self.builder.pairs(pairs, slice.start, comments);
            return Ok(());
        }
        Err(diagnose::describe(self.source, slice, text, rule, &error))
    }

    /// A part of the source with blanks for the comments inside: the grammar has no comments, offsets stay the same,
    /// and a long comment is not read again for every optional word that could stand behind it.
    fn without_comments(&self, range: Range<usize>, comments: &[Range<usize>]) -> Cow<'s, str> {
        let text = &self.source[range.clone()];
        let inside = comments.iter().rev().skip_while(|comment| comment.start >= range.end);
        let mut inside = inside.take_while(|comment| comment.start >= range.start).peekable();
        if inside.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let mut bytes = text.as_bytes().to_vec();
        for comment in inside {
            bytes[comment.start - range.start..comment.end - range.start].fill(b' ');
        }
        // Whole characters were replaced by whole characters.
        String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// A statement that did not parse: its tokens, and what no token rule takes as one last token.
    fn flat(&mut self, slice: &Slice<'_>, comments: &[Range<usize>]) {
        let end = slice.unterminated.unwrap_or(slice.end);
        match Grammar::parse(SyntaxKind::error, &self.without_comments(slice.start..end, comments)) {
            Ok(mut pairs) => {
                self.builder.start(SyntaxKind::error);
                if let Some(error) = pairs.next() {
                    self.builder.pairs(error.into_inner(), slice.start, comments);
                }
            }
            Err(_) => self.builder.start(SyntaxKind::error),
        }
        if slice.unterminated.is_some() {
            self.builder.fill_blank(end, comments);
        }
        self.builder.swallow(SyntaxKind::unterminated, slice.end, comments);
        self.builder.end();
    }
}
