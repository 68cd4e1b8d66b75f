//! Changes of a table's definition, as `ALTER TABLE` has them.

use pql_schema::{Column, Constraint, DataType, Expr, Identity};
use serde::{Deserialize, Serialize};

/// One of the changes of an [`Action::Alter`](crate::Action::Alter).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A column at the end, without its constraints.
    AddColumn {
        /// The column.
        column: Column,
    },
    /// NULL is no longer accepted.
    SetNotNull {
        /// By which column.
        column: String,
    },
    /// NULL is accepted.
    DropNotNull {
        /// By which column.
        column: String,
    },
    /// Another default.
    SetDefault {
        /// Of which column.
        column: String,
        /// The default.
        default: Expr,
    },
    /// The default goes.
    DropDefault {
        /// Of which column.
        column: String,
    },
    /// Another type; views over the column are taken down and put back.
    SetType {
        /// Of which column.
        column: String,
        /// The type.
        to: DataType,
        /// The collation, when it is not the type's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collation: Option<String>,
        /// What the values become, when it is not what they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        using: Option<Expr>,
        /// What must hold of each row, so that nothing is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fits: Option<Expr>,
    },
    /// The column counts by itself, or does no longer.
    SetIdentity {
        /// The column.
        column: String,
        /// What it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Identity>,
        /// What it becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Identity>,
    },
    /// A new constraint; with `not_valid` the rows that are there are not looked at.
    AddConstraint {
        /// The constraint, with its name.
        constraint: Constraint,
    },
    /// A key over a unique index that is there; the index gets the constraint's name.
    AttachConstraint {
        /// The constraint, with its name.
        constraint: Constraint,
        /// The index, in the table's schema.
        index: String,
    },
    /// A constraint goes; nothing when it is gone.
    DropConstraint {
        /// Its name.
        name: String,
    },
    /// A constraint gets another name.
    RenameConstraint {
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
}
