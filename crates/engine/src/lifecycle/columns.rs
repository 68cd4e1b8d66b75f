//! Columns that an expression names and its table does not have: found when a migration is written, not when it is
//! half way through a table, or, on a table without rows, never.
//!
//! Which words of an expression are columns is for the database to say; it is asked with the table's definition alone.

use pql_planner::Dialect;
use pql_schema::{
    ApplyError, ConstraintKind, Expr, Index, MigrationOp, ObjectName, Schema, Table, Token, TokenKind,
    can_be_column, tokens,
};

use crate::Result;
use crate::backend::Backend;

/// The first such column in the expressions of a migration's operations, with the operation's position.
pub(super) fn unknown(
    backend: &mut dyn Backend,
    schema: &Schema,
    ops: &[MigrationOp],
) -> Result<Option<(usize, ApplyError)>> {
    let dialect = backend.capabilities().dialect;
    let mut after = schema.clone();
    let mut positions = Vec::new();
    let mut asked: Vec<(Table, Expr)> = Vec::new();
    for (position, op) in ops.iter().enumerate() {
        // What the model refuses has been refused.
        let _ = after.apply(op);
        for (table, expr) in expressions(op, dialect) {
            let all: Vec<Token<'_>> = tokens(expr.as_str()).collect();
            if let Some(table) = after.table(&table).filter(|_| !reaches_further(&all)) {
                asked.push((table.clone(), expr));
                positions.push(position);
            }
        }
    }
    let said = if asked.is_empty() { Vec::new() } else { backend.unknown_columns(&asked)? };
    for (at, said) in said {
        let (table, expr) = &asked[at];
        let of_new_table = matches!(ops[positions[at]], MigrationOp::CreateTable { .. });
        let all: Vec<Token<'_>> = tokens(expr.as_str()).collect();
        let missing = (0..all.len()).filter(|&at| can_be_column(&all, at)).find_map(|at| {
            let name = all[at].name().filter(|name| said.contains(name.as_str()))?;
            Some((table.known_column(&name, schema.names).err()?, &all[at]))
        });
        // SQLite takes a name in quotes for a text where there is no such column, and there are old definitions that
        // count on it.
        let is_old_text = |token: &Token<'_>| {
            dialect == Dialect::Sqlite
                && of_new_table
                && token.kind == TokenKind::QuotedName
                && token.text.starts_with('"')
        };
        if let Some((error, _)) = missing.filter(|(_, token)| !is_old_text(token)) {
            return Ok(Some((positions[at], error)));
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
