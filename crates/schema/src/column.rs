//! Columns.

use serde::{Deserialize, Serialize};

use crate::{DataType, Expr, Identity};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether it is declared NOT NULL (a primary key's columns are listed as they were declared).
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_null: bool,
    /// What SQLite does on a NULL (`NOT NULL ON CONFLICT …`), when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_null_conflict: Option<Conflict>,
    /// The value that an INSERT which does not name the column stores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Expr>,
    /// For a generated column, from what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// For an identity column (PostgreSQL), how it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The collation, when it is not the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The column was dropped but is kept under a hidden name so that the drop can be taken back. Such columns are
    /// physical only: diff, fingerprint and users do not see them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retained: bool,
}

impl Column {
    /// A nullable column without a default.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            not_null: false,
            not_null_conflict: None,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            retained: false,
        }
    }
}

/// A generated column's expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Over the other columns of the row.
    pub expr: Expr,
    /// Stored with the row, or computed when read.
    pub stored: bool,
}

/// SQLite's conflict clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// End the transaction.
    Rollback,
    /// End the statement (the default).
    Abort,
    /// Stop the statement, keep what it did.
    Fail,
    /// Skip the row.
    Ignore,
    /// Delete the rows in the way.
    Replace,
}

impl Conflict {
    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Rollback => "ROLLBACK",
            Self::Abort => "ABORT",
            Self::Fail => "FAIL",
            Self::Ignore => "IGNORE",
            Self::Replace => "REPLACE",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}
