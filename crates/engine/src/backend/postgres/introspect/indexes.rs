//! Indexes that were made by CREATE INDEX.

use std::collections::BTreeMap;

use pql_schema::{Expr, Index, IndexPart, NullsOrder, SortOrder};

use super::catalog::Fields;
use super::tables::unquoted;
use super::{Oid, Relations};
use crate::Result;

/// The bits of a part's direction.
const DESCENDING: i16 = 1;
const NULLS_FIRST: i16 = 2;

/// An index without its parts.
pub(super) fn index(
    row: &mut Fields<'_>,
    relations: &Relations,
    indexes: &mut BTreeMap<Oid, Index>,
) -> Result<()> {
    let (oid, name, table) = (row.oid()?, row.text()?, row.oid()?);
    let Some(of) = relations.name(table) else { return Ok(()) };
    let (unique, method) = (row.flag()?, row.text()?);
    let (columns, keys) = (row.numbers()?, row.number()?);
    let included = columns.get(usize::try_from(keys).unwrap_or(0)..).unwrap_or_default();
    let index = Index {
        name: of.sibling(name),
        table: of.clone(),
        unique,
        method: (method != "btree").then_some(method),
        parts: Vec::new(),
        include: relations.columns(table, included).unwrap_or_default(),
        nulls_not_distinct: row.flag()?,
        predicate: row.opt_str()?.map(Expr::new),
        with: row.opt_text()?.filter(|with| !with.is_empty()),
    };
    indexes.insert(oid, index);
    Ok(())
}

/// The next part of an index.
pub(super) fn part(
    row: &mut Fields<'_>,
    relations: &Relations,
    indexes: &mut BTreeMap<Oid, Index>,
) -> Result<()> {
    let (oid, number, table, direction) = (row.oid()?, row.number()?, row.oid()?, row.number()?);
    let Some(index) = indexes.get_mut(&oid) else { return Ok(()) };
    let expr = row.opt_str()?;
    let column = if number > 0 { relations.column(table, number) } else { None };
    let descending = direction & DESCENDING != 0;
    let first = direction & NULLS_FIRST != 0;
    index.parts.push(IndexPart {
        expr: match &column {
            Some(column) => Expr::column(column),
            None => Expr::new(expr.unwrap_or_default()),
        },
        column,
        opclass: row.opt_text()?,
        collation: row.opt_text()?.map(|name| unquoted(&name)),
        order: if descending { SortOrder::Desc } else { SortOrder::Asc },
        nulls: match (descending, first) {
            (false, true) => Some(NullsOrder::First),
            (true, false) => Some(NullsOrder::Last),
            _ => None,
        },
    });
    Ok(())
}
