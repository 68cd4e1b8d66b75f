//! Databases that change each definition in a transaction of its own: every statement is a step of its own, so that the
//! journal knows after which of them a failure came.

use crate::{Action, Step};

/// The steps with no more than one statement each that changes a definition, and the same of the way back.
pub(super) fn separate(steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().flat_map(one_by_one).collect()
}

fn one_by_one(step: Step) -> Vec<Step> {
    let undo: Vec<Action> = step.undo.iter().cloned().flat_map(single).collect();
    let actions = single(step.action.clone());
    let count = actions.len();
    if count == 1 {
        return vec![Step { undo, ..step }];
    }
    // What answers each statement with one of its own is taken back from the last on; anything else all at the end.
    let paired = undo.len() == count && undo.iter().all(|action| matches!(action, Action::Alter { .. }));
    let mut rest = undo;
    let each = actions.into_iter().enumerate().map(|(at, action)| {
        let undo = if paired {
            rest.pop().into_iter().collect()
        } else if at == 0 {
            std::mem::take(&mut rest)
        } else {
            Vec::new()
        };
        let hazards = if at == 0 { step.hazards.clone() } else { Vec::new() };
        Step { action, undo, hazards, ..step.clone() }
    });
    each.collect()
}

/// An action's statements as actions.
fn single(action: Action) -> Vec<Action> {
    match action {
        Action::Alter { table, changes } if changes.len() > 1 => changes
            .into_iter()
            .map(|change| Action::Alter { table: table.clone(), changes: vec![change] })
            .collect(),
        action => vec![action],
    }
}
