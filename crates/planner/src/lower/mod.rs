//! Lowering: from the AST to operations and schemas, with every name resolved and every place kept.
//!
//! The entries are [`operations`] for MIGRATE GENERATE, [`ddl`] for DDL as people write it, [`schema_text`] for an
//! application schema, and the functions of [`stored`] for the SQL that SQLite keeps of its own objects. Each
//! operation is applied to a working copy of the schema as soon as it is lowered, so that the next one sees it and
//! what cannot be done is reported at its own place. All findings are collected, not only the first.

mod action;
mod alter;
pub mod codes;
mod column;
mod constraint;
mod expr;
mod findings;
mod index;
mod name;
mod operation;
mod schema_text;
pub mod stored;
mod table;
mod unmanaged;
mod value;

use std::borrow::Cow;
use std::ops::Range;

use pql_schema::{MigrationOp, Schema};
use pql_syntax::{Diagnostic, ast};

use crate::Dialect;

pub use schema_text::{LoweredSchema, schema_json, schema_text};
pub use value::literal_sql;

/// What `@name` stands for, by name.
pub type Params<'a> = &'a dyn Fn(&str) -> Option<ast::Literal>;

/// What lowering needs to know.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The SQL of the database.
    pub dialect: Dialect,
    /// Its schema now.
    pub schema: &'a Schema,
    /// The parameters.
    pub params: Params<'a>,
}

/// The operations of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// In order; those that PQL adds (the indexes that go with a column) stand before the one that needs them.
    pub ops: Vec<MigrationOp>,
    /// For each, the place in the source that asked for it.
    pub spans: Vec<Range<usize>>,
    /// `CONCURRENTLY` was said: online, whatever the session's strategy is.
    pub online: bool,
}

/// The operations of `MIGRATE GENERATE op, op, …`.
pub fn operations(generate: &ast::Generate, context: Context<'_>) -> Result<Lowered, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(context);
    for operation in generate.operations() {
        lowering.operation(&operation);
    }
    lowering.finish(false)
}

/// The operations of a DDL statement; `None` when it is not one that PQL manages.
pub fn ddl(statement: &ast::Statement, context: Context<'_>) -> Option<Result<Lowered, Vec<Diagnostic>>> {
    let mut lowering = Lowering::new(context);
    let online = match statement {
        ast::Statement::AlterTable(alter) => {
            lowering.alter_table(alter);
            alter.is_concurrently()
        }
        ast::Statement::CreateTable(create) => {
            lowering.create_table(create);
            false
        }
        ast::Statement::DropTable(drop) => {
            lowering.drop_tables(drop);
            drop.is_concurrently()
        }
        ast::Statement::CreateIndex(create) => {
            lowering.create_index(create);
            create.is_concurrently()
        }
        ast::Statement::DropIndex(drop) => {
            lowering.drop_indexes(drop);
            drop.is_concurrently()
        }
        ast::Statement::CreateView(create) => {
            lowering.create_view(create);
            false
        }
        ast::Statement::DropView(drop) => {
            lowering.drop_views(drop);
            false
        }
        _ => return None,
    };
    Some(lowering.finish(online))
}

/// One statement being lowered.
struct Lowering<'a> {
    dialect: Dialect,
    params: Params<'a>,
    /// The SQL is what the database stores: types are declared names, and expressions are left as they are.
    stored: bool,
    /// The schema after the operations so far.
    schema: Cow<'a, Schema>,
    ops: Vec<MigrationOp>,
    spans: Vec<Range<usize>>,
    findings: Vec<Diagnostic>,
}

impl<'a> Lowering<'a> {
    fn new(context: Context<'a>) -> Self {
        Self {
            dialect: context.dialect,
            params: context.params,
            stored: false,
            schema: Cow::Borrowed(context.schema),
            ops: Vec::new(),
            spans: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// Takes an operation up if the schema allows it, with what it implies before it.
    fn push(&mut self, op: MigrationOp, span: Range<usize>) {
        for implied in self.schema.implied_by(&op) {
            self.push_one(implied, span.clone());
        }
        self.push_one(op, span);
    }

    fn push_one(&mut self, op: MigrationOp, span: Range<usize>) {
        match self.schema.to_mut().apply(&op) {
            Ok(()) => {
                self.ops.push(op);
                self.spans.push(span);
            }
            Err(error) => self.findings.push(findings::refused(&error, span)),
        }
    }

    fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    fn finish(self, online: bool) -> Result<Lowered, Vec<Diagnostic>> {
        if self.findings.is_empty() {
            Ok(Lowered { ops: self.ops, spans: self.spans, online })
        } else {
            Err(self.findings)
        }
    }
}
