//! PostgreSQL: constraints, keys, NOT NULL and indexes without a long lock.
//!
//! What the rows have to fulfil is asked of them first (so that a row which does not is named before anything changes,
//! and no write of the application is refused for its sake), then declared NOT VALID, then examined by the database in
//! a transaction of its own, which keeps nobody from reading and writing.

use pql_schema::{Constraint, ConstraintKind, Expr, Index, IndexPart, KeyPart, ObjectName, Table};

use crate::estimate::metadata;
use crate::text::{postgres_ident, postgres_object, string};
use crate::{Action, Backfill, Change, Check, Held, Hold, Phase, Severity, codes};

use super::declare::check_of;
use super::ladder::Ladder;
use super::row_key::postgres_row_key;

impl Ladder<'_> {
    /// Declares a constraint, by its name, of a table. `fresh`: the operation made the column it is about.
    pub(super) fn constrain(&mut self, table: &Table, constraint: &Constraint, fresh: bool) {
        match &constraint.kind {
            ConstraintKind::PrimaryKey(key) => self.unique_key(table, constraint, &key.columns),
            ConstraintKind::Unique(unique) => self.unique_key(table, constraint, &unique.columns),
            ConstraintKind::Native { definition } => {
                let costs = self.costs(&table.name);
                if !self.is_brief(costs.index()) {
                    let message = format!(
                        "{definition} cannot be declared beside the application: it has no other way"
                    );
                    self.warn(codes::NOT_ONLINE, Severity::Warning, message);
                }
                let estimate = costs.at_once(costs.index(), 0);
                let undo = vec![alter(table, drop_constraint(constraint))];
                let action = alter(table, vec![Change::AddConstraint { constraint: constraint.clone() }]);
                self.step(Phase::Validate, action, undo, estimate);
            }
            ConstraintKind::Check { .. } | ConstraintKind::ForeignKey(_) => {
                self.rule(table, constraint, fresh);
            }
        }
    }

    /// CHECK and FOREIGN KEY.
    fn rule(&mut self, table: &Table, constraint: &Constraint, fresh: bool) {
        let undo = vec![alter(table, drop_constraint(constraint))];
        let checks: Vec<Check> = check_of(table, constraint).into_iter().collect();
        let millis = self.check_millis(&table.name, &checks);
        let add = |constraint: Constraint| vec![Change::AddConstraint { constraint }];
        let at_once = self.is_declared_at_once(table, constraint);
        if at_once && !self.is_brief(millis) && !constraint.not_valid {
            let message = format!(
                "{} is partitioned: the rows are examined while nobody writes, when its foreign key is declared",
                table.name
            );
            self.warn(codes::NOT_ONLINE, Severity::Warning, message);
        }
        if self.is_brief(millis) || constraint.not_valid || at_once {
            let estimate =
                if constraint.not_valid { metadata() } else { self.costs(&table.name).at_once(millis, 0) };
            let action = alter(table, add(constraint.clone()));
            self.step(Phase::Validate, action, undo, estimate);
            return;
        }
        let costs = self.costs(&table.name);
        if !fresh {
            let action = Action::Validate { table: table.name.clone(), checks, captured: None };
            self.step(Phase::Validate, action, Vec::new(), costs.unlocked(millis));
        }
        let loose = Constraint { not_valid: true, ..constraint.clone() };
        let action = alter(table, add(loose));
        self.short(Phase::Validate, action, undo);
        if let Some(action) = validation(table, constraint) {
            self.step(Phase::Validate, action, Vec::new(), costs.unlocked(millis));
        }
    }

    /// A constraint goes; the way back declares it again.
    pub(super) fn unconstrain(&mut self, without: &Table, constraint: &Constraint) {
        let mut undo = self.constrain_actions(without, constraint);
        undo.extend(constraint.name.as_deref().and_then(|name| self.attach_again(&without.name, name)));
        let action = alter(without, drop_constraint(constraint));
        self.short(Phase::Cutover, action, undo);
    }

    /// What hangs on an index or constraint and goes with it: comments, CLUSTER ON, REPLICA IDENTITY.
    fn attach_again(&self, table: &ObjectName, name: &str) -> Option<Action> {
        let relation = postgres_object(table);
        let (ident, index) = (postgres_ident(name), postgres_object(&table.sibling(name)));
        let statement = |held: &Held| {
            let text = || string(held.definition.as_deref().unwrap_or_default());
            Some(match held.hold {
                Hold::ConstraintComment => {
                    format!("COMMENT ON CONSTRAINT {ident} ON {relation} IS {}", text())
                }
                Hold::IndexComment => format!("COMMENT ON INDEX {index} IS {}", text()),
                Hold::Clustered => format!("ALTER TABLE {relation} CLUSTER ON {ident}"),
                Hold::IdentityIndex => format!("ALTER TABLE {relation} REPLICA IDENTITY USING INDEX {ident}"),
                _ => return None,
            })
        };
        let on_it = self.held(table).iter().filter(|held| held.name == name);
        let all: Vec<String> = on_it.filter_map(statement).collect();
        let sql = all.join("; ");
        (!sql.is_empty()).then_some(Action::Execute { sql, outside_transaction: false })
    }

    /// The actions that declare a constraint.
    pub(super) fn constrain_actions(&mut self, table: &Table, constraint: &Constraint) -> Vec<Action> {
        let add = |constraint: Constraint| vec![Change::AddConstraint { constraint }];
        match &constraint.kind {
            ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_)
                if !self.is_brief(self.costs(&table.name).index()) && !self.is_partitioned(&table.name) =>
            {
                let index = Index {
                    name: self.names.beside("key", &table.name),
                    ..key_index(&table.name, constraint)
                };
                let attach = Change::AttachConstraint {
                    constraint: constraint.clone(),
                    index: index.name.name.clone(),
                };
                vec![Action::CreateIndexConcurrently { index }, alter(table, vec![attach])]
            }
            ConstraintKind::Check { .. } | ConstraintKind::ForeignKey(_) => {
                let checks: Vec<Check> = check_of(table, constraint).into_iter().collect();
                if constraint.not_valid
                    || self.is_brief(self.check_millis(&table.name, &checks))
                    || self.is_declared_at_once(table, constraint)
                {
                    let look = Action::Validate { table: table.name.clone(), checks, captured: None };
                    let declare = alter(table, add(constraint.clone()));
                    return if constraint.not_valid { vec![declare] } else { vec![look, declare] };
                }
                let loose = Constraint { not_valid: true, ..constraint.clone() };
                let look = Action::Validate { table: table.name.clone(), checks, captured: None };
                let mut actions = vec![look, alter(table, add(loose))];
                actions.extend(validation(table, constraint));
                actions
            }
            _ => vec![alter(table, add(constraint.clone()))],
        }
    }

    /// PRIMARY KEY and UNIQUE.
    fn unique_key(&mut self, table: &Table, constraint: &Constraint, parts: &[KeyPart]) {
        let costs = self.costs(&table.name);
        let loose: Vec<String> = parts
            .iter()
            .filter(|_| constraint.is_primary_key())
            .filter(|part| table.columns.iter().any(|column| column.name == part.column && !column.not_null))
            .map(|part| part.column.clone())
            .collect();
        let mut undo = drop_constraint(constraint);
        undo.extend(loose.iter().map(|column| Change::DropNotNull { column: column.clone() }));
        let undo = vec![alter(table, undo)];
        let partitioned = self.is_partitioned(&table.name);
        if self.is_brief(costs.index()) || partitioned {
            if !self.is_brief(costs.index()) {
                let message =
                    format!("{} is partitioned: its indexes are not built CONCURRENTLY", table.name);
                self.warn(codes::NOT_ONLINE, Severity::Warning, message);
            }
            let estimate = costs.at_once(costs.index(), 0);
            let action = alter(table, vec![Change::AddConstraint { constraint: constraint.clone() }]);
            self.step(Phase::Validate, action, undo, estimate);
            return;
        }
        let index =
            Index { name: self.names.beside("key", &table.name), ..key_index(&table.name, constraint) };
        self.index(Phase::Validate, &index);
        let mut changes = Vec::new();
        let mut proofs = Vec::new();
        for column in &loose {
            let proof = self.prove_not_null(Phase::Validate, table, column);
            changes.push(Change::SetNotNull { column: column.clone() });
            proofs.push(Change::DropConstraint { name: proof });
        }
        changes.push(Change::AttachConstraint {
            constraint: constraint.clone(),
            index: index.name.name.clone(),
        });
        changes.extend(proofs);
        self.short(Phase::Cutover, alter(table, changes), undo);
    }

    // -- NOT NULL ---------------------------------------------------------------------------------------------------

    /// NULL is no longer accepted. What comes with NULL after the rows were filled gets `fill`, too.
    pub(super) fn require_not_null(&mut self, table: &Table, column: &str, fill: Option<&Expr>) {
        let costs = self.costs(&table.name);
        let own = column.to_owned();
        let undo = vec![alter(table, vec![Change::DropNotNull { column: own.clone() }])];
        let check = Check::NotNull { column: own.clone(), fill: None };
        if self.is_brief(costs.scan()) {
            let action = alter(table, vec![Change::SetNotNull { column: own }]);
            self.step(Phase::Cutover, action, undo, costs.at_once(costs.scan(), 0));
            return;
        }
        if fill.is_none() {
            let action = Action::Validate { table: table.name.clone(), checks: vec![check], captured: None };
            self.step(Phase::Validate, action, Vec::new(), costs.unlocked(costs.scan()));
        }
        let proof = match fill {
            None => self.prove_not_null(Phase::Validate, table, column),
            Some(value) => {
                let (proof, add, validate) = self.not_null_proof(table, column);
                self.short(
                    Phase::Validate,
                    add,
                    vec![alter(table, vec![Change::DropConstraint { name: proof.clone() }])],
                );
                // From here on no NULL comes; those that came since the fill are few.
                let stragglers = Backfill {
                    table: table.name.clone(),
                    key: postgres_row_key(&self.schema, table, None),
                    assignments: vec![(column.to_owned(), value.clone())],
                    filter: Some(Expr::statement(format!("{} IS NULL", postgres_ident(column)))),
                    capture: None,
                    record: None,
                };
                let estimate = costs.unlocked(costs.scan());
                self.step(Phase::Validate, Action::Backfill(stragglers), Vec::new(), estimate);
                self.step(Phase::Validate, validate, Vec::new(), costs.unlocked(costs.scan()));
                proof
            }
        };
        let changes = vec![Change::SetNotNull { column: own }, Change::DropConstraint { name: proof }];
        self.short(Phase::Cutover, alter(table, changes), undo);
    }

    /// The steps that prove a column to have no NULL; gives the name of the check that says so.
    fn prove_not_null(&mut self, phase: Phase, table: &Table, column: &str) -> String {
        let (proof, add, validate) = self.not_null_proof(table, column);
        let undo = vec![alter(table, vec![Change::DropConstraint { name: proof.clone() }])];
        self.short(phase, add, undo);
        let costs = self.costs(&table.name);
        self.step(phase, validate, Vec::new(), costs.unlocked(costs.scan()));
        proof
    }

    /// A check that the column is not NULL: its name, the action that declares it, the one that examines it.
    pub(super) fn not_null_proof(&mut self, table: &Table, column: &str) -> (String, Action, Action) {
        let name = self.names.next("not_null", column);
        let constraint = Constraint { not_valid: true, ..not_null_check(&name, column) };
        let add = alter(table, vec![Change::AddConstraint { constraint }]);
        let validate = Action::ValidateConstraint {
            table: table.name.clone(),
            constraint: name.clone(),
            check: Check::NotNull { column: column.to_owned(), fill: None },
        };
        (name, add, validate)
    }

    /// The actions that make a column refuse NULL.
    pub(super) fn set_not_null_actions(&mut self, table: &Table, column: &str) -> Vec<Action> {
        let set = Change::SetNotNull { column: column.to_owned() };
        let check = Check::NotNull { column: column.to_owned(), fill: None };
        let look = Action::Validate { table: table.name.clone(), checks: vec![check], captured: None };
        if self.is_brief(self.costs(&table.name).scan()) {
            return vec![look, alter(table, vec![set])];
        }
        let (proof, add, validate) = self.not_null_proof(table, column);
        let declare = alter(table, vec![set, Change::DropConstraint { name: proof }]);
        vec![look, add, validate, declare]
    }

    // -- indexes ----------------------------------------------------------------------------------------------------

    /// Builds an index.
    pub(super) fn index(&mut self, phase: Phase, index: &Index) {
        let costs = self.costs(&index.table);
        let columns = self.schema.table(&index.table).map_or(1, |table| table.columns.len());
        let bytes = costs.index_bytes(index.parts.len(), columns);
        let action = self.index_action(index);
        if self.is_partitioned(&index.table) && !self.is_brief(costs.index()) {
            let message = format!("{} is partitioned: its indexes are not built CONCURRENTLY", index.table);
            self.warn(codes::NOT_ONLINE, Severity::Warning, message);
        }
        let (undo, estimate) = match &action {
            Action::CreateIndex { .. } => {
                (Action::DropIndex { index: index.name.clone() }, costs.at_once(costs.index(), bytes))
            }
            _ => (
                Action::DropIndexConcurrently { index: index.name.clone() },
                crate::Estimate { disk_bytes: bytes, ..costs.unlocked(2.0 * costs.index()) },
            ),
        };
        self.step(phase, action, vec![undo], estimate);
    }

    /// Whether the rows are in partitions, where PostgreSQL knows no CONCURRENTLY.
    fn is_partitioned(&self, table: &ObjectName) -> bool {
        self.held(table).iter().any(|held| held.hold == Hold::Partitioned)
    }

    /// Whether PostgreSQL has no NOT VALID for the constraint.
    fn is_declared_at_once(&self, table: &Table, constraint: &Constraint) -> bool {
        matches!(constraint.kind, ConstraintKind::ForeignKey(_)) && self.is_partitioned(&table.name)
    }

    /// The action that builds an index.
    pub(super) fn index_action(&self, index: &Index) -> Action {
        if self.is_brief(self.costs(&index.table).index()) || self.is_partitioned(&index.table) {
            Action::CreateIndex { index: index.clone() }
        } else {
            Action::CreateIndexConcurrently { index: index.clone() }
        }
    }

    /// An index goes; the way back builds it again.
    pub(super) fn drop_index(&mut self, phase: Phase, index: &Index) {
        let mut undo = vec![self.index_action(index)];
        undo.extend(self.attach_again(&index.table, &index.name.name));
        let costs = self.costs(&index.table);
        if self.is_brief(costs.index()) || self.is_partitioned(&index.table) {
            let action = Action::DropIndex { index: index.name.clone() };
            self.short(phase, action, undo);
        } else {
            let action = Action::DropIndexConcurrently { index: index.name.clone() };
            self.step(phase, action, undo, costs.unlocked(costs.drop_index()));
        }
    }

    /// A hidden column that is given up with the migration is none of the model's any more.
    pub(super) fn forget_column(&mut self, table: &ObjectName, hidden: &str) {
        if let Some(name) = self.schema.table(table).map(|table| table.name.clone()) {
            self.schema
                .tables
                .entry(name)
                .and_modify(|table| table.columns.retain(|column| column.name != hidden));
        }
    }
}

/// The action that has the database examine a constraint; none for one that is to stay NOT VALID.
pub(super) fn validation(table: &Table, constraint: &Constraint) -> Option<Action> {
    let name = constraint.name.clone()?;
    let mut check = check_of(table, constraint)?;
    if let Check::Holds { name: said, .. } | Check::References { name: said, .. } = &mut check {
        said.clone_from(&name);
    }
    Some(Action::ValidateConstraint { table: table.name.clone(), constraint: name, check })
}

/// Changes of a table's definition.
pub(super) fn alter(table: &Table, changes: Vec<Change>) -> Action {
    Action::Alter { table: table.name.clone(), changes }
}

/// A check that the column is not NULL.
pub(super) fn not_null_check(name: &str, column: &str) -> Constraint {
    let expr = Expr::statement(format!("{} IS NOT NULL", postgres_ident(column)));
    Constraint { name: Some(name.to_owned()), kind: ConstraintKind::Check { expr }, not_valid: false }
}

/// The index that a key has, under the key's name.
pub(super) fn key_index(table: &ObjectName, constraint: &Constraint) -> Index {
    let nulls_not_distinct =
        matches!(&constraint.kind, ConstraintKind::Unique(unique) if unique.nulls_not_distinct);
    Index {
        name: table.sibling(constraint.effective_name(&table.name)),
        table: table.clone(),
        unique: true,
        method: None,
        parts: constraint.columns().into_iter().map(IndexPart::column).collect(),
        include: Vec::new(),
        nulls_not_distinct,
        predicate: None,
        with: None,
    }
}

fn drop_constraint(constraint: &Constraint) -> Vec<Change> {
    constraint.name.iter().map(|name| Change::DropConstraint { name: name.clone() }).collect()
}
