//! How the rows of a table are told apart.

use pql_schema::{ConstraintKind, DataType, KeyPart, Schema, SortOrder, Table};

use crate::exprs::short_value;
use crate::{PlanError, RowKey, codes};

/// The key by which the rows of a SQLite table can be logged and visited in order.
pub(super) fn row_key(table: &Table) -> Result<RowKey, PlanError> {
    if table.options.without_rowid {
        let key = table.primary_key().map(|key| key.columns.clone()).unwrap_or_default();
        return Ok(RowKey::Columns(key));
    }
    if let Some(column) = rowid_alias(table) {
        return Ok(RowKey::Rowid(column.to_owned()));
    }
    let hidden = |name: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    match ["rowid", "_rowid_", "oid"].into_iter().find(|name| !hidden(name)) {
        Some(name) => Ok(RowKey::Rowid(name.to_owned())),
        None => Err(PlanError::new(
            codes::NO_ROW_KEY,
            format!("table {} has columns rowid, _rowid_ and oid, which hide its row numbers", table.name),
            "rename one of these columns first",
        )),
    }
}

/// The column that is another name for the rowid.
pub(super) fn rowid_alias(table: &Table) -> Option<&str> {
    if table.options.without_rowid {
        return None;
    }
    let [part] = table.primary_key()?.columns.as_slice() else { return None };
    let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&part.column))?;
    let integer = column.data_type == DataType::Integer && part.order == SortOrder::Asc;
    integer.then_some(column.name.as_str())
}

/// Whether every row is known to hold a value of its own for the column, however old it is: it is among the first
/// that the table was created with, as only a rebuild puts a column into a key, or NULL would be what it lacks.
pub(super) fn stored_in_every_row(table: &Table, column: &str) -> bool {
    let position =
        |name: &str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let Some(at) = position(column) else { return false };
    // A row without a value would read NULL, which is not accepted: there is none.
    if table.columns[at].not_null && short_value(table.columns[at].default.as_ref()).is_none() {
        return true;
    }
    let keys = table.constraints.iter().filter(|constraint| {
        matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
    });
    let keyed = keys.flat_map(|constraint| constraint.columns()).filter_map(position).max();
    let generated = table
        .columns
        .iter()
        .rposition(|column| column.generated.as_ref().is_some_and(|generated| generated.stored));
    at == 0 || keyed.is_some_and(|last| at <= last) || generated.is_some_and(|last| at <= last)
}

/// How the rows of a PostgreSQL table are told apart: by its primary key, or else by another key without NULLs, or
/// else by where they are stored. A key that names `avoid` only serves when there is no other.
pub(super) fn postgres_row_key(schema: &Schema, table: &Table, avoid: Option<&str>) -> RowKey {
    let not_null = |name: &str| table.columns.iter().any(|column| column.name == name && column.not_null);
    let mut keys: Vec<Vec<KeyPart>> = Vec::new();
    keys.extend(table.primary_key().map(|key| key.columns.clone()));
    for constraint in &table.constraints {
        if let ConstraintKind::Unique(unique) = &constraint.kind
            && unique.deferrable.is_none()
            && unique.columns.iter().all(|part| not_null(&part.column))
        {
            keys.push(unique.columns.clone());
        }
    }
    for index in schema.indexes_of(&table.name) {
        let plain = index.unique && index.predicate.is_none() && index.method.is_none();
        let columns: Option<Vec<KeyPart>> = index
            .parts
            .iter()
            .map(|part| part.column.as_ref().filter(|column| not_null(column)).map(KeyPart::new))
            .collect();
        keys.extend(columns.filter(|_| plain));
    }
    let free = |key: &Vec<KeyPart>| key.iter().all(|part| avoid != Some(part.column.as_str()));
    let best = keys.iter().position(free).unwrap_or_default();
    keys.into_iter().nth(best).map_or_else(|| RowKey::Rowid("ctid".to_owned()), RowKey::Columns)
}
