//! ADD, DROP and RENAME of columns.

use super::{Applied, ApplyError};
use crate::near::near;
use crate::reading::Reading;
use crate::{
    Column, Constraint, ConstraintKind, Expr, Index, MigrationOp, NameRule, ObjectName, ObjectRef, Schema,
    Table,
};

impl Schema {
    pub(super) fn add_column(
        &mut self,
        table: &ObjectName,
        column: &Column,
        constraints: &[Constraint],
    ) -> Applied {
        let mut changed = self.known_table(table)?.clone();
        if let Some(taken) = changed.column(&column.name, self.names) {
            let what = ObjectRef::Column(changed.name.clone(), taken.name.clone());
            return Err(ApplyError::AlreadyExists { what });
        }
        changed.columns.push(column.clone());
        changed.constraints.extend_from_slice(constraints);
        changed.check_columns(self.names)?;
        for constraint in constraints {
            self.check_constraint(&changed, constraint)?;
        }
        self.tables.insert(changed.name.clone(), changed);
        Ok(())
    }

    /// Refused as long as anything names the column; [`Schema::implied_by`] has what usually goes before.
    pub(super) fn drop_column(&mut self, table: &ObjectName, column: &str) -> Applied {
        let rule = self.names;
        let owner = self.known_table(table)?;
        let column = owner.known_column(column, rule)?.name.clone();
        let table = owner.name.clone();
        if owner.visible().count() == 1 {
            return Err(ApplyError::NoColumns { table });
        }
        let by = self.dependants_of_column(&table, &column);
        if !by.is_empty() {
            return Err(ApplyError::InUse { what: ObjectRef::Column(table, column), by });
        }
        self.change_table(&table, |table| table.columns.retain(|other| other.name != column))
    }

    pub(super) fn implied_by_drop(&self, table: &ObjectName, column: &str) -> Vec<MigrationOp> {
        let Some(owner) = self.table(table) else {
            return Vec::new();
        };
        let mut ops = Vec::new();
        let mut constraints = Vec::new();
        for dependant in self.dependants_of_column(table, column) {
            match dependant {
                ObjectRef::Index(index) => ops.push(MigrationOp::DropIndex { index }),
                ObjectRef::Constraint(of, name) if self.same(&of, &owner.name) => {
                    constraints.push(MigrationOp::DropConstraint { table: of, name });
                }
                _ => {}
            }
        }
        // From the last to the first: the names of unnamed constraints count those before them.
        constraints.reverse();
        ops.extend(constraints);
        ops
    }

    pub(super) fn rename_column(&mut self, table: &ObjectName, from: &str, to: &str) -> Applied {
        let rule = self.names;
        let owner = self.known_table(table)?;
        let from = owner.known_column(from, rule)?.name.clone();
        let table = owner.name.clone();
        if let Some(taken) = owner.column(to, rule).filter(|_| !rule.same(&from, to)) {
            return Err(ApplyError::AlreadyExists { what: ObjectRef::Column(table, taken.name.clone()) });
        }
        self.rename_in_texts(&table, &from, to);
        self.indexes.change(
            |index| rule.same_object(&index.table, &table),
            |index| index.rename_column(rule, &from, to),
        );
        self.tables.change(
            |other| other.name == table || other.refers_to(&table, rule),
            |other| {
                for key in other.foreign_keys_mut().filter(|key| rule.same_object(&key.table, &table)) {
                    rename_each(&mut key.referenced, rule, &from, to);
                }
                if other.name == table {
                    other.rename_column(rule, &from, to);
                }
            },
        );
        Ok(())
    }

    fn rename_in_texts(&mut self, table: &ObjectName, from: &str, to: &str) {
        let views: Vec<(ObjectName, Expr)> = self
            .views
            .values()
            .filter_map(|view| {
                let query = Reading::of_view(view, self.names).with_column_renamed(self, table, from, to)?;
                Some((view.name.clone(), query))
            })
            .collect();
        let triggers: Vec<(ObjectName, Expr)> = self
            .triggers
            .values()
            .filter_map(|trigger| {
                let text =
                    Reading::of_trigger(trigger, self.names).with_column_renamed(self, table, from, to)?;
                Some((trigger.name.clone(), text))
            })
            .collect();
        for (name, query) in views {
            self.views.entry(name).and_modify(|view| view.query = query);
        }
        for (name, definition) in triggers {
            self.triggers.entry(name).and_modify(|trigger| trigger.definition = definition);
        }
    }
}

impl Table {
    /// The column that users see under that name.
    pub(crate) fn visible_column(&self, name: &str, rule: NameRule) -> Option<&Column> {
        self.visible().find(|column| rule.same(&column.name, name))
    }

    /// The same, or the error that there is none.
    pub fn known_column(&self, name: &str, rule: NameRule) -> Result<&Column, ApplyError> {
        self.visible_column(name, rule).ok_or_else(|| ApplyError::UnknownColumn {
            table: self.name.clone(),
            column: name.to_owned(),
            near: near(name, self.visible().map(|column| column.name.as_str())),
        })
    }

    fn rename_column(&mut self, rule: NameRule, from: &str, to: &str) {
        for column in &mut self.columns {
            if rule.same(&column.name, from) {
                to.clone_into(&mut column.name);
            }
        }
        // A default cannot name a column, but a word in it may look like one.
        for generated in self.columns.iter_mut().filter_map(|column| column.generated.as_mut()) {
            generated.expr = generated.expr.renamed(rule, from, to);
        }
        for constraint in &mut self.constraints {
            match &mut constraint.kind {
                ConstraintKind::PrimaryKey(key) => {
                    rename_each(key.columns.iter_mut().map(|part| &mut part.column), rule, from, to);
                }
                ConstraintKind::Unique(unique) => {
                    rename_each(unique.columns.iter_mut().map(|part| &mut part.column), rule, from, to);
                }
                ConstraintKind::ForeignKey(key) => {
                    rename_each(&mut key.columns, rule, from, to);
                    for action in [&mut key.on_delete, &mut key.on_update] {
                        if let crate::Action::SetNull(columns) | crate::Action::SetDefault(columns) = action {
                            rename_each(columns, rule, from, to);
                        }
                    }
                }
                ConstraintKind::Check { expr } => *expr = expr.renamed(rule, from, to),
                ConstraintKind::Native { definition } => {
                    *definition = Expr::statement(definition.as_str()).renamed(rule, from, to).to_string();
                }
            }
        }
    }
}

impl Index {
    fn rename_column(&mut self, rule: NameRule, from: &str, to: &str) {
        for part in &mut self.parts {
            match &mut part.column {
                Some(column) if rule.same(column, from) => {
                    to.clone_into(column);
                    part.expr = Expr::column(to);
                }
                Some(_) => {}
                None => part.expr = part.expr.renamed(rule, from, to),
            }
        }
        rename_each(&mut self.include, rule, from, to);
        if let Some(predicate) = &mut self.predicate {
            *predicate = predicate.renamed(rule, from, to);
        }
    }
}

impl Column {
    /// What must hold of a column by itself.
    pub(crate) fn check(&self, table: &ObjectName) -> Applied {
        let why = if self.generated.is_some() && self.default.is_some() {
            "a generated column has no default"
        } else if self.generated.is_some() && self.identity.is_some() {
            "a generated column is no identity column"
        } else if self.identity.is_some() && self.default.is_some() {
            "an identity column has no other default"
        } else {
            return Ok(());
        };
        Err(ApplyError::Incompatible { what: ObjectRef::Column(table.clone(), self.name.clone()), why })
    }
}

fn rename_each<'a>(names: impl IntoIterator<Item = &'a mut String>, rule: NameRule, from: &str, to: &str) {
    for name in names {
        if rule.same(name, from) {
            to.clone_into(name);
        }
    }
}
