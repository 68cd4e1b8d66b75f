//! The statements of actions: what is run, and what PLAN shows. Values that only the run knows stand as `:name`.

use pql_planner::text::{POSTGRES, identity_words, postgres_ident, postgres_object, postgres_type_name};
use pql_planner::{Action, Capabilities, Change, Plan};
use pql_schema::{Column, Constraint, ConstraintKind, Deferrable, Identity, IdentityKind, ObjectName, Table};

use super::{backfill, by_place, capture, examine, rebuild, record, swap};

/// A name, quoted.
pub(super) fn ident(name: &str) -> String {
    postgres_ident(name)
}

/// A relation, with its schema.
pub(super) fn object(name: &ObjectName) -> String {
    postgres_object(name)
}

/// What an action runs, for showing.
pub(in super::super) fn shown(_: &Capabilities, plan: &Plan, action: &Action) -> Vec<String> {
    match action {
        Action::RetireTable { table, .. } => vec![drop_table(table)],
        Action::Validate { table, checks, .. } => {
            checks.iter().map(|check| examine::query(table, check)).collect()
        }
        Action::StartCapture { capture } => capture::start_statements(capture),
        Action::StopCapture { capture } => capture::stop_statements(capture),
        Action::Backfill(fill) => vec![backfill::shown(fill)],
        Action::RevertBackfill(fill) => vec![record::shown(fill)],
        Action::Execute { sql, .. } => vec![sql.clone()],
        Action::RebuildPrepare { rebuild }
        | Action::RebuildCopy { rebuild }
        | Action::RebuildVerify { rebuild }
        | Action::RebuildSwap { rebuild }
        | Action::RebuildUnswap { rebuild }
        | Action::RebuildAbandon { rebuild } => {
            plan.rebuilds.get(*rebuild).map(|rebuild| rebuild::shown(rebuild, action)).unwrap_or_default()
        }
        Action::SwapPrepare { swap }
        | Action::SwapFill { swap }
        | Action::SwapVerify { swap }
        | Action::SwapColumns { swap }
        | Action::SwapAtOnce { swap }
        | Action::SwapBack { swap }
        | Action::SwapAbandon { swap }
        | Action::SwapForget { swap } => {
            plan.column_swaps.get(*swap).map(|swap| swap::shown(swap, action)).unwrap_or_default()
        }
        other => of(other),
    }
}

/// What an action runs, when that is all that there is to it.
pub(super) fn of(action: &Action) -> Vec<String> {
    match action {
        Action::CreateTable { table } => vec![POSTGRES.create_table(table)],
        Action::HideTable { table, hidden } => move_away(table, hidden),
        Action::UnhideTable { table, hidden } => move_back(table, hidden),
        Action::HideView { view, hidden } => move_away(view, hidden),
        Action::UnhideView { view, hidden } => move_back(view, hidden),
        Action::DropTable { table } => {
            let mut all = vec![drop_table(table)];
            all.extend(drop_own_schema(table));
            all
        }
        Action::RenameTable { from, to } => rename_table(from, to),
        Action::AddColumn { table, column } => vec![add_column(table, column)],
        Action::DropColumn { table, column } => {
            vec![format!("ALTER TABLE {} DROP COLUMN IF EXISTS {}", object(table), ident(column))]
        }
        Action::HideColumn { before, after, column, hidden, guarded } => {
            let mut all = Vec::new();
            let not_null = |table: &Table, name: &str| {
                table.columns.iter().any(|column| column.name == name && column.not_null)
            };
            if not_null(before, column) && !not_null(after, hidden) {
                all.push(alter_column(&before.name, column, "DROP NOT NULL"));
            }
            // Last, since it is what tells that it was done.
            all.push(rename_column(&before.name, column, hidden));
            if *guarded && let Some(known) = before.columns.iter().find(|known| known.name == *column) {
                all.extend(by_place::refuse(&before.name, known, hidden));
            }
            all
        }
        Action::UnhideColumn { after, column, hidden, guarded, .. } => {
            let mut all = Vec::new();
            if *guarded && let Some(known) = after.columns.iter().find(|known| known.name == *column) {
                all.extend(by_place::admit(&after.name, known, hidden));
            }
            all.push(rename_column(&after.name, hidden, column));
            all
        }
        Action::RenameColumn { table, from, to } => vec![rename_column(table, from, to)],
        Action::CreateIndex { index } => vec![POSTGRES.create_index(index)],
        Action::DropIndex { index } => vec![format!("DROP INDEX IF EXISTS {}", object(index))],
        Action::HideIndex { index, hidden } => vec![rename_index(&index.name, &hidden.name)],
        Action::UnhideIndex { index, hidden } => vec![rename_index(hidden, &index.name.name)],
        Action::RenameIndex { from, to } => vec![rename_index(from, &to.name)],
        Action::CreateView { view } => vec![POSTGRES.create_view(view)],
        Action::DropView { view, materialized } => {
            vec![format!("DROP {}VIEW {}", if *materialized { "MATERIALIZED " } else { "" }, object(view))]
        }
        Action::Alter { table, changes } => changes.iter().map(|each| change(table, each)).collect(),
        Action::ValidateConstraint { table, constraint, .. } => {
            vec![format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", object(table), ident(constraint))]
        }
        Action::CreateIndexConcurrently { index } => {
            let unique = if index.unique { "UNIQUE " } else { "" };
            vec![format!("CREATE {unique}INDEX CONCURRENTLY {}", POSTGRES.index_tail(index))]
        }
        Action::DropIndexConcurrently { index } => {
            vec![format!("DROP INDEX CONCURRENTLY IF EXISTS {}", object(index))]
        }
        _ => Vec::new(),
    }
}

/// One change of a definition.
pub(super) fn change(table: &ObjectName, change: &Change) -> String {
    let alter = |rest: String| format!("ALTER TABLE {} {rest}", object(table));
    match change {
        Change::AddColumn { column } => add_column(table, column),
        Change::SetNotNull { column } => alter_column(table, column, "SET NOT NULL"),
        Change::DropNotNull { column } => alter_column(table, column, "DROP NOT NULL"),
        Change::SetDefault { column, default } => {
            alter_column(table, column, &format!("SET DEFAULT {}", POSTGRES.default_value(default)))
        }
        Change::DropDefault { column } => alter_column(table, column, "DROP DEFAULT"),
        Change::SetType { column, to, collation, using, .. } => {
            let collate =
                collation.as_ref().map(|name| format!(" COLLATE {}", ident(name))).unwrap_or_default();
            let using = using.as_ref().map(|value| format!(" USING ({value})")).unwrap_or_default();
            alter_column(table, column, &format!("TYPE {}{collate}{using}", postgres_type_name(to)))
        }
        Change::SetIdentity { column, from, to } => {
            let words = match (from, to) {
                (_, None) => "DROP IDENTITY IF EXISTS".to_owned(),
                (None, Some(to)) => format!("ADD {}", identity_words(*to)),
                (Some(from), Some(to)) => identity_changes(from, to),
            };
            alter_column(table, column, &words)
        }
        Change::AddConstraint { constraint } => alter(format!("ADD {}", POSTGRES.constraint_def(constraint))),
        Change::AttachConstraint { constraint, index } => alter(attach(constraint, index)),
        Change::DropConstraint { name } => alter(format!("DROP CONSTRAINT IF EXISTS {}", ident(name))),
        Change::RenameConstraint { from, to } => {
            alter(format!("RENAME CONSTRAINT {} TO {}", ident(from), ident(to)))
        }
    }
}

/// What an identity that stays one is told.
fn identity_changes(from: &Identity, to: &Identity) -> String {
    let mut all = Vec::new();
    if from.kind != to.kind {
        all.push(match to.kind {
            IdentityKind::Always => "SET GENERATED ALWAYS".to_owned(),
            IdentityKind::ByDefault => "SET GENERATED BY DEFAULT".to_owned(),
        });
    }
    all.extend(from.counting.changes_to(&to.counting).into_iter().map(|words| format!("SET {words}")));
    all.join(" ")
}

/// `ADD CONSTRAINT … USING INDEX …`.
pub(super) fn attach(constraint: &Constraint, index: &str) -> String {
    let name =
        constraint.name.as_ref().map(|name| format!("CONSTRAINT {} ", ident(name))).unwrap_or_default();
    let (kind, deferrable) = match &constraint.kind {
        ConstraintKind::PrimaryKey(_) => ("PRIMARY KEY", None),
        ConstraintKind::Unique(unique) => ("UNIQUE", unique.deferrable),
        _ => ("UNIQUE", None),
    };
    let deferrable = match deferrable {
        Some(Deferrable::Immediate) => " DEFERRABLE INITIALLY IMMEDIATE",
        Some(Deferrable::Deferred) => " DEFERRABLE INITIALLY DEFERRED",
        Some(Deferrable::Not) | None => "",
    };
    format!("ADD {name}{kind} USING INDEX {}{deferrable}", ident(index))
}

fn add_column(table: &ObjectName, column: &Column) -> String {
    let definition = POSTGRES.column_def(column, &Table::new(table.clone()), &[]);
    format!("ALTER TABLE {} ADD COLUMN {definition}", object(table))
}

/// `ALTER COLUMN`.
pub(super) fn alter_column(table: &ObjectName, column: &str, words: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} {words}", object(table), ident(column))
}

/// `RENAME COLUMN`.
pub(super) fn rename_column(table: &ObjectName, from: &str, to: &str) -> String {
    format!("ALTER TABLE {} RENAME COLUMN {} TO {}", object(table), ident(from), ident(to))
}

/// `ALTER INDEX … RENAME`.
pub(super) fn rename_index(from: &ObjectName, to: &str) -> String {
    format!("ALTER INDEX {} RENAME TO {}", object(from), ident(to))
}

fn rename_table(from: &ObjectName, to: &ObjectName) -> Vec<String> {
    let mut all = Vec::new();
    if from.name != to.name {
        all.push(format!("ALTER TABLE {} RENAME TO {}", object(from), ident(&to.name)));
    }
    if from.schema != to.schema {
        let moved = from.sibling(to.name.clone());
        all.push(format!("ALTER TABLE {} SET SCHEMA {}", object(&moved), schema_of(to)));
    }
    all
}

/// `DROP TABLE`.
pub(super) fn drop_table(table: &ObjectName) -> String {
    format!("DROP TABLE IF EXISTS {}", object(table))
}

/// Moves a relation into a schema of its own, with all that belongs to it.
pub(super) fn move_away(name: &ObjectName, hidden: &ObjectName) -> Vec<String> {
    vec![
        format!("CREATE SCHEMA IF NOT EXISTS {}", schema_of(hidden)),
        format!("ALTER TABLE {} SET SCHEMA {}", object(name), schema_of(hidden)),
    ]
}

/// Moves it back, and removes that schema.
pub(super) fn move_back(name: &ObjectName, hidden: &ObjectName) -> Vec<String> {
    let mut all = vec![format!("ALTER TABLE {} SET SCHEMA {}", object(hidden), schema_of(name))];
    all.extend(drop_own_schema(hidden));
    all
}

/// Removes the schema that was made for one hidden relation.
pub(super) fn drop_own_schema(hidden: &ObjectName) -> Option<String> {
    let schema = hidden.schema.as_ref().filter(|schema| schema.starts_with(pql_planner::HIDDEN_PREFIX))?;
    Some(format!("DROP SCHEMA IF EXISTS {}", ident(schema)))
}

fn schema_of(name: &ObjectName) -> String {
    ident(name.schema.as_deref().unwrap_or("public"))
}
