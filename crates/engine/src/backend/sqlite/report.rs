//! Rows that stand in the way, by key and value.

use super::cell::Cell;
use super::keys::Key;
use crate::Error;

/// How many rows a message names.
pub(super) const NAMED: usize = 10;

/// Rows that were found, with what is wrong about them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    named: Vec<String>,
    more: bool,
}

impl Rows {
    /// Adds one, with the columns and values that tell what is wrong.
    pub(super) fn push<'a>(
        &mut self,
        key: &Key,
        values: &[Cell],
        wrong: impl IntoIterator<Item = (&'a str, &'a Cell)>,
    ) {
        if self.named.len() == NAMED {
            self.more = true;
            return;
        }
        let mut text = key.describe(values);
        let wrong: Vec<String> =
            wrong.into_iter().map(|(column, value)| format!("{column} is {}", value.literal())).collect();
        if !wrong.is_empty() {
            text = format!("{text} ({})", wrong.join(", "));
        }
        self.named.push(text);
    }

    /// Whether none was found.
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// As an error.
    pub(super) fn error(&self, code: &'static str, what: &str) -> Error {
        let count = self.named.len();
        let number = match (count, self.more) {
            (_, true) => format!("more than {count} rows"),
            (1, false) => "1 row".to_owned(),
            _ => format!("{count} rows"),
        };
        Error::new(code, format!("{what}: {number}: {}", self.named.join("; ")))
    }
}
