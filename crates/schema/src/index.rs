//! Indexes.

use serde::{Deserialize, Deserializer, Serialize};

use crate::column::is_false;
use crate::json::name_or_object;
use crate::{Expr, ObjectName};

/// An index made by `CREATE INDEX` (those that belong to a constraint are not listed apart from it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Its name; unique in its schema.
    pub name: ObjectName,
    /// The table it is on.
    pub table: ObjectName,
    /// Refuses equal keys.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    /// The access method, when it is not the default (`hnsw`, `gin`, …), lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The key, left to right.
    pub parts: Vec<IndexPart>,
    /// Columns stored beside the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// For a unique index: NULLs are equal to each other.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
    /// For a partial index, the rows it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<Expr>,
    /// Storage parameters (`WITH (…)`), as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// One key part of an index. In JSON a plain column's name alone will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexPart {
    /// A column's name (a plain word or a quoted name), or an expression.
    pub expr: Expr,
    /// The column's name when the part is a plain column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The collation, when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The operator class with its parameters, when said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opclass: Option<String>,
    /// Ascending or descending.
    #[serde(default)]
    pub order: SortOrder,
    /// Where NULLs stand, when it is not where the order puts them by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nulls: Option<NullsOrder>,
}

impl<'de> Deserialize<'de> for IndexPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            #[serde(default)]
            expr: Option<Expr>,
            #[serde(default)]
            column: Option<String>,
            #[serde(default)]
            collation: Option<String>,
            #[serde(default)]
            opclass: Option<String>,
            #[serde(default)]
            order: SortOrder,
            #[serde(default)]
            nulls: Option<NullsOrder>,
        }
        impl TryFrom<Object> for IndexPart {
            type Error = &'static str;

            fn try_from(object: Object) -> Result<Self, Self::Error> {
                let Object { expr, column, collation, opclass, order, nulls } = object;
                let named = || column.as_deref().map(Expr::column);
                let expr = expr.or_else(named).ok_or("a part of an index needs `column` or `expr`")?;
                Ok(Self { expr, column, collation, opclass, order, nulls })
            }
        }
        name_or_object::<_, _, Object>(deserializer)
    }
}

impl From<&str> for IndexPart {
    fn from(column: &str) -> Self {
        Self::column(column)
    }
}

impl IndexPart {
    /// An ascending plain column.
    pub fn column(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            expr: Expr::column(&name),
            column: Some(name),
            collation: None,
            opclass: None,
            order: SortOrder::Asc,
            nulls: None,
        }
    }
}

/// The direction of a key part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortOrder {
    /// Small values first.
    #[default]
    Asc,
    /// Large values first.
    Desc,
}

/// Where NULLs stand among the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullsOrder {
    /// Before all values.
    First,
    /// After all values.
    Last,
}
