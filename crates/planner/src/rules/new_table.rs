//! PostgreSQL: a table that is filled anew with a column of another type, and then takes the place of the old one.
//!
//! It is chosen by the estimate: a row that is rewritten where it is gets a new entry in every index of its table, one
//! that is copied gets none, and the indexes are then built at once. What hangs on the table goes along, or there is no
//! new one: then the way by a new column (`swap_column`) stays.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Expr, MigrationOp, ObjectName, Schema, Table,
};

use crate::estimate::metadata;
use crate::exprs::{is_unstable, operand};
use crate::text::{postgres_ident, postgres_type_name};
use crate::{
    Action, Capture, Check, ColumnMapping, Flavour, Hold, Phase, PlanError, Rebuild, RowKey, Severity, codes,
    substitute,
};

use super::hindrances;
use super::ladder::Ladder;
use super::row_key::postgres_row_key;
use super::swap_column::{Conversion, TypeChange};

/// How much faster a new table has to be: meanwhile there are two of them, and a log.
const WORTH: f64 = 2.0;

/// The tables that one operation of the migration is about, and no other.
pub(super) fn alone(ops: &[MigrationOp], schema: &Schema) -> Vec<ObjectName> {
    if ops.iter().any(|op| matches!(op, MigrationOp::Execute { .. })) {
        // It may be about any of them.
        return Vec::new();
    }
    let all: Vec<ObjectName> = ops.iter().flat_map(|op| op.tables(schema)).collect();
    all.iter().filter(|name| all.iter().filter(|other| other == name).count() == 1).cloned().collect()
}

/// Plans a new table, where that is possible and expected to be worth it; gives whether it is. The operation is applied
/// to the model already.
pub(super) fn change_type(ladder: &mut Ladder<'_>, change: &TypeChange<'_>) -> Result<bool, PlanError> {
    let TypeChange { before, old, new, conversion } = change;
    let key = postgres_row_key(&ladder.schema, before, Some(&old.name));
    let costs = ladder.costs(&before.name);
    let indexes = indexes(ladder, before);
    let in_place = costs.in_place(indexes);
    let possible = is_possible(ladder, before, old, &key)
        && !is_unstable(&conversion.forward)
        && hindrances::of_swap(ladder, before, old).is_ok();
    if !possible || ladder.is_brief(in_place) || costs.gain_anew(indexes) < WORTH {
        return Ok(false);
    }
    let duration = crate::explain::duration;
    ladder.warn(
        codes::NEW_TABLE,
        Severity::Note,
        format!(
            "{} has {indexes} indexes: a new table takes its place in about {}, where writing every row anew with its \
             entries in them would take {}; SELECT * keeps its order",
            before.name,
            duration(costs.anew(indexes)),
            duration(in_place)
        ),
    );
    let after = ladder.table(&before.name)?;
    let rebuild = describe(ladder, (*before).clone(), after, (old, new), conversion, &key);
    steps(ladder, rebuild, (old, new), conversion.fits.as_ref());
    Ok(true)
}

/// How many indexes the table has, those of its keys included.
fn indexes(ladder: &Ladder<'_>, table: &Table) -> usize {
    let is_key =
        |kind: &ConstraintKind| matches!(kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_));
    let keys = table.constraints.iter().filter(|constraint| is_key(&constraint.kind)).count();
    ladder.schema.indexes_of(&table.name).count() + keys
}

/// Whether another table could take the place of this one with all that hangs on it.
fn is_possible(ladder: &Ladder<'_>, table: &Table, column: &Column, key: &RowKey) -> bool {
    let held = ladder.held(&table.name);
    let kinds_are_known = table.constraints.iter().all(|constraint| {
        !matches!(constraint.kind, ConstraintKind::Native { .. } | ConstraintKind::ForeignKey(_))
    });
    let is_referred_to = ladder
        .schema
        .tables
        .values()
        .flat_map(|other| &other.constraints)
        .filter_map(Constraint::foreign_key)
        .any(|key| ladder.schema.same(&key.table, &table.name));
    // A row is found again by its key, which has to be the same in both tables.
    let key_stays = matches!(key, RowKey::Columns(parts)
        if parts.iter().all(|part| part.column != column.name));
    // A sequence counts for a column of its own type.
    let counts = column.identity.is_some()
        || held.iter().any(|held| held.hold == Hold::Sequence && held.columns.contains(&column.name));
    ladder.caps.flavour == Flavour::Plain
        && ladder.caps.lacks.is_none()
        && !ladder.is_offline()
        && ladder.is_alone(&table.name)
        && held.iter().all(|held| held.hold.is_carried())
        && table.columns.iter().all(|column| !column.retained)
        && kinds_are_known
        && !is_referred_to
        && key_stays
        && !counts
}

fn describe(
    ladder: &mut Ladder<'_>,
    before: Table,
    after: Table,
    (old, new): (&Column, &Column),
    conversion: &Conversion,
    key: &RowKey,
) -> Rebuild {
    let capture = |table: &Table, log: ObjectName| Capture {
        table: table.name.clone(),
        log,
        key: key.clone(),
        columns: None,
        follows: false,
        moves: false,
    };
    let forward = capture(&before, ladder.names.hidden("log", &before.name));
    let reverse = capture(&after, ladder.names.hidden("back", &after.name));
    let map = |table: &Table, value: &Expr, fits: Option<&Expr>| -> Vec<ColumnMapping> {
        let stored = table.columns.iter().filter(|column| column.generated.is_none());
        let each = stored.map(|column| {
            let changes = column.name == old.name;
            let own = || Expr::statement(postgres_ident(&column.name));
            ColumnMapping {
                column: column.name.clone(),
                from: if changes { value.clone() } else { own() },
                fits: fits.filter(|_| changes).cloned(),
                unstable: false,
            }
        });
        each.collect()
    };
    Rebuild {
        mapping: map(&after, &conversion.forward, conversion.fits.as_ref()),
        mapping_back: map(&before, &conversion.backward, Some(&comes_back(conversion, old, new))),
        indexes: ladder.schema.indexes_of(&after.name).cloned().collect(),
        shadow: ladder.names.apart("new", &after.name),
        retained: ladder.names.apart("old", &before.name),
        forward,
        reverse,
        before,
        after,
    }
}

/// What must hold of a row on the way back. What the author said is meant; otherwise what comes out again is to be what
/// went in.
fn comes_back(conversion: &Conversion, old: &Column, new: &Column) -> Expr {
    let (column, back) = (postgres_ident(&new.name), &conversion.backward);
    if conversion.backward_meant {
        return Expr::statement(format!("{column} IS NULL OR {} IS NOT NULL", operand(back)));
    }
    let value = Expr::new(format!("({back})::{}", postgres_type_name(&old.data_type)));
    let again = substitute(&conversion.forward, |name| {
        (name == old.name || name.to_lowercase() == old.name).then(|| value.clone())
    });
    // Not every type can be compared.
    let as_text = match &new.data_type {
        DataType::Native(_) | DataType::Array(_) => "::text",
        _ => "",
    };
    Expr::statement(format!(
        "({again})::{}{as_text} IS NOT DISTINCT FROM {column}{as_text}",
        postgres_type_name(&new.data_type)
    ))
}

fn steps(ladder: &mut Ladder<'_>, rebuild: Rebuild, (_, new): (&Column, &Column), fits: Option<&Expr>) {
    let costs = ladder.costs(&rebuild.before.name);
    let indexes = indexes(ladder, &rebuild.after);
    let (table, retained, reverse) =
        (rebuild.before.name.clone(), rebuild.retained.clone(), rebuild.reverse.clone());
    let bytes = costs.index_bytes(indexes, rebuild.after.columns.len());
    if let Some(expr) = fits {
        let check = Check::Holds { name: format!("{} {}", new.name, new.data_type), expr: expr.clone() };
        let action = Action::Validate { table, checks: vec![check], captured: None };
        // Said before anything is done: values that would be lost.
        ladder.step(Phase::Expand, action, Vec::new(), costs.unlocked(costs.scan()));
    }
    let rebuild = ladder.add_rebuild(rebuild);
    let (unswap, abandon) = (Action::RebuildUnswap { rebuild }, Action::RebuildAbandon { rebuild });
    ladder.step(Phase::Expand, Action::RebuildPrepare { rebuild }, vec![abandon], metadata());
    let copied = costs.aside(costs.copy(0), costs.bytes());
    ladder.step(Phase::Backfill, Action::RebuildCopy { rebuild }, Vec::new(), copied);
    let verified = costs.aside(costs.anew(indexes) - costs.copy(0), bytes);
    ladder.step(Phase::Validate, Action::RebuildVerify { rebuild }, Vec::new(), verified);
    ladder.step(Phase::Cutover, Action::RebuildSwap { rebuild }, vec![unswap], metadata());
    if !ladder.options.retain {
        let message = "the original of the table is not kept";
        ladder.give_up(Action::StopCapture { capture: reverse }, metadata(), message);
        ladder.give_up(Action::DropTable { table: retained }, metadata(), message);
    }
}
