//! A column goes. The model has its indexes and constraints dropped before, and stops when anything else names it.

use pql_schema::{Column, ConstraintKind, MigrationOp, ObjectName, Schema};

use crate::{Action, Capabilities, Check, Phase, PlanError, Severity, codes};

use super::declare::redefine;
use super::ladder::Ladder;
use super::{by_place, hindrances};

/// A column that cannot be hidden, or is not to be kept, goes with a rebuild.
pub(super) fn rebuilds(
    before: &Schema,
    table: &ObjectName,
    column: &str,
    caps: &Capabilities,
    retain: bool,
) -> bool {
    let Some(table) = before.table(table) else { return false };
    let Some(known) = table.column(column, before.names) else { return false };
    let computed = known.generated.as_ref().is_some_and(|generated| !generated.stored);
    let keyed = table.constraints.iter().any(|constraint| {
        matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
            && constraint.columns().iter().any(|name| before.names.same(name, column))
    });
    keyed || !caps.definition_edit || !(retain || computed)
}

/// Renamed out of sight, and relaxed so that nobody has to fill it: no row is touched.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    let at = before.columns.iter().position(|known| ladder.schema.names.same(&known.name, column));
    hindrances::of_virtual(ladder, &before.name, Some(column), "dropped")?;
    ladder.apply(op)?;
    let Some(at) = at else { return Ok(()) };
    let known = before.columns[at].clone();
    if known.generated.as_ref().is_some_and(|generated| !generated.stored) {
        // Nothing of it is stored: the definition alone brings it back.
        let after = ladder.table(table)?;
        let undo = vec![redefine(&after, &before, Vec::new(), None)];
        ladder.short(Phase::Cutover, redefine(&before, &after, Vec::new(), None), undo);
        return Ok(());
    }
    let hidden = ladder.names.next("dropped", &known.name);
    let relaxed = Column {
        name: hidden.clone(),
        not_null: false,
        not_null_conflict: None,
        retained: true,
        ..known.clone()
    };
    ladder.schema.tables.entry(before.name.clone()).and_modify(|table| table.columns.insert(at, relaxed));
    let after = ladder.table(table)?;
    ladder.warn(
        codes::HIDDEN_COLUMN,
        Severity::Note,
        format!(
            "until it is purged, SELECT * and INSERT without columns still see {}.{}",
            before.name, known.name
        ),
    );
    let undo = Action::UnhideColumn {
        before: after.clone(),
        after: before.clone(),
        column: known.name.clone(),
        hidden: hidden.clone(),
        guarded: false,
    };
    let hide = Action::HideColumn { before, after, column: known.name, hidden, guarded: false };
    ladder.short(Phase::Cutover, hide, vec![undo]);
    Ok(())
}

/// PostgreSQL: renamed out of sight. A column that fills itself goes on to do so, which gives rows that come meanwhile
/// a value for the way back; one that does not accepts NULL from then on.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    let at = before.columns.iter().position(|known| known.name == column);
    if let Some(at) = at {
        hindrances::of_drop(ladder, &before, &before.columns[at])?;
    }
    ladder.apply(op)?;
    let Some(at) = at else { return Ok(()) };
    let known = before.columns[at].clone();
    let hidden = ladder.names.next("dropped", &known.name);
    let fills_itself = known.default.is_some() || known.identity.is_some() || known.generated.is_some();
    let relaxed = Column {
        name: hidden.clone(),
        not_null: known.not_null && fills_itself,
        retained: true,
        ..known.clone()
    };
    let tight = known.not_null && !fills_itself;
    ladder.schema.tables.entry(before.name.clone()).and_modify(|table| table.columns.insert(at, relaxed));
    let after = ladder.table(table)?;
    let guarded = by_place::is_guarded(ladder, &before, &known);
    by_place::warn_of_dropped(ladder, &before, &known, guarded);
    let mut undo = Vec::new();
    let mut loose = before.clone();
    if tight {
        let check = Check::NotNull { column: hidden.clone(), fill: None };
        undo.push(Action::Validate { table: before.name.clone(), checks: vec![check], captured: None });
        loose.columns[at].not_null = false;
    }
    undo.push(Action::UnhideColumn {
        before: after.clone(),
        after: loose,
        column: known.name.clone(),
        hidden: hidden.clone(),
        guarded,
    });
    if tight {
        // Whoever knows the column fills it; the rows are examined again while they are read and written.
        undo.extend(ladder.set_not_null_actions(&before, &known.name));
    }
    let hide = Action::HideColumn {
        before,
        after: after.clone(),
        column: known.name,
        hidden: hidden.clone(),
        guarded,
    };
    ladder.short(Phase::Cutover, hide, undo);
    if !ladder.options.retain {
        let drop = Action::DropColumn { table: after.name, column: hidden.clone() };
        ladder.give_up(drop, crate::estimate::metadata(), "the values of the column are not kept");
        ladder.forget_column(table, &hidden);
    }
    Ok(())
}
