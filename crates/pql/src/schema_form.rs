//! A schema as text: as a schema file, as data, as the database's own DDL, as a diagram.

use std::fmt::Write as _;

use pql_planner::{Dialect, text};
use pql_schema::{ConstraintKind, DataType, Schema, Table};

/// The forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaForm {
    /// PQL definitions: a schema file.
    Pql,
    /// JSON: the model itself.
    Json,
    /// The DDL of the database.
    Sql,
    /// A Mermaid entity-relationship diagram.
    Mermaid,
}

/// The schema in a form, with a newline at its end.
pub(crate) fn schema_as(schema: &Schema, dialect: Dialect, form: SchemaForm) -> String {
    match form {
        SchemaForm::Pql => text::schema(schema),
        SchemaForm::Json => {
            let json =
                serde_json::to_string_pretty(&schema.visible()).expect("a schema has string keys only");
            format!("{json}\n")
        }
        SchemaForm::Sql => match dialect {
            Dialect::Sqlite => text::schema_in(schema, &text::SQLITE),
            Dialect::Postgres => text::schema_in(schema, &text::POSTGRES),
        },
        SchemaForm::Mermaid => mermaid(schema),
    }
}

fn mermaid(schema: &Schema) -> String {
    let mut out = "erDiagram\n".to_owned();
    for table in schema.tables.values() {
        let _ = writeln!(out, "    {} {{", entity(&table.name.to_string()));
        for column in table.visible() {
            let _ = writeln!(
                out,
                "        {} {}{}",
                type_word(&column.data_type),
                word(&column.name),
                keys(table, &column.name)
            );
        }
        out.push_str("    }\n");
    }
    for (table, constraint) in schema.constraints() {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            let optional = key
                .columns
                .iter()
                .any(|name| table.column(name, schema.names).is_some_and(|column| !column.not_null));
            let _ = writeln!(
                out,
                "    {} }}o--{} {} : \"{}\"",
                entity(&table.name.to_string()),
                if optional { "o|" } else { "||" },
                entity(&key.table.to_string()),
                key.columns.join(", ").replace('"', "'")
            );
        }
    }
    out
}

/// `PK`, `FK` and `UK`, as far as the column alone says so.
fn keys(table: &Table, column: &str) -> String {
    let mut marks = Vec::new();
    for constraint in &table.constraints {
        let mark = match &constraint.kind {
            ConstraintKind::PrimaryKey(_) => "PK",
            ConstraintKind::ForeignKey(_) => "FK",
            ConstraintKind::Unique(unique) if unique.columns.len() == 1 => "UK",
            _ => continue,
        };
        if constraint.columns().contains(&column) && !marks.contains(&mark) {
            marks.push(mark);
        }
    }
    if marks.is_empty() { String::new() } else { format!(" {}", marks.join(", ")) }
}

fn entity(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "'")) }
}

/// Mermaid takes words of letters, digits, `_`, `-` and brackets.
fn word(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | '(' | ')' | '[' | ']') { c } else { '_' })
        .collect()
}

fn type_word(data_type: &DataType) -> String {
    let name = word(&data_type.to_string());
    if name.is_empty() { "any".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use pql_schema::{Column, NameRule};

    use super::*;

    #[test]
    fn each_database_has_its_own_types() {
        let mut table = Table::new("t");
        table.columns.push(Column::new("b", DataType::Bytes));
        table.columns.push(Column::new("d", DataType::Double));
        table.columns.push(Column::new("j", DataType::Json));
        let mut schema = Schema::new(NameRule::AsciiInsensitive);
        schema.tables.insert(table.name.clone(), table);
        let sql = schema_as(&schema, Dialect::Postgres, SchemaForm::Sql);
        assert!(sql.contains("BYTEA") && sql.contains("DOUBLE PRECISION") && sql.contains("JSONB"), "{sql}");
    }
}
