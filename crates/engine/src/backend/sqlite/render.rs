//! The statements that an action runs, for showing; values that only the run knows stand as `:name`.

use pql_planner::text::{SQLITE, ident, object};
use pql_planner::{Action, Check, IndexBuild, Plan, Rebuild};
use pql_schema::Table;
use rusqlite::Connection as Db;

use super::checks::Subject;
use super::metadata::{hidden_index, must_really_go};
use super::{backfill, capture, index_build, rebuild, record, texts};

/// The statements. What cannot be told because the table does not exist yet is left out.
pub(super) fn statements(db: &Db, plan: &Plan, action: &Action) -> Vec<String> {
    match action {
        Action::CreateTable { table } => vec![SQLITE.create_table(table)],
        Action::RetireTable { table, hidden } => {
            vec![format!("DROP TABLE {}", object(table)), renamed_row("table", &table.name, &hidden.name)]
        }
        Action::HideTable { table, hidden } => vec![renamed_row("table", &table.name, &hidden.name)],
        Action::UnhideTable { table, hidden } => vec![renamed_row("table", &hidden.name, &table.name)],
        Action::DropTable { table } => vec![
            format!("DELETE FROM {} WHERE key <= :upto", object(table)),
            format!("DROP TABLE {}", object(table)),
        ],
        Action::RenameTable { from, to } => {
            vec![format!("ALTER TABLE {} RENAME TO {}", object(from), object(to))]
        }
        Action::AddColumn { table, column } => {
            let definition = SQLITE.column_def(column, &Table::new(table.clone()), &[]);
            vec![format!("ALTER TABLE {} ADD COLUMN {definition}", object(table))]
        }
        Action::DropColumn { table, column } => {
            vec![format!("ALTER TABLE {} DROP COLUMN {}", object(table), ident(column))]
        }
        Action::HideColumn { after, .. } | Action::UnhideColumn { after, .. } => redefinition(after),
        Action::Redefine { after, checks, before, .. } => {
            let mut all = examined(db, &before.name.name, checks);
            all.extend(redefinition(after));
            all
        }
        Action::RenameColumn { table, from, to } => {
            vec![format!("ALTER TABLE {} RENAME COLUMN {} TO {}", object(table), ident(from), ident(to))]
        }
        Action::CreateIndex { index } => vec![SQLITE.create_index(index)],
        Action::DropIndex { index } => vec![format!("DROP INDEX {}", object(index))],
        Action::HideIndex { index, .. } if must_really_go(index) => {
            vec![format!("DROP INDEX {}", object(&index.name))]
        }
        Action::UnhideIndex { index, .. } if must_really_go(index) => vec![SQLITE.create_index(index)],
        Action::HideIndex { index, hidden } => {
            let sql = texts::not_unique(&SQLITE.create_index(index)).unwrap_or_default();
            vec![redefined_row(
                "index",
                &index.name.name,
                &hidden.name,
                &texts::renamed(&sql, &hidden.name).unwrap_or(sql),
            )]
        }
        Action::UnhideIndex { index, hidden } => {
            vec![redefined_row("index", &hidden.name, &index.name.name, &SQLITE.create_index(index))]
        }
        Action::RenameIndex { from, to } => vec![renamed_row("index", &from.name, &to.name)],
        Action::CreateView { view } => vec![SQLITE.create_view(view)],
        Action::DropView { view, .. } => vec![format!("DROP VIEW {}", object(view))],
        Action::Execute { sql, .. } => vec![sql.clone()],
        Action::StartCapture { capture } => capture::statements(db, capture).unwrap_or_default(),
        Action::StopCapture { capture } => vec![format!("DROP TABLE {}", object(&capture.log))],
        Action::Backfill(backfill) => backfill::shown(db, backfill).into_iter().collect(),
        Action::RevertBackfill(backfill) => record::shown(backfill),
        Action::Validate { table, checks, .. } => examined(db, &table.name, checks),
        Action::RebuildPrepare { rebuild }
        | Action::RebuildCopy { rebuild }
        | Action::RebuildVerify { rebuild }
        | Action::RebuildSwap { rebuild }
        | Action::RebuildAtOnce { rebuild }
        | Action::RebuildAbandon { rebuild }
        | Action::RebuildUnswap { rebuild } => {
            plan.rebuilds.get(*rebuild).map(|planned| of_rebuild(db, planned, action)).unwrap_or_default()
        }
        Action::IndexPrepare { build }
        | Action::IndexFill { build }
        | Action::IndexVerify { build }
        | Action::IndexPublish { build }
        | Action::IndexAbandon { build } => {
            plan.index_builds.get(*build).map(|planned| of_index(db, planned, action)).unwrap_or_default()
        }
        Action::Alter { .. }
        | Action::ValidateConstraint { .. }
        | Action::CreateIndexConcurrently { .. }
        | Action::DropIndexConcurrently { .. }
        | Action::HideView { .. }
        | Action::UnhideView { .. }
        | Action::SwapPrepare { .. }
        | Action::SwapFill { .. }
        | Action::SwapVerify { .. }
        | Action::SwapColumns { .. }
        | Action::SwapAtOnce { .. }
        | Action::SwapBack { .. }
        | Action::SwapAbandon { .. }
        | Action::SwapForget { .. } => Vec::new(),
    }
}

fn of_rebuild(db: &Db, rebuild: &Rebuild, action: &Action) -> Vec<String> {
    let prepared = || rebuild::prepare_statements(db, rebuild).unwrap_or_default();
    let copied = || vec![rebuild::copy_statement(rebuild)];
    let indexed = || -> Vec<String> {
        let shadow = &rebuild.shadow.name;
        (rebuild.indexes.iter())
            .filter_map(|index| {
                let name = hidden_index(shadow, &index.name.name);
                texts::index_moved(&SQLITE.create_index(index), &name, shadow)
            })
            .collect()
    };
    let (table, retained) = (&rebuild.after.name.name, &rebuild.retained.name);
    let swapped = || {
        let definition = SQLITE.create_table(&rebuild.after);
        vec![
            renamed_row("table", table, retained),
            redefined_row("table", &rebuild.shadow.name, table, &definition),
        ]
    };
    match action {
        Action::RebuildPrepare { .. } => prepared(),
        Action::RebuildCopy { .. } => copied(),
        Action::RebuildVerify { .. } => indexed(),
        Action::RebuildSwap { .. } => swapped(),
        Action::RebuildAtOnce { .. } => {
            let mut all = prepared();
            all.truncate(1);
            [all, copied(), indexed(), swapped()].concat()
        }
        Action::RebuildUnswap { .. } => {
            vec![renamed_row("table", table, &rebuild.shadow.name), renamed_row("table", retained, table)]
        }
        _ => vec![format!("DROP TABLE {}", object(&rebuild.shadow))],
    }
}

fn of_index(db: &Db, build: &IndexBuild, action: &Action) -> Vec<String> {
    match action {
        Action::IndexPrepare { .. } => index_build::prepare_statements(db, build).unwrap_or_default(),
        Action::IndexFill { .. } => vec![format!("INSERT INTO {} VALUES (:entry)", object(&build.helper))],
        Action::IndexVerify { .. } => Vec::new(),
        Action::IndexPublish { .. } => vec![SQLITE.create_index(&build.index)],
        _ => vec![format!("DROP TABLE {}", object(&build.helper))],
    }
}

fn examined(db: &Db, table: &str, checks: &[Check]) -> Vec<String> {
    let Ok(subject) = Subject::of(db, table) else { return Vec::new() };
    checks.iter().filter_map(|check| subject.shown(db, check).ok()).collect()
}

fn redefinition(after: &Table) -> Vec<String> {
    let name = &after.name.name;
    vec![redefined_row("table", name, name, &SQLITE.create_table(after))]
}

fn renamed_row(kind: &str, from: &str, to: &str) -> String {
    format!(
        "UPDATE sqlite_schema SET name = '{}' WHERE type = '{kind}' AND name = '{}'",
        quoted(to),
        quoted(from)
    )
}

fn redefined_row(kind: &str, from: &str, to: &str, sql: &str) -> String {
    format!(
        "UPDATE sqlite_schema SET name = '{}', sql = '{}' WHERE type = '{kind}' AND name = '{}'",
        quoted(to),
        quoted(sql),
        quoted(from)
    )
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}
