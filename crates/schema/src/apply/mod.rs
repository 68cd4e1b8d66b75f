//! A schema after an operation.
//!
//! Invariant: an operation that is refused leaves the schema as it was. Conditions that an operation may break as long
//! as a later one of the same migration mends them (a WITHOUT ROWID table needs a primary key, …) are examined by
//! [`Schema::apply_all`] when the last one is done. Rows are not known here: whether they allow the change is for the
//! planner and the database.

mod column;
mod constraint;
mod error;
mod index;
mod table;
mod trigger;
mod view;

use std::collections::BTreeMap;

pub use error::ApplyError;
pub(crate) use trigger::TriggerStatement;

use crate::near::near;
use crate::{Column, Index, MigrationOp, ObjectName, ObjectRef, Objects, Schema, Table};

type Applied = Result<(), ApplyError>;

impl Schema {
    /// Changes the schema as the operation says.
    pub fn apply(&mut self, op: &MigrationOp) -> Result<(), ApplyError> {
        use MigrationOp as Op;
        let usual = self.names.usual_collation();
        match op {
            Op::CreateTable { table } => self.create_table(table),
            Op::DropTable { table } => self.drop_table(table),
            Op::RenameTable { from, to } => self.rename_table(from, to),
            Op::SetTableOptions { table, options } => {
                self.change_table(table, |table| table.options = options.clone())
            }
            Op::AddColumn { table, column, constraints, .. } => self.add_column(table, column, constraints),
            Op::DropColumn { table, column } => self.drop_column(table, column),
            Op::RenameColumn { table, from, to } => self.rename_column(table, from, to),
            Op::ChangeColumnType { table, column, to, collation, .. } => {
                self.change_column(table, column, |column| {
                    column.data_type = to.clone();
                    column.collation = collation.clone().filter(|name| name != usual);
                })
            }
            Op::SetNotNull { table, column, .. } => {
                self.change_column(table, column, |column| column.not_null = true)
            }
            Op::DropNotNull { table, column } => self.change_column(table, column, |column| {
                column.not_null = false;
                column.not_null_conflict = None;
            }),
            Op::SetDefault { table, column, default } => {
                self.change_column(table, column, |column| column.default = Some(default.clone()))
            }
            Op::DropDefault { table, column } => {
                self.change_column(table, column, |column| column.default = None)
            }
            Op::SetColumnOptions { table, column, identity, not_null_conflict } => {
                self.change_column(table, column, |column| {
                    column.identity = *identity;
                    column.not_null_conflict = *not_null_conflict;
                })
            }
            Op::AddIndex { index } => self.add_index(index),
            Op::DropIndex { index } => self.drop_index(index),
            Op::RenameIndex { from, to } => self.rename_index(from, to),
            Op::AddConstraint { table, constraint } => self.add_constraint(table, constraint),
            Op::DropConstraint { table, name } => self.drop_constraint(table, name),
            Op::RenameConstraint { table, from, to } => self.rename_constraint(table, from, to),
            Op::CreateView { view } => self.create_view(view),
            Op::DropView { view } => self.drop_view(view),
            Op::Execute { sql, .. } => match TriggerStatement::parse(sql, self.names) {
                Some(TriggerStatement::Create(trigger)) => self.create_trigger(trigger),
                Some(TriggerStatement::Drop(name)) => self.drop_trigger(&name),
                None => Ok(()),
            },
        }
    }

    /// Applies a whole migration and examines what must hold at its end. An error comes with the position of the
    /// operation that it is about; the schema is then as far as the operations before it took it.
    pub fn apply_all(&mut self, ops: &[MigrationOp]) -> Result<(), (usize, ApplyError)> {
        let mut touched = BTreeMap::new();
        for (at, op) in ops.iter().enumerate() {
            // A DROP INDEX knows its table only as long as there is the index, an ADD TABLE only afterwards.
            let tables = op.tables(self);
            self.apply(op).map_err(|error| (at, error))?;
            touched.extend(tables.into_iter().map(|table| (table, at)));
        }
        for (table, at) in touched {
            if let Some(table) = self.table(&table) {
                table.check_settled(self.names).map_err(|error| (at, error))?;
            }
        }
        Ok(())
    }

    /// What an operation needs to be done before it and does not say itself: before DROP COLUMN, the indexes and
    /// constraints of the table that name the column go; before DROP NOT NULL, its conflict clause. A planner makes
    /// them operations of their own, so that each is shown and can be taken back.
    pub fn implied_by(&self, op: &MigrationOp) -> Vec<MigrationOp> {
        match op {
            MigrationOp::DropColumn { table, column } => self.implied_by_drop(table, column),
            MigrationOp::DropNotNull { table, column } => {
                let found = self.table(table).and_then(|table| table.visible_column(column, self.names));
                found
                    .filter(|column| column.not_null_conflict.is_some())
                    .map(|found| MigrationOp::SetColumnOptions {
                        table: table.clone(),
                        column: column.clone(),
                        identity: found.identity,
                        not_null_conflict: None,
                    })
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The table, or the error that there is none.
    pub(crate) fn known_table(&self, name: &ObjectName) -> Result<&Table, ApplyError> {
        self.table(name).ok_or_else(|| ApplyError::UnknownTable {
            name: name.clone(),
            near: near_objects(name, &self.tables),
        })
    }

    fn known_index(&self, name: &ObjectName) -> Result<&Index, ApplyError> {
        self.index(name).ok_or_else(|| ApplyError::UnknownIndex {
            name: name.clone(),
            near: near_objects(name, &self.indexes),
        })
    }

    /// Tables, views and indexes share their names.
    fn check_free(&self, name: &ObjectName) -> Applied {
        let taken = self
            .tables
            .find(self.names, name)
            .map(|(name, _)| ObjectRef::Table(name.clone()))
            .or_else(|| self.views.find(self.names, name).map(|(name, _)| ObjectRef::View(name.clone())))
            .or_else(|| self.indexes.find(self.names, name).map(|(name, _)| ObjectRef::Index(name.clone())));
        taken.map_or(Ok(()), |what| Err(ApplyError::AlreadyExists { what }))
    }

    fn change_table(&mut self, name: &ObjectName, change: impl FnOnce(&mut Table)) -> Applied {
        let key = self.known_table(name)?.name.clone();
        self.tables.entry(key).and_modify(change);
        Ok(())
    }

    fn change_column(
        &mut self,
        table: &ObjectName,
        column: &str,
        change: impl FnOnce(&mut Column),
    ) -> Applied {
        let mut changed = self.known_table(table)?.known_column(column, self.names)?.clone();
        change(&mut changed);
        changed.check(&self.known_table(table)?.name)?;
        let rule = self.names;
        self.change_table(table, |table| {
            if let Some(column) = table.column_mut(column, rule) {
                *column = changed;
            }
        })
    }
}

fn near_objects<T>(name: &ObjectName, map: &Objects<T>) -> Vec<String> {
    near(&name.name, map.keys().map(|key| key.name.as_str()))
}

#[cfg(test)]
mod tests;
