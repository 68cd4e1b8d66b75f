//! Constraints of a table.

use serde::{Deserialize, Deserializer, Serialize};

use crate::column::is_false;
use crate::json::name_or_object;
use crate::{Conflict, Expr, ObjectName, SortOrder};

/// A constraint; whether it was written beside a column or after them all makes no difference here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Its name, when it was given one. See [`Constraint::effective_name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it demands.
    #[serde(flatten)]
    pub kind: ConstraintKind,
    /// Declared but not checked for the rows that were there (PostgreSQL's NOT VALID).
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_valid: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "constraint", rename_all = "snake_case", deny_unknown_fields)]
pub enum ConstraintKind {
    /// The table's primary key.
    PrimaryKey(PrimaryKey),
    /// No two rows alike.
    Unique(Unique),
    /// Every row fulfils an expression (or it is NULL).
    Check {
        /// The expression.
        expr: Expr,
    },
    /// Every row's key is in another table.
    ForeignKey(ForeignKey),
    /// A constraint that PQL carries as the database's own text (`EXCLUDE …`).
    Native {
        /// The text after the constraint's name.
        definition: String,
    },
}

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrimaryKey {
    /// The columns, in key order.
    pub columns: Vec<KeyPart>,
    /// SQLite's AUTOINCREMENT: a rowid is never given out twice.
    #[serde(default, skip_serializing_if = "is_false")]
    pub autoincrement: bool,
    /// SQLite's conflict clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_conflict: Option<Conflict>,
}

/// A unique constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The columns.
    pub columns: Vec<KeyPart>,
    /// NULLs are equal to each other.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
    /// SQLite's conflict clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_conflict: Option<Conflict>,
    /// When it is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferrable: Option<Deferrable>,
}

/// A column of a primary key or unique constraint. In JSON its name alone will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyPart {
    /// The column's name.
    pub column: String,
    /// The collation, when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The direction (SQLite keeps it).
    #[serde(default)]
    pub order: SortOrder,
}

impl<'de> Deserialize<'de> for KeyPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            column: String,
            #[serde(default)]
            collation: Option<String>,
            #[serde(default)]
            order: SortOrder,
        }
        impl From<Object> for KeyPart {
            fn from(Object { column, collation, order }: Object) -> Self {
                Self { column, collation, order }
            }
        }
        name_or_object::<_, _, Object>(deserializer)
    }
}

impl From<&str> for KeyPart {
    fn from(column: &str) -> Self {
        Self::new(column)
    }
}

impl KeyPart {
    /// An ascending column with its own collation.
    pub fn new(column: impl Into<String>) -> Self {
        Self { column: column.into(), collation: None, order: SortOrder::Asc }
    }
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub table: ObjectName,
    /// The columns referred to; empty: that table's primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referenced: Vec<String>,
    /// When the row referred to is deleted.
    #[serde(default, skip_serializing_if = "Action::is_no_action")]
    pub on_delete: Action,
    /// When its key changes.
    #[serde(default, skip_serializing_if = "Action::is_no_action")]
    pub on_update: Action,
    /// `MATCH …`, when said, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
    /// When it is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferrable: Option<Deferrable>,
}

/// What a foreign key does to the referring rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Refuse at the end of the statement (the default).
    #[default]
    NoAction,
    /// Refuse at once.
    Restrict,
    /// Delete or update them too.
    Cascade,
    /// Set the referring columns (all, or those named) to NULL.
    SetNull(Vec<String>),
    /// Set the referring columns (all, or those named) to their default.
    SetDefault(Vec<String>),
}

impl Action {
    /// Whether it is the default.
    pub fn is_no_action(&self) -> bool {
        *self == Self::NoAction
    }
}

/// When a deferrable constraint is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deferrable {
    /// NOT DEFERRABLE, said explicitly. Lowering drops it where it is the default.
    Not,
    /// DEFERRABLE INITIALLY IMMEDIATE.
    Immediate,
    /// DEFERRABLE INITIALLY DEFERRED.
    Deferred,
}

impl Constraint {
    /// An unnamed constraint.
    pub fn unnamed(kind: ConstraintKind) -> Self {
        Self { name: None, kind, not_valid: false }
    }

    /// Its name, or one after PostgreSQL's manner (`t_pkey`, `t_a_b_key`, `t_check`, `t_c_fkey`). Several of a table may
    /// share it; [`Table::constraint_names`](crate::Table::constraint_names) tells them apart.
    pub fn effective_name(&self, table: &str) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let join = |columns: Vec<&str>, suffix: &str| {
            let mut parts = vec![table];
            parts.extend(columns);
            parts.push(suffix);
            parts.join("_")
        };
        match &self.kind {
            ConstraintKind::PrimaryKey(_) => join(Vec::new(), "pkey"),
            ConstraintKind::Unique(unique) => {
                join(unique.columns.iter().map(|part| part.column.as_str()).collect(), "key")
            }
            ConstraintKind::ForeignKey(key) => join(key.columns.iter().map(String::as_str).collect(), "fkey"),
            ConstraintKind::Check { .. } => join(Vec::new(), "check"),
            ConstraintKind::Native { .. } => join(Vec::new(), "excl"),
        }
    }

    /// Whether it is the primary key.
    pub fn is_primary_key(&self) -> bool {
        matches!(self.kind, ConstraintKind::PrimaryKey(_))
    }

    /// The columns it names itself (for a CHECK: see [`Expr::mentions`]).
    pub fn columns(&self) -> Vec<&str> {
        match &self.kind {
            ConstraintKind::PrimaryKey(key) => key.columns.iter().map(|part| part.column.as_str()).collect(),
            ConstraintKind::Unique(unique) => {
                unique.columns.iter().map(|part| part.column.as_str()).collect()
            }
            ConstraintKind::ForeignKey(key) => key.columns.iter().map(String::as_str).collect(),
            ConstraintKind::Check { .. } | ConstraintKind::Native { .. } => Vec::new(),
        }
    }
}
