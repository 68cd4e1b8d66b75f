//! What names what: the things that a change of a table, column or view would break or has to carry along.

use crate::reading::{Reading, denotes};
use crate::{
    Column, Constraint, ConstraintKind, Expr, ForeignKey, Index, IndexPart, NameRule, ObjectName, ObjectRef,
    Schema, Table,
};

impl Schema {
    /// What else refers to a table: foreign keys of other tables, and views and triggers that name it. Its own
    /// indexes, constraints and triggers belong to it and are not listed.
    pub fn dependants_of_table(&self, table: &ObjectName) -> Vec<ObjectRef> {
        let mut found: Vec<_> = self
            .keys_into(table)
            .filter(|(child, _, _)| !self.same(&child.name, table))
            .map(|(child, at, _)| {
                ObjectRef::Constraint(child.name.clone(), child.constraint_names().swap_remove(at))
            })
            .collect();
        found.extend(self.readers_of(table));
        found
    }

    /// What refers to a column: constraints, indexes and generated columns of its table, foreign keys of others, and
    /// views and triggers that use it.
    pub fn dependants_of_column(&self, table: &ObjectName, column: &str) -> Vec<ObjectRef> {
        let Some(owner) = self.table(table) else {
            return Vec::new();
        };
        let rule = self.names;
        let names = owner.constraint_names();
        let own = owner
            .constraints
            .iter()
            .zip(&names)
            .filter(|(constraint, _)| constraint.uses(owner, column, rule));
        let mut found: Vec<_> =
            own.map(|(_, name)| ObjectRef::Constraint(owner.name.clone(), name.clone())).collect();
        found.extend(
            owner
                .visible()
                .filter(|other| other.uses(column) && !rule.same(&other.name, column))
                .map(|other| ObjectRef::Column(owner.name.clone(), other.name.clone())),
        );
        found.extend(
            self.indexes_of(&owner.name)
                .filter(|index| index.uses(column, rule))
                .map(|index| ObjectRef::Index(index.name.clone())),
        );
        found.extend(
            self.keys_into(&owner.name)
                .filter(|(child, _, key)| {
                    !rule.same_object(&child.name, &owner.name)
                        && key.referenced.iter().any(|name| rule.same(name, column))
                })
                .map(|(child, at, _)| {
                    ObjectRef::Constraint(child.name.clone(), child.constraint_names().swap_remove(at))
                }),
        );
        for view in self.views.values() {
            if Reading::of_view(view, rule).uses(&owner.name, column) {
                found.push(ObjectRef::View(view.name.clone()));
            }
        }
        for trigger in self.triggers.values() {
            if Reading::of_trigger(trigger, rule).uses(&owner.name, column) {
                found.push(ObjectRef::Trigger(trigger.name.clone()));
            }
        }
        found
    }

    /// The views that read a table or view, and the triggers of others that name it.
    pub fn readers_of(&self, relation: &ObjectName) -> Vec<ObjectRef> {
        let views = self
            .views
            .values()
            .filter(|view| {
                !self.same(&view.name, relation) && Reading::of_view(view, self.names).reads(relation)
            })
            .map(|view| ObjectRef::View(view.name.clone()));
        let triggers = self
            .triggers
            .values()
            .filter(|trigger| {
                !self.same(&trigger.table, relation)
                    && Reading::of_trigger(trigger, self.names).reads(relation)
            })
            .map(|trigger| ObjectRef::Trigger(trigger.name.clone()));
        views.chain(triggers).collect()
    }

    /// Every foreign key that refers to the table (its own included), with the table it is of and its position there.
    pub(crate) fn keys_into<'a>(
        &'a self,
        parent: &'a ObjectName,
    ) -> impl Iterator<Item = (&'a Table, usize, &'a ForeignKey)> {
        self.tables
            .values()
            .flat_map(|table| {
                table
                    .constraints
                    .iter()
                    .enumerate()
                    .filter_map(move |(at, constraint)| Some((table, at, constraint.foreign_key()?)))
            })
            .filter(|(_, _, key)| self.same(&key.table, parent))
    }

    /// The foreign keys that would be left without a key to refer to: those into the table for which `still` (is there
    /// a key over these columns?) does not hold.
    pub(crate) fn keys_left_alone(
        &self,
        parent: &Table,
        still: impl Fn(&[String]) -> bool,
    ) -> Vec<ObjectRef> {
        self.keys_into(&parent.name)
            .filter(|(_, _, key)| !still(&key.referenced))
            .map(|(child, at, _)| {
                ObjectRef::Constraint(child.name.clone(), child.constraint_names().swap_remove(at))
            })
            .collect()
    }

    /// Whether a relation, as a text names it, may have a column of that name. A view's columns are not known.
    pub(crate) fn may_have_column(&self, relation: &ObjectName, column: &str) -> bool {
        let plain = ObjectName::new(relation.name.clone());
        let table = self
            .tables
            .find(self.names, relation)
            .or_else(|| self.tables.find(self.names, &plain))
            .filter(|(name, _)| denotes(self.names, relation, name));
        match table {
            Some((_, table)) => table.column(column, self.names).is_some(),
            None => self.views.keys().any(|view| denotes(self.names, relation, view)),
        }
    }
}

impl Constraint {
    /// The foreign key, if it is one.
    pub fn foreign_key(&self) -> Option<&ForeignKey> {
        match &self.kind {
            ConstraintKind::ForeignKey(key) => Some(key),
            _ => None,
        }
    }

    /// Whether it names the column of the table that it is of.
    pub(crate) fn uses(&self, table: &Table, column: &str, rule: NameRule) -> bool {
        let listed = |names: &[String]| names.iter().any(|name| rule.same(name, column));
        match &self.kind {
            ConstraintKind::Check { expr } => expr.mentions(column),
            ConstraintKind::Native { definition } => Expr::statement(definition.as_str()).mentions(column),
            ConstraintKind::ForeignKey(key) => {
                listed(&key.columns) || (rule.same_object(&key.table, &table.name) && listed(&key.referenced))
            }
            ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_) => {
                self.columns().iter().any(|name| rule.same(name, column))
            }
        }
    }
}

impl Column {
    /// Whether it is computed from the column.
    pub(crate) fn uses(&self, column: &str) -> bool {
        self.generated.as_ref().is_some_and(|generated| generated.expr.mentions(column))
    }
}

impl Index {
    /// Whether it names the column.
    pub(crate) fn uses(&self, column: &str, rule: NameRule) -> bool {
        let part = |part: &IndexPart| match &part.column {
            Some(name) => rule.same(name, column),
            None => part.expr.mentions(column),
        };
        self.parts.iter().any(part)
            || self.include.iter().any(|name| rule.same(name, column))
            || self.predicate.as_ref().is_some_and(|predicate| predicate.mentions(column))
    }
}
