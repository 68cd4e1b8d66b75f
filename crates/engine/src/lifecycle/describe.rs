//! DESCRIBE: the tables, or the columns, indexes and constraints of one.

use pql_planner::text::pql;
use pql_schema::{ConstraintKind, ObjectName, Schema, Table};

use crate::{Engine, Error, Result, ResultSet, Value, codes};

impl Engine {
    /// The tables and views (`name, kind, columns, indexes, rows`), or of one table what it is made of (`name, kind,
    /// type, nullable, default, definition`).
    pub fn describe(&mut self, name: Option<&str>) -> Result<ResultSet> {
        let schema = self.backend.introspect()?.visible();
        let Some(name) = name else { return self.overview(&schema) };
        let wanted = ObjectName::new(name);
        let columns = ["name", "kind", "type", "nullable", "default", "definition"];
        let mut rows = Vec::new();
        if let Some(table) = schema.table(&wanted) {
            of_table(&schema, table, &mut rows);
        } else if let Some(view) = schema.view(&wanted) {
            rows.push(part(&view.name.name, "view", Some(pql(schema.names).create_view(view))));
        } else if let Some(index) = schema.index(&wanted) {
            rows.push(part(&index.name.name, "index", Some(pql(schema.names).create_index(index))));
        } else {
            let error = unknown(&schema, name);
            return Err(match self.backend.absence(&wanted)? {
                Some(why) => error.with_help(why),
                None => error,
            });
        }
        Ok(ResultSet { columns: columns.map(str::to_owned).to_vec(), rows })
    }

    fn overview(&mut self, schema: &Schema) -> Result<ResultSet> {
        let tables: Vec<ObjectName> = schema.tables.keys().cloned().collect();
        let statistics = self.backend.statistics(&tables)?;
        let count = |count: usize| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let mut rows: Vec<Vec<Value>> = schema
            .tables
            .values()
            .map(|table| {
                vec![
                    pql(schema.names).object(&table.name).into(),
                    "table".into(),
                    count(table.visible().count()),
                    count(schema.indexes_of(&table.name).count()),
                    Value::Integer(i64::try_from(statistics.of(&table.name).rows).unwrap_or(i64::MAX)),
                ]
            })
            .collect();
        rows.extend(schema.views.values().map(|view| {
            vec![
                pql(schema.names).object(&view.name).into(),
                "view".into(),
                Value::Null,
                Value::Null,
                Value::Null,
            ]
        }));
        let columns = ["name", "kind", "columns", "indexes", "rows"].map(str::to_owned).to_vec();
        Ok(ResultSet { columns, rows })
    }
}

fn of_table(schema: &Schema, table: &Table, rows: &mut Vec<Vec<Value>>) {
    let key = table.primary_key();
    for column in table.visible() {
        let in_key = key
            .is_some_and(|key| key.columns.iter().any(|part| schema.names.same(&part.column, &column.name)));
        rows.push(vec![
            column.name.clone().into(),
            if in_key { "key column" } else { "column" }.into(),
            column.data_type.to_string().into(),
            if column.not_null { "no" } else { "yes" }.into(),
            column.default.as_ref().map(ToString::to_string).into(),
            pql(schema.names).column_def(column, table, &[]).into(),
        ]);
    }
    for constraint in &table.constraints {
        let kind = match constraint.kind {
            ConstraintKind::PrimaryKey(_) => "primary key",
            ConstraintKind::Unique(_) => "unique",
            ConstraintKind::Check { .. } => "check",
            ConstraintKind::ForeignKey(_) => "foreign key",
            ConstraintKind::Native { .. } => "constraint",
        };
        let name = constraint.effective_name(&table.name.name);
        rows.push(part(&name, kind, Some(pql(schema.names).constraint_body(constraint))));
    }
    for index in schema.indexes_of(&table.name) {
        let kind = if index.unique { "unique index" } else { "index" };
        rows.push(part(&index.name.name, kind, Some(pql(schema.names).create_index(index))));
    }
    for trigger in schema.triggers_of(&table.name) {
        rows.push(part(&trigger.name.name, "trigger", Some(trigger.definition.to_string())));
    }
}

fn part(name: &str, kind: &str, definition: Option<String>) -> Vec<Value> {
    vec![name.into(), kind.into(), Value::Null, Value::Null, Value::Null, definition.into()]
}

fn unknown(schema: &Schema, name: &str) -> Error {
    let names = schema.tables.keys().chain(schema.views.keys()).chain(schema.indexes.keys());
    let mut names: Vec<&str> = names.map(|name| name.name.as_str()).collect();
    let near = pql_syntax::suggest::nearest(name, names.iter().copied()).map(str::to_owned);
    names.truncate(10);
    let help = match near {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => "the database has no tables".to_owned(),
        None => "DESCRIBE without a name lists the tables and views".to_owned(),
    };
    Error::new(codes::UNKNOWN_OBJECT, format!("there is no table, view or index {name}")).with_help(help)
}
