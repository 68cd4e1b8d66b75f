//! How the rows of a SQLite table are told apart.

use pql_schema::{DataType, SortOrder, Table};

use crate::exprs::short_value;
use crate::{PlanError, RowKey, codes};

/// The key by which the rows of the table can be logged and visited in order.
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
        matches!(
            constraint.kind,
            pql_schema::ConstraintKind::PrimaryKey(_) | pql_schema::ConstraintKind::Unique(_)
        )
    });
    let keyed = keys.flat_map(|constraint| constraint.columns()).filter_map(position).max();
    let generated = table
        .columns
        .iter()
        .rposition(|column| column.generated.as_ref().is_some_and(|generated| generated.stored));
    at == 0 || keyed.is_some_and(|last| at <= last) || generated.is_some_and(|last| at <= last)
}
