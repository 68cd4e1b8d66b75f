//! The plan while it grows: the model as it is after the steps so far, and the helpers with which rules add steps.

use std::collections::BTreeMap;

use pql_schema::{Column, Expr, Index, MigrationOp, MigrationStrategy, ObjectName, Schema, Table};

use crate::estimate::{Costs, METADATA_MILLIS, metadata};
use crate::exprs::columns_in;
use crate::names::Names;
use crate::text::normalise_in;
use crate::{
    Action, Backfill, Capabilities, ColumnSwap, Dialect, Estimate, Hazard, Held, Hold, IndexBuild, Lock,
    Phase, PlanError, Rebuild, Severity, Statistics, Step, TableStatistics, codes,
};

use crate::capabilities::REFERENCE_TABLE;

use super::PlanOptions;
use super::declare::redefine;
use super::row_key::row_key;

/// A plan in the making.
pub(super) struct Ladder<'a> {
    pub(super) caps: &'a Capabilities,
    pub(super) options: &'a PlanOptions,
    /// The database as it is after the steps so far, hidden columns included.
    pub(super) schema: Schema,
    pub(super) names: Names,
    /// Sizes under the names that the tables have now.
    sizes: BTreeMap<String, TableStatistics>,
    /// What hangs on the tables, under the names that they and it have now.
    held: BTreeMap<String, Vec<Held>>,
    /// The tables that one operation is about.
    pub(super) alone: Vec<ObjectName>,
    op: Option<usize>,
    /// Hazards that go to the operation's first step.
    pending: Vec<Hazard>,
    /// Steps that come after all others.
    last: Vec<Step>,
    parts: Parts,
}

/// What a plan consists of.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) steps: Vec<Step>,
    pub(super) rebuilds: Vec<Rebuild>,
    pub(super) index_builds: Vec<IndexBuild>,
    pub(super) column_swaps: Vec<ColumnSwap>,
    pub(super) hazards: Vec<Hazard>,
}

impl<'a> Ladder<'a> {
    pub(super) fn new(
        schema: Schema,
        caps: &'a Capabilities,
        stats: &'a Statistics,
        options: &'a PlanOptions,
    ) -> Self {
        let sizes =
            schema.tables.keys().map(|name| (schema.names.key(&name.to_string()), stats.of(name))).collect();
        let held = stats.holds.iter().map(|(name, held)| (schema.names.key(name), held.clone())).collect();
        let mut ladder = Self {
            caps,
            options,
            schema,
            names: Names::new(&options.tag),
            sizes,
            held,
            alone: Vec::new(),
            op: None,
            pending: Vec::new(),
            last: Vec::new(),
            parts: Parts::default(),
        };
        if caps.dialect == Dialect::Sqlite && !caps.snapshot_reads {
            let message = "the database is not in WAL mode: readers wait while a step writes";
            ladder.parts.hazards.push(hazard(codes::READERS_WAIT, Severity::Warning, message));
        }
        ladder
    }

    /// What has been planned. What cannot be taken back comes last, when nothing can fail any more.
    pub(super) fn finish(mut self) -> Parts {
        self.parts.steps.append(&mut self.last);
        self.parts
    }

    /// From here on, steps serve this operation.
    pub(super) fn begin(&mut self, at: usize, op: &MigrationOp) {
        self.op = Some(at);
        self.pending.clear();
        self.warn_of_loss(op);
    }

    /// What the operation loses, when that was not agreed to.
    pub(super) fn warn_of_loss(&mut self, op: &MigrationOp) {
        if self.options.allow_destructive || !op.is_destructive(&self.schema) {
            return;
        }
        let kept = if self.options.retain { "kept until it is purged" } else { "gone at once" };
        let (code, message) = match op {
            MigrationOp::DropTable { table } => {
                (codes::DROPS_TABLE, format!("the rows of {table} are {kept}"))
            }
            MigrationOp::DropColumn { table, column } => {
                (codes::DROPS_COLUMN, format!("the values of {table}.{column} are {kept}"))
            }
            MigrationOp::ChangeColumnType { table, column, to, .. } => {
                (codes::NARROWS_TYPE, format!("not every value of {table}.{column} may fit {to}"))
            }
            _ => return,
        };
        self.warn(code, Severity::Destructive, message);
    }

    /// Something to say with the next step.
    pub(super) fn warn(&mut self, code: &str, severity: Severity, message: impl Into<String>) {
        self.pending.push(hazard(code, severity, message));
    }

    /// Applies the operation to the model, and gives the table as it is then stored.
    pub(super) fn apply(&mut self, op: &MigrationOp) -> Result<(), PlanError> {
        let tables = op.tables(&self.schema);
        self.schema.apply(op)?;
        for name in tables {
            self.normalise(&name);
        }
        match op {
            MigrationOp::RenameTable { from, to } => {
                let size = self.sizes.remove(&self.key(from)).unwrap_or_default();
                self.sizes.insert(self.key(to), size);
                let held = self.held.remove(&self.key(from)).unwrap_or_default();
                self.held.insert(self.key(to), held);
            }
            MigrationOp::RenameColumn { table, from, to } => {
                let all = self.held.entry(self.schema.names.key(&table.to_string())).or_default();
                let columns = all.iter_mut().flat_map(|held| &mut held.columns);
                columns.filter(|column| *column == from).for_each(|column| column.clone_from(to));
            }
            MigrationOp::RenameConstraint { from, to, .. } => self.rename_held(from, to),
            MigrationOp::RenameIndex { from, to } => self.rename_held(&from.name, &to.name),
            MigrationOp::CreateTable { table } => {
                self.sizes.insert(self.key(&table.name), TableStatistics::default());
            }
            _ => {}
        }
        Ok(())
    }

    /// Applies an operation on a table to the model; gives the table as it was and as it is.
    pub(super) fn applied(
        &mut self,
        op: &MigrationOp,
        table: &ObjectName,
    ) -> Result<(Table, Table), PlanError> {
        let before = self.table(table)?;
        self.apply(op)?;
        Ok((before, self.table(table)?))
    }

    /// An index or constraint on which something hangs is called otherwise.
    fn rename_held(&mut self, from: &str, to: &str) {
        for held in
            self.held.values_mut().flatten().filter(|held| held.hold.is_attached() && held.name == from)
        {
            to.clone_into(&mut held.name);
        }
    }

    fn normalise(&mut self, name: &ObjectName) {
        let Some(spelled) = self.schema.table(name).map(|table| table.name.clone()) else { return };
        let dialect = self.caps.dialect;
        self.schema.tables.entry(spelled).and_modify(|table| normalise_in(dialect, table));
    }

    fn key(&self, name: &ObjectName) -> String {
        self.schema.names.key(&name.to_string())
    }

    /// The table as it is now.
    pub(super) fn table(&self, name: &ObjectName) -> Result<Table, PlanError> {
        self.schema.table(name).cloned().ok_or_else(|| {
            PlanError::new(codes::UNKNOWN_TABLE, format!("there is no table {name}"), "see DESCRIBE")
        })
    }

    /// What hangs on the table and is not in the model.
    pub(super) fn held(&self, table: &ObjectName) -> &[Held] {
        self.held.get(&self.key(table)).map_or(&[], Vec::as_slice)
    }

    /// Why a table cannot have triggers of ours; `None`: it can.
    pub(super) fn without_triggers(&self, table: &ObjectName) -> Option<String> {
        if self.caps.lacks.triggers {
            return Some(format!("{} has no triggers", self.caps.flavour.as_str()));
        }
        Some(match self.distributed_by(table)? {
            REFERENCE_TABLE => format!("{table} is a reference table of Citus, which has no triggers"),
            column => format!("{table} is distributed by {column}, and distributed tables have no triggers"),
        })
    }

    /// The column that says where a row of the table is, or [`REFERENCE_TABLE`]; `None`: all rows are here.
    pub(super) fn distributed_by(&self, table: &ObjectName) -> Option<&str> {
        let held = self.held(table).iter().find(|held| held.hold == Hold::Distributed)?;
        Some(&held.name)
    }

    /// What work on the table costs.
    pub(super) fn costs(&self, table: &ObjectName) -> Costs {
        let size = self.sizes.get(&self.key(table)).copied().unwrap_or_default();
        let costs = Costs::new(size, self.caps.rates);
        match self.caps.dialect {
            Dialect::Sqlite => costs,
            Dialect::Postgres => costs.with_large_rows(),
        }
    }

    /// Whether a lock of this length needs no other way.
    pub(super) fn is_brief(&self, millis: f64) -> bool {
        self.is_offline() || millis <= self.options.max_stall_ms.max(METADATA_MILLIS)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.options.strategy == MigrationStrategy::Offline
    }

    /// Whether no other operation of the migration is about the table.
    pub(super) fn is_alone(&self, table: &ObjectName) -> bool {
        self.alone.iter().any(|name| self.schema.same(name, table))
    }

    /// Whether the table has no rows, as far as is known.
    pub(super) fn is_empty(&self, table: &ObjectName) -> bool {
        self.costs(table).rows() == 0
    }

    // -- steps ------------------------------------------------------------------------------------------------------

    /// Adds a step; the lock follows from what it costs.
    pub(super) fn step(&mut self, phase: Phase, action: Action, undo: Vec<Action>, estimate: Estimate) {
        let lock = match () {
            () if estimate.lock_millis <= 0.0 => Lock::None,
            () if estimate.millis > estimate.lock_millis => Lock::Paced,
            () if estimate.lock_millis <= self.options.max_stall_ms.max(METADATA_MILLIS) => Lock::Short,
            () => Lock::Long,
        };
        let mut hazards = std::mem::take(&mut self.pending);
        if lock == Lock::Long {
            let message =
                format!("writers wait for about {}", crate::explain::duration(estimate.lock_millis));
            hazards.push(hazard(codes::LONG_LOCK, Severity::Warning, message));
        }
        self.parts.steps.push(Step {
            phase,
            op: self.op,
            action,
            undo,
            irreversible: false,
            lock,
            estimate: estimate.rounded(),
            hazards,
        });
    }

    /// A step that touches no row.
    pub(super) fn short(&mut self, phase: Phase, action: Action, undo: Vec<Action>) {
        self.step(phase, action, undo, metadata());
    }

    /// The last step has no way back.
    pub(super) fn irreversible(&mut self, message: impl Into<String>) {
        if let Some(step) = self.parts.steps.last_mut() {
            step.irreversible = true;
            step.undo.clear();
            step.hazards.push(hazard(codes::IRREVERSIBLE, Severity::Warning, message));
        }
    }

    /// A step without a way back, after all others.
    pub(super) fn give_up(&mut self, action: Action, estimate: Estimate, message: &str) {
        let pending = std::mem::take(&mut self.pending);
        self.step(Phase::Contract, action, Vec::new(), estimate);
        self.irreversible(message);
        self.last.extend(self.parts.steps.pop());
        self.pending = pending;
    }

    /// The same for a table that is out of sight.
    pub(super) fn give_up_table(&mut self, hidden: ObjectName, costs: Costs, message: &str) {
        let millis = costs.update();
        let estimate = if self.is_brief(millis) { costs.at_once(millis, 0) } else { costs.paced(millis, 0) };
        self.give_up(Action::DropTable { table: hidden }, estimate, message);
    }

    /// Another rebuild; its position in the plan.
    pub(super) fn add_rebuild(&mut self, rebuild: Rebuild) -> usize {
        self.parts.rebuilds.push(rebuild);
        self.parts.rebuilds.len() - 1
    }

    /// Another column that is replaced; its position in the plan.
    pub(super) fn add_swap(&mut self, swap: ColumnSwap) -> usize {
        self.parts.column_swaps.push(swap);
        self.parts.column_swaps.len() - 1
    }

    /// What a backfill of the table costs.
    pub(super) fn backfill_estimate(&self, table: &ObjectName, disk_bytes: u64) -> Estimate {
        let costs = self.costs(table);
        if self.is_brief(costs.update()) {
            costs.at_once(costs.update(), disk_bytes)
        } else {
            costs.paced(costs.update(), disk_bytes)
        }
    }

    /// Takes the last column away again: by the plain statement where that is short, otherwise by an edit of the
    /// definition, after which every row is written anew without it.
    pub(super) fn remove_last_column(&self, with: &Table, without: &Table) -> Vec<Action> {
        let Some(column) = with.columns.last() else { return Vec::new() };
        let drop = Action::DropColumn { table: with.name.clone(), column: column.name.clone() };
        // The plain statement refuses a column that a constraint of the table names.
        let free = Table { constraints: without.constraints.clone(), ..with.clone() };
        let plain =
            if free == *with { vec![drop] } else { vec![redefine(with, &free, Vec::new(), None), drop] };
        let brief = self.is_brief(self.costs(&with.name).update());
        let Some(first) = rewritable(without).filter(|_| !brief && self.caps.definition_edit) else {
            return plain;
        };
        if column.generated.as_ref().is_some_and(|generated| !generated.stored) {
            // Nothing of it is stored.
            return vec![redefine(with, without, Vec::new(), None)];
        }
        let Ok(rewrite) = refill(without, first, Expr::column(first)) else { return plain };
        vec![redefine(with, without, Vec::new(), None), Action::Backfill(rewrite)]
    }

    /// The actions that build an index, and what they cost.
    pub(super) fn build_index(&mut self, index: &Index, how: How) -> Result<Vec<Action>, PlanError> {
        if how == How::Plain {
            return Ok(vec![Action::CreateIndex { index: index.clone() }]);
        }
        let table = self.table(&index.table)?;
        let mut columns = Vec::new();
        for part in &index.parts {
            columns.extend(columns_in(&part.expr, &table));
        }
        if let Some(predicate) = &index.predicate {
            columns.extend(columns_in(predicate, &table));
        }
        columns.sort();
        columns.dedup();
        let capture = self.capture(&table, Some(columns))?;
        let helper = self.names.beside("index", &index.name);
        self.parts.index_builds.push(IndexBuild { index: index.clone(), capture, helper });
        let build = self.parts.index_builds.len() - 1;
        Ok(vec![
            Action::IndexPrepare { build },
            Action::IndexFill { build },
            Action::IndexVerify { build },
            Action::IndexPublish { build },
        ])
    }
}

/// How an index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By CREATE INDEX.
    Plain,
    /// Beside the application.
    Online,
}

pub(super) fn hazard(code: &str, severity: Severity, message: impl Into<String>) -> Hazard {
    Hazard { code: code.to_owned(), severity, message: message.into() }
}

/// A column that can be assigned to itself so that its row is written anew; one of no key, where there is one.
pub(super) fn rewritable(table: &Table) -> Option<&str> {
    let plain = |column: &&Column| column.generated.is_none();
    let in_key = |column: &Column| {
        table
            .primary_key()
            .is_some_and(|key| key.columns.iter().any(|part| part.column.eq_ignore_ascii_case(&column.name)))
    };
    let mut columns = table.columns.iter().filter(plain);
    let free = columns.clone().find(|column| !in_key(column));
    free.or_else(|| columns.next()).map(|column| column.name.as_str())
}

/// A fill of one column in every row.
pub(super) fn refill(table: &Table, column: &str, value: Expr) -> Result<Backfill, PlanError> {
    Ok(Backfill {
        table: table.name.clone(),
        key: row_key(table)?,
        assignments: vec![(column.to_owned(), value)],
        filter: None,
        capture: None,
        record: None,
    })
}
