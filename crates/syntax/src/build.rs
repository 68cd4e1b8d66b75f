//! pest's events to rowan's nodes, losing nothing.
//!
//! Every terminal is a rule, so whatever lies between two events is blanks and comments. The splitter has already
//! found the comments; the rest of a gap is one whitespace token.

use std::ops::Range;

use pest::Token;
use pest::iterators::Pairs;
use rowan::{GreenNode, GreenNodeBuilder, Language};

use crate::SyntaxKind;
use crate::doubts::Doubts;
use crate::tree::PqlLanguage;

pub(crate) struct Builder<'s> {
    source: &'s str,
    green: GreenNodeBuilder<'static>,
    /// Everything before this offset is in the tree.
    done: usize,
    /// How many comments are in the tree.
    comments_done: usize,
    /// The open nodes, from the root.
    open: Vec<SyntaxKind>,
    /// The last token that is neither blank nor comment.
    last: SyntaxKind,
    pub(crate) doubts: Doubts<'s>,
}

impl<'s> Builder<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        let mut green = GreenNodeBuilder::new();
        green.start_node(raw(SyntaxKind::root));
        let (open, last) = (vec![SyntaxKind::root], SyntaxKind::semicolon);
        Self { source, green, done: 0, comments_done: 0, open, last, doubts: Doubts::default() }
    }

    pub(crate) fn finish(mut self, comments: &[Range<usize>]) -> GreenNode {
        self.fill(self.source.len(), comments);
        self.green.finish_node();
        self.green.finish()
    }

    /// Blanks and comments up to `end`.
    pub(crate) fn fill(&mut self, end: usize, comments: &[Range<usize>]) {
        while self.done < end {
            match comments.get(self.comments_done) {
                Some(comment) if comment.start == self.done => {
                    self.comments_done += 1;
                    self.token(SyntaxKind::comment, comment.end);
                }
                Some(comment) if comment.start < end => self.blank(comment.start),
                _ => self.blank(end),
            }
        }
    }

    /// The same where there is nothing else: the splitter and the grammar may disagree on where a quote begins that has
    /// no end, as in `` [`]`" ``.
    pub(crate) fn fill_blank(&mut self, end: usize, comments: &[Range<usize>]) {
        let mut from = self.done;
        let mut blank = true;
        for comment in comments[self.comments_done..].iter().take_while(|comment| comment.start < end) {
            blank &= is_blank(&self.source[from..comment.start.max(from)]);
            from = comment.end;
        }
        if blank && is_blank(&self.source[from.min(end)..end]) {
            self.fill(end, comments);
        }
    }

    fn blank(&mut self, end: usize) {
        let text = &self.source[self.done..end];
        debug_assert!(is_blank(text), "a token of the grammar has no rule of its own: {text:?}");
        self.token(SyntaxKind::whitespace, end);
    }

    /// One token from where the tree ends now.
    pub(crate) fn token(&mut self, kind: SyntaxKind, end: usize) {
        self.green.token(raw(kind), &self.source[self.done..end]);
        self.done = end;
    }

    pub(crate) fn start(&mut self, kind: SyntaxKind) {
        self.green.start_node(raw(kind));
        self.open.push(kind);
        self.doubts.start(kind);
    }

    pub(crate) fn end(&mut self) {
        self.open.pop();
        self.green.finish_node();
    }

    /// What a rule matched in the slice of the source that begins at `base`.
    pub(crate) fn pairs(&mut self, pairs: Pairs<'_, SyntaxKind>, base: usize, comments: &[Range<usize>]) {
        // A pair with nothing inside is a token; whether it is one shows with the next event.
        let mut pending: Option<(SyntaxKind, usize)> = None;
        for event in pairs.tokens() {
            match event {
                Token::Start { rule, pos } => {
                    if let Some((node, start)) = pending.replace((rule, base + pos.pos())) {
                        self.fill(start, comments);
                        self.start(node);
                    }
                }
                Token::End { rule, pos } => {
                    let end = base + pos.pos();
                    match pending.take() {
                        Some((_, start)) if start == end => {}
                        Some((_, start)) => {
                            self.fill(start, comments);
                            if matches!(rule, SyntaxKind::name | SyntaxKind::type_word) {
                                self.show_name(start..end);
                            }
                            self.token(rule, end);
                            self.last = rule;
                        }
                        // pest has skipped blanks in search of an optional part; they belong behind the node.
                        None => self.end(),
                    }
                }
            }
        }
    }

    fn show_name(&mut self, span: Range<usize>) {
        let text = &self.source[span.clone()];
        if !text.starts_with(['"', '`', '[']) {
            self.doubts.name(text, span, &self.open, self.last);
        }
    }

    /// Everything up to `end`, covering comments that would otherwise be filled in, as one token.
    pub(crate) fn swallow(&mut self, kind: SyntaxKind, end: usize, comments: &[Range<usize>]) {
        if self.done < end {
            self.token(kind, end);
        }
        while comments.get(self.comments_done).is_some_and(|comment| comment.start < end) {
            self.comments_done += 1;
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty()
}

fn raw(kind: SyntaxKind) -> rowan::SyntaxKind {
    PqlLanguage::kind_to_raw(kind)
}
