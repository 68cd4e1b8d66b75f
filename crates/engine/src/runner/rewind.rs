//! Forward again after a way back that something stopped.

use pql_planner::{Action, Change, Plan};

use super::reach::reach;
use super::{Runner, Unit};
use crate::Result;
use crate::journal::{State, StepRow};

impl Runner<'_> {
    /// Prepares to go forward after a way back that turned round. What was being taken back is taken back whole, with
    /// the steps before it that it relies on: a log that was stopped, or a copy that was given up, is made anew.
    pub(super) fn rewind(&mut self) -> Result<()> {
        let rows = self.rows()?;
        let of = |step: usize| rows.iter().filter(move |row| row.step == step);
        let in_effect = |step| of(step).count() == 1 && of(step).all(|row| row.state == State::Done);
        let Some(last) = (0..self.plan.steps.len()).find(|&step| !in_effect(step)) else { return Ok(()) };
        if of(last).count() > 1
            // The steps that rely on it have been taken back, and with them what they would find as it was left.
            && reach(self.plan, last) == last
            && self.is_intact(last, &rows)?
        {
            // What stopped the way back would stop it again; nothing of the step was lost.
            return self.stay(last, &rows);
        }
        let first = (0..last).find(|&step| reach(self.plan, step) >= last).unwrap_or(last);
        for step in (first..=last).rev() {
            if of(step).next().is_some() {
                self.take_back(step, &rows)?;
            }
        }
        Ok(())
    }

    /// Whether nothing of a step has been taken back yet: what is done only prepares for it.
    fn is_intact(&mut self, step: usize, rows: &[StepRow]) -> Result<bool> {
        let plan = self.plan;
        let undoing = || undone(plan, step, rows);
        if undoing().any(|(row, undo)| row.state == State::Done && counterpart(undo).is_none()) {
            return Ok(false);
        }
        let only_started =
            |row: &StepRow, undo: &Action| row.state == State::Started && is_one_transaction(undo);
        // SQL of the user's that has only started has committed nothing, and no other step relies on it.
        let is_sql = matches!(plan.steps[step].action, Action::Execute { .. });
        if is_sql && undoing().all(|(row, undo)| only_started(row, undo)) {
            return Ok(true);
        }
        let apart = self.backend.capabilities().lacks.transactional_ddl;
        if !apart && undoing().all(|(row, undo)| counterpart(undo).is_some() || only_started(row, undo)) {
            return Ok(true);
        }
        Ok(self.backend.probe(plan, &plan.steps[step].action)? == Some(true))
    }

    /// Leaves a step as it is: what was prepared for taking it back goes.
    fn stay(&mut self, step: usize, rows: &[StepRow]) -> Result<()> {
        let plan = self.plan;
        let mut prepared: Vec<_> = undone(plan, step, rows).collect();
        prepared.sort_by_key(|(row, _)| std::cmp::Reverse(row.undo));
        for (row, undo) in prepared {
            let unit = Unit { step, undo: row.undo };
            for action in counterpart(undo).into_iter().flatten() {
                let (backend, mut run) = self.step(Some(unit), false, None);
                backend.execute(plan, &action, &mut run)?;
            }
        }
        let (journal, id, lease) = (self.journal, self.id, self.lease);
        self.write(&mut |connection| {
            lease.verify(connection)?;
            journal.undo_dropped(connection, id, step)
        })
    }
}

/// What has been begun of a step's undo list.
fn undone<'a>(
    plan: &'a Plan,
    step: usize,
    rows: &'a [StepRow],
) -> impl Iterator<Item = (&'a StepRow, &'a Action)> {
    let of = rows.iter().filter(move |row| row.step == step);
    of.filter_map(move |row| Some((row, &plan.steps[step].undo[row.undo?])))
}

/// What takes back an action that only prepares: that watches the rows, examines them, or puts something beside what is
/// there. None for one that takes something back itself.
fn counterpart(undo: &Action) -> Option<Vec<Action>> {
    Some(match undo {
        Action::Validate { .. } | Action::ValidateConstraint { .. } => Vec::new(),
        Action::StartCapture { capture } => vec![Action::StopCapture { capture: capture.clone() }],
        Action::CreateIndex { index } => vec![Action::DropIndex { index: index.name.clone() }],
        Action::CreateIndexConcurrently { index } => {
            vec![Action::DropIndexConcurrently { index: index.name.clone() }]
        }
        // Of the rows' columns nothing was given up.
        Action::Redefine { before, after, .. } if before.columns == after.columns => vec![Action::Redefine {
            before: after.clone(),
            after: before.clone(),
            checks: Vec::new(),
            captured: None,
        }],
        Action::Alter { table, changes } => {
            let drop = changes.iter().map(|change| match change {
                Change::AddConstraint { constraint } => {
                    Some(Change::DropConstraint { name: constraint.name.clone()? })
                }
                _ => None,
            });
            vec![Action::Alter { table: table.clone(), changes: drop.collect::<Option<_>>()? }]
        }
        _ => return None,
    })
}

/// Whether an action that has only started has done nothing, where definitions are part of transactions.
fn is_one_transaction(action: &Action) -> bool {
    let sql = matches!(action, Action::Execute { outside_transaction: false, .. });
    sql || action.is_momentary() || matches!(action, Action::SwapBack { .. })
}
