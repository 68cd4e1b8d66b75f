//! Names: folded as the database folds them, and spelled as the schema spells them.

use pql_schema::{Column, ObjectName};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{self, AstNode as _};

use super::{Lowering, codes};
use crate::Dialect;

impl Lowering<'_> {
    /// A name as the database will keep it.
    pub(super) fn fold(&self, name: &ast::Name) -> String {
        let text = name.text();
        if self.dialect == Dialect::Postgres && !name.is_quoted() { text.to_lowercase() } else { text }
    }

    /// The name of a table, index or view.
    pub(super) fn object(&mut self, name: &ast::QualifiedName) -> Option<ObjectName> {
        let parts: Vec<String> = name.parts().map(|part| self.fold(&part)).collect();
        let found = match parts.as_slice() {
            [name] => Some(ObjectName::new(name)),
            [schema, name] => self.in_schema(schema, name),
            _ => None,
        };
        if found.is_none() {
            self.report(
                Diagnostic::error(
                    codes::BAD_NAME,
                    name.span(),
                    format!("`{}` does not name an object of this database", name.text()),
                )
                .with_help(match self.dialect {
                    Dialect::Sqlite => "write the name alone; PQL manages the schema main",
                    Dialect::Postgres => "write name or schema.name",
                }),
            );
        }
        found
    }

    /// An object in a schema that was named; `None` when PQL does not manage that schema.
    fn in_schema(&self, schema: &str, name: &str) -> Option<ObjectName> {
        match self.dialect {
            Dialect::Sqlite => schema.eq_ignore_ascii_case("main").then(|| ObjectName::new(name)),
            Dialect::Postgres if schema == "public" => Some(ObjectName::new(name)),
            Dialect::Postgres => Some(ObjectName { schema: Some(schema.to_owned()), name: name.to_owned() }),
        }
    }

    /// `table.part`: the table and the name of a column or constraint in it.
    pub(super) fn path(&mut self, path: &ast::QualifiedName) -> Option<(ObjectName, String)> {
        let parts: Vec<String> = path.parts().map(|part| self.fold(&part)).collect();
        let found = match parts.as_slice() {
            [table, part] => Some((ObjectName::new(table), part.clone())),
            [schema, table, part] => self.in_schema(schema, table).map(|table| (table, part.clone())),
            _ => None,
        };
        if let Some((table, part)) = found {
            return Some((self.spelled(table), part));
        }
        let message = format!("`{}` does not name a part of a table", path.text());
        self.report(Diagnostic::error(codes::BAD_NAME, path.span(), message).with_help("write table.name"));
        None
    }

    /// An existing table as the schema spells it; one that does not exist stays as it is, and is found missing when
    /// the operation is applied.
    pub(super) fn table(&mut self, name: &ast::QualifiedName) -> Option<ObjectName> {
        let name = self.object(name)?;
        Some(self.spelled(name))
    }

    pub(super) fn spelled(&self, name: ObjectName) -> ObjectName {
        self.schema.table(&name).map_or(name, |table| table.name.clone())
    }

    /// A column of an existing table as the schema spells it.
    pub(super) fn column_of(&self, table: &ObjectName, column: &str) -> String {
        self.find_column(table, column).map_or_else(|| column.to_owned(), |column| column.name.clone())
    }

    /// A column that users see.
    pub(super) fn find_column(&self, table: &ObjectName, column: &str) -> Option<&Column> {
        self.schema.table(table)?.column(column, self.schema.names).filter(|column| !column.retained)
    }
}
