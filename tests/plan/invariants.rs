//! What holds for every plan, whatever it is for.

use std::collections::{BTreeMap, BTreeSet};

use pql_planner::text::normalise_sqlite;
use pql_planner::{
    Action, Capture, Change, Dialect, HIDDEN_PREFIX, HIDDEN_SCHEMA, Phase, Plan, Rebuild, RowKey,
};
use pql_schema::{MigrationOp, ObjectName, Schema, Table};

pub(crate) fn check(what: &str, schema: &Schema, ops: &[MigrationOp], plan: &Plan) {
    phases_never_go_back(what, plan);
    changes_can_be_taken_back(what, plan);
    names_are_unique_and_short(what, plan);
    definitions_follow_each_other(what, schema, ops, plan);
    captures_end(what, plan);
    positions_exist(what, ops, plan);
    plan.rebuilds.iter().for_each(|rebuild| every_column_is_mapped(what, Dialect::Sqlite, rebuild));
    assert_eq!(plan.base, schema.fingerprint_of(&plan.touches), "{what}");
    let json = serde_json::to_string(plan).expect("a plan is data");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("and read back"), *plan, "{what}");
}

/// The same for PostgreSQL, where a definition changes by statements of its own.
pub(crate) fn check_postgres(what: &str, schema: &Schema, ops: &[MigrationOp], plan: &Plan) {
    phases_never_go_back(what, plan);
    changes_can_be_taken_back(what, plan);
    names_are_unique_and_short(what, plan);
    captures_end(what, plan);
    positions_exist(what, ops, plan);
    not_valid_is_examined_apart(what, plan);
    plan.rebuilds.iter().for_each(|rebuild| every_column_is_mapped(what, Dialect::Postgres, rebuild));
    assert_eq!(plan.base, schema.fingerprint_of(&plan.touches), "{what}");
    let json = serde_json::to_string(plan).expect("a plan is data");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("and read back"), *plan, "{what}");
}

/// A constraint that is declared NOT VALID is examined by another step: within one transaction the strong lock of the
/// declaration would be held for as long as the rows are read.
fn not_valid_is_examined_apart(what: &str, plan: &Plan) {
    for (at, step) in plan.steps.iter().enumerate() {
        let Action::Alter { changes, .. } = &step.action else { continue };
        for change in changes {
            let Change::AddConstraint { constraint } = change else { continue };
            let name = constraint.name.as_ref().expect("every constraint has a name");
            let examined = plan.steps[at + 1..].iter().any(|later| {
                matches!(&later.action, Action::ValidateConstraint { constraint, .. } if constraint == name)
            });
            assert!(!examined || constraint.not_valid, "{what}: {name}");
        }
    }
}

fn phases_never_go_back(what: &str, plan: &Plan) {
    let mut last: BTreeMap<Option<usize>, Phase> = BTreeMap::new();
    for step in &plan.steps {
        let before = last.insert(step.op, step.phase);
        assert!(before.is_none_or(|before| before <= step.phase), "{what}: {:?}", step.action);
    }
}

/// Work that only helps, or that goes away with something else, needs no undo of its own; nor does a statement that is a
/// step apart from the one before it, which has the undo of both.
fn changes_can_be_taken_back(what: &str, plan: &Plan) {
    for (at, step) in plan.steps.iter().enumerate() {
        let apart = plan.steps[..at]
            .iter()
            .rev()
            .take_while(|before| before.op == step.op && matches!(before.action, Action::Alter { .. }))
            .any(|before| !before.undo.is_empty());
        let helps = matches!(
            step.action,
            Action::Validate { .. }
                | Action::StopCapture { .. }
                | Action::Backfill(_)
                | Action::RebuildCopy { .. }
                | Action::RebuildVerify { .. }
                | Action::IndexFill { .. }
                | Action::IndexVerify { .. }
                | Action::ValidateConstraint { .. }
                | Action::SwapFill { .. }
                | Action::SwapVerify { .. }
        );
        let helps =
            helps || apart && matches!(&step.action, Action::Alter { changes, .. } if changes.len() == 1);
        assert!(helps || step.irreversible || !step.undo.is_empty(), "{what}: {:?}", step.action);
        assert!(!step.irreversible || step.undo.is_empty(), "{what}: {:?}", step.action);
    }
}

fn names_are_unique_and_short(what: &str, plan: &Plan) {
    let mut seen = BTreeSet::new();
    let mut made = Vec::new();
    for step in &plan.steps {
        match &step.action {
            Action::HideTable { hidden, .. } | Action::HideView { hidden, .. } if hidden.schema.is_some() => {
                made.extend(hidden.schema.clone());
            }
            Action::HideTable { hidden, .. } | Action::HideIndex { hidden, .. } => {
                made.push(hidden.name.clone());
            }
            Action::HideColumn { hidden, .. } => made.push(hidden.clone()),
            Action::StartCapture { capture } => made.push(capture.log.name.clone()),
            Action::Backfill(fill) => made.extend(fill.record.iter().map(|name| name.name.clone())),
            _ => {}
        }
    }
    for rebuild in &plan.rebuilds {
        let names = [&rebuild.shadow, &rebuild.retained, &rebuild.forward.log, &rebuild.reverse.log];
        // One that is alone in a schema has that name to itself.
        let own = |name: &ObjectName| name.schema.clone().filter(|schema| schema != HIDDEN_SCHEMA);
        made.extend(names.map(|name| own(name).unwrap_or_else(|| name.name.clone())));
    }
    for build in &plan.index_builds {
        made.extend([build.helper.name.clone(), build.capture.log.name.clone()]);
    }
    for swap in &plan.column_swaps {
        made.extend([swap.shadow.clone(), swap.retained.clone(), swap.misfits.name.clone()]);
        made.extend(
            swap.indexes.iter().flat_map(|twin| [twin.twin.name.name.clone(), twin.back.name.name.clone()]),
        );
    }
    for name in made {
        assert!(name.starts_with(HIDDEN_PREFIX) && name.len() <= 63, "{what}: {name}");
        assert!(seen.insert(name.clone()), "{what}: {name} twice");
    }
}

/// Every definition that a step leaves is the one that the next step on the table finds, and the last ones are those
/// that the operations describe.
fn definitions_follow_each_other(what: &str, schema: &Schema, ops: &[MigrationOp], plan: &Plan) {
    let rule = schema.names;
    let mut now = schema.clone();
    let find = |now: &Schema, table: &Table| now.table(&table.name).cloned();
    for step in &plan.steps {
        let mut replace = |before: &Table, after: &Table| {
            assert_eq!(find(&now, before).as_ref(), Some(before), "{what}: {:?}", step.action);
            now.tables.remove(&before.name);
            now.tables.insert(after.name.clone(), after.clone());
        };
        match &step.action {
            Action::Redefine { before, after, .. } | Action::HideColumn { before, after, .. } => {
                replace(before, after);
            }
            Action::RebuildAtOnce { rebuild } | Action::RebuildSwap { rebuild } => {
                let rebuild = &plan.rebuilds[*rebuild];
                replace(&rebuild.before, &rebuild.after);
            }
            Action::AddColumn { table, column } => {
                now.tables.entry(table.clone()).and_modify(|table| table.columns.push(column.clone()));
            }
            Action::CreateTable { table } => {
                now.tables.insert(table.name.clone(), table.clone());
            }
            Action::HideTable { table, .. } | Action::DropTable { table } => {
                now.tables.remove(table);
            }
            Action::RenameTable { from, to } => {
                now.apply(&MigrationOp::RenameTable { from: from.clone(), to: to.clone() }).expect(what);
            }
            Action::RenameColumn { table, from, to } => {
                let op =
                    MigrationOp::RenameColumn { table: table.clone(), from: from.clone(), to: to.clone() };
                now.apply(&op).expect(what);
            }
            _ => {}
        }
    }
    let mut wanted = schema.clone();
    for op in ops {
        for implied in wanted.implied_by(op) {
            wanted.apply(&implied).expect(what);
        }
        wanted.apply(op).expect(what);
        normalise_sqlite(&mut wanted, None);
    }
    let tables = |schema: &Schema| -> Vec<Table> { schema.visible().tables.into_values().collect() };
    assert_eq!(tables(&now), tables(&wanted), "{what}");
    for step in &plan.steps {
        if let Action::AddColumn { column, .. } = &step.action {
            assert!(column.generated.is_none() || column.default.is_none(), "{what}");
            assert!(!rule.same(&column.name, ""), "{what}");
        }
    }
}

/// A log that a step starts is ended by a later one, and by the step's undo.
fn captures_end(what: &str, plan: &Plan) {
    let mut running: Vec<&Capture> = Vec::new();
    for step in &plan.steps {
        match &step.action {
            Action::StartCapture { capture } => {
                running.push(capture);
                assert_eq!(step.undo, [Action::StopCapture { capture: capture.clone() }], "{what}");
            }
            Action::StopCapture { capture } => running.retain(|other| *other != capture),
            Action::Backfill(fill) => {
                assert!(fill.capture.iter().all(|capture| running.contains(&capture)), "{what}: {fill:?}");
            }
            Action::Redefine { captured: Some(captured), .. }
            | Action::Validate { captured: Some(captured), .. } => {
                assert!(running.contains(&captured), "{what}: {captured:?}");
            }
            _ => {}
        }
    }
    assert!(running.is_empty(), "{what}: {running:?}");
}

fn positions_exist(what: &str, ops: &[MigrationOp], plan: &Plan) {
    for step in &plan.steps {
        assert!(step.op.is_none_or(|op| op < ops.len()), "{what}");
    }
}

fn every_column_is_mapped(what: &str, dialect: Dialect, rebuild: &Rebuild) {
    let stored = |table: &Table| -> Vec<String> {
        let columns = table.columns.iter().filter(|column| column.generated.is_none());
        columns.map(|column| column.name.clone()).collect()
    };
    let mapped: Vec<String> = rebuild.mapping.iter().map(|way| way.column.clone()).collect();
    assert_eq!(mapped, stored(&rebuild.after), "{what}");
    let old = stored(&rebuild.before);
    assert!(rebuild.mapping_back.iter().all(|way| old.contains(&way.column)), "{what}");
    for (capture, table) in [(&rebuild.forward, &rebuild.before), (&rebuild.reverse, &rebuild.after)] {
        assert_eq!(capture.table, table.name, "{what}");
        let by_columns = matches!(capture.key, RowKey::Columns(_));
        assert_eq!(by_columns, table.options.without_rowid || dialect == Dialect::Postgres, "{what}");
    }
}
