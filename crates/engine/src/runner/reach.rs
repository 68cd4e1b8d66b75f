//! How far steps of a plan rely on each other.

use pql_planner::{Action, Change, Plan};

/// The last of the steps that rely on what a step has begun and that a later one ends.
pub(super) fn reach(plan: &Plan, step: usize) -> usize {
    let position = |wanted: &dyn Fn(&Action) -> bool| {
        plan.steps.iter().skip(step).position(|other| wanted(&other.action)).map(|after| step + after)
    };
    let end = match &plan.steps[step].action {
        Action::RebuildPrepare { rebuild: begun } => {
            position(&|action| matches!(action, Action::RebuildSwap { rebuild } if rebuild == begun))
        }
        Action::IndexPrepare { build: begun } => {
            position(&|action| matches!(action, Action::IndexPublish { build } if build == begun))
        }
        Action::SwapPrepare { swap: begun } => {
            position(&|action| matches!(action, Action::SwapColumns { swap } if swap == begun))
        }
        Action::StartCapture { capture: begun } => {
            position(&|action| matches!(action, Action::StopCapture { capture } if capture.log == begun.log))
                .map(|end| end - 1)
        }
        // A proof that the step it serves gives up, an index that becomes a constraint's: gone, when that is taken back.
        Action::Alter { changes, .. } => changes.iter().find_map(|change| match change {
            Change::AddConstraint { constraint } => {
                let own = constraint.name.as_ref()?;
                position(&|action| {
                    alters(action, &|it| matches!(it, Change::DropConstraint { name } if name == own))
                })
            }
            _ => None,
        }),
        Action::CreateIndexConcurrently { index: built } => position(&|action| {
            alters(
                action,
                &|it| matches!(it, Change::AttachConstraint { index, .. } if *index == built.name.name),
            )
        }),
        _ => None,
    };
    end.unwrap_or(step)
}

/// Whether the action changes a definition in such a way.
pub(super) fn alters(action: &Action, how: &dyn Fn(&Change) -> bool) -> bool {
    matches!(action, Action::Alter { changes, .. } if changes.iter().any(how))
}
