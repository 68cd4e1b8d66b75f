//! Names for keys that were given none. A key's index is a relation of PostgreSQL's, and shares its names with tables,
//! views and other indexes: after `RENAME TABLE t TO u` the key of a new `t` cannot be called `t_pkey`. It gets a
//! number then, as the server itself would give it one.
//!
//! And names for constraints whose table or column is called otherwise later in the migration: the server keeps the name
//! that it gave them.

use std::collections::BTreeSet;

use pql_schema::{Constraint, ConstraintKind, MigrationOp, NameRule, ObjectName, Schema, Table};

use crate::text::postgres_invented;

/// Says the names of unnamed keys in the operations where the name that they would have is another relation's, and of
/// unnamed constraints where what they are called after is renamed.
/// Operations that the schema refuses are left as they are, with those that come after.
pub fn name_keys(schema: &Schema, ops: &mut [MigrationOp]) {
    if schema.names != NameRule::Exact {
        return;
    }
    let mut schema = schema.clone();
    let mut taken = None;
    let mut rest = ops;
    while let Some((op, later)) = rest.split_first_mut() {
        let renamed = |table: &ObjectName| {
            later.iter().any(|op| match op {
                MigrationOp::RenameTable { from, .. } => schema.same(from, table),
                MigrationOp::RenameColumn { table: of, .. } => schema.same(of, table),
                _ => false,
            })
        };
        let known = |name: &ObjectName| schema.table(name).cloned();
        let place = match op {
            MigrationOp::CreateTable { table } => {
                Some((Table { constraints: Vec::new(), ..table.clone() }, table.constraints.as_mut_slice()))
            }
            MigrationOp::AddColumn { table, constraints, .. } => {
                known(table).map(|table| (table, constraints.as_mut_slice()))
            }
            MigrationOp::AddConstraint { table, constraint } => {
                known(table).map(|table| (table, std::slice::from_mut(constraint)))
            }
            _ => None,
        };
        if let Some((table, added)) = place {
            let renamed = renamed(&table.name);
            name(table, added, renamed, taken.get_or_insert_with(|| relations(&schema)));
        }
        let made = match op {
            MigrationOp::CreateTable { table } => Some(table.name.clone()),
            MigrationOp::AddIndex { index } => Some(index.name.clone()),
            MigrationOp::AddColumn { .. } | MigrationOp::AddConstraint { .. } => None,
            _ => {
                // What goes, and what gets another name, makes room.
                taken = None;
                None
            }
        };
        if let Some(taken) = &mut taken {
            taken.extend(made);
        }
        if schema.apply(op).is_err() {
            return;
        }
        rest = later;
    }
}

/// Names what is added to the table, all of it where names are `renamed` later, and takes note.
fn name(mut table: Table, added: &mut [Constraint], renamed: bool, taken: &mut BTreeSet<ObjectName>) {
    let before = table.constraints.len();
    table.constraints.extend(added.iter().cloned());
    let own = table.constraint_names();
    for (at, constraint) in added.iter_mut().enumerate() {
        let base = &own[before + at];
        if !has_index(constraint) {
            if renamed {
                constraint.name.get_or_insert_with(|| postgres_invented(base));
            }
            continue;
        }
        let is_free = |name: &String| {
            !taken.contains(&table.name.sibling(postgres_invented(name)))
                && (name == base || !own.contains(name))
        };
        let mut names = std::iter::once(base.clone()).chain((1..).map(|number| format!("{base}{number}")));
        let Some(free) = names.find(is_free) else { continue };
        taken.insert(table.name.sibling(postgres_invented(&free)));
        if constraint.name.is_none() && (free != *base || renamed) {
            constraint.name = Some(if free == *base { postgres_invented(&free) } else { free });
        }
    }
}

fn relations(schema: &Schema) -> BTreeSet<ObjectName> {
    let keys = schema.tables.values().flat_map(|table| {
        let names = table.constraint_names().into_iter().zip(&table.constraints);
        let names = names.filter(|(_, constraint)| has_index(constraint));
        names.map(|(name, _)| table.name.sibling(postgres_invented(&name))).collect::<Vec<_>>()
    });
    let named = schema.tables.keys().chain(schema.indexes.keys()).chain(schema.views.keys()).cloned();
    keys.chain(named).collect()
}

fn has_index(constraint: &Constraint) -> bool {
    !matches!(constraint.kind, ConstraintKind::ForeignKey(_) | ConstraintKind::Check { .. })
}

#[cfg(test)]
mod tests {
    use pql_schema::{Column, DataType, KeyPart, PrimaryKey};

    use super::*;

    fn keyed(name: &str) -> Table {
        let mut table = Table::new(name);
        table.columns.push(Column::new("id", DataType::Integer));
        let key = PrimaryKey { columns: vec![KeyPart::new("id")], autoincrement: false, on_conflict: None };
        table.constraints.push(Constraint::unnamed(ConstraintKind::PrimaryKey(key)));
        table
    }

    fn named(ops: &[MigrationOp]) -> Vec<Option<&str>> {
        let tables = ops.iter().filter_map(|op| match op {
            MigrationOp::CreateTable { table } => Some(table.constraints[0].name.as_deref()),
            _ => None,
        });
        tables.collect()
    }

    #[test]
    fn a_key_makes_way_for_that_of_a_renamed_table() {
        let mut schema = Schema::new(NameRule::Exact);
        let mut t = keyed("t");
        t.constraints[0].name = Some("t_pkey".to_owned());
        schema.apply(&MigrationOp::CreateTable { table: t }).unwrap();
        let rename = |from: &str, to: &str| MigrationOp::RenameTable { from: from.into(), to: to.into() };
        let create = |name: &str| MigrationOp::CreateTable { table: keyed(name) };
        let mut ops = vec![rename("t", "u"), create("t"), create("v"), rename("t", "w"), create("t")];
        name_keys(&schema, &mut ops);
        assert_eq!(named(&ops), [Some("t_pkey1"), None, Some("t_pkey2")]);
        schema.names = NameRule::AsciiInsensitive;
        let mut ops = vec![rename("t", "u"), create("t")];
        name_keys(&schema, &mut ops);
        assert_eq!(named(&ops), [None], "indexes of SQLite's constraints have names of their own");
    }
}
