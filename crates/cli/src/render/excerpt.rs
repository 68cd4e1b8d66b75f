//! The lines around a place. A text may be a file of any size, or a line of megabytes: what is drawn, and what drawing
//! costs, is bounded all the same.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

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
    pub(super) fn new(name: &str, text: &str, place: &Range<usize>) -> (Self, Range<usize>) {
        let line = line_start(text, place.start);
        let mut start = line.checked_sub(1).map_or(line, |end| line_start(text, end));
        let mut cut = 0;
        if place.start - start > MOST {
            start = text.floor_char_boundary(line.max(place.start.saturating_sub(MOST)));
            cut = text[line..start].chars().count();
        }
        let shown = text.floor_char_boundary(place.end.min(place.start + MOST));
        let end = (line_end(text, shown) + 1).min(text.len());
        let end = line_end(text, end).min(text.floor_char_boundary((shown + MOST).min(text.len())));
        let excerpt = Self {
            name: name.to_owned(),
            text: text[start..end].to_owned(),
            lines: text[..start].bytes().filter(|byte| *byte == b'\n').count(),
            cut,
        };
        (excerpt, place.start - start..shown - start)
    }
}

/// Where the line begins in which a byte lies.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where it ends.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
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
        let (excerpt, place) = Excerpt::new("x", text, &(10..12));
        assert_eq!((excerpt.text.as_str(), excerpt.lines, excerpt.cut), ("two\nthree\nfour", 1, 0));
        assert_eq!(&excerpt.text[place], "re");
        let (excerpt, place) = Excerpt::new("x", text, &(0..0));
        assert_eq!((excerpt.text.as_str(), place), ("one\ntwo", 0..0));
        let (excerpt, place) = Excerpt::new("x", text, &(text.len()..text.len()));
        assert_eq!((excerpt.text.as_str(), place), ("five\n", 5..5));
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("é{}here{}\nnext", "é".repeat(5_000), "ü".repeat(5_000));
        let at = text.find("here").expect("it is there");
        let (excerpt, place) = Excerpt::new("x", &text, &(at..text.len()));
        assert!(excerpt.text.len() <= 3 * MOST + 8 && excerpt.text[place].starts_with("here"));
        assert_eq!(excerpt.cut + excerpt.text.find("here").expect("it is shown") / 2, 5_001);
    }
}
