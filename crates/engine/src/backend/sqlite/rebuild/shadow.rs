//! The shadow table: the new definition without what is declared only at the swap.
//!
//! Keys that need an index of their own are left out until the rows are there, because filling an index in another
//! order than its own is ten times slower than the copy itself. Foreign keys are left out because a shadow's stale row
//! must not keep the application from deleting what it refers to.

use pql_planner::Rebuild;
use pql_planner::text::{SQLITE, ident};
use pql_schema::{ConstraintKind, Expr, Index, IndexPart, ObjectName, PrimaryKey, SortOrder, Table};
use rusqlite::Connection as Db;

use super::super::metadata::hidden_index;
use super::super::redefine::rowid_column;
use crate::Result;

/// The shadow as it is filled.
pub(super) fn definition(rebuild: &Rebuild) -> Table {
    let mut table = rebuild.after.clone();
    table.name = rebuild.shadow.clone();
    let key_stays = table.options.without_rowid || rowid_column(&rebuild.after).is_some();
    if table.options.strict && !key_stays {
        // The primary key of a STRICT table says NOT NULL, and comes last.
        let key = rebuild.after.primary_key().map_or(&[][..], |key| &key.columns[..]);
        let in_key = |name: &str| key.iter().any(|part| part.column.eq_ignore_ascii_case(name));
        table
            .columns
            .iter_mut()
            .filter(|column| in_key(&column.name))
            .for_each(|column| column.not_null = true);
    }
    let unique_stays = has_its_own_order(&rebuild.after);
    table.constraints.retain(|constraint| match constraint.kind {
        ConstraintKind::ForeignKey(_) => false,
        ConstraintKind::Unique(_) => unique_stays,
        ConstraintKind::PrimaryKey(_) => key_stays,
        _ => true,
    });
    table
}

/// Whether the indexes of UNIQUE constraints are in an order that no other index can have: they lead to the rows of a
/// table without rowids by its key in ascending order, while those that are created follow the key's own order.
fn has_its_own_order(table: &Table) -> bool {
    let descends = |key: &PrimaryKey| key.columns.iter().any(|part| part.order == SortOrder::Desc);
    table.options.without_rowid && table.primary_key().is_some_and(descends)
}

/// An index that the shadow gets once its rows are there.
pub(super) struct ShadowIndex {
    /// As it is made, on the shadow, under a hidden name.
    pub(super) index: Index,
    /// What it enforces, for messages.
    pub(super) name: String,
}

/// The indexes of the shadow: those of its constraints, in SQLite's own numbering, and those of the plan.
pub(super) fn indexes(rebuild: &Rebuild) -> Result<Vec<ShadowIndex>> {
    let shadow = &rebuild.shadow.name;
    let mut all =
        if has_its_own_order(&rebuild.after) { Vec::new() } else { automatic(&rebuild.after, shadow)? };
    for index in &rebuild.indexes {
        let name = index.name.name.clone();
        let index = Index {
            name: ObjectName::new(hidden_index(shadow, &name)),
            table: rebuild.shadow.clone(),
            ..index.clone()
        };
        all.push(ShadowIndex { index, name });
    }
    Ok(all)
}

/// The hidden name of the index that becomes the constraint's of that number.
fn automatic_hidden(shadow: &str, number: &str) -> String {
    format!("{shadow}_auto_{number}")
}

/// The number of the constraint that a hidden index becomes the one of.
pub(super) fn automatic_number<'a>(shadow: &str, index: &'a str) -> Option<&'a str> {
    index.strip_prefix(&automatic_hidden(shadow, ""))
}

/// Which indexes SQLite keeps for a table's constraints: asked of SQLite, with the table made in memory.
fn automatic(table: &Table, shadow: &str) -> Result<Vec<ShadowIndex>> {
    let scratch = Db::open_in_memory()?;
    super::super::vector::register(&scratch)?;
    scratch.execute_batch(&SQLITE.create_table(table))?;
    let mut names = scratch.prepare(
        "SELECT s.name FROM sqlite_schema AS s JOIN pragma_index_list(?1) AS l ON l.name = s.name \
         WHERE s.type = 'index' AND s.sql IS NULL ORDER BY s.rowid",
    )?;
    let names: Vec<String> =
        names.query_map([&table.name.name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut all = Vec::new();
    for name in names {
        let mut parts = scratch.prepare(
            "SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE \"key\" ORDER BY seqno",
        )?;
        let parts = parts.query_map([&name], |row| {
            let column: String = row.get(0)?;
            Ok(IndexPart {
                expr: Expr::statement(ident(&column)),
                column: Some(column),
                collation: Some(row.get(2)?),
                opclass: None,
                order: if row.get::<_, bool>(1)? { SortOrder::Desc } else { SortOrder::Asc },
                nulls: None,
            })
        })?;
        let parts: Vec<IndexPart> = parts.collect::<rusqlite::Result<_>>()?;
        let number = name.rsplit('_').next().unwrap_or_default();
        let columns: Vec<&str> = parts.iter().filter_map(|part| part.column.as_deref()).collect();
        let index = Index {
            name: ObjectName::new(automatic_hidden(shadow, number)),
            table: ObjectName::new(shadow),
            unique: true,
            method: None,
            include: Vec::new(),
            nulls_not_distinct: false,
            predicate: None,
            with: None,
            parts: parts.clone(),
        };
        all.push(ShadowIndex { name: format!("{} ({})", table.name.name, columns.join(", ")), index });
    }
    Ok(all)
}
