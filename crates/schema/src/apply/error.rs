//! Why an operation cannot be applied, as data: whoever shows it adds the place in the source and the colours.

use crate::{ObjectName, ObjectRef, quote_ident};

/// Why an operation cannot be applied to a schema. The names in `near` are what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// There is no such table.
    #[error("there is no table {name}")]
    UnknownTable {
        /// As it was named.
        name: ObjectName,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// The table has no such column.
    #[error("table {table} has no column {}", quote_ident(.column))]
    UnknownColumn {
        /// The table.
        table: ObjectName,
        /// As it was named.
        column: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// There is no such index.
    #[error("there is no index {name}")]
    UnknownIndex {
        /// As it was named.
        name: ObjectName,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// The table has no such constraint.
    #[error("table {table} has no constraint {}", quote_ident(.name))]
    UnknownConstraint {
        /// The table.
        table: ObjectName,
        /// As it was named.
        name: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// There is no such view.
    #[error("there is no view {name}")]
    UnknownView {
        /// As it was named.
        name: ObjectName,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// There is no such trigger.
    #[error("there is no trigger {name}")]
    UnknownTrigger {
        /// As it was named.
        name: ObjectName,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// The name is taken.
    #[error("{what} exists already")]
    AlreadyExists {
        /// By what.
        what: ObjectRef,
    },
    /// Something still refers to what should go.
    #[error("{what} is still used by {}", listed(.by))]
    InUse {
        /// What should go.
        what: ObjectRef,
        /// What refers to it.
        by: Vec<ObjectRef>,
    },
    /// A table has one primary key.
    #[error("table {table} has a primary key already")]
    SecondPrimaryKey {
        /// The table.
        table: ObjectName,
    },
    /// A table keeps at least one column.
    #[error("table {table} would be left without a column")]
    NoColumns {
        /// The table.
        table: ObjectName,
    },
    /// A column is named twice where it can be named once.
    #[error("{within} names the column {} twice", quote_ident(.column))]
    RepeatedColumn {
        /// In what.
        within: ObjectRef,
        /// The column.
        column: String,
    },
    /// A key or index lists no column.
    #[error("{what} lists no column")]
    Empty {
        /// Which.
        what: ObjectRef,
    },
    /// A foreign key lists more columns on one side than on the other.
    #[error("{constraint} refers from {columns} column{} to {referenced} of {parent}", plural(*.columns))]
    KeyLength {
        /// The foreign key.
        constraint: Box<ObjectRef>,
        /// The table it refers to.
        parent: ObjectName,
        /// How many columns refer.
        columns: usize,
        /// How many are referred to.
        referenced: usize,
    },
    /// A foreign key refers to columns that are no key.
    #[error("{constraint} refers to {parent} ({}), which is neither its primary key nor unique", columns.join(", "))]
    NotAKey {
        /// The foreign key.
        constraint: Box<ObjectRef>,
        /// The table it refers to.
        parent: ObjectName,
        /// The columns referred to; empty: the primary key that the table does not have.
        columns: Vec<String>,
    },
    /// Two things that a column or table says cannot both be.
    #[error("{what}: {why}")]
    Incompatible {
        /// The column or table.
        what: ObjectRef,
        /// What cannot be.
        why: &'static str,
    },
}

impl ApplyError {
    /// What may have been meant.
    pub fn near(&self) -> &[String] {
        match self {
            Self::UnknownTable { near, .. }
            | Self::UnknownColumn { near, .. }
            | Self::UnknownIndex { near, .. }
            | Self::UnknownConstraint { near, .. }
            | Self::UnknownView { near, .. }
            | Self::UnknownTrigger { near, .. } => near,
            _ => &[],
        }
    }

    /// The way out, where there is one that always helps.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::InUse { by, .. } => Some(format!("drop or change {} first", listed(by))),
            Self::SecondPrimaryKey { .. } => Some("drop the old primary key first".to_owned()),
            Self::NoColumns { .. } => Some("drop the table instead".to_owned()),
            Self::NotAKey { parent, .. } => Some(format!("make the columns of {parent} UNIQUE first")),
            Self::AlreadyExists { .. } => Some("choose another name, or drop the other first".to_owned()),
            _ => match self.near() {
                [] => None,
                near => {
                    let names: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
                    Some(format!("did you mean {}?", names.join(" or ")))
                }
            },
        }
    }
}

fn listed(objects: &[ObjectRef]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
