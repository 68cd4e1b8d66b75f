//! Plans and errors as the snapshots show them: compact, but with everything that the rules decide.

use std::fmt::Write as _;

use pql_planner::text::{POSTGRES, SQLITE};
use pql_planner::{
    Action, Capture, Check, ColumnMapping, ColumnSwap, Lock, Plan, PlanError, PlanRow, RowKey, Step, explain,
};
use pql_schema::Table;

pub(crate) fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    let rows = explain(plan, &|_| Vec::new());
    for (step, row) in plan.steps.iter().zip(&rows) {
        show_step(&mut out, plan, step, row);
    }
    for row in rows.iter().filter(|row| row.step.is_none()) {
        let _ = writeln!(out, "{:<9} {}{}", row.phase, row.action, row.hazard);
    }
    for (at, rebuild) in plan.rebuilds.iter().enumerate() {
        let _ = writeln!(
            out,
            "rebuild {at}: {} -> {} (old: {})",
            rebuild.before.name, rebuild.shadow, rebuild.retained
        );
        let _ = writeln!(out, "{}", indent(&SQLITE.create_table(&rebuild.after)));
        for index in &rebuild.indexes {
            let _ = writeln!(out, "    {}", SQLITE.create_index(index));
        }
        let _ = writeln!(out, "    log {}", capture(&rebuild.forward));
        let _ = writeln!(out, "    log back {}", capture(&rebuild.reverse));
        rebuild.mapping.iter().for_each(|way| mapping(&mut out, "<-", way));
        rebuild.mapping_back.iter().for_each(|way| mapping(&mut out, "back <-", way));
    }
    for (at, build) in plan.index_builds.iter().enumerate() {
        let statement = SQLITE.create_index(&build.index);
        let _ = writeln!(out, "index {at}: {statement} by {}, log {}", build.helper, capture(&build.capture));
    }
    for (at, swap) in plan.column_swaps.iter().enumerate() {
        column_swap(&mut out, at, swap);
    }
    out
}

fn column_swap(out: &mut String, at: usize, swap: &ColumnSwap) {
    let mut line = |text: String| {
        let _ = writeln!(out, "    {text}");
    };
    line(format!("swap {at}: {} -> {} (old: {})", swap.old.name, swap.shadow, swap.retained));
    line(format!("by {}, reads {}", key(&swap.key), swap.sources.join(", ")));
    let fits = swap.fits.as_ref().map(|fits| format!(" if {fits}")).unwrap_or_default();
    line(format!("{} <- {}{fits}", swap.new.data_type, swap.forward));
    line(format!("{} <- {}", swap.old.data_type, swap.backward));
    for (what, twins) in [("declared", &swap.declared), ("declared back", &swap.declared_back)] {
        for declared in twins {
            line(format!("{what}: {} becomes {}", POSTGRES.constraint_def(&declared.twin), declared.name));
        }
    }
    for twin in &swap.indexes {
        line(POSTGRES.create_index(&twin.twin));
        line(format!("back: {}", POSTGRES.create_index(&twin.back)));
    }
    for check in swap.not_null.iter().chain(&swap.old_not_null) {
        line(format!("not null by {check}"));
    }
}

fn mapping(out: &mut String, arrow: &str, way: &ColumnMapping) {
    let _ = write!(out, "    {} {arrow} {}", way.column, way.from);
    if let Some(fits) = &way.fits {
        let _ = write!(out, " if {fits}");
    }
    let _ = writeln!(out, "{}", if way.unstable { " (unstable)" } else { "" });
}

fn show_step(out: &mut String, plan: &Plan, step: &Step, row: &PlanRow) {
    let op = step.op.map(|op| op.to_string()).unwrap_or_default();
    let lock = match step.lock {
        Lock::None => "-",
        Lock::Short => "short",
        Lock::Paced => "paced",
        Lock::Long => "LONG",
    };
    let _ = writeln!(out, "{:<9} {op} [{lock} {}] {}", row.phase, row.estimate, row.action);
    detail(out, "          ", &step.action);
    if step.irreversible {
        let _ = writeln!(out, "          irreversible");
    }
    let undo = Plan {
        steps: step
            .undo
            .iter()
            .map(|action| Step {
                action: action.clone(),
                undo: Vec::new(),
                hazards: Vec::new(),
                ..step.clone()
            })
            .collect(),
        hazards: Vec::new(),
        ..plan.clone()
    };
    for (row, action) in explain(&undo, &|_| Vec::new()).iter().zip(&step.undo) {
        let _ = writeln!(out, "          undo: {}", row.action);
        detail(out, "                ", action);
    }
    if !row.hazard.is_empty() {
        let _ = writeln!(out, "          ! {}", row.hazard);
    }
}

fn detail(out: &mut String, margin: &str, action: &Action) {
    let mut line = |text: String| {
        let _ = writeln!(out, "{margin}{text}");
    };
    let checks = |checks: &[Check]| checks.iter().map(check).collect::<Vec<_>>().join("; ");
    match action {
        Action::Redefine { before, after, checks: demanded, captured } => {
            difference(before, after).into_iter().for_each(&mut line);
            if !demanded.is_empty() {
                line(format!("demands {}", checks(demanded)));
            }
            if let Some(captured) = captured {
                line(format!("for the rows in {}", captured.log));
            }
        }
        Action::HideColumn { before, after, .. } | Action::UnhideColumn { before, after, .. } => {
            difference(before, after).into_iter().for_each(line);
        }
        Action::AddColumn { table, column } => {
            line(SQLITE.column_def(column, &Table::new(table.clone()), &[]));
        }
        Action::StartCapture { capture: log } => line(capture(log)),
        Action::Validate { checks: demanded, captured, .. } => {
            let except = captured.as_ref().map(|log| format!(", except the rows in {}", log.log));
            line(format!("demands {}{}", checks(demanded), except.unwrap_or_default()));
        }
        Action::Backfill(fill) | Action::RevertBackfill(fill) => {
            let sets: Vec<String> =
                fill.assignments.iter().map(|(column, value)| format!("{column} = {value}")).collect();
            let filter = fill.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
            let spared = fill.capture.as_ref().map(|log| format!(", except {}", log.log)).unwrap_or_default();
            let record = fill.record.as_ref().map(|name| format!(", noted in {name}")).unwrap_or_default();
            line(format!("{}{filter}, by {}{spared}{record}", sets.join(", "), key(&fill.key)));
        }
        Action::Execute { sql, .. } => line(sql.clone()),
        Action::HideTable { hidden, .. }
        | Action::RetireTable { hidden, .. }
        | Action::UnhideTable { hidden, .. }
        | Action::HideIndex { hidden, .. }
        | Action::UnhideIndex { hidden, .. }
        | Action::HideView { hidden, .. }
        | Action::UnhideView { hidden, .. } => line(format!("as {hidden}")),
        Action::ValidateConstraint { constraint, .. } => line(format!("by {constraint}")),
        Action::CreateIndexConcurrently { index } => line(POSTGRES.create_index(index)),
        _ => {}
    }
}

/// The lines of a definition that go (`-`) and come (`+`).
fn difference(before: &Table, after: &Table) -> Vec<String> {
    let lines = |table: &Table| -> Vec<String> {
        SQLITE.create_table(table).lines().map(|line| line.trim().trim_end_matches(',').to_owned()).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let come = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

fn check(check: &Check) -> String {
    match check {
        Check::NotNull { column, fill: Some(fill) } => format!("{column} not null, else {fill}"),
        Check::NotNull { column, fill: None } => format!("{column} not null"),
        Check::Holds { name, expr } => format!("{name}: {expr}"),
        Check::References { name, key } => {
            format!("{name}: ({}) in {} ({})", key.columns.join(", "), key.table, key.referenced.join(", "))
        }
        Check::Distinct { name, columns } => {
            let columns: Vec<&str> = columns.iter().map(|part| part.column.as_str()).collect();
            format!("{name}: ({}) distinct", columns.join(", "))
        }
    }
}

fn key(key: &RowKey) -> String {
    match key {
        RowKey::Rowid(name) => name.clone(),
        RowKey::Columns(parts) => {
            let columns: Vec<&str> = parts.iter().map(|part| part.column.as_str()).collect();
            format!("({})", columns.join(", "))
        }
    }
}

fn capture(capture: &Capture) -> String {
    let columns = capture.columns.as_ref().map_or("all".to_owned(), |columns| columns.join(", "));
    format!("{} of {} by {}: {columns}", capture.log, capture.table, key(&capture.key))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn errors(errors: &[PlanError]) -> String {
    let mut out = String::new();
    for error in errors {
        let op = error.op.map(|op| format!(" (operation {op})")).unwrap_or_default();
        let _ = writeln!(out, "{}: {}{op}", error.code, error.message);
        if let Some(help) = &error.help {
            let _ = writeln!(out, "  help: {help}");
        }
    }
    out
}
