//! CREATE, DROP and RENAME of tables, and what must hold of a table by itself.

use super::{Applied, ApplyError};
use crate::reading::Reading;
use crate::{Column, ConstraintKind, DataType, NameRule, ObjectName, ObjectRef, Schema, Table, Trigger};

impl Schema {
    pub(super) fn create_table(&mut self, table: &Table) -> Applied {
        self.check_free(&table.name)?;
        self.check_table(table)?;
        table.check_settled(self.names)?;
        self.tables.insert(table.name.clone(), table.clone());
        Ok(())
    }

    /// Its indexes and triggers go with it; foreign keys of other tables, views and triggers that name it stop it.
    pub(super) fn drop_table(&mut self, name: &ObjectName) -> Applied {
        let name = self.known_table(name)?.name.clone();
        let by = self.dependants_of_table(&name);
        if !by.is_empty() {
            return Err(ApplyError::InUse { what: ObjectRef::Table(name), by });
        }
        let rule = self.names;
        self.tables.remove(&name);
        self.indexes.retain(|_, index| !rule.same_object(&index.table, &name));
        self.triggers.retain(|_, trigger| !rule.same_object(&trigger.table, &name));
        Ok(())
    }

    pub(super) fn rename_table(&mut self, from: &ObjectName, to: &ObjectName) -> Applied {
        let from = self.known_table(from)?.name.clone();
        if !self.same(&from, to) {
            self.check_free(to)?;
        }
        let rule = self.names;
        // The texts are read while the table still has its old name.
        self.views.change(
            |view| Reading::of_view(view, rule).with_table_renamed(&from, to).is_some(),
            |view| {
                if let Some(query) = Reading::of_view(view, rule).with_table_renamed(&from, to) {
                    view.query = query;
                }
            },
        );
        let names = |trigger: &Trigger| Reading::of_trigger(trigger, rule).with_table_renamed(&from, to);
        self.triggers.change(
            |trigger| rule.same_object(&trigger.table, &from) || names(trigger).is_some(),
            |trigger| {
                if let Some(definition) = names(trigger) {
                    trigger.definition = definition;
                }
                if rule.same_object(&trigger.table, &from) {
                    trigger.table = to.clone();
                }
            },
        );
        if rule == NameRule::Exact {
            // There a trigger goes by its table's name, too.
            for trigger in std::mem::take(&mut self.triggers).into_values() {
                let mut trigger = trigger;
                if rule.same_object(&trigger.table, to) {
                    trigger.name = Trigger::name_within(trigger.name.name, to);
                }
                self.triggers.insert(trigger.name.clone(), trigger);
            }
        }
        self.indexes.change(
            |index| rule.same_object(&index.table, &from),
            |index| {
                index.table = to.clone();
                index.for_each_expr(&mut |expr| *expr = expr.requalified(rule, &from.name, &to.name));
            },
        );
        if let Some(mut table) = self.tables.remove(&from) {
            table.name = to.clone();
            table.for_each_expr(&mut |expr| *expr = expr.requalified(rule, &from.name, &to.name));
            self.tables.insert(to.clone(), table);
        }
        self.tables.change(
            |table| table.refers_to(&from, rule),
            |table| {
                for key in table.foreign_keys_mut().filter(|key| rule.same_object(&key.table, &from)) {
                    key.table = to.clone();
                }
            },
        );
        Ok(())
    }

    /// What must hold of a table that is new, apart from its name being free.
    pub(crate) fn check_table(&self, table: &Table) -> Applied {
        table.check_columns(self.names)?;
        for constraint in &table.constraints {
            self.check_constraint(table, constraint)?;
        }
        Ok(())
    }
}

impl Table {
    /// What must hold of the columns, and that there is one primary key at most.
    pub(crate) fn check_columns(&self, rule: NameRule) -> Applied {
        if self.visible().next().is_none() {
            return Err(ApplyError::NoColumns { table: self.name.clone() });
        }
        let mut seen = std::collections::BTreeSet::new();
        for column in &self.columns {
            column.check(&self.name)?;
            if !seen.insert(rule.key(&column.name)) {
                let what = ObjectRef::Column(self.name.clone(), column.name.clone());
                return Err(ApplyError::AlreadyExists { what });
            }
        }
        let keys = self.constraints.iter().filter(|constraint| constraint.is_primary_key()).count();
        if keys > 1 {
            return Err(ApplyError::SecondPrimaryKey { table: self.name.clone() });
        }
        Ok(())
    }

    /// What must hold when a migration has ended.
    pub(crate) fn check_settled(&self, rule: NameRule) -> Applied {
        let refused = |why| Err(ApplyError::Incompatible { what: ObjectRef::Table(self.name.clone()), why });
        if self.visible().all(|column| column.generated.is_some()) {
            return refused("a table needs a column that is not generated");
        }
        let Some(key) = self.primary_key() else {
            return if self.options.without_rowid {
                refused("WITHOUT ROWID needs a primary key")
            } else {
                Ok(())
            };
        };
        if !key.autoincrement {
            return Ok(());
        }
        if self.options.without_rowid {
            return refused("AUTOINCREMENT and WITHOUT ROWID exclude each other");
        }
        let integer = |column: &Column| match &column.data_type {
            DataType::Integer => true,
            DataType::Native(name) => name.eq_ignore_ascii_case("INTEGER"),
            _ => false,
        };
        match key.columns.as_slice() {
            [part] if self.column(&part.column, rule).is_some_and(integer) => Ok(()),
            _ => refused("AUTOINCREMENT needs a primary key of one INTEGER column"),
        }
    }

    /// Whether a foreign key of it refers to the table.
    pub(crate) fn refers_to(&self, table: &ObjectName, rule: NameRule) -> bool {
        let keys = self.constraints.iter().filter_map(|constraint| constraint.foreign_key());
        keys.into_iter().any(|key| rule.same_object(&key.table, table))
    }

    pub(crate) fn foreign_keys_mut(&mut self) -> impl Iterator<Item = &mut crate::ForeignKey> {
        self.constraints.iter_mut().filter_map(|constraint| match &mut constraint.kind {
            ConstraintKind::ForeignKey(key) => Some(key),
            _ => None,
        })
    }
}
