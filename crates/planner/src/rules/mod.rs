//! From operations to a plan. One file per operation; each has one ladder per family of databases, named after it
//! (`sqlite`, `postgres`), or `plain` for both.
//!
//! [`plan`] applies the operations to the model one by one. What the model refuses becomes an error; what it accepts
//! is expanded by the operation's rule into steps. On SQLite a table that any operation has to rebuild is rebuilt
//! once for all of them (see `fold`); on PostgreSQL `constrain` and `swap_column` hold what several ladders share,
//! and `new_table` is what a table with several indexes gets instead of a new column.
//!
//! Invariant: the model after the last operation is the database after the last step, hidden columns included; every
//! `before` and `after` in the plan is taken from it.

mod add_column;
mod add_constraint;
mod add_index;
mod by_place;
mod change_column_type;
mod constrain;
mod create_table;
mod create_view;
mod declare;
mod distributed;
mod drop_column;
mod drop_constraint;
mod drop_default;
mod drop_index;
mod drop_not_null;
mod drop_table;
mod drop_view;
mod execute;
mod fold;
mod hindrances;
mod ladder;
mod new_table;
mod rebuild;
mod rename_column;
mod rename_constraint;
mod rename_index;
mod rename_table;
mod row_key;
mod separate;
mod set_column_options;
mod set_default;
mod set_not_null;
mod set_table_options;
mod supported;
mod supported_postgres;
mod swap_column;

use std::collections::BTreeSet;

use pql_schema::{MigrationOp, MigrationStrategy, ObjectName, Schema};

use crate::plan::FORMAT;
use crate::{Capabilities, Dialect, Plan, PlanError, Statistics};

use ladder::Ladder;

/// How a plan is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOptions {
    /// Online or offline.
    pub strategy: MigrationStrategy,
    /// Keep what is dropped or replaced, so that it can be brought back.
    pub retain: bool,
    /// The longest lock that a plain statement may be predicted to hold before the online way is taken, in
    /// milliseconds.
    pub max_stall_ms: f64,
    /// Whether losing data was agreed to; otherwise the plan's hazards say what would be lost.
    pub allow_destructive: bool,
    /// A short text that no other migration of the database has: names of what the plan creates contain it.
    pub tag: String,
}

/// What the operations need to be done to the schema, or why they cannot be.
pub fn plan(
    ops: &[MigrationOp],
    schema: &Schema,
    caps: &Capabilities,
    stats: &Statistics,
    options: &PlanOptions,
) -> Result<Plan, Vec<PlanError>> {
    let examined = fold::examine(ops, schema, caps, options.retain)?;
    let touches = touches(ops, schema);
    let mut ladder = Ladder::new(schema.clone(), caps, stats, options);
    ladder.alone = new_table::alone(ops, schema);
    for piece in examined {
        let Some((at, op)) = piece.ops.first() else { continue };
        ladder.begin(*at, op);
        let done = match caps.dialect {
            Dialect::Sqlite if piece.rebuild => rebuild::sqlite(&mut ladder, &piece.ops),
            Dialect::Sqlite => sqlite(&mut ladder, op),
            Dialect::Postgres => postgres(&mut ladder, op),
        };
        done.map_err(|error| vec![error.or_at(*at)])?;
    }
    let base = schema.fingerprint_of(&touches);
    let mut parts = ladder.finish();
    if caps.lacks.transactional_ddl {
        parts.steps = separate::separate(parts.steps);
    }
    Ok(Plan {
        format: FORMAT,
        strategy: options.strategy,
        touches,
        base,
        steps: parts.steps,
        rebuilds: parts.rebuilds,
        index_builds: parts.index_builds,
        column_swaps: parts.column_swaps,
        hazards: parts.hazards,
    })
}

/// The steps of one operation on SQLite.
fn sqlite(ladder: &mut Ladder<'_>, op: &MigrationOp) -> Result<(), PlanError> {
    match op {
        MigrationOp::CreateTable { table } => create_table::sqlite(ladder, op, table),
        MigrationOp::DropTable { table } => drop_table::sqlite(ladder, op, table),
        MigrationOp::RenameTable { from, to } => rename_table::plain(ladder, op, from, to),
        MigrationOp::SetTableOptions { table, .. } => set_table_options::plain(ladder, op, table),
        MigrationOp::AddColumn { table, column, backfill, .. } => {
            add_column::sqlite(ladder, op, table, &column.name, backfill.as_ref())
        }
        MigrationOp::DropColumn { table, column } => drop_column::sqlite(ladder, op, table, column),
        MigrationOp::RenameColumn { table, from, to } => rename_column::plain(ladder, op, table, from, to),
        MigrationOp::ChangeColumnType { table, column, .. } => {
            change_column_type::sqlite(ladder, op, table, column)
        }
        MigrationOp::SetNotNull { table, column, backfill } => {
            set_not_null::sqlite(ladder, op, table, column, backfill.as_ref())
        }
        MigrationOp::DropNotNull { table, column } => drop_not_null::sqlite(ladder, op, table, column),
        MigrationOp::SetDefault { table, column, default } => {
            set_default::sqlite(ladder, op, table, column, default)
        }
        MigrationOp::DropDefault { table, column } => drop_default::sqlite(ladder, op, table, column),
        MigrationOp::SetColumnOptions { table, .. } => set_column_options::sqlite(ladder, op, table),
        MigrationOp::AddIndex { index } => add_index::sqlite(ladder, op, index),
        MigrationOp::DropIndex { index } => drop_index::sqlite(ladder, op, index),
        MigrationOp::RenameIndex { from, to } => rename_index::sqlite(ladder, op, from, to),
        MigrationOp::AddConstraint { table, constraint } => {
            add_constraint::sqlite(ladder, op, table, constraint)
        }
        MigrationOp::DropConstraint { table, name } => drop_constraint::sqlite(ladder, op, table, name),
        MigrationOp::RenameConstraint { table, .. } => rename_constraint::sqlite(ladder, op, table),
        MigrationOp::CreateView { view } => create_view::plain(ladder, op, view),
        MigrationOp::DropView { view } => drop_view::sqlite(ladder, op, view),
        MigrationOp::Execute { sql, revert, outside_transaction } => {
            execute::plain(ladder, op, sql, revert.as_deref(), *outside_transaction)
        }
    }
}

/// The steps of one operation on PostgreSQL.
fn postgres(ladder: &mut Ladder<'_>, op: &MigrationOp) -> Result<(), PlanError> {
    distributed::examine(ladder, op)?;
    match op {
        MigrationOp::CreateTable { table } => create_table::postgres(ladder, op, table),
        MigrationOp::DropTable { table } => drop_table::postgres(ladder, op, table),
        MigrationOp::RenameTable { from, to } => rename_table::plain(ladder, op, from, to),
        MigrationOp::SetTableOptions { table, .. } => set_table_options::plain(ladder, op, table),
        MigrationOp::AddColumn { table, column, backfill, .. } => {
            add_column::postgres(ladder, op, table, &column.name, backfill.as_ref())
        }
        MigrationOp::DropColumn { table, column } => drop_column::postgres(ladder, op, table, column),
        MigrationOp::RenameColumn { table, from, to } => rename_column::plain(ladder, op, table, from, to),
        MigrationOp::ChangeColumnType { table, column, .. } => {
            change_column_type::postgres(ladder, op, table, column)
        }
        MigrationOp::SetNotNull { table, column, backfill } => {
            set_not_null::postgres(ladder, op, table, column, backfill.as_ref())
        }
        MigrationOp::DropNotNull { table, column } => drop_not_null::postgres(ladder, op, table, column),
        MigrationOp::SetDefault { table, column, .. } => set_default::postgres(ladder, op, table, column),
        MigrationOp::DropDefault { table, column } => drop_default::postgres(ladder, op, table, column),
        MigrationOp::SetColumnOptions { table, column, .. } => {
            set_column_options::postgres(ladder, op, table, column)
        }
        MigrationOp::AddIndex { index } => add_index::postgres(ladder, op, index),
        MigrationOp::DropIndex { index } => drop_index::postgres(ladder, op, index),
        MigrationOp::RenameIndex { from, to } => rename_index::postgres(ladder, op, from, to),
        MigrationOp::AddConstraint { table, .. } => add_constraint::postgres(ladder, op, table),
        MigrationOp::DropConstraint { table, name } => drop_constraint::postgres(ladder, op, table, name),
        MigrationOp::RenameConstraint { table, from, to } => {
            rename_constraint::postgres(ladder, op, table, from, to)
        }
        MigrationOp::CreateView { view } => create_view::plain(ladder, op, view),
        MigrationOp::DropView { view } => drop_view::postgres(ladder, op, view),
        MigrationOp::Execute { sql, revert, outside_transaction } => {
            execute::plain(ladder, op, sql, revert.as_deref(), *outside_transaction)
        }
    }
}

/// Whether SQLite has to rebuild the table for the operation, in the schema before it.
fn rebuilds(op: &MigrationOp, before: &Schema, caps: &Capabilities, retain: bool) -> bool {
    match op {
        MigrationOp::AddColumn { column, constraints, backfill, .. } => {
            add_column::rebuilds(column, constraints, backfill.as_ref(), caps)
        }
        MigrationOp::DropColumn { table, column } => {
            drop_column::rebuilds(before, table, column, caps, retain)
        }
        MigrationOp::ChangeColumnType { table, column, to, collation, using, .. } => {
            change_column_type::rebuilds(
                before,
                table,
                column,
                to,
                collation.as_deref(),
                using.as_ref(),
                caps,
            )
        }
        MigrationOp::AddConstraint { constraint, .. } => add_constraint::rebuilds(constraint, caps),
        MigrationOp::DropConstraint { table, name } => drop_constraint::rebuilds(before, table, name, caps),
        MigrationOp::SetTableOptions { table, options } => {
            before.table(table).is_some_and(|table| table.options != *options)
        }
        // Without edits of the stored definition, SQLite has no other way to do these.
        MigrationOp::SetNotNull { .. }
        | MigrationOp::DropNotNull { .. }
        | MigrationOp::SetDefault { .. }
        | MigrationOp::DropDefault { .. }
        | MigrationOp::SetColumnOptions { .. }
        | MigrationOp::RenameConstraint { .. } => !caps.definition_edit,
        MigrationOp::CreateTable { .. }
        | MigrationOp::DropTable { .. }
        | MigrationOp::RenameTable { .. }
        | MigrationOp::RenameColumn { .. }
        | MigrationOp::AddIndex { .. }
        | MigrationOp::DropIndex { .. }
        | MigrationOp::RenameIndex { .. }
        | MigrationOp::CreateView { .. }
        | MigrationOp::DropView { .. }
        | MigrationOp::Execute { .. } => false,
    }
}

/// The tables and views that the operations name, and those that foreign keys refer to.
fn touches(ops: &[MigrationOp], schema: &Schema) -> Vec<ObjectName> {
    let mut names: BTreeSet<ObjectName> = BTreeSet::new();
    for op in ops {
        names.extend(op.tables(schema));
        match op {
            MigrationOp::CreateView { view } => drop(names.insert(view.name.clone())),
            MigrationOp::DropView { view } => drop(names.insert(view.clone())),
            _ => {}
        }
    }
    // As the schema spells them; a name that is new stays as it is.
    let spelled = names.into_iter().map(|name| {
        let known =
            schema.table(&name).map(|table| &table.name).or(schema.view(&name).map(|view| &view.name));
        known.cloned().unwrap_or(name)
    });
    spelled.collect::<BTreeSet<_>>().into_iter().collect()
}
