//! A new column.
//!
//! What is constant for the rows that are there costs nothing: they read it from the definition. Anything else is
//! filled in beside the application, whose own writes win, and what the column demands is declared when it holds.

use pql_schema::{Column, Constraint, ConstraintKind, DataType, Expr, MigrationOp, ObjectName, Table};

use crate::exprs::{is_constant, operand, postgres_reads_or_varies, short_value};
use crate::text::postgres_ident;
use crate::{
    Action, Backfill, Capabilities, Capture, Change, Check, Phase, PlanError, RowKey, Severity, codes,
};

use super::declare::{Demands, check_of, redefine};
use super::distributed;
use super::ladder::{Ladder, refill};
use super::row_key::postgres_row_key;

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
    let (before, after) = ladder.applied(op, table)?;
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

/// PostgreSQL: one ALTER where the rows that are there read the value from the definition; otherwise the column comes
/// empty and is filled beside the application. NOT NULL and constraints are declared when they hold.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    name: &str,
    backfill: Option<&Expr>,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    let Some(column) = after.columns.last().cloned() else { return Ok(()) };
    let own: Vec<Constraint> = after.constraints[before.constraints.len()..].to_vec();
    let keyed = own.iter().any(Constraint::is_primary_key);
    let column = Column { not_null: column.not_null && !keyed, ..column };
    let given = backfill.or(column.default.as_ref()).cloned();
    if column.not_null && given.is_none() && computes(&column).is_none() && !ladder.is_empty(table) {
        return Err(PlanError::new(
            codes::NEEDS_VALUE,
            format!("{}.{name} is NOT NULL, and the rows that are there have no value for it", before.name),
            "add DEFAULT value, or BACKFILL value for the rows that are there",
        ));
    }
    let stable = given.as_ref().is_none_or(|value| !postgres_reads_or_varies(value, &before));
    let drop = Action::DropColumn { table: before.name.clone(), column: column.name.clone() };
    let brief = ladder.is_brief(ladder.costs(&before.name).update());
    if let Some(what) = computes(&column) {
        // Only the database computes it, and it does so while it holds everybody off.
        if !brief {
            let message = format!("{}.{name} cannot be filled beside the application: {what}", before.name);
            ladder.warn(codes::NOT_ONLINE, Severity::Warning, message);
        }
        let costs = ladder.costs(&before.name);
        let estimate = costs.at_once(costs.update(), costs.bytes());
        let add = Action::AddColumn { table: before.name.clone(), column: column.clone() };
        ladder.step(Phase::Expand, add, vec![drop], estimate);
    } else if stable && given == column.default {
        let add = Action::AddColumn { table: before.name.clone(), column: column.clone() };
        ladder.short(Phase::Expand, add, vec![drop]);
    } else {
        // With the value as its default at first, the rows that are there have it without being touched.
        let first = given.clone().filter(|_| stable);
        let bare = Column { not_null: column.not_null && stable, default: first.clone(), ..column.clone() };
        let mut changes = vec![Change::AddColumn { column: bare }];
        match &column.default {
            Some(default) => {
                changes.push(Change::SetDefault { column: column.name.clone(), default: default.clone() });
            }
            None if first.is_some() => changes.push(Change::DropDefault { column: column.name.clone() }),
            None => {}
        }
        ladder.short(Phase::Expand, Action::Alter { table: before.name.clone(), changes }, vec![drop]);
        if let Some(value) = given.filter(|_| !stable) {
            fill_postgres(ladder, &after, &column, &value)?;
            if column.not_null {
                ladder.require_not_null(&after, &column.name, Some(&value));
            }
        }
    }
    for constraint in &own {
        ladder.constrain(&after, constraint, true);
    }
    Ok(())
}

/// A value that PostgreSQL itself computes for the rows that are there, in words.
fn computes(column: &Column) -> Option<&'static str> {
    let serial = |name: &str| {
        ["SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8", "SERIAL2"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    match &column.data_type {
        _ if column.generated.as_ref().is_some_and(|generated| generated.stored) => Some("it is generated"),
        _ if column.identity.is_some() => Some("it is an identity"),
        DataType::Native(name) if serial(name) => Some("it counts by itself"),
        _ => None,
    }
}

/// Fills the rows that nobody has written the column of.
fn fill_postgres(
    ladder: &mut Ladder<'_>,
    table: &Table,
    column: &Column,
    value: &Expr,
) -> Result<(), PlanError> {
    let key = postgres_row_key(&ladder.schema, table, None);
    distributed::fill(ladder, table, column, &key)?;
    // What takes no NULL has to be filled wherever there is one; otherwise a NULL that the application wrote stays,
    // where the row can be told by a key.
    let noted = !column.not_null && !ladder.is_offline() && matches!(key, RowKey::Columns(_));
    let capture = noted.then(|| Capture {
        table: table.name.clone(),
        log: ladder.names.hidden("log", &table.name),
        key: key.clone(),
        columns: Some(vec![column.name.clone()]),
        follows: false,
        moves: false,
    });
    if let Some(capture) = &capture {
        let stop = Action::StopCapture { capture: capture.clone() };
        ladder.short(Phase::Expand, Action::StartCapture { capture: capture.clone() }, vec![stop]);
    }
    let fill = Backfill {
        table: table.name.clone(),
        key,
        assignments: vec![(column.name.clone(), value.clone())],
        filter: Some(Expr::statement(format!("{} IS NULL", postgres_ident(&column.name)))),
        capture: capture.clone(),
        record: None,
    };
    let estimate = ladder.backfill_estimate(&table.name, ladder.costs(&table.name).bytes());
    ladder.step(Phase::Backfill, Action::Backfill(fill), Vec::new(), estimate);
    if let Some(capture) = capture {
        ladder.short(Phase::Backfill, Action::StopCapture { capture }, Vec::new());
    }
    Ok(())
}
