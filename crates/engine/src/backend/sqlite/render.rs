//! The statements that an action runs, for showing; values that only the run knows stand as `:name`.

use pql_planner::text::{SQLITE, ident, object};
use pql_planner::{Action, Check, Plan};
use pql_schema::Table;
use rusqlite::Connection as Db;

use super::checks::Subject;
use super::metadata::{hidden_index, must_really_go};
use super::{backfill, capture, index_build, rebuild, record, texts};

/// The statements. What cannot be told because the table does not exist yet is left out.
pub(super) fn statements(db: &Db, plan: &Plan, action: &Action) -> Vec<String> {
    let rebuild_at = |position: &usize| plan.rebuilds.get(*position);
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
        Action::DropView { view } => vec![format!("DROP VIEW {}", object(view))],
        Action::Execute { sql, .. } => vec![sql.clone()],
        Action::StartCapture { capture } => capture::statements(db, capture).unwrap_or_default(),
        Action::StopCapture { capture } => vec![format!("DROP TABLE {}", object(&capture.log))],
        Action::Backfill(backfill) => backfill::shown(db, backfill).into_iter().collect(),
        Action::RevertBackfill(backfill) => record::shown(backfill),
        Action::Validate { table, checks, .. } => examined(db, &table.name, checks),
        Action::RebuildPrepare { rebuild } => rebuild_at(rebuild)
            .and_then(|rebuild| rebuild::prepare_statements(db, rebuild).ok())
            .unwrap_or_default(),
        Action::RebuildCopy { rebuild } => {
            rebuild_at(rebuild).map(rebuild::copy_statement).into_iter().collect()
        }
        Action::RebuildVerify { rebuild } => {
            let Some(rebuild) = rebuild_at(rebuild) else { return Vec::new() };
            let shadow = &rebuild.shadow.name;
            (rebuild.indexes.iter())
                .filter_map(|index| {
                    texts::index_moved(
                        &SQLITE.create_index(index),
                        &hidden_index(shadow, &index.name.name),
                        shadow,
                    )
                })
                .collect()
        }
        Action::RebuildSwap { rebuild } => {
            let Some(rebuild) = rebuild_at(rebuild) else { return Vec::new() };
            vec![
                renamed_row("table", &rebuild.before.name.name, &rebuild.retained.name),
                redefined_row(
                    "table",
                    &rebuild.shadow.name,
                    &rebuild.after.name.name,
                    &SQLITE.create_table(&rebuild.after),
                ),
            ]
        }
        Action::RebuildAtOnce { rebuild } => [
            Action::RebuildPrepare { rebuild: *rebuild },
            Action::RebuildCopy { rebuild: *rebuild },
            Action::RebuildVerify { rebuild: *rebuild },
            Action::RebuildSwap { rebuild: *rebuild },
        ]
        .iter()
        .flat_map(|part| statements(db, plan, part))
        .filter(|sql| !sql.starts_with("CREATE TRIGGER"))
        .collect(),
        Action::RebuildAbandon { rebuild } => rebuild_at(rebuild)
            .map(|rebuild| format!("DROP TABLE {}", object(&rebuild.shadow)))
            .into_iter()
            .collect(),
        Action::RebuildUnswap { rebuild } => {
            let Some(rebuild) = rebuild_at(rebuild) else { return Vec::new() };
            vec![
                renamed_row("table", &rebuild.after.name.name, &rebuild.shadow.name),
                renamed_row("table", &rebuild.retained.name, &rebuild.before.name.name),
            ]
        }
        Action::IndexPrepare { build } => (plan.index_builds.get(*build))
            .and_then(|build| index_build::prepare_statements(db, build).ok())
            .unwrap_or_default(),
        Action::IndexPublish { build } => {
            plan.index_builds.get(*build).map(|build| SQLITE.create_index(&build.index)).into_iter().collect()
        }
        Action::IndexFill { build } => (plan.index_builds.get(*build))
            .map(|build| format!("INSERT INTO {} VALUES (:entry)", object(&build.helper)))
            .into_iter()
            .collect(),
        Action::IndexVerify { .. } => Vec::new(),
        Action::IndexAbandon { build } => (plan.index_builds.get(*build))
            .map(|build| format!("DROP TABLE {}", object(&build.helper)))
            .into_iter()
            .collect(),
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
