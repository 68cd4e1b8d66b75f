//! A new column.
//!
//! What is constant for the rows that are there costs nothing: they read it from the definition. Anything else is
//! filled in beside the application, whose own writes win, and what the column demands is declared when it holds.

use pql_schema::{Column, Constraint, ConstraintKind, DataType, Expr, MigrationOp, ObjectName, Table};

use crate::exprs::{is_constant, operand, short_value};
use crate::{Action, Backfill, Capabilities, Capture, Check, Phase, PlanError, codes};

use super::declare::{Demands, check_of, redefine};
use super::ladder::{Ladder, refill};

/// A key needs a b-tree and a stored generated value has to be in every row.
pub(super) fn rebuilds(
    column: &Column,
    constraints: &[Constraint],
    backfill: Option<&Expr>,
    caps: &Capabilities,
) -> bool {
    let keyed = constraints.iter().any(|constraint| {
        matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
    });
    let stored = column.generated.as_ref().is_some_and(|generated| generated.stored);
    let constant = column.default.as_ref().is_none_or(is_constant);
    let plain = constraints.is_empty()
        && constant
        && !(column.not_null && short_value(column.default.as_ref()).is_none());
    let vector = matches!(column.data_type, DataType::Vector(_));
    keyed || stored || !(caps.definition_edit || plain && !vector && backfill.is_none())
}

/// The plain statement for what it does without looking at rows, then the fill, then the rest of the definition.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    name: &str,
    backfill: Option<&Expr>,
) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    ladder.apply(op)?;
    let after = ladder.table(table)?;
    let Some(column) = after.columns.last().cloned() else { return Ok(()) };
    let constant = column.default.as_ref().is_none_or(is_constant);
    // What the rows that are there get when it is not what they read anyway.
    let fill = backfill.cloned().or_else(|| column.default.clone().filter(|_| !constant));
    let value = short_value(column.default.as_ref());
    if column.not_null
        && value.is_none()
        && fill.is_none()
        && column.generated.is_none()
        && !ladder.is_empty(table)
    {
        return Err(PlanError::new(
            codes::NEEDS_VALUE,
            format!("{}.{name} is NOT NULL, and the rows that are there have no value for it", before.name),
            "add DEFAULT value, or BACKFILL value for the rows that are there",
        ));
    }
    let bare = add(ladder, &before, &after, &column, fill.is_some());
    let mut now = declare_default(ladder, &bare, &column);
    let mut running = None;
    if let Some(fill) = fill {
        running = fill_rows(ladder, &now, &column, fill, value)?;
    }
    if column.not_null && now.columns.last().is_some_and(|last| !last.not_null) {
        // Somebody who does not know the column may still have inserted a NULL.
        let fill = backfill.or(column.default.as_ref()).cloned();
        let check = Check::NotNull { column: column.name.clone(), fill };
        let mut tight = now.clone();
        if let Some(last) = tight.columns.last_mut() {
            last.not_null = true;
            last.not_null_conflict = column.not_null_conflict;
        }
        let more = tight != after;
        let running = running.take();
        ladder.declare(&now, &tight, Demands { checks: vec![check], running, more, ..Demands::default() })?;
        now = tight;
    }
    ladder.stop(Phase::Backfill, running);
    if now == after {
        return Ok(());
    }
    let checks = demands(&now, &after, &column);
    ladder.declare(&now, &after, Demands { checks, ..Demands::default() })
}

/// Adds the column with as much of its definition as needs no look at the rows, and gives the table as it then is.
fn add(ladder: &mut Ladder<'_>, before: &Table, after: &Table, column: &Column, filled: bool) -> Table {
    let constant = short_value(column.default.as_ref());
    let all_null = constant.is_none() && !filled && column.generated.is_none();
    let own: Vec<&Constraint> = after.constraints[before.constraints.len()..].iter().collect();
    let keys_only = own.iter().all(|constraint| matches!(constraint.kind, ConstraintKind::ForeignKey(_)));
    let vector = matches!(column.data_type, DataType::Vector(_));
    if all_null && !column.not_null && keys_only && (vector || !own.is_empty()) {
        // NULL in every row fulfils a foreign key and a vector's length: the whole column in one edit.
        let undo = ladder.remove_last_column(after, before);
        ladder.short(Phase::Expand, redefine(before, after, Vec::new(), None), undo);
        return after.clone();
    }
    let mut bare = column.clone();
    if constant.is_none() {
        bare.default = None;
        bare.not_null = false;
        bare.not_null_conflict = None;
    }
    let mut with = before.clone();
    if vector {
        // The plain statement would examine every row for the length; it is declared with the rest.
        bare.data_type = DataType::Bytes;
    }
    with.columns.push(bare.clone());
    let undo = ladder.remove_last_column(&with, before);
    ladder.short(Phase::Expand, Action::AddColumn { table: before.name.clone(), column: bare }, undo);
    with
}

/// A default that is computed for each new row: rows that are there read NULL, as without it.
fn declare_default(ladder: &mut Ladder<'_>, bare: &Table, column: &Column) -> Table {
    let mut declared = bare.clone();
    if let Some(last) = declared.columns.last_mut() {
        last.default.clone_from(&column.default);
    }
    if declared != *bare {
        let undo = vec![redefine(&declared, bare, Vec::new(), None)];
        ladder.short(Phase::Expand, redefine(bare, &declared, Vec::new(), None), undo);
    }
    declared
}

/// Fills the rows that are there and that nobody has written the column of; gives the log of those who did.
fn fill_rows(
    ladder: &mut Ladder<'_>,
    table: &Table,
    column: &Column,
    value: Expr,
    unwritten: Option<&Expr>,
) -> Result<Option<Capture>, PlanError> {
    let name = Expr::column(&column.name);
    let filter = match unwritten {
        Some(constant) => format!("{name} IS {}", operand(constant)),
        None => format!("{name} IS NULL"),
    };
    let running = if ladder.is_offline() {
        None
    } else {
        Some(ladder.start_following(table, &column.name, Phase::Expand)?)
    };
    let fill = Backfill {
        filter: Some(Expr::statement(filter)),
        capture: running.clone(),
        ..refill(table, &column.name, value)?
    };
    let estimate = ladder.backfill_estimate(&table.name, ladder.costs(&table.name).rows() * 8);
    ladder.step(Phase::Backfill, Action::Backfill(fill), Vec::new(), estimate);
    Ok(running)
}

/// What the finished definition demands of the rows beyond NOT NULL.
fn demands(now: &Table, after: &Table, column: &Column) -> Vec<Check> {
    let mut checks = Vec::new();
    if now.columns.last().is_some_and(|last| last.data_type != column.data_type)
        && let Some(expr) = (crate::text::SQLITE.implied_check)(column)
    {
        checks.push(Check::Holds { name: format!("{} {}", column.name, column.data_type), expr });
    }
    let new = &after.constraints[now.constraints.len()..];
    checks.extend(new.iter().filter_map(|constraint| check_of(after, constraint)));
    checks
}
