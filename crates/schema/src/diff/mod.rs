//! The operations between two schemas.
//!
//! First the renames are settled, so that what follows compares like with like; then tables, indexes and what hangs on
//! their texts are compared, each in one pass over both schemas; last the findings are put in an order in which each
//! operation can be applied after those before it:
//!
//! triggers and views that are in the way go → renames → foreign keys go → tables go → indexes and constraints go →
//! columns come and go → tables come → columns change → constraints come → table options → indexes come → foreign keys
//! come → views and triggers come.
//!
//! Names align under the current schema's rule, and the current spelling is kept: a difference in case is none. The
//! order of columns and constraints is not compared, since no operation can change it.

mod align;
mod compare;
mod error;
mod join;
mod order;
mod phases;
mod renames;
mod table;
mod texts;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use align::{Within, aligned_table, same_constraint, same_index, same_view};
pub use error::DiffError;
pub(crate) use join::{Side, join};
use serde::{Deserialize, Serialize};

use crate::{MigrationOp, ObjectName, Schema, quote_ident};

/// What separates two schemas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// What takes the first to the second, in an order in which it can be applied.
    pub ops: Vec<MigrationOp>,
    /// What has to be answered first: the operations above take each of these for a thing that goes and another that
    /// comes. Nobody should run them before the questions are answered.
    pub questions: Vec<Question>,
    /// Answers to questions that do not arise (any more).
    pub unused_answers: Vec<String>,
}

/// Whether something was renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Names it in an answer: `rename_1`, `rename_2`, …, the same for the same two schemas.
    pub id: String,
    /// What may have been renamed.
    pub rename: Rename,
}

/// A rename.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rename {
    /// Of a table.
    Table {
        /// Its name in the current schema.
        from: ObjectName,
        /// Its name in the target.
        to: ObjectName,
    },
    /// Of a column.
    Column {
        /// The table, by its name in the target.
        table: ObjectName,
        /// The column's name in the current schema.
        from: String,
        /// Its name in the target.
        to: String,
    },
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { from, to } => write!(f, "table {from} to {to}"),
            Self::Column { table, from, to } => {
                write!(f, "column {table}.{} to {}", quote_ident(from), quote_ident(to))
            }
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rename {
            Rename::Table { from, to } => write!(f, "was table {from} renamed to {to}?"),
            Rename::Column { table, from, to } => {
                write!(f, "was column {} of {table} renamed to {}?", quote_ident(from), quote_ident(to))
            }
        }
    }
}

/// What is known about renames beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Answers to questions, by their ids.
    pub by_id: BTreeMap<String, bool>,
    /// The target's `RENAMED FROM` of tables: (the table in the target, what it was called).
    pub renamed_tables: Vec<(ObjectName, ObjectName)>,
    /// The target's `RENAMED FROM` of columns: (the table in the target, the column in the target, what it was called).
    pub renamed_columns: Vec<(ObjectName, String, String)>,
}

impl Answers {
    /// Answers one question.
    pub fn with(mut self, id: impl Into<String>, answer: bool) -> Self {
        self.by_id.insert(id.into(), answer);
        self
    }
}

/// The operations that take `current` to `target`.
///
/// Views, and triggers, that the target lists none of are not its concern: they stay, and an operation that would break
/// one is an error that names it.
///
/// ```
/// use pql_schema::{Answers, Column, DataType, NameRule, Schema, Table, diff};
///
/// let mut current = Schema::new(NameRule::AsciiInsensitive);
/// let mut users = Table::new("users");
/// users.columns.push(Column::new("id", DataType::Integer));
/// current.tables.insert("users".into(), users.clone());
///
/// let mut target = current.clone();
/// users.columns.push(Column::new("email", DataType::Text));
/// target.tables.insert("users".into(), users);
///
/// let found = diff(&current, &target, &Answers::default())?;
/// assert_eq!(found.ops[0].kind(), "add column");
/// current.apply_all(&found.ops).expect("they can be applied in this order");
/// assert!(current.same_as(&target));
/// # Ok::<(), pql_schema::DiffError>(())
/// ```
pub fn diff(current: &Schema, target: &Schema, answers: &Answers) -> Result<Diff, DiffError> {
    let settled = renames::settle(current, target, answers)?;
    let mut phases = compare::compare(current, &settled.renamed, target)?;
    phases.renames = settled.ops;
    Ok(Diff { ops: phases.into_ops(), questions: settled.questions, unused_answers: settled.unused_answers })
}

#[cfg(test)]
mod tests;
