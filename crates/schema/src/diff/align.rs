//! The target as the current schema would spell it, and what counts as the same under one spelling.

use crate::{
    Action, Constraint, ConstraintKind, Deferrable, Expr, ForeignKey, Index, IndexPart, KeyPart, NameRule,
    ObjectName, PrimaryKey, Schema, Table, Unique, View,
};

/// The table of the target in the current table's spelling.
pub(crate) fn aligned_table(now: &Schema, table: &Table, then: &Table) -> Table {
    let rule = now.names;
    let mut then = then.clone();
    then.name = table.name.clone();
    then.columns.retain(|column| !column.retained);
    for column in &mut then.columns {
        if let Some(same) = table.visible_column(&column.name, rule) {
            column.name.clone_from(&same.name);
            respell(&mut column.collation, same.collation.as_ref(), rule);
        }
    }
    for constraint in &mut then.constraints {
        let given = |name: &String| {
            table.constraints.iter().filter_map(|c| c.name.as_ref()).find(|n| rule.same(n, name))
        };
        if let Some(name) = constraint.name.as_ref().and_then(given) {
            constraint.name = Some(name.clone());
        }
        align_kind(now, table, &mut constraint.kind);
    }
    then
}

fn align_kind(now: &Schema, table: &Table, kind: &mut ConstraintKind) {
    match kind {
        ConstraintKind::PrimaryKey(key) => {
            key.columns.iter_mut().for_each(|part| spell(table, &mut part.column, now.names));
        }
        ConstraintKind::Unique(unique) => {
            unique.columns.iter_mut().for_each(|part| spell(table, &mut part.column, now.names));
        }
        ConstraintKind::ForeignKey(key) => {
            key.columns.iter_mut().for_each(|column| spell(table, column, now.names));
            if let Some(parent) = now.table(&key.table) {
                key.table = parent.name.clone();
                key.referenced.iter_mut().for_each(|column| spell(parent, column, now.names));
            }
        }
        ConstraintKind::Check { .. } | ConstraintKind::Native { .. } => {}
    }
}

/// The index of the target in the current schema's spelling.
pub(crate) fn aligned_index(now: &Schema, then: &Index) -> Index {
    let mut then = then.clone();
    if let Some((name, _)) = now.indexes.find(now.names, &then.name) {
        then.name = name.clone();
    }
    let Some(table) = now.table(&then.table) else {
        return then;
    };
    then.table = table.name.clone();
    for part in &mut then.parts {
        if let Some(column) = &mut part.column {
            spell(table, column, now.names);
            part.expr = Expr::column(column);
        }
    }
    then.include.iter_mut().for_each(|column| spell(table, column, now.names));
    then
}

fn spell(table: &Table, column: &mut String, rule: NameRule) {
    if let Some(same) = table.visible_column(column, rule) {
        column.clone_from(&same.name);
    }
}

fn respell(name: &mut Option<String>, as_in: Option<&String>, rule: NameRule) {
    if let (Some(name), Some(spelled)) = (name, as_in)
        && rule.same(name, spelled)
    {
        name.clone_from(spelled);
    }
}

/// Whether two indexes are the same apart from their names and the spelling of others.
pub(crate) fn same_index(a: &Index, b: &Index, rule: NameRule) -> bool {
    if std::ptr::eq(a, b) || a == b {
        return true;
    }
    let folded = |index: &Index| {
        let part = |part: &IndexPart| IndexPart {
            expr: part.column.as_ref().map_or_else(|| part.expr.clone(), |_| Expr::column("")),
            column: part.column.as_ref().map(|column| rule.key(column)),
            collation: part.collation.as_ref().map(|collation| rule.key(collation)),
            ..part.clone()
        };
        Index {
            name: ObjectName::new(""),
            table: folded_name(&index.table, rule),
            parts: index.parts.iter().map(part).collect(),
            include: folded_names(&index.include, rule),
            ..index.clone()
        }
    };
    a == b || folded(a) == folded(b)
}

fn folded_name(name: &ObjectName, rule: NameRule) -> ObjectName {
    ObjectName { schema: name.schema.as_ref().map(|schema| rule.key(schema)), name: rule.key(&name.name) }
}

fn folded_names(names: &[String], rule: NameRule) -> Vec<String> {
    names.iter().map(|name| rule.key(name)).collect()
}

/// Whether two views are the same apart from the spelling of their names.
pub(crate) fn same_view(a: &View, b: &View, rule: NameRule) -> bool {
    a.query == b.query
        && a.materialized == b.materialized
        && a.columns.len() == b.columns.len()
        && a.columns.iter().zip(&b.columns).all(|(a, b)| rule.same(a, b))
}

/// A table with the schema it is in.
#[derive(Clone, Copy)]
pub(crate) struct Within<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) table: &'a Table,
}

/// Whether two constraints are the same apart from their names and the spelling of others.
pub(crate) fn same_constraint(now: Within<'_>, a: &Constraint, then: Within<'_>, b: &Constraint) -> bool {
    a.not_valid == b.not_valid && folded_kind(now, a) == folded_kind(then, b)
}

fn folded_kind(within: Within<'_>, constraint: &Constraint) -> ConstraintKind {
    let rule = within.schema.names;
    let parts = |parts: &[KeyPart]| {
        let fold = |part: &KeyPart| KeyPart {
            column: rule.key(&part.column),
            collation: part.collation.as_ref().map(|collation| rule.key(collation)),
            ..part.clone()
        };
        parts.iter().map(fold).collect()
    };
    let action = |action: &Action| match action {
        Action::SetNull(columns) => Action::SetNull(folded_names(columns, rule)),
        Action::SetDefault(columns) => Action::SetDefault(folded_names(columns, rule)),
        other => other.clone(),
    };
    match &constraint.kind {
        ConstraintKind::PrimaryKey(key) => {
            ConstraintKind::PrimaryKey(PrimaryKey { columns: parts(&key.columns), ..key.clone() })
        }
        ConstraintKind::Unique(unique) => ConstraintKind::Unique(Unique {
            columns: parts(&unique.columns),
            deferrable: said(unique.deferrable),
            ..unique.clone()
        }),
        ConstraintKind::ForeignKey(key) => ConstraintKind::ForeignKey(ForeignKey {
            columns: folded_names(&key.columns, rule),
            table: folded_name(&key.table, rule),
            referenced: referenced(within, key),
            on_delete: action(&key.on_delete),
            on_update: action(&key.on_update),
            matching: key.matching.clone(),
            deferrable: said(key.deferrable),
        }),
        other => other.clone(),
    }
}

/// Deferrability, where "not" is the same as not saying.
fn said(deferrable: Option<Deferrable>) -> Option<Deferrable> {
    deferrable.filter(|&deferrable| deferrable != Deferrable::Not)
}

/// The columns that a foreign key refers to, folded. One may leave out what another names: the primary key.
fn referenced(within: Within<'_>, key: &ForeignKey) -> Vec<String> {
    let rule = within.schema.names;
    if !key.referenced.is_empty() {
        return folded_names(&key.referenced, rule);
    }
    let own = rule.same_object(&key.table, &within.table.name);
    let parent = if own { Some(within.table) } else { within.schema.table(&key.table) };
    let primary = parent.and_then(Table::primary_key);
    primary
        .map_or_else(Vec::new, |primary| primary.columns.iter().map(|part| rule.key(&part.column)).collect())
}
