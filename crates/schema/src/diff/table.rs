//! The comparison of one table with what the target makes of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::align::{Within, aligned_table, same_constraint};
use super::phases::Phases;
use crate::{Column, Constraint, ConstraintKind, Expr, MigrationOp, NameRule, Schema, Table, TableOptions};

/// What happens to a table.
pub(super) struct TableChange<'a> {
    /// The table after the renames.
    pub(super) now: &'a Table,
    /// The target in its spelling.
    pub(super) then: Cow<'a, Table>,
    /// Columns that go for good.
    gone: Vec<&'a Column>,
    /// Columns that go and come back different.
    again: BTreeSet<String>,
    /// Positions of the constraints that go, whether or not they come back.
    dropped: BTreeSet<usize>,
    /// Positions of the constraints that stay, with those in the target; empty for a table that is equal there.
    kept: BTreeMap<usize, usize>,
    /// Constraints that only change their names.
    renamed: Vec<(usize, String)>,
    /// Constraints that come.
    added: Vec<Constraint>,
}

/// A column that goes.
pub(super) struct LostColumn<'a> {
    pub(super) name: &'a str,
    pub(super) for_good: bool,
}

impl<'a> TableChange<'a> {
    /// A table whose target is equal, as long as nothing else forces a change.
    pub(super) fn none(now: &'a Table) -> Self {
        Self {
            now,
            then: Cow::Borrowed(now),
            gone: Vec::new(),
            again: BTreeSet::new(),
            dropped: BTreeSet::new(),
            kept: BTreeMap::new(),
            renamed: Vec::new(),
            added: Vec::new(),
        }
    }

    pub(super) fn between(schema: &'a Schema, now: &'a Table, target: &'a Schema, then: &'a Table) -> Self {
        let mut change = Self { then: Cow::Owned(aligned_table(schema, now, then)), ..Self::none(now) };
        change.compare_columns();
        change.match_constraints(schema, target);
        let loses_column = |at: &usize| {
            let constraint = &now.constraints[*at];
            change.lost().any(|lost| constraint.uses(now, lost.name, schema.names))
        };
        for at in change.kept.keys().copied().filter(loses_column).collect::<Vec<_>>() {
            change.recreate_constraint(at);
        }
        change
    }

    /// The columns that go.
    pub(super) fn lost(&self) -> impl Iterator<Item = LostColumn<'_>> {
        let gone = self.gone.iter().map(|column| LostColumn { name: &column.name, for_good: true });
        gone.chain(self.again.iter().map(|name| LostColumn { name, for_good: false }))
    }

    /// Whether the constraint at that position goes.
    pub(super) fn drops(&self, at: usize) -> bool {
        self.dropped.contains(&at)
    }

    /// The keys that are left when what goes is gone, before anything comes.
    pub(super) fn surviving(&self) -> Table {
        let mut table = self.now.clone();
        let mut at = 0;
        table.constraints.retain(|_| {
            at += 1;
            !self.drops(at - 1)
        });
        table
    }

    /// Whether a key goes that others may refer to.
    pub(super) fn drops_keys(&self) -> bool {
        let is_key = |at: &usize| {
            matches!(
                self.now.constraints[*at].kind,
                ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_)
            )
        };
        self.dropped.iter().any(is_key)
    }

    /// A constraint that both sides have goes and comes back, in the target's words: those of the current one may mean
    /// something else by then.
    pub(super) fn recreate_constraint(&mut self, at: usize) {
        if self.dropped.insert(at) {
            let target = self.kept.get(&at).copied().unwrap_or(at);
            let mut constraint = self.then.constraints[target].clone();
            constraint.name = constraint.name.or_else(|| self.now.constraints[at].name.clone());
            self.renamed.retain(|(other, _)| *other != at);
            self.added.push(constraint);
        }
    }

    /// The constraints that come.
    pub(super) fn added(&self) -> &[Constraint] {
        &self.added
    }

    fn compare_columns(&mut self) {
        for column in self.now.visible() {
            match self.then.columns.iter().find(|other| other.name == column.name) {
                None => self.gone.push(column),
                Some(other) if must_come_again(column, other) => {
                    self.again.insert(column.name.clone());
                }
                Some(_) => {}
            }
        }
        // What is computed from a column that goes has to go before it, and comes back after it.
        loop {
            let is_lost = |name: &str| self.lost().any(|lost| lost.name == name);
            let uses_lost = |column: &&Column| self.lost().any(|lost| column.uses(lost.name));
            let mut staying = self.now.visible().filter(|column| !is_lost(&column.name));
            let Some(column) = staying.find(uses_lost) else {
                return;
            };
            let name = column.name.clone();
            self.again.insert(name);
        }
    }

    /// Pairs the constraints of both sides.
    fn match_constraints(&mut self, schema: &Schema, target: &Schema) {
        let now = Within { schema, table: self.now };
        let then = Within { schema: target, table: &self.then };
        let mut open: BTreeSet<usize> = (0..self.now.constraints.len()).collect();
        let mut wanted: Vec<(usize, &Constraint)> = self.then.constraints.iter().enumerate().collect();
        let mut kept = BTreeMap::new();
        let mut renamed = Vec::new();
        let same =
            |at: usize, wanted: &Constraint| same_constraint(now, &self.now.constraints[at], then, wanted);
        // By name first; one of the same name and another content goes and comes.
        let mut replaced = BTreeSet::new();
        wanted.retain(|&(target, wanted)| {
            let named = |at: &usize| wanted.name.is_some() && self.now.constraints[*at].name == wanted.name;
            let Some(at) = open.iter().copied().find(named) else {
                return true;
            };
            open.remove(&at);
            if same(at, wanted) {
                kept.insert(at, target);
                return false;
            }
            replaced.insert(at);
            true
        });
        // Then by content: a target without a name leaves the name to the database, and one with another name only
        // renames. Unnamed ones pair with unnamed ones before that.
        for unnamed_target in [true, false] {
            for unnamed_now in [true, false] {
                wanted.retain(|&(target, wanted)| {
                    let fits = |at: &usize| {
                        self.now.constraints[*at].name.is_none() == unnamed_now && same(*at, wanted)
                    };
                    if wanted.name.is_none() != unnamed_target {
                        return true;
                    }
                    let Some(at) = open.iter().copied().find(fits) else {
                        return true;
                    };
                    open.remove(&at);
                    kept.insert(at, target);
                    renamed.extend(wanted.name.clone().map(|name| (at, name)));
                    false
                });
            }
        }
        self.added = wanted.into_iter().map(|(_, constraint)| constraint.clone()).collect();
        self.renamed = renamed;
        self.dropped = open.union(&replaced).copied().collect();
        self.kept = kept;
    }

    /// Puts the operations into their phases.
    pub(super) fn emit(&self, names: NameRule, phases: &mut Phases) {
        self.emit_constraints(phases);
        self.emit_columns(names, phases);
        let set = |options: &TableOptions| MigrationOp::SetTableOptions {
            table: self.now.name.clone(),
            options: options.clone(),
        };
        let mut between = self.now.options.clone();
        if between.strict && !self.then.options.strict {
            between.strict = false;
        }
        // Without a rowid the key is all that a row is known by: while it is exchanged there has to be one.
        if between.without_rowid && self.drops_key() {
            between.without_rowid = false;
        }
        if between != self.now.options {
            phases.leave_options.push(set(&between));
        }
        if between != self.then.options {
            phases.set_table_options.push(set(&self.then.options));
        }
    }

    fn drops_key(&self) -> bool {
        let is_key = |at: &usize| matches!(self.now.constraints[*at].kind, ConstraintKind::PrimaryKey(_));
        self.dropped.iter().any(is_key)
    }

    fn emit_constraints(&self, phases: &mut Phases) {
        let table = || self.now.name.clone();
        // Names of unnamed constraints count those before them, so they are read off a table that shrinks along.
        let mut left = self.now.clone();
        let mut positions: Vec<usize> = (0..left.constraints.len()).collect();
        for keys in [true, false] {
            for &at in self.dropped.iter().rev() {
                if self.now.constraints[at].foreign_key().is_some() != keys {
                    continue;
                }
                let Some(position) = positions.iter().position(|&other| other == at) else {
                    continue;
                };
                let name = left.constraint_names().swap_remove(position);
                left.constraints.remove(position);
                positions.remove(position);
                let op = MigrationOp::DropConstraint { table: table(), name };
                if keys { &mut phases.drop_foreign_keys } else { &mut phases.drop_constraints }.push(op);
            }
        }
        for (at, to) in &self.renamed {
            let Some(position) = positions.iter().position(|other| other == at) else {
                continue;
            };
            let from = left.constraint_names().swap_remove(position);
            left.constraints[position].name = Some(to.clone());
            phases.rename_constraints.push(MigrationOp::RenameConstraint {
                table: table(),
                from,
                to: to.clone(),
            });
        }
        for constraint in &self.added {
            let op = MigrationOp::AddConstraint { table: table(), constraint: constraint.clone() };
            match constraint.kind {
                ConstraintKind::ForeignKey(_) => phases.add_foreign_keys.push(op),
                _ => phases.add_constraints.push(op),
            }
        }
    }

    fn emit_columns(&self, names: NameRule, phases: &mut Phases) {
        let add = |column: &Column| MigrationOp::AddColumn {
            table: self.now.name.clone(),
            column: column.clone(),
            constraints: Vec::new(),
            backfill: self.values_of_former(column),
        };
        let drop = |column: &Column| MigrationOp::DropColumn {
            table: self.now.name.clone(),
            column: column.name.clone(),
        };
        let is_new = |column: &Column| !self.now.visible().any(|other| other.name == column.name);
        let is_again = |column: &Column| self.again.contains(&column.name);
        let is_lost = |column: &&Column| self.lost().any(|lost| lost.name == column.name);

        let (generated, plain): (Vec<&Column>, Vec<&Column>) =
            self.now.visible().filter(is_lost).partition(|column| column.generated.is_some());
        phases.drop_generated_columns.extend(computed_last(generated).into_iter().rev().map(drop));
        phases.drop_columns.extend(plain.into_iter().map(drop));

        let coming = self.then.columns.iter().filter(|column| is_new(column) || is_again(column));
        let (generated, plain): (Vec<&Column>, Vec<&Column>) =
            coming.partition(|column| column.generated.is_some());
        phases.add_generated_columns.extend(computed_last(generated).into_iter().map(add));
        let (new, former): (Vec<&Column>, Vec<&Column>) =
            plain.into_iter().partition(|column| is_new(column));
        phases.add_columns.extend(new.into_iter().map(add));
        phases.add_former_generated_columns.extend(former.into_iter().map(add));

        for column in self.now.visible().filter(|column| !is_again(column)) {
            if let Some(other) = self.then.columns.iter().find(|other| other.name == column.name) {
                self.emit_column(names, phases, column, other);
            }
        }
    }

    /// A column that is no longer generated keeps the values that it had, computed once more from what is there by
    /// then: all but the generated columns that go.
    fn values_of_former(&self, column: &Column) -> Option<Expr> {
        let visible = || self.now.visible();
        let former = visible().find(|other| other.name == column.name)?;
        let expr = &former.generated.as_ref().filter(|_| column.generated.is_none())?.expr;
        let is_there =
            |other: &Column| other.generated.is_none() || !self.lost().any(|lost| lost.name == other.name);
        visible().all(|other| is_there(other) || !expr.mentions(&other.name)).then(|| expr.clone())
    }

    fn emit_column(&self, names: NameRule, phases: &mut Phases, now: &Column, then: &Column) {
        let table = || self.now.name.clone();
        let column = || now.name.clone();
        let ops = &mut phases.change_columns;
        let retyped = now.data_type != then.data_type || now.collation != then.collation;
        let default_changes = now.default != then.default;
        // A default that changes with the type may fit neither the old nor the new type beside the other one.
        if default_changes && now.default.is_some() && (retyped || then.default.is_none()) {
            ops.push(MigrationOp::DropDefault { table: table(), column: column() });
        }
        if retyped {
            ops.push(MigrationOp::ChangeColumnType {
                table: table(),
                column: column(),
                to: then.data_type.clone(),
                // Where none is said, the column keeps the one that it has.
                collation: then.collation.clone().or_else(|| {
                    let given_up = now.collation.is_some() && then.data_type.has_collation(names);
                    given_up.then(|| names.usual_collation().to_owned())
                }),
                using: None,
                revert_using: None,
            });
        }
        let options = |identity, not_null_conflict| MigrationOp::SetColumnOptions {
            table: table(),
            column: column(),
            identity,
            not_null_conflict,
        };
        // An identity excludes a default, so the one goes before the other comes.
        let leaves_identity = now.identity.is_some() && then.identity.is_none();
        let leaves_conflict = now.not_null_conflict.is_some() && then.not_null_conflict.is_none();
        let mut between = now.clone();
        if leaves_identity || leaves_conflict {
            between.identity = between.identity.filter(|_| !leaves_identity);
            between.not_null_conflict = between.not_null_conflict.filter(|_| !leaves_conflict);
            ops.push(options(between.identity, between.not_null_conflict));
        }
        if default_changes && let Some(default) = &then.default {
            ops.push(MigrationOp::SetDefault { table: table(), column: column(), default: default.clone() });
        }
        if now.not_null && !then.not_null {
            ops.push(MigrationOp::DropNotNull { table: table(), column: column() });
        }
        if then.not_null && !now.not_null {
            ops.push(MigrationOp::SetNotNull { table: table(), column: column(), backfill: None });
        }
        if between.identity != then.identity || between.not_null_conflict != then.not_null_conflict {
            ops.push(options(then.identity, then.not_null_conflict));
        }
    }
}

/// Whether a column has to go and come back: there is no operation that makes one computed, or computes it otherwise.
fn must_come_again(now: &Column, then: &Column) -> bool {
    now.generated != then.generated
        || (now.generated.is_some() && (now.data_type != then.data_type || now.collation != then.collation))
}

/// The columns in an order in which each comes after those that it is computed from.
fn computed_last(mut columns: Vec<&Column>) -> Vec<&Column> {
    let mut ordered = Vec::with_capacity(columns.len());
    while !columns.is_empty() {
        let ready = columns.iter().position(|column| {
            !columns.iter().any(|other| other.name != column.name && column.uses(&other.name))
        });
        ordered.push(columns.remove(ready.unwrap_or(0)));
    }
    ordered
}
