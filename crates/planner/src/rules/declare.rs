//! New definitions of a table: what they demand of its rows is examined first, without a lock on those who write.
//!
//! A log notes the rows that change meanwhile; the short transaction that declares looks at those alone.

use pql_schema::{Constraint, ConstraintKind, ObjectName, Table};

use crate::estimate::metadata;
use crate::exprs::columns_in;
use crate::{Action, Capture, Check, Phase, PlanError};

use super::ladder::Ladder;
use super::row_key::row_key;

/// What a new definition of a table demands of its rows.
#[derive(Default)]
pub(super) struct Demands {
    /// What has to hold of every row.
    pub(super) checks: Vec<Check>,
    /// What has to hold again before the way back, because rows may have been written that it does not allow.
    pub(super) back: Vec<Check>,
    /// A log of every change of what is checked since the rows were made to fit; it ends here.
    pub(super) running: Option<Capture>,
    /// The same operation declares more after this.
    pub(super) more: bool,
}

impl Ladder<'_> {
    /// Declares `after` in place of `before`, once what it demands holds for every row.
    pub(super) fn declare(
        &mut self,
        before: &Table,
        after: &Table,
        demands: Demands,
    ) -> Result<(), PlanError> {
        let Demands { checks, back, running, more } = demands;
        let cutover = if more { Phase::Validate } else { Phase::Cutover };
        let undo = self.definition_edit(after, before, back)?;
        let millis = self.check_millis(&before.name, &checks);
        let costs = self.costs(&before.name);
        if checks.is_empty() || self.is_brief(millis) {
            let estimate = if checks.is_empty() { metadata() } else { costs.at_once(millis, 0) };
            self.step(cutover, redefine(before, after, checks, None), undo, estimate);
            self.stop(cutover, running);
            return Ok(());
        }
        let (keys, others): (Vec<Check>, Vec<Check>) =
            checks.into_iter().partition(|check| matches!(check, Check::References { .. }));
        if others.is_empty() {
            // A foreign key is declared first: from then on no row loses its parent, and no write of other columns
            // is ever refused for an old row. Parents that go away in between would escape a log of the children.
            self.short(Phase::Validate, redefine(before, after, Vec::new(), None), undo);
            self.validate(before, keys, None, millis);
            self.stop(Phase::Validate, running);
            return Ok(());
        }
        let capture = match running {
            Some(capture) => capture,
            None => self.start(before, watched(before, &others), Phase::Validate)?,
        };
        self.validate(before, others.clone(), Some(capture.clone()), millis);
        let mut from = before.clone();
        if !keys.is_empty() {
            from.constraints = new_keys(before, after);
            let back = redefine(&from, before, Vec::new(), None);
            self.short(Phase::Validate, redefine(before, &from, Vec::new(), None), vec![back]);
            self.validate(before, keys, None, millis);
        }
        let undo = if from == *before { undo } else { vec![redefine(after, &from, Vec::new(), None)] };
        self.short(cutover, redefine(&from, after, others, Some(capture.clone())), undo);
        self.stop(cutover, Some(capture));
        Ok(())
    }

    /// Starts a log of what changes in these columns.
    pub(super) fn start(
        &mut self,
        table: &Table,
        columns: Vec<String>,
        phase: Phase,
    ) -> Result<Capture, PlanError> {
        let capture = self.capture(table, Some(columns))?;
        self.start_as(capture.clone(), phase);
        Ok(capture)
    }

    /// Starts a log of the rows that were written in one column, wherever they go.
    pub(super) fn start_following(
        &mut self,
        table: &Table,
        column: &str,
        phase: Phase,
    ) -> Result<Capture, PlanError> {
        let capture = Capture { follows: true, ..self.capture(table, Some(vec![column.to_owned()]))? };
        self.start_as(capture.clone(), phase);
        Ok(capture)
    }

    fn start_as(&mut self, capture: Capture, phase: Phase) {
        let stop = Action::StopCapture { capture: capture.clone() };
        self.short(phase, Action::StartCapture { capture }, vec![stop]);
    }

    /// Ends a log, if there is one.
    pub(super) fn stop(&mut self, phase: Phase, capture: Option<Capture>) {
        if let Some(capture) = capture {
            self.short(phase, Action::StopCapture { capture }, Vec::new());
        }
    }

    fn validate(&mut self, table: &Table, checks: Vec<Check>, captured: Option<Capture>, millis: f64) {
        let estimate = self.costs(&table.name).unlocked(millis);
        let action = Action::Validate { table: table.name.clone(), checks, captured };
        self.step(Phase::Validate, action, Vec::new(), estimate);
    }

    /// The actions that turn one definition into another, with the same care as [`Ladder::declare`].
    pub(super) fn definition_edit(
        &mut self,
        from: &Table,
        to: &Table,
        checks: Vec<Check>,
    ) -> Result<Vec<Action>, PlanError> {
        if checks.is_empty() || self.is_brief(self.check_millis(&from.name, &checks)) {
            return Ok(vec![redefine(from, to, checks, None)]);
        }
        let validate =
            |captured| Action::Validate { table: from.name.clone(), checks: checks.clone(), captured };
        if checks.iter().all(|check| matches!(check, Check::References { .. })) {
            return Ok(vec![redefine(from, to, Vec::new(), None), validate(None)]);
        }
        let capture = self.capture(from, Some(watched(from, &checks)))?;
        Ok(vec![
            Action::StartCapture { capture: capture.clone() },
            validate(Some(capture.clone())),
            redefine(from, to, checks, Some(capture.clone())),
            Action::StopCapture { capture },
        ])
    }

    /// How long it takes to examine all rows.
    pub(super) fn check_millis(&self, table: &ObjectName, checks: &[Check]) -> f64 {
        let costs = self.costs(table);
        let each = checks.iter().map(|check| match check {
            Check::NotNull { .. } | Check::Holds { .. } => costs.scan(),
            Check::References { .. } => costs.lookup(),
            Check::Distinct { .. } => costs.index(),
        });
        each.sum()
    }

    /// A log of what changes in the table; only changes of these columns count, when given.
    pub(super) fn capture(
        &mut self,
        table: &Table,
        columns: Option<Vec<String>>,
    ) -> Result<Capture, PlanError> {
        let key = row_key(table)?;
        let log = self.names.beside("log", &table.name);
        Ok(Capture { table: table.name.clone(), log, key, columns, follows: false, moves: false })
    }
}

pub(super) fn redefine(
    before: &Table,
    after: &Table,
    checks: Vec<Check>,
    captured: Option<Capture>,
) -> Action {
    Action::Redefine { before: before.clone(), after: after.clone(), checks, captured }
}

/// The columns whose changes can make a check fail.
fn watched(table: &Table, checks: &[Check]) -> Vec<String> {
    let mut columns = Vec::new();
    for check in checks {
        match check {
            Check::NotNull { column, .. } => columns.push(column.clone()),
            Check::Holds { expr, .. } => columns.extend(columns_in(expr, table)),
            Check::References { key, .. } => columns.extend(key.columns.iter().cloned()),
            Check::Distinct { columns: parts, .. } => {
                columns.extend(parts.iter().map(|part| part.column.clone()));
            }
        }
    }
    columns.sort();
    columns.dedup();
    columns
}

/// The constraints of `before` and the foreign keys that only `after` has.
fn new_keys(before: &Table, after: &Table) -> Vec<Constraint> {
    let new = after.constraints.iter().filter(|constraint| {
        matches!(constraint.kind, ConstraintKind::ForeignKey(_)) && !before.constraints.contains(constraint)
    });
    before.constraints.iter().chain(new).cloned().collect()
}

/// The check that a constraint of the table is, for the rows that are there; none when it is NOT VALID, which asks for
/// no more than the definition.
pub(super) fn check_of(table: &Table, constraint: &Constraint) -> Option<Check> {
    if constraint.not_valid {
        return None;
    }
    let at = table.constraints.iter().position(|other| other == constraint);
    let name = match at {
        Some(at) => table.constraint_names().swap_remove(at),
        None => constraint.effective_name(&table.name.name),
    };
    match &constraint.kind {
        ConstraintKind::Check { expr } => Some(Check::Holds { name, expr: expr.clone() }),
        ConstraintKind::ForeignKey(key) => Some(Check::References { name, key: key.clone() }),
        ConstraintKind::Unique(unique) => Some(Check::Distinct { name, columns: unique.columns.clone() }),
        ConstraintKind::PrimaryKey(key) => Some(Check::Distinct { name, columns: key.columns.clone() }),
        ConstraintKind::Native { .. } => None,
    }
}
