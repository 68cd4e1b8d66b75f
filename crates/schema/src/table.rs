//! Tables.

use serde::{Deserialize, Serialize};

use crate::column::is_false;
use crate::{Column, Constraint, ConstraintKind, NameRule, ObjectName, PrimaryKey};

/// A table with its columns and constraints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: ObjectName,
    /// The columns in order, retained ones (see [`Column::retained`]) included.
    pub columns: Vec<Column>,
    /// The constraints in the order they were declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// What else the table is.
    #[serde(default, skip_serializing_if = "TableOptions::is_default")]
    pub options: TableOptions,
}

/// Options of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableOptions {
    /// SQLite's STRICT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// SQLite's WITHOUT ROWID.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_rowid: bool,
    /// Whatever else follows the column list, as the database's own text (`PARTITION BY …`, `WITH (…)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
}

impl TableOptions {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Table {
    /// A table without columns.
    pub fn new(name: impl Into<ObjectName>) -> Self {
        Self {
            name: name.into(),
            columns: Vec::new(),
            constraints: Vec::new(),
            options: TableOptions::default(),
        }
    }

    /// The columns a user sees.
    pub fn visible(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.retained)
    }

    /// The column of that name, retained or not.
    pub fn column(&self, name: &str, rule: NameRule) -> Option<&Column> {
        self.columns.iter().find(|column| rule.same(&column.name, name))
    }

    /// The same, to change it.
    pub fn column_mut(&mut self, name: &str, rule: NameRule) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| rule.same(&column.name, name))
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&PrimaryKey> {
        self.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey(key) => Some(key),
            _ => None,
        })
    }

    /// The first constraint with that effective name.
    pub fn constraint(&self, name: &str, rule: NameRule) -> Option<&Constraint> {
        self.constraints
            .iter()
            .find(|constraint| rule.same(&constraint.effective_name(&self.name.name), name))
    }
}
