//! Rows told apart by a key, in statements and in messages.

use pql_planner::RowKey;
use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::catalog;
use super::statements::ident;
use crate::{Error, Result};

/// How many rows a message names.
pub(super) const NAMED: usize = 10;

/// The columns by which rows are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Their names; `ctid` stands for itself.
    columns: Vec<String>,
    stored: bool,
}

impl Key {
    /// The key that a plan says.
    pub(super) fn of(key: &RowKey) -> Self {
        match key {
            RowKey::Rowid(name) => Self { columns: vec![name.clone()], stored: true },
            RowKey::Columns(parts) => {
                Self { columns: parts.iter().map(|part| part.column.clone()).collect(), stored: false }
            }
        }
    }

    /// The key that a table has.
    pub(super) fn of_table(session: &mut Session, table: &ObjectName) -> Result<Self> {
        let columns = catalog::key_columns(session, table)?;
        Ok(if columns.is_empty() {
            Self { columns: vec!["ctid".to_owned()], stored: true }
        } else {
            Self { columns, stored: false }
        })
    }

    /// Rows have no key but the place where they are stored.
    pub(super) fn is_place(&self) -> bool {
        self.stored
    }

    /// Its columns, quoted.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|name| ident(name)).collect()
    }

    /// Its columns in a list, of the relation that is called so.
    pub(super) fn list(&self, of: &str) -> String {
        let dot = if of.is_empty() { String::new() } else { format!("{of}.") };
        self.names().iter().map(|name| format!("{dot}{name}")).collect::<Vec<_>>().join(", ")
    }

    /// The same, each as text.
    pub(super) fn texts(&self, of: &str) -> String {
        self.names().iter().map(|name| format!("{of}.{name}::text")).collect::<Vec<_>>().join(", ")
    }

    /// The same row in two relations.
    pub(super) fn same(&self, a: &str, b: &str) -> String {
        let each: Vec<String> = self.names().iter().map(|name| format!("{a}.{name} = {b}.{name}")).collect();
        each.join(" AND ")
    }

    /// The rows after one key and up to another.
    pub(super) fn within(&self, after: Option<&[String]>, upto: Option<&[String]>) -> String {
        let row = self.list("");
        let values = |key: &[String]| key.iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ");
        let mut all: Vec<String> = Vec::new();
        let one = self.columns.len() == 1;
        let compare = |operator: &str, key: &[String]| {
            if one {
                format!("{row} {operator} {}", values(key))
            } else {
                format!("({row}) {operator} ({})", values(key))
            }
        };
        all.extend(after.map(|key| compare(">", key)));
        all.extend(upto.map(|key| compare("<=", key)));
        if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
    }

    /// A row in words, its last value being that of a column.
    pub(super) fn describe_with(&self, mut values: Vec<Option<String>>, column: &str) -> String {
        let value = values.pop().flatten().unwrap_or_else(|| "NULL".to_owned());
        format!("{} ({column} is {value})", self.describe(&values))
    }

    /// A row in words.
    pub(super) fn describe(&self, values: &[Option<String>]) -> String {
        let each = self.columns.iter().zip(values);
        let parts: Vec<String> = each
            .map(|(name, value)| {
                let value = value.as_deref().unwrap_or("NULL");
                let number = value.parse::<f64>().is_ok();
                if number { format!("{name} = {value}") } else { format!("{name} = {}", literal(value)) }
            })
            .collect();
        parts.join(", ")
    }
}

/// One of the columns changes, bit by bit, as a trigger asks it: not every type has an equality, and some take for equal
/// what is written otherwise. By the function rather than its operator: of that a dump says what cannot be restored.
pub(super) fn changed(columns: &[String]) -> Option<String> {
    let row = |of: &str| {
        let parts: Vec<String> = columns.iter().map(|name| format!("{of}.{name}")).collect();
        format!("ROW({})", parts.join(", "))
    };
    let differ = || format!("pg_catalog.record_image_ne({}, {})", row("OLD"), row("NEW"));
    (!columns.is_empty()).then(differ)
}

/// Rows that were found, as an error. There may be one more than are named.
pub(super) fn error(code: &'static str, what: &str, named: &[String]) -> Error {
    let count = named.len().min(NAMED);
    let number = match (count, named.len() > NAMED) {
        (_, true) => format!("more than {NAMED} rows"),
        (1, false) => "1 row".to_owned(),
        _ => format!("{count} rows"),
    };
    Error::new(code, format!("{what}: {number}: {}", named[..count].join("; ")))
}
