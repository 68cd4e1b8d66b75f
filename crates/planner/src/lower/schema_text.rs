//! An application schema: a text of definitions, or its JSON form, to a schema.

use std::borrow::Cow;
use std::ops::Range;

use pql_schema::{ConstraintKind, ObjectName, Schema, View};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{self, AstNode as _, Statement};

use super::{Context, Lowering, Params, codes, stored, unmanaged};
use crate::{Dialect, text};

/// A schema, and what its text says about the past.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoweredSchema {
    /// The schema.
    pub schema: Schema,
    /// Columns that were renamed: table (as it is called now), former name, name.
    pub renamed_columns: Vec<(ObjectName, String, String)>,
    /// Tables that were renamed: former name, name.
    pub renamed_tables: Vec<(ObjectName, ObjectName)>,
}

/// The schema that a text of definitions describes. Definitions may refer to what follows them.
pub fn schema_text(
    source: &str,
    dialect: Dialect,
    params: Params<'_>,
) -> Result<LoweredSchema, Vec<Diagnostic>> {
    let parse = pql_syntax::parse(source);
    if !parse.is_ok() {
        return Err(parse.diagnostics().to_vec());
    }
    let empty = Schema::new(dialect.names());
    let mut reader = Reader {
        lowering: Lowering::new(Context { dialect, schema: &empty, params }),
        lowered: LoweredSchema::default(),
        references: Vec::new(),
    };
    let statements: Vec<Statement> = parse.statements().collect();
    // Tables first, whatever the order: an index or a foreign key may stand before the table that it names.
    for statement in &statements {
        match statement {
            Statement::CreateTable(create) => reader.table(create, None),
            Statement::PassThrough(other) if dialect == Dialect::Postgres => reader.partitioned(other),
            _ => {}
        }
    }
    for statement in &statements {
        reader.other(statement);
    }
    reader.finish(dialect)
}

/// The schema in its JSON form, brought to what the database would store.
pub fn schema_json(source: &str, dialect: Dialect) -> Result<LoweredSchema, Vec<Diagnostic>> {
    let mut schema: Schema = serde_json::from_str(source).map_err(|error| {
        let at = offset(source, error.line(), error.column());
        vec![
            Diagnostic::error(codes::BAD_JSON, at..at, format!("this is not a schema in JSON: {error}"))
                .with_help("`pql schema --output json` prints the form"),
        ]
    })?;
    schema.names = dialect.names();
    if dialect == Dialect::Sqlite {
        text::normalise_sqlite(&mut schema, None);
    }
    Ok(LoweredSchema { schema, ..LoweredSchema::default() })
}

/// The byte at a line and column, both from 1.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

struct Reader<'a> {
    lowering: Lowering<'a>,
    lowered: LoweredSchema,
    /// The tables with foreign keys, to be looked at when all tables are known.
    references: Vec<(ObjectName, Range<usize>)>,
}

impl Reader<'_> {
    /// A partitioned table: one like any other, but for the words at its end.
    fn partitioned(&mut self, other: &ast::PassThrough) {
        let text = other.text();
        let Some((head, tail)) = unmanaged::partitioned(&text) else { return };
        // What stands before the head keeps its length, so that findings are at their own places.
        let head = format!("{}{head}", " ".repeat(other.span().start));
        let parse = pql_syntax::parse(&head);
        if !parse.is_ok() {
            parse.diagnostics().iter().for_each(|found| self.lowering.report(found.clone()));
        }
        if let Some(Statement::CreateTable(create)) = parse.statements().next() {
            self.table(&create, Some(tail));
        }
    }

    fn table(&mut self, create: &ast::CreateTable, tail: Option<&str>) {
        let Some(name) = create.name().and_then(|name| self.lowering.object(&name)) else { return };
        if self.lowering.schema.table(&name).is_some() {
            if !create.is_if_not_exists() {
                self.twice(&name, create.span());
            }
            return;
        }
        if let Some(former) = create.renamed_from().and_then(|renamed| renamed.name()) {
            let Some(former) = self.lowering.object(&former) else { return };
            self.lowered.renamed_tables.push((former, name.clone()));
        }
        let Some(body) = create.body() else { return };
        let Some(mut lowered) = self.lowering.table_definition(name.clone(), &body, create.options()) else {
            return;
        };
        if let Some(tail) = tail {
            let native = &mut lowered.table.options.native;
            *native = Some(native.take().map_or_else(|| tail.to_owned(), |words| format!("{words} {tail}")));
        }
        // An isolated table shows what is wrong with the table itself; who it refers to is looked at in the end.
        let mut alone = lowered.table.clone();
        alone.constraints.retain(|it| !matches!(it.kind, ConstraintKind::ForeignKey(_)));
        let created = pql_schema::MigrationOp::CreateTable { table: alone };
        if self.lowering.refuses_names(&created, &create.span()) {
            return;
        }
        if let Err(error) = Schema::new(self.lowering.schema.names).apply(&created) {
            self.lowering.report(super::findings::refused(&error, create.span()));
            return;
        }
        self.lowered
            .renamed_columns
            .extend(lowered.renamed.into_iter().map(|(former, column)| (name.clone(), former, column)));
        self.references.push((name.clone(), create.span()));
        self.lowering.schema.to_mut().tables.insert(name, lowered.table);
    }

    fn other(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable(_) => {}
            Statement::CreateIndex(create) => self.lowering.create_index(create),
            Statement::CreateView(create) => self.view(create),
            Statement::AlterTable(alter) => self.lowering.alter_table(alter),
            Statement::PassThrough(other) => self.unmanaged(statement, other),
            _ => self.refuse(statement),
        }
    }

    /// A definition that the grammar leaves to the database and the model carries all the same.
    fn unmanaged(&mut self, statement: &Statement, other: &ast::PassThrough) {
        let text = other.text();
        let trigger = match self.lowering.dialect {
            Dialect::Sqlite => stored::trigger(&text),
            Dialect::Postgres => pql_schema::Trigger::parse(&text, self.lowering.schema.names),
        };
        if let Some(trigger) = trigger {
            if self.lowering.schema.triggers.contains_key(&trigger.name) {
                self.twice(&trigger.name, other.span());
            } else {
                self.lowering.schema.to_mut().triggers.insert(trigger.name.clone(), trigger);
            }
            return;
        }
        match unmanaged::materialized(&text) {
            Some(view) if self.lowering.dialect == Dialect::Postgres => self.insert_view(view, other.span()),
            _ if self.lowering.dialect == Dialect::Postgres && unmanaged::partitioned(&text).is_some() => {}
            _ => self.refuse(statement),
        }
    }

    /// A view may name one that follows it, which only the database would refuse.
    fn view(&mut self, create: &ast::CreateView) {
        let lowering = &mut self.lowering;
        let Some(name) = create.name() else { return };
        let Some(view) =
            lowering.view(&name, create.columns().as_ref(), create.query(), create.is_materialized())
        else {
            return;
        };
        let created = pql_schema::MigrationOp::CreateView { view: view.clone() };
        if self.lowering.refuses_names(&created, &create.span()) {
            return;
        }
        self.insert_view(view, create.span());
    }

    fn insert_view(&mut self, view: View, span: Range<usize>) {
        let lowering = &mut self.lowering;
        if lowering.schema.view(&view.name).is_some() || lowering.schema.table(&view.name).is_some() {
            self.twice(&view.name, span);
        } else {
            lowering.schema.to_mut().views.insert(view.name.clone(), view);
        }
    }

    fn twice(&mut self, name: &ObjectName, span: Range<usize>) {
        self.lowering.report(
            Diagnostic::error(codes::EXISTS, span, format!("{name} is defined twice"))
                .with_help("keep one of the definitions"),
        );
    }

    fn refuse(&mut self, statement: &Statement) {
        self.lowering.report(
            Diagnostic::error(codes::NOT_A_DEFINITION, statement.span(), "this is not a definition").with_help(
                "an application schema consists of CREATE TABLE, CREATE INDEX, CREATE VIEW, CREATE TRIGGER and \
                 ALTER TABLE",
            ),
        );
    }

    fn finish(mut self, dialect: Dialect) -> Result<LoweredSchema, Vec<Diagnostic>> {
        for (table, span) in std::mem::take(&mut self.references) {
            self.check_references(&table, &span);
        }
        if !self.lowering.findings.is_empty() {
            return Err(self.lowering.findings);
        }
        let mut schema = match self.lowering.schema {
            Cow::Owned(schema) => schema,
            Cow::Borrowed(schema) => schema.clone(),
        };
        if dialect == Dialect::Sqlite {
            text::normalise_sqlite(&mut schema, None);
        }
        self.lowered.schema = schema;
        Ok(self.lowered)
    }

    /// Looks at the foreign keys of a table, now that everything they may refer to is known.
    fn check_references(&mut self, name: &ObjectName, span: &Range<usize>) {
        // ALTER TABLE … RENAME in the text may have taken the name away; then there was an operation for it.
        let Some(table) = self.lowering.schema.table(name) else { return };
        let errors: Vec<_> = table
            .constraints
            .iter()
            .filter(|constraint| matches!(constraint.kind, ConstraintKind::ForeignKey(_)))
            .filter_map(|constraint| self.lowering.schema.check_constraint(table, constraint).err())
            .collect();
        for error in errors {
            self.lowering.report(super::findings::refused(&error, span.clone()));
        }
    }
}
