//! A column gets another type.

use pql_schema::{Column, DataType, Expr, MigrationOp, ObjectName, Schema, Table};

use crate::conversion::within_affinity;
use crate::text::{Affinity, sqlite_meaning};
use crate::{Capabilities, Check, PlanError, Severity, codes};

use super::declare::Demands;
use super::ladder::Ladder;
use super::row_key::rowid_alias;

/// Whether stored values change, or may have to: another affinity, a computed value, a type that is checked by the
/// database itself, or the column that is the rowid.
pub(super) fn rebuilds(
    before: &Schema,
    table: &ObjectName,
    column: &str,
    to: &DataType,
    collation: Option<&str>,
    using: Option<&Expr>,
    caps: &Capabilities,
) -> bool {
    let Some(table) = before.table(table) else { return false };
    let Some(known) = table.column(column, before.names) else { return false };
    let changed = Column { data_type: to.clone(), ..known.clone() };
    let vector = [&known.data_type, to].into_iter().any(|kind| matches!(kind, DataType::Vector(_)));
    let counts = |table: &Table| rowid_alias(table).is_some_and(|name| before.names.same(name, column));
    let mut after = table.clone();
    if let Some(column) = after.column_mut(column, before.names) {
        column.data_type = to.clone();
    }
    if known.data_type == *to && known.collation.as_deref() == collation && using.is_none() {
        return false;
    }
    using.is_some()
        || known.generated.is_some()
        || known.collation.as_deref() != collation
        || table.options.strict
        || vector
        || counts(table)
        || counts(&after)
        || !caps.definition_edit
        || Affinity::of(known, table) != Affinity::of(&changed, &after)
}

/// Within one affinity, an edit of the definition, once the values are known to be of the new type.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    ladder.apply(op)?;
    let after = ladder.table(table)?;
    if before == after {
        return Ok(());
    }
    let names = ladder.schema.names;
    let (Some(old), Some(new)) = (before.column(column, names), after.column(column, names)) else {
        return Ok(());
    };
    let narrower = |from: &Column, to: &Column| {
        let expr = within_affinity(&Expr::column(&to.name), &from.data_type, &to.data_type)?;
        Some(Check::Holds { name: format!("{} {}", to.name, to.data_type), expr })
    };
    let to = sqlite_meaning(&new.data_type);
    if matches!(to, DataType::Varchar(Some(_)) | DataType::Char(Some(_)) | DataType::Decimal(Some(_), _)) {
        let message = format!("SQLite does not hold rows to come to {to}");
        ladder.warn(codes::NOT_ENFORCED, Severity::Note, message);
    }
    let checks = narrower(old, new).into_iter().collect();
    let back = narrower(new, old).into_iter().collect();
    ladder.declare(&before, &after, Demands { checks, back, ..Demands::default() })
}
