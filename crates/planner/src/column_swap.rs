//! A column that is replaced by another one beside the application.

use pql_schema::{Column, Constraint, Expr, Index, ObjectName, Table};
use serde::{Deserialize, Serialize};

use crate::RowKey;

/// A column with a new type: filled under a hidden name while triggers keep it in step, then put in the place of the
/// old one, which is kept in step from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSwap {
    /// The table before it.
    pub before: Table,
    /// The table after it, with the old column hidden and the new one at the end.
    pub after: Table,
    /// The column as it is.
    pub old: Column,
    /// The column as it becomes, under the same name.
    pub new: Column,
    /// The new column's name until it takes the old one's place.
    pub shadow: String,
    /// The old column's name from then on.
    pub retained: String,
    /// How rows are told apart and ordered; never by the column itself, unless nothing else tells them apart.
    pub key: RowKey,
    /// The new value, over the row before.
    pub forward: Expr,
    /// What must hold of the row before, so that nothing is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits: Option<Expr>,
    /// It gives another value each time, so that it cannot be compared with itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unstable: bool,
    /// The old value, over the row after.
    pub backward: Expr,
    /// The author said how to go back (REVERT USING), so that whatever this gives is meant. Otherwise a value that does
    /// not come out again as it was stops a rollback.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backward_meant: bool,
    /// What the columns that `forward` reads are called: a change of one of them changes the new column.
    pub sources: Vec<String>,
    /// The constraints of the table that name the column: they are dropped with the swap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Checks and foreign keys over the new column, declared before the swap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<ConstraintTwin>,
    /// The same over the old column, declared before the way back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_back: Vec<ConstraintTwin>,
    /// The check that the new column is not NULL, when it has to be; it goes with the swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_null: Option<String>,
    /// The check that the old column is not NULL, which is declared before the way back; it goes with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_not_null: Option<String>,
    /// The indexes over the column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexTwin>,
    /// Where keys of rows are noted that have no old value any more.
    pub misfits: ObjectName,
}

/// A check or foreign key over a column that is not yet under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConstraintTwin {
    /// The constraint, under a hidden name.
    pub twin: Constraint,
    /// The name that it gets with the swap.
    pub name: String,
}

/// An index over a column that is replaced, and the one over the new column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexTwin {
    /// The index as it is; of a constraint, under the constraint's name.
    pub index: Index,
    /// The key that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
    /// The same over the new column, under a hidden name until the swap.
    pub twin: Index,
    /// The old one's name after the swap, and what it is then. One that refuses equal keys goes with the swap instead,
    /// because what fits the new type may not fit the old; it is built anew before the way back.
    pub back: Index,
}
