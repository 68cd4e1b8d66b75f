//! Tables and their columns.

use std::collections::BTreeMap;

use pql_planner::text::postgres_type;
use pql_schema::{Column, Counting, Expr, Generated, Identity, IdentityKind, ObjectName, Table};

use super::catalog::Fields;
use super::{Oid, Relations, is_ours};
use crate::Result;

/// A table without its columns; the row is read from its options on.
pub(super) fn table(name: ObjectName, row: &mut Fields<'_>) -> Result<Table> {
    let mut table = Table::new(name);
    let mut native = Vec::new();
    if let Some(parents) = row.opt_str()?.map(|key| format!("PARTITION BY {key}")) {
        native.push(parents);
    }
    if let Some(parents) = row.opt_str()? {
        native.push(format!("INHERITS ({parents})"));
    }
    if let Some(options) = row.opt_str()?.filter(|options| !options.is_empty()) {
        native.push(format!("WITH ({options})"));
    }
    if let Some(space) = row.opt_str()? {
        native.push(format!("TABLESPACE {}", (pql_planner::text::PQL_FOLDED.ident)(space)));
    }
    table.options.unlogged = row.flag()?;
    table.options.native = (!native.is_empty()).then(|| native.join(" "));
    Ok(table)
}

/// A column of a table or materialised view.
pub(super) fn column(
    row: &mut Fields<'_>,
    relations: &mut Relations,
    tables: &mut BTreeMap<Oid, Table>,
) -> Result<()> {
    let (relation, number, name) = (row.oid()?, row.number()?, row.text()?);
    relations.columns.insert((relation, number), name.clone());
    let Some(table) = tables.get_mut(&relation) else { return Ok(()) };
    let mut column = Column::new(name, postgres_type(row.str()?));
    column.not_null = row.flag()?;
    let kind = match row.str()? {
        "a" => Some(IdentityKind::Always),
        "d" => Some(IdentityKind::ByDefault),
        _ => None,
    };
    let generated = row.str()?;
    let expr = row.opt_str()?.map(Expr::new);
    match generated {
        "" => column.default = expr,
        kind => column.generated = expr.map(|expr| Generated { expr, stored: kind == "s" }),
    }
    let counting = row.opt_str()?.map(counting).unwrap_or_default().unsaid(&column.data_type);
    column.identity = kind.map(|kind| Identity { kind, counting });
    column.collation = row.opt_text()?.map(|name| unquoted(&name));
    column.retained = is_ours(&column.name);
    table.columns.push(column);
    Ok(())
}

/// How a sequence counts; the server says its numbers one after the other.
fn counting(text: &str) -> Counting {
    let mut words = text.split(' ');
    let mut number = || words.next().and_then(|word| word.parse().ok());
    let (start, increment, min, max, cache) = (number(), number(), number(), number(), number());
    Counting { start, increment, min, max, cache, cycle: words.next() == Some("t") }
}

/// A collation's name without the quotes that the server puts around it.
pub(super) fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) if !inner.contains("\".\"") => inner.replace("\"\"", "\""),
        _ => name.to_owned(),
    }
}
