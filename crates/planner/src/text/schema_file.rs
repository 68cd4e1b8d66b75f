//! A schema as a schema file.

use std::collections::BTreeSet;

use pql_schema::{ConstraintKind, ObjectName, Schema, Table, View};

use super::ddl::Style;
use super::serial::count_by_type;

/// The whole schema as statements of one dialect, each ended by `;`: tables after those they refer to, each with its
/// indexes, then views after those they read, materialised ones with theirs, then triggers as they are. The same schema always gives the same text.
pub fn schema(schema: &Schema, style: &Style) -> String {
    let mut visible = schema.visible();
    for table in visible.tables.values_mut() {
        table.columns.iter_mut().for_each(|column| count_by_type(&table.name, column));
    }
    let mut statements = Vec::new();
    for table in tables_in_order(&visible) {
        statements.push(style.create_table(table));
        statements.extend(visible.indexes_of(&table.name).map(|index| style.create_index(index)));
    }
    for view in views_in_order(&visible) {
        statements.push(style.create_view(view));
        if view.materialized {
            statements.extend(visible.indexes_of(&view.name).map(|index| style.create_index(index)));
        }
    }
    statements.extend(visible.triggers.values().map(|trigger| {
        let text = trigger.definition.as_str().trim_end();
        text.strip_suffix(';').unwrap_or(text).to_owned()
    }));
    let mut text = statements.join(";\n\n");
    if !text.is_empty() {
        text.push_str(";\n");
    }
    text
}

/// By name, but never before a table that one refers to, unless they refer to each other in a circle.
pub(crate) fn tables_in_order(schema: &Schema) -> Vec<&Table> {
    let mut order = Order::new(schema);
    for table in schema.tables.values() {
        order.visit_table(table);
    }
    order.tables
}

fn views_in_order(schema: &Schema) -> Vec<&View> {
    let mut order = Order::new(schema);
    for view in schema.views.values() {
        order.visit_view(view);
    }
    order.views
}

/// A walk that puts everything after what it needs.
struct Order<'a> {
    schema: &'a Schema,
    seen: BTreeSet<&'a ObjectName>,
    tables: Vec<&'a Table>,
    views: Vec<&'a View>,
}

impl<'a> Order<'a> {
    fn new(schema: &'a Schema) -> Self {
        Self { schema, seen: BTreeSet::new(), tables: Vec::new(), views: Vec::new() }
    }

    /// A stack of our own: a chain of thousands of tables must not overflow the thread's.
    fn visit_table(&mut self, table: &'a Table) {
        let mut stack = vec![(table, false)];
        while let Some((table, done)) = stack.pop() {
            if done {
                self.tables.push(table);
                continue;
            }
            if !self.seen.insert(&table.name) {
                continue;
            }
            stack.push((table, true));
            let keys = table.constraints.iter().rev().filter_map(|constraint| match &constraint.kind {
                ConstraintKind::ForeignKey(key) => Some(key.table.clone()),
                _ => None,
            });
            let parents = keys.chain(table.inherited()).filter_map(|name| self.schema.table(&name));
            stack.extend(
                parents.filter(|parent| !self.seen.contains(&parent.name)).map(|parent| (parent, false)),
            );
        }
    }

    fn visit_view(&mut self, view: &'a View) {
        let mut stack = vec![(view, false)];
        while let Some((view, done)) = stack.pop() {
            if done {
                self.views.push(view);
                continue;
            }
            if !self.seen.insert(&view.name) {
                continue;
            }
            stack.push((view, true));
            let names: BTreeSet<String> = pql_schema::tokens(view.query.as_str())
                .filter_map(|token| token.name())
                .map(|name| self.schema.names.key(&name))
                .collect();
            let read = self.schema.views.values().rev().filter(|other| {
                names.contains(&self.schema.names.key(&other.name.name)) && !self.seen.contains(&other.name)
            });
            stack.extend(read.map(|other| (other, false)));
        }
    }
}

#[cfg(test)]
mod tests {
    use pql_schema::{
        Column, Constraint, DataType, Expr, ForeignKey, KeyPart, NameRule, PrimaryKey, TableOptions,
    };

    use super::*;
    use crate::text::{PQL, SQLITE};

    fn sample() -> Schema {
        let mut users = Table::new("users");
        let mut id = Column::new("id", DataType::Integer);
        id.not_null = true;
        users.columns.push(id);
        let mut at = Column::new("at", DataType::Timestamp);
        at.default = Some(Expr::new("CURRENT_TIMESTAMP"));
        users.columns.push(at);
        users.columns.push(Column::new("key", DataType::Uuid));
        users.constraints.push(Constraint::unnamed(ConstraintKind::PrimaryKey(PrimaryKey {
            columns: vec![KeyPart::new("id")],
            autoincrement: true,
            on_conflict: None,
        })));
        let mut cards = Table::new("cards");
        cards.columns.push(Column::new("owner", DataType::Integer));
        cards.columns.push(Column::new("number", DataType::Text));
        cards.options = TableOptions { strict: true, without_rowid: true, ..TableOptions::default() };
        let check = ConstraintKind::Check { expr: Expr::new("owner > 0") };
        let key = ForeignKey {
            columns: vec!["owner".to_owned()],
            table: "users".into(),
            referenced: Vec::new(),
            on_delete: pql_schema::Action::SetNull(Vec::new()),
            on_update: pql_schema::Action::NoAction,
            matching: None,
            deferrable: None,
        };
        let number =
            PrimaryKey { columns: vec![KeyPart::new("number")], autoincrement: false, on_conflict: None };
        cards.constraints = vec![
            Constraint::unnamed(ConstraintKind::PrimaryKey(number)),
            Constraint::unnamed(ConstraintKind::ForeignKey(key)),
            Constraint::unnamed(check),
        ];
        let mut schema = Schema::new(NameRule::AsciiInsensitive);
        for table in [users, cards] {
            schema.tables.insert(table.name.clone(), table);
        }
        for (name, query) in [("a", "SELECT * FROM b"), ("b", "SELECT id FROM users")] {
            let view = View {
                name: name.into(),
                columns: Vec::new(),
                query: Expr::statement(query),
                materialized: false,
            };
            schema.views.insert(view.name.clone(), view);
        }
        schema
    }

    #[test]
    fn a_schema_file() {
        let expected = "\
CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    key UUID
);

CREATE TABLE cards (
    owner INTEGER,
    number TEXT PRIMARY KEY,
    FOREIGN KEY (owner) REFERENCES users ON DELETE SET NULL,
    CHECK (owner > 0)
) STRICT, WITHOUT ROWID;

CREATE VIEW b AS SELECT id FROM users;

CREATE VIEW a AS SELECT * FROM b;
";
        assert_eq!(schema(&sample(), &PQL), expected);
        assert_eq!(schema(&sample(), &SQLITE), expected.replace("key UUID", "key UUID_TEXT"));
    }
}
