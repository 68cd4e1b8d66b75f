//! A migration file's content: statements to the operations of one migration.

use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_planner::text::{postgres_ident, postgres_object};
use pql_schema::{MigrationOp, NameRule, Schema, Trigger};
use pql_syntax::ast::{AstNode as _, Generate, PassThrough, Statement};
use pql_syntax::{Diagnostic, Parse, Severity};

use super::danger::dangers;
use super::directory::SourceFile;
use crate::codes;
use crate::error::{Error, Places};
use crate::interpreter::of_diagnostic;

/// A file that parses.
pub(crate) struct Script<'f> {
    file: &'f SourceFile,
    parse: Parse,
}

/// Statements that open or close transactions: a migration brings its own.
const TRANSACTIONS: &[&str] =
    &["BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOINT", "RELEASE", "START", "ABORT"];

/// Statements that databases refuse inside a transaction.
const OUTSIDE: &[&str] = &["VACUUM", "PRAGMA", "ATTACH", "DETACH"];

impl<'f> Script<'f> {
    /// Parses a file and looks for statements that have no place in one.
    pub(crate) fn read(file: &'f SourceFile) -> Result<Self, Error> {
        let parse = pql_syntax::parse(&file.text);
        let wrong = parse.diagnostics().iter().filter(|it| it.severity == Severity::Error).cloned();
        let misplaced = parse.statements().filter_map(|statement| misplaced(&statement));
        let script = Self { file, parse: parse.clone() };
        match script.error(wrong.chain(misplaced)) {
            Some(error) => Err(error),
            None => Ok(script),
        }
    }

    /// What it would lose.
    pub(crate) fn dangers(&self) -> Vec<String> {
        self.parse.statements().flat_map(|statement| dangers(&statement)).collect()
    }

    /// Its operations, lowered against `schema`, which becomes the schema after them.
    pub(crate) fn operations(
        &self,
        schema: &mut Schema,
        dialect: Dialect,
    ) -> Result<Vec<MigrationOp>, Error> {
        self.operations_back(schema, dialect, true, &[])
    }

    /// Whether there is nothing in it but comments.
    pub(crate) fn is_empty(&self) -> bool {
        self.parse.statements().next().is_none()
    }

    /// The same for a way back. What names things that `schema` does not know is taken as SQL when there may be such
    /// things: the way there made them by SQL of its own. What `gone` drops is dropped without being said.
    pub(super) fn operations_back(
        &self,
        schema: &mut Schema,
        dialect: Dialect,
        all_known: bool,
        gone: &[MigrationOp],
    ) -> Result<Vec<MigrationOp>, Error> {
        let mut ops = Vec::new();
        let mut findings = Vec::new();
        for statement in self.parse.statements() {
            match one(&statement, schema, dialect) {
                Ok(of_statement) => ops.extend(of_statement),
                Err(of_statement) if all_known => findings.extend(of_statement),
                Err(_) => {
                    let mut without = schema.clone();
                    for drop in gone {
                        drop_if_there(&mut without, drop);
                    }
                    if let Ok(of_statement) = one(&statement, &mut without, dialect) {
                        *schema = without;
                        ops.extend(of_statement);
                        continue;
                    }
                    let text = statement.syntax().text().to_string();
                    let sql = text.trim().trim_end_matches(';').to_owned();
                    ops.push(MigrationOp::Execute { sql, revert: None, outside_transaction: false });
                }
            }
        }
        self.error(findings).map_or(Ok(ops), Err)
    }

    /// The file's name.
    pub(super) fn name(&self) -> String {
        self.file.name()
    }

    fn error(&self, findings: impl IntoIterator<Item = Diagnostic>) -> Option<Error> {
        let mut places = Places::new(&self.file.text);
        let errors = findings.into_iter().map(|finding| of_diagnostic(&finding, &mut places));
        Error::of_several(errors).map(|error| error.in_text(&self.file.name(), &self.file.text))
    }
}

/// Applies the drop of what may have gone before.
pub(super) fn drop_if_there(schema: &mut Schema, drop: &MigrationOp) {
    let mut after = schema.clone();
    if after.apply(drop).is_ok() {
        *schema = after;
    }
}

/// The operations of one statement.
fn one(
    statement: &Statement,
    schema: &mut Schema,
    dialect: Dialect,
) -> Result<Vec<MigrationOp>, Vec<Diagnostic>> {
    let context = Context { dialect, schema, params: &|_| None };
    let ops = match statement {
        Statement::Generate(generate) => lower::operations(generate, context)?.ops,
        Statement::PassThrough(sql) => vec![execute(sql, dialect)],
        other => match lower::ddl(other, context) {
            Some(lowered) => lowered?.ops,
            None => Vec::new(),
        },
    };
    let refused = schema.apply_all(&ops).err();
    match refused {
        Some((_, error)) => {
            Err(vec![Diagnostic::error(codes::SCRIPT_STATEMENT, statement.span(), error.to_string())])
        }
        None => Ok(ops),
    }
}

fn execute(sql: &PassThrough, dialect: Dialect) -> MigrationOp {
    let outside_transaction = sql.keywords().first().is_some_and(|word| OUTSIDE.contains(&word.as_str()));
    MigrationOp::Execute { sql: sql.text(), revert: way_back(sql, dialect), outside_transaction }
}

/// A trigger goes as it came, unless it took another one's place; of other SQL only the author knows.
fn way_back(sql: &PassThrough, dialect: Dialect) -> Option<String> {
    match dialect {
        Dialect::Sqlite => {
            lower::stored::trigger(&sql.text()).map(|trigger| format!("DROP TRIGGER {}", trigger.name))
        }
        Dialect::Postgres => {
            let replaces = sql.keywords().iter().any(|word| word == "REPLACE");
            let trigger = Trigger::parse(&sql.text(), NameRule::Exact).filter(|_| !replaces)?;
            let (name, table) = (postgres_ident(&trigger.name.name), postgres_object(&trigger.table));
            Some(format!("DROP TRIGGER {name} ON {table}"))
        }
    }
}

fn misplaced(statement: &Statement) -> Option<Diagnostic> {
    let (what, help) = match statement {
        Statement::AlterTable(_)
        | Statement::CreateTable(_)
        | Statement::DropTable(_)
        | Statement::CreateIndex(_)
        | Statement::DropIndex(_)
        | Statement::CreateView(_)
        | Statement::DropView(_)
        | Statement::Generate(Generate { .. })
        | Statement::Meta(_)
        | Statement::Error(_) => return None,
        Statement::PassThrough(sql) => {
            if let Some(param) = sql.params().next() {
                return Some(
                    Diagnostic::error(
                        codes::SCRIPT_STATEMENT,
                        param.span(),
                        "a migration file has no parameters",
                    )
                    .with_help("write the value itself"),
                );
            }
            let keywords = sql.keywords();
            let first = keywords.first().map(String::as_str).unwrap_or_default();
            if !TRANSACTIONS.contains(&first) {
                return None;
            }
            (
                "a transaction's beginning or end",
                "leave it out: a file is one migration, applied as a whole or not at all",
            )
        }
        _ => (
            "a statement that steers the session or other migrations",
            "a file holds definitions, MIGRATE GENERATE operations and SQL of the database",
        ),
    };
    Some(
        Diagnostic::error(
            codes::SCRIPT_STATEMENT,
            statement.span(),
            format!("{what} has no place in a migration file"),
        )
        .with_help(help),
    )
}
