//! The operations: what a migration is made of.

use serde::{Deserialize, Serialize};

use crate::column::is_false;
use crate::{
    Column, Conflict, Constraint, DataType, Expr, Identity, Index, ObjectName, Table, TableOptions, View,
};

/// One change of a schema. Closed: everything that can be saved in a journal is one of these, and every layer
/// matches them exhaustively, so the compiler names each place that a new one touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum MigrationOp {
    /// A new table, with its constraints.
    CreateTable {
        /// The table.
        table: Table,
    },
    /// A table goes (and is retained).
    DropTable {
        /// Which.
        table: ObjectName,
    },
    /// A table gets another name.
    RenameTable {
        /// The name it has.
        from: ObjectName,
        /// The name it gets.
        to: ObjectName,
    },
    /// A new column.
    AddColumn {
        /// Of which table.
        table: ObjectName,
        /// The column.
        column: Column,
        /// The constraints that were written with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        constraints: Vec<Constraint>,
        /// What the rows that are there get, when it is not the default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backfill: Option<Expr>,
    },
    /// A column goes (and is retained).
    DropColumn {
        /// Of which table.
        table: ObjectName,
        /// Which.
        column: String,
    },
    /// A column gets another name.
    RenameColumn {
        /// Of which table.
        table: ObjectName,
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// A column gets another type (and collation, when one is given).
    ChangeColumnType {
        /// Of which table.
        table: ObjectName,
        /// Which.
        column: String,
        /// The new type.
        to: DataType,
        /// The new collation; `None`: the one that a column has when none is said. A statement that says none keeps the
        /// column's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collation: Option<String>,
        /// The new value from the old row; `None`: the database's own conversion, refused where it loses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        using: Option<Expr>,
        /// The old value from the new row, for the way back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revert_using: Option<Expr>,
    },
    /// NULL is no longer accepted.
    SetNotNull {
        /// Of which table.
        table: ObjectName,
        /// Which column.
        column: String,
        /// What rows with NULL get; `None`: their presence is an error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backfill: Option<Expr>,
    },
    /// NULL is accepted.
    DropNotNull {
        /// Of which table.
        table: ObjectName,
        /// Which column.
        column: String,
    },
    /// A column's default changes; the rows that are there keep their values.
    SetDefault {
        /// Of which table.
        table: ObjectName,
        /// Which column.
        column: String,
        /// The new default.
        default: Expr,
    },
    /// A column's default goes.
    DropDefault {
        /// Of which table.
        table: ObjectName,
        /// Which column.
        column: String,
    },
    /// A new index.
    AddIndex {
        /// The index.
        index: Index,
    },
    /// An index goes.
    DropIndex {
        /// Which.
        index: ObjectName,
    },
    /// An index gets another name.
    RenameIndex {
        /// The name it has.
        from: ObjectName,
        /// The name it gets.
        to: ObjectName,
    },
    /// A new constraint.
    AddConstraint {
        /// Of which table.
        table: ObjectName,
        /// The constraint.
        constraint: Constraint,
    },
    /// A constraint goes.
    DropConstraint {
        /// Of which table.
        table: ObjectName,
        /// Its (effective) name.
        name: String,
    },
    /// A constraint gets another name.
    RenameConstraint {
        /// Of which table.
        table: ObjectName,
        /// The (effective) name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// A new view.
    CreateView {
        /// The view.
        view: View,
    },
    /// A view goes.
    DropView {
        /// Which.
        view: ObjectName,
    },
    /// A table's options become these.
    SetTableOptions {
        /// Which table.
        table: ObjectName,
        /// All of them.
        options: TableOptions,
    },
    /// What a column says about itself beyond the operations above becomes this.
    SetColumnOptions {
        /// Of which table.
        table: ObjectName,
        /// Which column.
        column: String,
        /// See [`Column::identity`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<Identity>,
        /// See [`Column::not_null_conflict`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_null_conflict: Option<Conflict>,
    },
    /// SQL of the database that PQL does not model. One statement that creates or drops a trigger is understood, since
    /// triggers are in the model and have no operations of their own.
    Execute {
        /// Runs on apply.
        sql: String,
        /// Runs on rollback; `None`: the migration cannot be rolled back past it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revert: Option<String>,
        /// Runs outside a transaction (VACUUM and its like).
        #[serde(default, skip_serializing_if = "is_false")]
        outside_transaction: bool,
    },
}

/// What an operation is about, for messages and for finding what depends on what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectRef {
    /// A table.
    Table(ObjectName),
    /// A column.
    Column(ObjectName, String),
    /// An index.
    Index(ObjectName),
    /// A constraint of a table.
    Constraint(ObjectName, String),
    /// A view.
    View(ObjectName),
    /// A trigger.
    Trigger(ObjectName),
    /// The database as a whole.
    Database,
}
