//! The text as a list of atoms: what is printed whole, with the comments that belong to it.
//!
//! A comment on the line of the atom before it trails that atom; any other leads the atom after it. This
//! decision depends on the tokens and on which comments stand alone on a line, both of which the
//! printer keeps: that is what makes formatting twice the same as once. A comma or semicolon moves before
//! the comments in front of it, so that it never starts a line.

use rowan::TextSize;

use super::with_plain_line_ends;

/// A comment and how it stood among the lines.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) text: String,
    /// Nothing but blanks stood before it on its line.
    pub(super) own_line: bool,
    /// A blank line stood before it.
    pub(super) blank_before: bool,
    /// Nothing but blanks stood after it on its line.
    pub(super) ends_line: bool,
}

impl Comment {
    /// Runs to the end of its line, so that whatever follows needs a new one.
    pub(super) fn is_line(&self) -> bool {
        self.text.starts_with("--")
    }
}

/// A piece of text that is never broken.
#[derive(Debug)]
pub(super) struct Atom {
    /// Where the token stood in the source; atoms that the formatter adds share the place of the next one.
    pub(super) start: TextSize,
    pub(super) text: String,
    /// Whether a blank separates it from the atom before when both are on one line.
    pub(super) space: bool,
    pub(super) leading: Vec<Comment>,
    pub(super) trailing: Vec<Comment>,
    /// A blank line stood before it, after its leading comments.
    pub(super) blank_before: bool,
}

impl Atom {
    /// Columns taken on one line, comments included.
    pub(super) fn width(&self) -> usize {
        let comments = self.leading.iter().chain(&self.trailing);
        let comments = comments.map(|comment| comment.text.chars().count() + 1).sum::<usize>();
        let text = self.text.lines().map(|line| line.chars().count()).max();
        text.unwrap_or(0) + usize::from(self.space) + comments
    }

    /// Touches what stands before it, a comment too.
    pub(super) fn closes(&self) -> bool {
        matches!(self.text.as_str(), ")" | "]" | "," | ";")
    }

    /// Ends or separates: never the first on a line.
    fn is_punctuation(&self) -> bool {
        matches!(self.text.as_str(), "," | ";")
    }
}

/// Takes tokens and trivia in the order of the source and deals the comments out.
#[derive(Default)]
pub(super) struct Collector {
    atoms: Vec<Atom>,
    comments: Vec<Comment>,
    /// Line ends since the last comment or atom.
    newlines: usize,
}

impl Collector {
    /// Blanks and line ends.
    pub(super) fn blank(&mut self, text: &str) {
        let newlines = text.matches('\n').count();
        self.newlines += newlines;
        if newlines > 0
            && let Some(comment) = self.comments.last_mut()
        {
            comment.ends_line = true;
        }
    }

    /// A comment with its marks.
    pub(super) fn comment(&mut self, text: &str) {
        let text = with_plain_line_ends(text);
        let text = if text.starts_with("--") { text.trim_end() } else { &text };
        let after_line = self.comments.last().is_some_and(Comment::is_line);
        let own_line = self.newlines > 0 || after_line || (self.atoms.is_empty() && self.comments.is_empty());
        let blank_before = self.newlines > 1;
        self.comments.push(Comment { text: text.to_owned(), own_line, blank_before, ends_line: false });
        self.newlines = 0;
    }

    /// Something that is printed.
    pub(super) fn atom(&mut self, start: TextSize, text: String, space: bool) {
        let blank_before = self.newlines > 1;
        let mut atom = Atom { start, text, space, leading: Vec::new(), trailing: Vec::new(), blank_before };
        if atom.is_punctuation() && !self.atoms.is_empty() {
            atom.blank_before = false;
        } else {
            atom.leading = self.deal_out();
        }
        self.atoms.push(atom);
        // Comments that move behind punctuation still wait, and so does the line end before it.
        self.newlines = if self.comments.is_empty() { 0 } else { self.newlines.min(1) };
    }

    /// The pending comments: those on the last atom's line go to it, the others are returned.
    fn deal_out(&mut self) -> Vec<Comment> {
        let mut comments = std::mem::take(&mut self.comments);
        let Some(last) = self.atoms.last_mut() else { return comments };
        let own_line = comments.iter().position(|comment| comment.own_line).unwrap_or(comments.len());
        let leading = comments.split_off(own_line);
        last.trailing = comments;
        leading
    }

    /// Everything, and the comments after the last atom that stand on lines of their own.
    pub(super) fn finish(mut self) -> (Vec<Atom>, Vec<Comment>) {
        let rest = self.deal_out();
        (self.atoms, rest)
    }
}
