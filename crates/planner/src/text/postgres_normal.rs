//! What a schema becomes when PostgreSQL has stored it: the form in which a wanted schema is compared with one that
//! was read. What only the database can normalise (the text of expressions) is left as it is.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Deferrable, Identity, Index, NullsOrder, Schema, SortOrder,
    Table,
};

use super::postgres::POSTGRES_LONGEST as LONGEST;
use super::serial::count_as_stored;

/// Turns a wanted schema into what reading it back from PostgreSQL would give. A constraint that the wanted table does
/// not name has the name that the one like it has in `current`.
pub fn normalise_postgres(schema: &mut Schema, current: Option<&Schema>) {
    for table in schema.tables.values_mut() {
        let known = current.and_then(|current| current.table(&table.name));
        normalise_postgres_table(table, known);
    }
    for index in schema.indexes.values_mut() {
        normalise_index(index);
    }
}

/// The same for one table.
pub(crate) fn normalise_postgres_table(table: &mut Table, known: Option<&Table>) {
    let mut counted = Vec::new();
    let mut keyed = Vec::new();
    for constraint in &mut table.constraints {
        match &mut constraint.kind {
            ConstraintKind::PrimaryKey(key) => {
                keyed.extend(key.columns.iter().map(|part| part.column.clone()));
                if std::mem::take(&mut key.autoincrement) {
                    counted.extend(key.columns.iter().map(|part| part.column.clone()));
                }
            }
            ConstraintKind::Unique(unique) => drop_default(&mut unique.deferrable),
            ConstraintKind::ForeignKey(key) => {
                drop_default(&mut key.deferrable);
                key.matching = key.matching.take().filter(|matching| matching != "SIMPLE");
            }
            ConstraintKind::Check { .. } | ConstraintKind::Native { .. } => {}
        }
    }
    for column in &mut table.columns {
        // A key's columns, and those that count by themselves, take no NULL.
        if counted.contains(&column.name) && column.identity.is_none() && column.default.is_none() {
            column.identity = Some(Identity::BY_DEFAULT);
        }
        column.not_null |= keyed.contains(&column.name) || column.identity.is_some();
        if let Some(now) = known.and_then(|known| known.columns.iter().find(|now| now.name == column.name)) {
            count_as_stored(&table.name, column, now);
        }
        normalise_column(column);
    }
    name_constraints(table, known);
}

fn normalise_column(column: &mut Column) {
    normalise_type(&mut column.data_type);
    // DEFAULT NULL leaves no trace.
    column.default = column.default.take().filter(|default| !default.as_str().eq_ignore_ascii_case("null"));
    column.collation = column.collation.take().filter(|collation| collation != "default");
    if let Some(identity) = &mut column.identity {
        identity.counting = identity.counting.unsaid(&column.data_type);
    }
}

fn normalise_type(data_type: &mut DataType) {
    match data_type {
        DataType::Decimal(Some(_), scale) => *scale = Some(scale.unwrap_or_default()),
        DataType::Char(length) => *length = Some(length.unwrap_or(1)),
        DataType::Array(inner) => normalise_type(inner),
        _ => {}
    }
}

fn normalise_index(index: &mut Index) {
    index.method = index.method.take().filter(|method| !method.eq_ignore_ascii_case("btree"));
    for part in &mut index.parts {
        let natural = match part.order {
            SortOrder::Asc => NullsOrder::Last,
            SortOrder::Desc => NullsOrder::First,
        };
        part.nulls = part.nulls.filter(|nulls| *nulls != natural);
    }
}

fn drop_default(deferrable: &mut Option<Deferrable>) {
    *deferrable = deferrable.filter(|deferrable| *deferrable != Deferrable::Not);
}

/// Gives every constraint its name, so that what is created is called what the model calls it.
fn name_constraints(table: &mut Table, known: Option<&Table>) {
    let mut names = table.constraint_names();
    for (at, constraint) in table.constraints.iter().enumerate() {
        let free = |other: &Constraint, names: &[String]| {
            other.kind == constraint.kind && other.name.as_ref().is_some_and(|name| !names.contains(name))
        };
        if constraint.name.is_none()
            && let Some(same) =
                known.and_then(|known| known.constraints.iter().find(|other| free(other, &names)))
            && let Some(name) = &same.name
        {
            names[at].clone_from(name);
        }
    }
    for (constraint, name) in table.constraints.iter_mut().zip(names) {
        constraint.name.get_or_insert_with(|| cut(&name));
    }
}

/// The name as PostgreSQL keeps it: unlike any other that begins alike, which cutting it off would not make sure.
pub(crate) fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let print = &pql_schema::Fingerprint::of_text(name).0[..8];
    let mut short = String::new();
    for c in name.chars() {
        if short.len() + c.len_utf8() + print.len() + 1 > LONGEST {
            break;
        }
        short.push(c);
    }
    format!("{short}_{print}")
}

#[cfg(test)]
mod tests {
    use pql_schema::{Expr, KeyPart, PrimaryKey};

    use super::*;

    #[test]
    fn as_it_is_read_back() {
        let mut table = Table::new("t");
        table.columns.push(Column::new("id", DataType::Integer));
        table.columns.push(Column::new("n", DataType::Decimal(Some(5), None)));
        table.columns[1].default = Some(Expr::new("NULL"));
        let key = PrimaryKey { columns: vec![KeyPart::new("id")], autoincrement: true, on_conflict: None };
        table.constraints.push(Constraint::unnamed(ConstraintKind::PrimaryKey(key)));
        let long = Expr::new("n > 0");
        table.constraints.push(Constraint::unnamed(ConstraintKind::Check { expr: long.clone() }));
        let mut known = table.clone();
        known.constraints[1].name = Some("positive".to_owned());
        normalise_postgres_table(&mut table, Some(&known));
        assert_eq!(table.columns[0].identity, Some(Identity::BY_DEFAULT));
        assert!(table.columns[0].not_null && table.columns[1].default.is_none());
        assert_eq!(table.columns[1].data_type, DataType::Decimal(Some(5), Some(0)));
        let names: Vec<_> = table.constraints.iter().filter_map(|c| c.name.as_deref()).collect();
        assert_eq!(names, ["t_pkey", "positive"]);
    }

    #[test]
    fn long_names_stay_different() {
        let (a, b) = ("ü".repeat(40) + "a", "ü".repeat(40) + "b");
        assert!(cut(&a).len() <= LONGEST && cut(&a) != cut(&b));
    }
}
