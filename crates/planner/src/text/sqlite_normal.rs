//! What a schema becomes when SQLite has stored it: the form in which a wanted schema is compared with one that was
//! read, so that nothing which SQLite cannot tell apart is ever a difference.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Deferrable, Index, IndexPart, NullsOrder, ObjectName,
    Objects, Schema, SortOrder, Table, Trigger,
};

use super::sqlite::{Affinity, SQLITE, sqlite_meaning, sqlite_type};

/// Turns a wanted schema into what reading it back from SQLite would give. Where a column of `current` is declared by
/// another name of the same type and affinity (`INT` where INTEGER is wanted), its spelling is kept.
pub fn normalise_sqlite(schema: &mut Schema, current: Option<&Schema>) {
    // What the database has already is as the database stores it.
    let stored_table = |table: &Table| current.is_some_and(|it| it.tables.shares(&table.name, table));
    let stored_index = |index: &Index| current.is_some_and(|it| it.indexes.shares(&index.name, index));
    rename_keys(schema);
    if let Some(current) = current {
        schema.tables.adopt(&current.tables);
        schema.indexes.adopt(&current.indexes);
    }
    schema.tables.change(
        |table| !stored_table(table),
        |table| normalise_table(table, current.and_then(|current| current.table(&table.name))),
    );
    let mut indexes = std::mem::take(&mut schema.indexes);
    indexes.change(
        |index| !stored_index(index),
        |index| {
            unqualify(&mut index.name);
            unqualify(&mut index.table);
            if index.method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("btree")) {
                index.method = None;
            }
            index.parts.iter_mut().for_each(normalise_part);
            drop_needless_part_collations(index, schema);
        },
    );
    schema.indexes = indexes;
    schema.views.change(|view| view.name.schema.is_some(), |view| unqualify(&mut view.name));
    let qualified = |trigger: &Trigger| trigger.name.schema.is_some() || trigger.table.schema.is_some();
    schema.triggers.change(qualified, |trigger| {
        unqualify(&mut trigger.name);
        unqualify(&mut trigger.table);
    });
}

/// `main.t` is `t`.
fn rename_keys(schema: &mut Schema) {
    fn unqualified<T: Clone>(map: &mut Objects<T>) {
        if map.keys().all(|name| name.schema.is_none()) {
            return;
        }
        *map = std::mem::take(map)
            .into_iter()
            .map(|(mut name, value)| {
                unqualify(&mut name);
                (name, value)
            })
            .collect();
    }
    unqualified(&mut schema.tables);
    unqualified(&mut schema.indexes);
    unqualified(&mut schema.views);
    unqualified(&mut schema.triggers);
}

fn unqualify(name: &mut ObjectName) {
    if name.schema.as_deref().is_some_and(|schema| schema.eq_ignore_ascii_case("main")) {
        name.schema = None;
    }
}

/// The same for one table.
pub(crate) fn normalise_table(table: &mut Table, current: Option<&Table>) {
    unqualify(&mut table.name);
    let types: Vec<DataType> =
        table.columns.iter().map(|column| stored_type(column, table, current)).collect();
    for (column, data_type) in table.columns.iter_mut().zip(types) {
        column.data_type = data_type;
        // An INTEGER PRIMARY KEY counts by itself; SQLite has no other identity.
        column.identity = None;
        drop_binary(&mut column.collation);
    }
    table.constraints.iter_mut().for_each(normalise_constraint);
    drop_needless_collations(table);
}

/// BINARY said of a key whose column has no collation of its own says nothing.
pub(crate) fn drop_needless_collations(table: &mut Table) {
    let columns = &table.columns;
    for constraint in &mut table.constraints {
        let parts = match &mut constraint.kind {
            ConstraintKind::PrimaryKey(key) => &mut key.columns,
            ConstraintKind::Unique(unique) => &mut unique.columns,
            _ => continue,
        };
        for part in parts {
            if !has_collation(columns, &part.column) {
                drop_binary(&mut part.collation);
            }
        }
    }
}

/// The same for an index.
pub(crate) fn drop_needless_part_collations(index: &mut Index, schema: &Schema) {
    let Some(table) = schema.table(&index.table) else { return };
    for part in &mut index.parts {
        if part.column.as_ref().is_none_or(|column| !has_collation(&table.columns, column)) {
            drop_binary(&mut part.collation);
        }
    }
}

fn has_collation(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name.eq_ignore_ascii_case(name) && column.collation.is_some())
}

fn stored_type(column: &Column, table: &Table, current: Option<&Table>) -> DataType {
    if let DataType::Vector(_) = column.data_type {
        // Its dimension is in its check, whatever the table declares.
        return column.data_type.clone();
    }
    let data_type = sqlite_type(&(SQLITE.type_name)(column, table));
    let known = current.and_then(|current| {
        let column = current.visible().find(|known| known.name.eq_ignore_ascii_case(&column.name))?;
        Some((column, current))
    });
    let Some((known, current)) = known else { return data_type };
    let wanted = Column::new(column.name.as_str(), data_type.clone());
    let alike = sqlite_meaning(&known.data_type) == sqlite_meaning(&data_type)
        && table.options.strict == current.options.strict;
    // A UUID that is declared as such is stored as numbers are, and is still what was meant.
    let stored_alike = Affinity::of(known, current) == Affinity::of(&wanted, table)
        || matches!(data_type, DataType::Uuid | DataType::Json | DataType::Interval);
    if alike && stored_alike { known.data_type.clone() } else { data_type }
}

fn normalise_constraint(constraint: &mut Constraint) {
    constraint.not_valid = false;
    match &mut constraint.kind {
        ConstraintKind::Unique(unique) => drop_default_deferral(&mut unique.deferrable),
        ConstraintKind::ForeignKey(key) => {
            unqualify(&mut key.table);
            drop_default_deferral(&mut key.deferrable);
        }
        ConstraintKind::PrimaryKey(_) | ConstraintKind::Check { .. } | ConstraintKind::Native { .. } => {}
    }
}

fn normalise_part(part: &mut IndexPart) {
    // NULL is SQLite's smallest value; only the other way round would say something, and that it does not have.
    let natural = match part.order {
        SortOrder::Asc => NullsOrder::First,
        SortOrder::Desc => NullsOrder::Last,
    };
    if part.nulls == Some(natural) {
        part.nulls = None;
    }
}

fn drop_binary(collation: &mut Option<String>) {
    if collation.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("binary")) {
        *collation = None;
    }
}

fn drop_default_deferral(deferrable: &mut Option<Deferrable>) {
    if *deferrable == Some(Deferrable::Not) {
        *deferrable = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(strict: bool, columns: &[(&str, DataType)]) -> Schema {
        let mut table = Table::new("t");
        table.options.strict = strict;
        table.columns =
            columns.iter().map(|(name, data_type)| Column::new(*name, data_type.clone())).collect();
        let mut schema = Schema::default();
        schema.tables.insert(table.name.clone(), table);
        schema
    }

    fn types(schema: &Schema) -> Vec<&DataType> {
        schema.tables.values().flat_map(|table| &table.columns).map(|column| &column.data_type).collect()
    }

    #[test]
    fn strict_tables_know_six_types() {
        let columns = [
            ("a", DataType::Boolean),
            ("b", DataType::BigInt),
            ("c", DataType::Uuid),
            ("d", DataType::Vector(3)),
            ("e", DataType::Decimal(Some(10), Some(2))),
            ("f", DataType::Timestamp),
        ];
        let mut wanted = schema(true, &columns);
        normalise_sqlite(&mut wanted, None);
        assert_eq!(
            types(&wanted),
            [
                &DataType::Integer,
                &DataType::Integer,
                &DataType::Text,
                &DataType::Vector(3),
                &DataType::Real,
                &DataType::Text
            ]
        );
        let mut plain = schema(false, &columns);
        normalise_sqlite(&mut plain, None);
        assert_eq!(plain, schema(false, &columns));
    }

    #[test]
    fn another_spelling_of_the_same_is_kept() {
        let native = |name: &str| DataType::Native(name.to_owned());
        let current = schema(
            false,
            &[
                ("A", native("INT")),
                ("b", native("UUID")),
                ("c", native("DATETIME")),
                ("d", native("STRING")),
            ],
        );
        let mut wanted = schema(
            false,
            &[
                ("a", DataType::Integer),
                ("b", DataType::Uuid),
                ("c", DataType::Timestamp),
                ("d", DataType::Text),
            ],
        );
        normalise_sqlite(&mut wanted, Some(&current));
        // STRING has numeric affinity: a text column is something else.
        let expected = [&native("INT"), &native("UUID"), &native("DATETIME"), &DataType::Text];
        assert_eq!(types(&wanted), expected);
    }
}
