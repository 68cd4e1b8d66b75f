//! From atoms and layout to text: which groups are broken, where lines start, where comments go.

use rowan::TextSize;

use super::atoms::{Atom, Comment};
use super::layout::{Group, Layout, Line};

/// Columns that a line may take before its group is broken.
const WIDTH: usize = 100;
/// Columns per level.
const INDENT: usize = 2;

/// Prints everything; `rest` are the comments after the last atom.
pub(super) fn print(atoms: &[Atom], rest: &[Comment], layout: &Layout) -> String {
    let mut printer = Printer::default();
    let mut groups = layout.groups.iter().peekable();
    for (index, atom) in atoms.iter().enumerate() {
        printer.close_groups(atom.start);
        let previous = index.checked_sub(1).map(|index| &atoms[index]);
        printer.separate(atom, previous, layout);
        printer.text(&atom.text);
        while let Some(group) = groups.next_if(|group| group.start <= atom.start) {
            let broken = group.hard || printer.needs_lines(group, &atoms[index..]);
            printer.open.push((group.end, group.id, broken));
        }
        printer.trailing(&atom.trailing);
    }
    printer.open.clear();
    for comment in rest {
        printer.own_line(comment, 0, true);
    }
    if !printer.out.is_empty() {
        printer.out.push('\n');
    }
    printer.out
}

#[derive(Default)]
struct Printer {
    out: String,
    /// Groups around the place: where they end, who they are, whether their lines start.
    open: Vec<(TextSize, usize, bool)>,
    /// The last thing printed was a comment that ends its line.
    must_end_line: bool,
}

impl Printer {
    fn close_groups(&mut self, at: TextSize) {
        self.open.retain(|(end, _, _)| *end > at);
    }

    /// Levels of indentation here.
    fn level(&self) -> usize {
        self.open.iter().filter(|(_, _, broken)| *broken).count()
    }

    fn column(&self) -> usize {
        self.out.rsplit('\n').next().unwrap_or("").chars().count()
    }

    /// Whether a group cannot stay on the line: too wide, or a comment within ends the line.
    fn needs_lines(&self, group: &Group, atoms: &[Atom]) -> bool {
        let inner = atoms.iter().take_while(|atom| atom.start < group.end).collect::<Vec<_>>();
        let (Some((first, others)), Some((last, _))) = (inner.split_first(), inner.split_last()) else {
            return false;
        };
        let width = others.iter().map(|atom| atom.width()).sum::<usize>();
        let last_comments =
            last.trailing.iter().map(|comment| comment.text.chars().count() + 1).sum::<usize>();
        // One column for the comma or semicolon that follows.
        if self.column() + width - last_comments.min(width) + 1 > WIDTH {
            return true;
        }
        let ends_line = |atom: &&Atom| atom.trailing.iter().any(Comment::is_line);
        let own_line = |atom: &&Atom| atom.leading.iter().any(|comment| comment.own_line);
        group.list
            && inner.len() > 1
            && (ends_line(first)
                || others[..others.len() - 1].iter().any(ends_line)
                || others.iter().any(own_line))
    }

    /// What stands between an atom and the one before: nothing, a blank, or a new line with comments.
    fn separate(&mut self, atom: &Atom, previous: Option<&Atom>, layout: &Layout) {
        let starts_statement = layout.statements.contains(&atom.start);
        let line = layout.lines.get(&atom.start).and_then(|line| self.applies(line));
        let (level, comments_level) = match line {
            _ if starts_statement => (0, 0),
            Some(outdent) => (self.level() - usize::from(outdent), self.level()),
            // A line that only a comment forces is a continuation.
            None => (self.level() + 1, self.level() + 1),
        };
        let keeps_blank =
            starts_statement || line.is_some() && previous.is_some_and(|previous| previous.text == ",");
        for comment in &atom.leading {
            self.own_line(comment, comments_level, keeps_blank);
        }
        let after_comment =
            atom.leading.last().is_some_and(|comment| !comment.ends_line && !comment.is_line());
        if after_comment {
            self.out.push(' ');
        } else if self.must_end_line || line.is_some() || starts_statement || !atom.leading.is_empty() {
            self.new_line(level, keeps_blank && atom.blank_before);
        } else if atom.space
            || previous.is_some_and(|previous| !previous.trailing.is_empty() && !atom.closes())
        {
            self.out.push(' ');
        }
        self.must_end_line = false;
    }

    /// `Some(outdent)` if the line's group is broken.
    fn applies(&self, line: &Line) -> Option<bool> {
        self.open.iter().any(|(_, id, broken)| *id == line.group && *broken).then_some(line.outdent)
    }

    fn own_line(&mut self, comment: &Comment, level: usize, keeps_blank: bool) {
        if comment.own_line || self.must_end_line {
            self.new_line(level, keeps_blank && comment.blank_before);
        } else {
            self.out.push(' ');
        }
        self.text(&comment.text);
        self.must_end_line = comment.is_line();
    }

    fn trailing(&mut self, comments: &[Comment]) {
        for comment in comments {
            self.out.push(' ');
            self.text(&comment.text);
            self.must_end_line = comment.is_line();
        }
    }

    fn new_line(&mut self, level: usize, blank: bool) {
        if self.out.is_empty() {
            return;
        }
        self.out.push_str(if blank { "\n\n" } else { "\n" });
        self.out.extend(std::iter::repeat_n(' ', level * INDENT));
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }
}
