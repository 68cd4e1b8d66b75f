//! Result sets as text tables for people.
//!
//! A table that is too wide for its place folds the text of its widest columns, and when that is not enough each row
//! stands alone with a column a line. Nothing is cut off.

use std::fmt;

use pql_engine::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::{ResultSet, value_text};

/// A column is not folded below this.
const NARROWEST: usize = 12;

/// How tables look.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableStyle {
    /// The width to keep to; `None`: as wide as it gets.
    pub width: Option<usize>,
    /// Each row alone, a column a line.
    pub expanded: bool,
    /// Dim the lines and NULLs, with ANSI escapes.
    pub color: bool,
}

/// A cell's text and how it is set.
struct Cell {
    lines: Vec<String>,
    null: bool,
    right: bool,
}

impl Cell {
    fn of(value: &Value) -> Self {
        let null = *value == Value::Null;
        let text = if null { "NULL".to_owned() } else { visible(&value_text(value)) };
        // A text that reads NULL is told apart by its quotes.
        let text = if !null && text == "NULL" { "'NULL'".to_owned() } else { text };
        Self {
            lines: text.split('\n').map(ToOwned::to_owned).collect(),
            null,
            right: matches!(value, Value::Integer(_) | Value::Real(_)),
        }
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|line| line.width()).max().unwrap_or(0)
    }

    fn fold(&mut self, width: usize) {
        if self.width() > width {
            self.lines = self.lines.iter().flat_map(|line| fold(line, width)).collect();
        }
    }
}

impl ResultSet {
    /// The rows as a table.
    pub fn to_table(&self, style: TableStyle) -> String {
        let mut cells: Vec<Vec<Cell>> = self.iter().map(|row| row.iter().map(Cell::of).collect()).collect();
        let names: Vec<String> = self.columns().iter().map(|name| visible(name)).collect();
        let mut widths: Vec<usize> = names
            .iter()
            .enumerate()
            .map(|(at, name)| cells.iter().map(|row| row[at].width()).max().unwrap_or(0).max(name.width()))
            .collect();
        if style.expanded {
            return expanded(&names, cells, style);
        }
        if let Some(limit) = style.width {
            if !squeeze(&mut widths, &names, limit) {
                return expanded(&names, cells, style);
            }
            for row in &mut cells {
                for (cell, width) in row.iter_mut().zip(&widths) {
                    cell.fold(*width);
                }
            }
        }
        let mut out = String::new();
        line(&mut out, &header(&names), &widths, style);
        rule(&mut out, &widths, style);
        for row in &cells {
            line(&mut out, row, &widths, style);
        }
        out
    }
}

impl fmt::Display for ResultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_table(TableStyle::default()))
    }
}

fn header(names: &[String]) -> Vec<Cell> {
    names.iter().map(|name| Cell { lines: vec![name.clone()], null: false, right: false }).collect()
}

/// Takes from the widest columns until the line fits; false when it cannot.
fn squeeze(widths: &mut [usize], names: &[String], limit: usize) -> bool {
    let frame = widths.len() * 3;
    let least = |at: usize| names[at].width().max(NARROWEST);
    while widths.iter().sum::<usize>() + frame > limit + 1 {
        let foldable = (0..widths.len()).filter(|&at| widths[at] > least(at));
        let Some(widest) = foldable.max_by_key(|&at| widths[at]) else { return false };
        widths[widest] -= 1;
    }
    true
}

fn line(out: &mut String, row: &[Cell], widths: &[usize], style: TableStyle) {
    let height = row.iter().map(|cell| cell.lines.len()).max().unwrap_or(1);
    for at in 0..height {
        let mut text = String::new();
        for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
            if column > 0 {
                text.push_str(&dim("│", style));
            }
            let part = cell.lines.get(at).map_or("", String::as_str);
            let space = " ".repeat(width.saturating_sub(part.width()));
            let part = if cell.null { dim(part, style) } else { part.to_owned() };
            text.push(' ');
            if cell.right {
                text.push_str(&space);
                text.push_str(&part);
            } else {
                text.push_str(&part);
                text.push_str(&space);
            }
            text.push(' ');
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

fn rule(out: &mut String, widths: &[usize], style: TableStyle) {
    let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    out.push_str(&dim(&parts.join("┼"), style));
    out.push('\n');
}

fn expanded(names: &[String], cells: Vec<Vec<Cell>>, style: TableStyle) -> String {
    let name_width = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let mut out = String::new();
    for (number, mut row) in cells.into_iter().enumerate() {
        let title = format!("─[ {} ]", number + 1);
        let fill = "─".repeat((name_width + 20).saturating_sub(title.width()));
        out.push_str(&dim(&format!("{title}{fill}"), style));
        out.push('\n');
        for (name, cell) in names.iter().zip(&mut row) {
            if let Some(limit) = style.width {
                cell.fold(limit.saturating_sub(name_width + 4).max(NARROWEST));
            }
            for (at, part) in cell.lines.iter().enumerate() {
                let name = if at == 0 { name.as_str() } else { "" };
                let space = " ".repeat(name_width - name.width());
                let part = if cell.null { dim(part, style) } else { part.clone() };
                let text = format!(" {name}{space} {} {part}", dim("│", style));
                out.push_str(text.trim_end());
                out.push('\n');
            }
        }
    }
    out
}

fn dim(text: &str, style: TableStyle) -> String {
    if style.color && !text.is_empty() { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Breaks a line at the last space that fits, or else where it must.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            let rest = match current.rfind(' ').filter(|at| *at > 0 && c != ' ') {
                Some(at) => current.split_off(at + 1),
                None => String::new(),
            };
            lines.push(std::mem::replace(&mut current, rest).trim_end().to_owned());
            used = current.width();
            if c == ' ' && current.is_empty() {
                continue;
            }
        }
        current.push(c);
        used += wide;
    }
    lines.push(current);
    lines
}

/// Control characters are shown and not sent: a value must not steer the terminal.
fn visible(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return text;
    }
    text.chars()
        .map(|c| match c {
            '\n' => "\n".to_owned(),
            '\t' => "    ".to_owned(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ResultSet {
        let mut rows = ResultSet::with_columns(&["id", "text"]);
        rows.push(vec![Value::Integer(1), "größe 日本".into()]);
        rows.push(vec![Value::Integer(20), Value::Null]);
        rows.push(vec![Value::Integer(3), "NULL".into()]);
        rows
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        let expected = " id │ text\n────┼────────────\n  1 │ größe 日本\n 20 │ NULL\n  3 │ 'NULL'\n";
        assert_eq!(sample().to_table(TableStyle::default()), expected);
    }

    #[test]
    fn a_wide_table_folds_and_loses_nothing() {
        let mut rows = ResultSet::with_columns(&["a", "b"]);
        let long = "one two three four five six seven eight nine ten";
        rows.push(vec!["x".into(), long.into()]);
        let style = TableStyle { width: Some(30), ..TableStyle::default() };
        let table = rows.to_table(style);
        assert!(table.lines().all(|line| line.width() <= 30), "{table}");
        let words: Vec<&str> =
            table.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 2).collect();
        assert_eq!(words, long.split(' ').collect::<Vec<_>>());
    }

    #[test]
    fn a_table_that_cannot_fold_stands_upright() {
        let mut rows = ResultSet::with_columns(&["first_column", "second_column", "third_column"]);
        rows.push(vec!["a".into(), "b".into(), Value::Null]);
        let style = TableStyle { width: Some(20), ..TableStyle::default() };
        let table = rows.to_table(style);
        assert!(table.contains(" second_column │ b\n"), "{table}");
        assert!(table.contains(" third_column  │ NULL\n"), "{table}");
    }

    #[test]
    fn values_do_not_steer_the_terminal() {
        let mut rows = ResultSet::with_columns(&["a"]);
        rows.push(vec!["\u{1b}[2Jgone\r\nnext".into()]);
        let table = rows.to_table(TableStyle::default());
        assert!(!table.contains('\u{1b}'), "{table}");
        assert!(table.contains("\\u{1b}[2Jgone\n next"), "{table}");
    }
}
