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
mod counting;
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
use std::fmt;
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

/// A name that an operation brings into being.
struct NewName<'a> {
    text: &'a str,
    /// A table's, index's or view's; otherwise a column's or constraint's.
    is_object: bool,
}

impl fmt::Display for NewName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn new_names(op: &MigrationOp) -> Vec<NewName<'_>> {
    let object = |text| NewName { text, is_object: true };
    let part = |text| NewName { text, is_object: false };
    match op {
        MigrationOp::CreateTable { table } => {
            let columns = table.columns.iter().map(|column| part(column.name.as_str()));
            std::iter::once(object(table.name.name.as_str())).chain(columns).collect()
        }
        MigrationOp::RenameTable { to, .. } | MigrationOp::RenameIndex { to, .. } => vec![object(&to.name)],
        MigrationOp::AddColumn { column, .. } => vec![part(&column.name)],
        MigrationOp::RenameColumn { to, .. } => vec![part(to)],
        MigrationOp::AddIndex { index } => vec![object(&index.name.name)],
        MigrationOp::CreateView { view } => vec![object(&view.name.name)],
        _ => Vec::new(),
    }
}

fn is_ours(name: &NewName<'_>) -> bool {
    begins_with(name.text, crate::HIDDEN_PREFIX)
}

fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
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

    /// Whether nobody but PQL or the database itself may call something so. A column may be called `sqlite_…`.
    fn is_reserved(&self, name: &NewName<'_>) -> bool {
        let theirs = name.is_object && self.is_sqlite() && begins_with(name.text, "sqlite_");
        is_ours(name) || theirs
    }

    fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// Reports a new name that is reserved.
    fn refuses_names(&mut self, op: &MigrationOp, span: &Range<usize>) -> bool {
        if !self.stored
            && let Some(name) = new_names(op).into_iter().find(|name| self.is_reserved(name))
        {
            let finding =
                Diagnostic::error(codes::RESERVED, span.clone(), format!("the name `{name}` is reserved"));
            self.report(finding.with_help(if is_ours(&name) {
                "names that begin with _pql_ are PQL's own: choose another"
            } else {
                "names that begin with sqlite_ are SQLite's own: choose another"
            }));
            return true;
        }
        false
    }

    /// Takes an operation up if the schema allows it, with what it implies before it.
    fn push(&mut self, op: MigrationOp, span: Range<usize>) {
        if self.refuses_names(&op, &span) {
            return;
        }
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
