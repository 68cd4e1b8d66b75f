//! The lines around a place. A text may be a file of any size, or a line of megabytes: what is drawn, and what drawing
//! costs, is bounded all the same.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use pql::Span;

/// So much of a line is shown on either side of the place, and so much of the place itself, in bytes.
const MOST: usize = 1_000;

/// A few lines of a text, which know where they are in it.
#[derive(Debug)]
pub(super) struct Excerpt {
    name: String,
    text: String,
    /// Lines of the text before it.
    lines: usize,
    /// Characters of its first line that were cut off.
    cut: usize,
}

impl Excerpt {
    /// The line of the place with the lines before and after it, and where the place is in that.
    pub(super) fn new(name: &str, text: &str, place: &Span) -> (Self, Range<usize>) {
        let nearest = text.floor_char_boundary(place.start.saturating_sub(MOST));
        let line = line_start(text, place.start, nearest);
        let before = line.and_then(|line| line.checked_sub(1)).and_then(|end| line_start(text, end, nearest));
        let start = before.or(line).unwrap_or(nearest);
        let shown = text.floor_char_boundary(place.end.min(place.start + MOST));
        let farthest = text.floor_char_boundary((shown + MOST).min(text.len()));
        let end = (line_end(text, shown, farthest) + 1).min(farthest);
        let excerpt = Self {
            name: name.to_owned(),
            text: text[start..line_end(text, end, farthest)].to_owned(),
            lines: place.line - 1 - text[start..place.start].matches('\n').count(),
            cut: if line.is_some() { 0 } else { place.column - 1 - text[start..place.start].chars().count() },
        };
        (excerpt, place.start - start..shown - start)
    }
}

/// Where the line begins in which a byte lies, if that is not too far away.
fn line_start(text: &str, at: usize, nearest: usize) -> Option<usize> {
    match text[nearest.min(at)..at].rfind('\n') {
        Some(newline) => Some(nearest + newline + 1),
        None => (nearest == 0).then_some(0),
    }
}

/// Where it ends, or where that is too far away.
fn line_end(text: &str, at: usize, farthest: usize) -> usize {
    text[at..farthest].find('\n').map_or(farthest, |newline| at + newline)
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        let column = inner.column() + if inner.line() == 0 { self.cut } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.lines,
            column,
            inner.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_around_the_place() {
        let text = "one\ntwo\nthree\nfour\nfive\n";
        let (excerpt, place) = Excerpt::new("x", text, &Span::locate(text, 10, 12));
        assert_eq!((excerpt.text.as_str(), excerpt.lines, excerpt.cut), ("two\nthree\nfour", 1, 0));
        assert_eq!(&excerpt.text[place], "re");
        let (excerpt, place) = Excerpt::new("x", text, &Span::locate(text, 0, 0));
        assert_eq!((excerpt.text.as_str(), place), ("one\ntwo", 0..0));
        let (excerpt, place) = Excerpt::new("x", text, &Span::locate(text, text.len(), text.len()));
        assert_eq!((excerpt.text.as_str(), place), ("five\n", 5..5));
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("é{}here{}\nnext", "é".repeat(5_000), "ü".repeat(5_000));
        let at = text.find("here").expect("it is there");
        let (excerpt, place) = Excerpt::new("x", &text, &Span::locate(&text, at, text.len()));
        assert!(excerpt.text.len() <= 3 * MOST + 8 && excerpt.text[place].starts_with("here"));
        assert_eq!(excerpt.cut + excerpt.text.find("here").expect("it is shown") / 2, 5_001);
    }
}
