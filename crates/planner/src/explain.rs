//! A plan in words: the rows of MIGRATE PLAN.

use std::collections::BTreeSet;

use pql_schema::ObjectName;
use serde::{Deserialize, Serialize};

use crate::text::{ident, object};
use crate::{Action, Capture, Change, Check, Estimate, Hazard, Lock, Phase, Plan, Severity};

/// One row of MIGRATE PLAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The step's number from 1; `None`: what is kept after the last one.
    pub step: Option<usize>,
    /// The phase.
    pub phase: String,
    /// What is done.
    pub action: String,
    /// The statements that do it.
    pub sql: String,
    /// The lock, and for how long.
    pub lock: String,
    /// How many rows are read or written.
    pub rows: u64,
    /// Time and disk.
    pub estimate: String,
    /// What to know.
    pub hazard: String,
}

/// The plan row by row: its steps, what is kept for a rollback, and what is said of the whole. `statements` renders an
/// action in the words of the database.
pub fn explain(plan: &Plan, statements: &dyn Fn(&Action) -> Vec<String>) -> Vec<PlanRow> {
    let mut rows: Vec<PlanRow> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let mut hazards: Vec<String> = step.hazards.iter().map(words).collect();
        if step.irreversible && hazards.is_empty() {
            hazards.push("cannot be rolled back".to_owned());
        }
        rows.push(PlanRow {
            step: Some(at + 1),
            phase: step.phase.as_str().to_owned(),
            action: describe(plan, &step.action),
            sql: statements(&step.action).join(";\n"),
            lock: lock(&step.lock, &step.estimate),
            rows: step.estimate.rows,
            estimate: estimate(&step.estimate),
            hazard: hazards.join("; "),
        });
    }
    let mut kept = BTreeSet::new();
    for step in &plan.steps {
        let given_up = plan.steps.iter().any(|other| gives_up(plan, &step.action, &other.action));
        if let Some(what) = kept_by(plan, &step.action).filter(|_| !given_up)
            && kept.insert(what.clone())
        {
            rows.push(PlanRow::note(Phase::Retain, what, String::new()));
        }
    }
    for hazard in &plan.hazards {
        rows.push(PlanRow::note(Phase::Expand, "the migration as a whole".to_owned(), words(hazard)));
    }
    rows
}

impl PlanRow {
    fn note(phase: Phase, action: String, hazard: String) -> Self {
        Self {
            step: None,
            phase: phase.as_str().to_owned(),
            action,
            sql: String::new(),
            lock: "none".to_owned(),
            rows: 0,
            estimate: String::new(),
            hazard,
        }
    }
}

fn words(hazard: &Hazard) -> String {
    let severity = match hazard.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Destructive => "destructive",
    };
    format!("{severity}: {} ({})", hazard.message, hazard.code)
}

fn lock(lock: &Lock, estimate: &Estimate) -> String {
    let held = duration(estimate.lock_millis);
    match lock {
        Lock::None => "none".to_owned(),
        Lock::Short => format!("write lock, about {held}"),
        Lock::Paced => format!("write lock, in pieces of about {held}"),
        Lock::Long => format!("write lock for about {held}"),
    }
}

fn estimate(estimate: &Estimate) -> String {
    let time = duration(estimate.millis);
    if estimate.disk_bytes == 0 { time } else { format!("{time}, +{}", bytes(estimate.disk_bytes)) }
}

/// A duration as a person says it.
pub(crate) fn duration(millis: f64) -> String {
    let seconds = millis / 1000.0;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else if millis < 100.0 {
        format!("{millis:.0} ms")
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else if seconds < 5400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let count = count as f64;
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.into_iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) if count / size < 10.0 => format!("{:.1} {unit}", count / size),
        Some((unit, size)) => format!("{:.0} {unit}", count / size),
        None => format!("{count} bytes"),
    }
}

/// What an action does, in a line.
pub(crate) fn describe(plan: &Plan, action: &Action) -> String {
    let of = |rebuild: usize| {
        plan.rebuilds.get(rebuild).map(|found| object(&found.after.name)).unwrap_or_default()
    };
    let index = |build: usize| {
        plan.index_builds.get(build).map(|found| object(&found.index.name)).unwrap_or_default()
    };
    let column = |table: &ObjectName, column: &str| format!("{}.{}", object(table), ident(column));
    match action {
        Action::CreateTable { table } => format!("create table {}", object(&table.name)),
        Action::RetireTable { table, .. } => format!("take table {} away", object(table)),
        Action::HideTable { table, .. } => format!("hide table {}", object(table)),
        Action::UnhideTable { table, .. } => format!("bring table {} back", object(table)),
        Action::DropTable { table } => format!("drop table {}", object(table)),
        Action::RenameTable { from, to } => format!("rename table {} to {}", object(from), object(to)),
        Action::AddColumn { table, column: new } => format!("add column {}", column(table, &new.name)),
        Action::DropColumn { table, column: name } => format!("drop column {}", column(table, name)),
        Action::HideColumn { before, column: name, .. } => {
            format!("hide column {}", column(&before.name, name))
        }
        Action::UnhideColumn { after, column: name, .. } => {
            format!("bring column {} back", column(&after.name, name))
        }
        Action::RenameColumn { table, from, to } => {
            format!("rename column {} to {}", column(table, from), ident(to))
        }
        Action::Redefine { after, checks, captured, .. } => {
            let examined = match (checks.is_empty(), captured) {
                (true, _) => "",
                (false, Some(_)) => ", after a look at the rows that changed",
                (false, None) => ", after a look at its rows",
            };
            format!("change the definition of {}{examined}", object(&after.name))
        }
        Action::CreateIndex { index } => format!("create index {}", object(&index.name)),
        Action::DropIndex { index } => format!("drop index {}", object(index)),
        Action::HideIndex { index, .. } => format!("hide index {}", object(&index.name)),
        Action::UnhideIndex { index, .. } => format!("bring index {} back", object(&index.name)),
        Action::RenameIndex { from, to } => format!("rename index {} to {}", object(from), object(to)),
        Action::CreateView { view } => format!("create view {}", object(&view.name)),
        Action::DropView { view, .. } => format!("drop view {}", object(view)),
        Action::Execute { .. } => "run the given SQL".to_owned(),
        Action::StartCapture { capture } => format!("note {}", watched(capture)),
        Action::StopCapture { capture } => format!("no longer note {}", watched(capture)),
        Action::Backfill(fill) => {
            let columns: Vec<String> =
                fill.assignments.iter().map(|(name, _)| column(&fill.table, name)).collect();
            let itself =
                fill.assignments.iter().all(|(name, value)| *value == pql_schema::Expr::column(name));
            if itself && fill.filter.is_none() {
                format!("write every row of {} anew", object(&fill.table))
            } else {
                format!("fill {}", columns.join(", "))
            }
        }
        Action::RevertBackfill(fill) => format!("take back what was filled in {}", object(&fill.table)),
        Action::Validate { table, checks, .. } => {
            let names: Vec<String> = checks.iter().map(check).collect();
            format!("examine {}: {}", object(table), names.join(", "))
        }
        Action::RebuildPrepare { rebuild } => format!("create the new form of {} beside it", of(*rebuild)),
        Action::RebuildCopy { rebuild } => format!("copy the rows of {}", of(*rebuild)),
        Action::RebuildVerify { rebuild } => {
            format!("build the indexes of {} and compare every row", of(*rebuild))
        }
        Action::RebuildSwap { rebuild } => format!("put the new {} in place of the old", of(*rebuild)),
        Action::RebuildAbandon { rebuild } => format!("remove the new form of {}", of(*rebuild)),
        Action::RebuildUnswap { rebuild } => format!("put the old {} in place of the new", of(*rebuild)),
        Action::RebuildAtOnce { rebuild } => format!("rebuild {}", of(*rebuild)),
        Action::IndexPrepare { build } => format!("prepare index {}", index(*build)),
        Action::IndexFill { build } => format!("fill index {}", index(*build)),
        Action::IndexVerify { build } => format!("compare index {} with the table", index(*build)),
        Action::IndexPublish { build } => format!("declare index {}", index(*build)),
        Action::IndexAbandon { build } => format!("remove what there is of index {}", index(*build)),
        Action::Alter { table, changes } => {
            let changes: Vec<String> = changes.iter().map(change).collect();
            format!("alter {}: {}", object(table), changes.join(", "))
        }
        Action::ValidateConstraint { table, check: demanded, .. } => {
            format!("validate {}: {}", object(table), check(demanded))
        }
        Action::CreateIndexConcurrently { index } => {
            format!("create index {} concurrently", object(&index.name))
        }
        Action::DropIndexConcurrently { index } => format!("drop index {} concurrently", object(index)),
        Action::HideView { view, .. } => format!("hide view {}", object(view)),
        Action::UnhideView { view, .. } => format!("bring view {} back", object(view)),
        Action::SwapPrepare { swap } => format!("create the new form of {} beside it", swapped(plan, *swap)),
        Action::SwapFill { swap } => format!("fill the new form of {}", swapped(plan, *swap)),
        Action::SwapVerify { swap } => {
            format!("compare the two forms of {} in every row", swapped(plan, *swap))
        }
        Action::SwapColumns { swap } => format!("put the new {} in place of the old", swapped(plan, *swap)),
        Action::SwapAtOnce { swap } => format!("replace {}", swapped(plan, *swap)),
        Action::SwapBack { swap } => format!("put the old {} in place of the new", swapped(plan, *swap)),
        Action::SwapAbandon { swap } => format!("remove the new form of {}", swapped(plan, *swap)),
        Action::SwapForget { swap } => format!("give up the old {}", swapped(plan, *swap)),
    }
}

/// The column that a swap is about.
fn swapped(plan: &Plan, swap: usize) -> String {
    let found = plan.column_swaps.get(swap);
    found.map(|swap| format!("{}.{}", object(&swap.before.name), ident(&swap.old.name))).unwrap_or_default()
}

fn change(change: &Change) -> String {
    match change {
        Change::AddColumn { column } => format!("add {}", ident(&column.name)),
        Change::SetNotNull { column } => format!("{} takes no NULL", ident(column)),
        Change::DropNotNull { column } => format!("{} takes NULL", ident(column)),
        Change::SetDefault { column, .. } => format!("default of {}", ident(column)),
        Change::DropDefault { column } => format!("no default of {}", ident(column)),
        Change::SetType { column, to, .. } => format!("{} is {to}", ident(column)),
        Change::SetIdentity { column, from: Some(_), to: Some(_) } => {
            format!("{} counts otherwise", ident(column))
        }
        Change::SetIdentity { column, to: Some(_), .. } => format!("{} counts by itself", ident(column)),
        Change::SetIdentity { column, to: None, .. } => format!("{} no longer counts", ident(column)),
        Change::AddConstraint { constraint } | Change::AttachConstraint { constraint, .. } => {
            format!("declare {}", constraint.name.as_deref().unwrap_or("a constraint"))
        }
        Change::DropConstraint { name } => format!("drop {}", ident(name)),
        Change::RenameConstraint { from, to } => format!("rename {} to {}", ident(from), ident(to)),
    }
}

fn watched(capture: &Capture) -> String {
    let table = object(&capture.table);
    match &capture.columns {
        Some(columns) => format!("rows of {table} whose {} changes", columns.join(", ")),
        None => format!("rows of {table} that change"),
    }
}

fn check(check: &Check) -> String {
    match check {
        Check::NotNull { column, .. } => format!("{column} is not NULL"),
        Check::Holds { name, .. } | Check::References { name, .. } | Check::Distinct { name, .. } => {
            name.clone()
        }
    }
}

/// What an action leaves behind for a rollback.
fn kept_by(plan: &Plan, action: &Action) -> Option<String> {
    let what = match action {
        Action::HideTable { table, hidden } => format!("table {} as {}", object(table), object(hidden)),
        Action::HideColumn { before, column, hidden, .. } => {
            format!("column {}.{} as {}", object(&before.name), ident(column), ident(hidden))
        }
        Action::HideIndex { index, hidden } => format!("index {} as {}", object(&index.name), object(hidden)),
        Action::RebuildSwap { rebuild } | Action::RebuildAtOnce { rebuild } => {
            let found = plan.rebuilds.get(*rebuild)?;
            format!(
                "the old {} as {}, in step with the new one",
                object(&found.before.name),
                object(&found.retained)
            )
        }
        Action::HideView { view, hidden } => format!("view {} as {}", object(view), object(hidden)),
        Action::SwapColumns { swap } | Action::SwapAtOnce { swap } => {
            let found = plan.column_swaps.get(*swap)?;
            format!(
                "the old {} as {}, in step with the new one",
                swapped(plan, *swap),
                ident(&found.retained)
            )
        }
        Action::Backfill(fill) => {
            let record = fill.record.as_ref()?;
            format!("the rows of {} that were filled in {}", object(&fill.table), object(record))
        }
        _ => return None,
    };
    Some(format!("keep {what}, until PURGE"))
}

/// Whether a later action removes what the first one left behind.
fn gives_up(plan: &Plan, kept: &Action, action: &Action) -> bool {
    if let (
        Action::SwapColumns { swap } | Action::SwapAtOnce { swap },
        Action::SwapForget { swap: forgotten },
    ) = (kept, action)
    {
        return swap == forgotten;
    }
    if let (Action::HideColumn { hidden, .. }, Action::DropColumn { column, .. }) = (kept, action) {
        return hidden == column;
    }
    let Action::DropTable { table } = action else { return false };
    match kept {
        Action::RebuildSwap { rebuild } | Action::RebuildAtOnce { rebuild } => {
            plan.rebuilds.get(*rebuild).is_some_and(|found| found.retained == *table)
        }
        Action::HideTable { hidden, .. } => hidden == table,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_say_them() {
        let said: Vec<String> =
            [0.24, 9.96, 42.4, 340.0, 2_705.0, 90_000.0, 7_200_000.0].map(duration).to_vec();
        assert_eq!(said, ["0.2 ms", "10.0 ms", "42 ms", "0.3 s", "2.7 s", "2 min", "2.0 h"]);
        assert_eq!([12_000_000, 1_500, 12].map(bytes), ["12 MB", "1.5 kB", "12 bytes"]);
    }
}
