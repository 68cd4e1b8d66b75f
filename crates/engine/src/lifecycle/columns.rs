//! Columns that an expression names and its table does not have: found when a migration is written, not when it is
//! half way through a table, or, on a table without rows, never.
//!
//! Which words of an expression are columns is for the database to say; it is asked with the table's definition alone.

use pql_planner::Dialect;
use pql_schema::{
    ApplyError, ConstraintKind, Expr, Index, MigrationOp, ObjectName, Schema, Token, TokenKind,
    can_be_column, tokens,
};

use crate::Result;
use crate::backend::Backend;

/// The first such column in the expressions of an operation; `after` is the schema that it leads to.
pub(super) fn unknown(
    backend: &mut dyn Backend,
    after: &Schema,
    op: &MigrationOp,
) -> Result<Option<ApplyError>> {
    let dialect = backend.capabilities().dialect;
    for (table, expr) in expressions(op, dialect) {
        let Some(table) = after.table(&table) else { continue };
        let all: Vec<Token<'_>> = tokens(expr.as_str()).collect();
        if reaches_further(&all) {
            continue;
        }
        let Some(said) = backend.unknown_column(table, &expr)? else { continue };
        let missing = (0..all.len()).filter(|&at| can_be_column(&all, at)).find_map(|at| {
            let name = all[at].name().filter(|name| said.contains(name.as_str()))?;
            Some((table.known_column(&name, after.names).err()?, &all[at]))
        });
        // SQLite takes a name in quotes for a text where there is no such column, and there are old definitions that
        // count on it.
        let old_text = |token: &Token<'_>| token.kind == TokenKind::QuotedName && token.text.starts_with('"');
        match missing {
            Some((_, token))
                if dialect == Dialect::Sqlite
                    && matches!(op, MigrationOp::CreateTable { .. })
                    && old_text(token) => {}
            Some((error, _)) => return Ok(Some(error)),
            None => {}
        }
    }
    Ok(None)
}

/// Whether it names what is not in the row: other tables, or the table by its whole name.
fn reaches_further(all: &[Token<'_>]) -> bool {
    let is_dot = |at: usize| all.get(at).is_some_and(|token: &Token<'_>| token.text == ".");
    (0..all.len()).any(|at| all[at].text.eq_ignore_ascii_case("select") || (is_dot(at) && is_dot(at + 2)))
}

/// The expressions that an operation brings along, each with its table.
fn expressions(op: &MigrationOp, dialect: Dialect) -> Vec<(ObjectName, Expr)> {
    use MigrationOp as Op;
    // SQLite's are constant: a name is the text of its letters, or an error of its own.
    let default = |default: &Option<Expr>| default.clone().filter(|_| dialect == Dialect::Postgres);
    let check = |kind: &ConstraintKind| match kind {
        ConstraintKind::Check { expr } => Some(expr.clone()),
        _ => None,
    };
    let (table, found): (&ObjectName, Vec<Option<Expr>>) = match op {
        Op::CreateTable { table } => {
            let of_columns = table.columns.iter().flat_map(|column| {
                [default(&column.default), column.generated.as_ref().map(|generated| generated.expr.clone())]
            });
            let checks = table.constraints.iter().map(|constraint| check(&constraint.kind));
            (&table.name, of_columns.chain(checks).collect())
        }
        Op::AddColumn { table, column, constraints, backfill } => {
            let generated = column.generated.as_ref().map(|generated| generated.expr.clone());
            let checks = constraints.iter().map(|constraint| check(&constraint.kind));
            let own = [default(&column.default), generated, backfill.clone()];
            (table, own.into_iter().chain(checks).collect())
        }
        Op::ChangeColumnType { table, using, revert_using, .. } => {
            (table, vec![using.clone(), revert_using.clone()])
        }
        Op::SetNotNull { table, backfill, .. } => (table, vec![backfill.clone()]),
        Op::SetDefault { table, default: new, .. } => (table, vec![default(&Some(new.clone()))]),
        Op::AddConstraint { table, constraint } => (table, vec![check(&constraint.kind)]),
        Op::AddIndex { index: Index { table, parts, predicate, .. } } => {
            let computed = parts.iter().filter(|part| part.column.is_none());
            let parts = computed.map(|part| Some(part.expr.clone()));
            (table, parts.chain([predicate.clone()]).collect())
        }
        _ => return Vec::new(),
    };
    found.into_iter().flatten().map(|expr| (table.clone(), expr)).collect()
}
