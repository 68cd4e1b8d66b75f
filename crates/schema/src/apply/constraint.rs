//! ADD, DROP and RENAME of constraints.

use super::{Applied, ApplyError};
use crate::near::near;
use crate::{Constraint, ConstraintKind, ForeignKey, Index, NameRule, ObjectName, ObjectRef, Schema, Table};

impl Schema {
    pub(super) fn add_constraint(&mut self, table: &ObjectName, constraint: &Constraint) -> Applied {
        let mut changed = self.known_table(table)?.clone();
        if let Some(name) = &constraint.name {
            changed.check_constraint_name(name, None, self.names)?;
        }
        changed.constraints.push(constraint.clone());
        changed.check_columns(self.names)?;
        self.check_constraint(&changed, constraint)?;
        self.tables.insert(changed.name.clone(), changed);
        Ok(())
    }

    /// Refused while a foreign key refers to what this constraint alone keeps unique.
    pub(super) fn drop_constraint(&mut self, table: &ObjectName, name: &str) -> Applied {
        let owner = self.known_table(table)?;
        let (at, name) = owner.known_constraint(name, self.names)?;
        let mut changed = owner.clone();
        let gone = changed.constraints.remove(at);
        if matches!(gone.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_)) {
            let by = self.keys_left_alone(&changed, |columns| {
                !owner.has_key(self.indexes_of(&owner.name), columns, self.names)
                    || changed.has_key(self.indexes_of(&owner.name), columns, self.names)
            });
            if !by.is_empty() {
                let what = ObjectRef::Constraint(owner.name.clone(), name);
                return Err(ApplyError::InUse { what, by });
            }
        }
        self.tables.insert(changed.name.clone(), changed);
        Ok(())
    }

    pub(super) fn rename_constraint(&mut self, table: &ObjectName, from: &str, to: &str) -> Applied {
        let owner = self.known_table(table)?;
        let (at, _) = owner.known_constraint(from, self.names)?;
        owner.check_constraint_name(to, Some(at), self.names)?;
        self.change_table(table, |table| table.constraints[at].name = Some(to.to_owned()))
    }

    /// What must hold of a constraint of a table that has it already.
    pub fn check_constraint(&self, table: &Table, constraint: &Constraint) -> Applied {
        self.check_own_columns(table, constraint)?;
        match &constraint.kind {
            ConstraintKind::ForeignKey(key) => {
                self.check_foreign_key(table, key, || reference(table, constraint))
            }
            _ => Ok(()),
        }
    }

    /// What must hold of the columns that it lists of its own table.
    pub(crate) fn check_own_columns(&self, table: &Table, constraint: &Constraint) -> Applied {
        let columns = constraint.columns();
        check_listed(table, &columns, self.names, || reference(table, constraint))?;
        let lists_none =
            matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::Native { .. });
        if columns.is_empty() && !lists_none {
            return Err(ApplyError::Empty { what: reference(table, constraint) });
        }
        Ok(())
    }

    fn check_foreign_key(&self, table: &Table, key: &ForeignKey, what: impl Fn() -> ObjectRef) -> Applied {
        let parent = if self.same(&key.table, &table.name) { table } else { self.known_table(&key.table)? };
        check_listed(
            parent,
            &key.referenced.iter().map(String::as_str).collect::<Vec<_>>(),
            self.names,
            &what,
        )?;
        let referenced = match key.referenced.len() {
            0 => parent.primary_key().map_or(0, |primary| primary.columns.len()),
            some => some,
        };
        if !parent.has_key(self.indexes_of(&parent.name), &key.referenced, self.names) {
            return Err(ApplyError::NotAKey {
                constraint: Box::new(what()),
                parent: parent.name.clone(),
                columns: key.referenced.clone(),
            });
        }
        if key.columns.len() != referenced {
            return Err(ApplyError::KeyLength {
                constraint: Box::new(what()),
                parent: parent.name.clone(),
                columns: key.columns.len(),
                referenced,
            });
        }
        Ok(())
    }
}

fn reference(table: &Table, constraint: &Constraint) -> ObjectRef {
    ObjectRef::Constraint(table.name.clone(), constraint.effective_name(&table.name.name))
}

/// Every column is one of the table's and named once.
fn check_listed(table: &Table, columns: &[&str], rule: NameRule, what: impl Fn() -> ObjectRef) -> Applied {
    for (at, column) in columns.iter().enumerate() {
        table.known_column(column, rule)?;
        if columns[..at].iter().any(|before| rule.same(before, column)) {
            return Err(ApplyError::RepeatedColumn { within: what(), column: (*column).to_owned() });
        }
    }
    Ok(())
}

impl Table {
    /// Whether a primary key, a unique constraint or a unique index without a predicate covers exactly these columns,
    /// so that a foreign key can refer to them. No columns: the primary key.
    pub(crate) fn has_key<'a>(
        &self,
        indexes: impl IntoIterator<Item = &'a Index>,
        columns: &[String],
        rule: NameRule,
    ) -> bool {
        if columns.is_empty() {
            return self.primary_key().is_some();
        }
        let covers = |names: Vec<Option<&str>>| {
            let listed = |name: Option<&str>| {
                name.is_some_and(|name| columns.iter().any(|column| rule.same(column, name)))
            };
            names.len() == columns.len() && names.into_iter().all(listed)
        };
        self.constraints
            .iter()
            .filter(|constraint| !matches!(constraint.kind, ConstraintKind::ForeignKey(_)))
            .any(|constraint| covers(constraint.columns().into_iter().map(Some).collect()))
            || indexes
                .into_iter()
                .filter(|index| index.unique && index.predicate.is_none())
                .any(|index| covers(index.parts.iter().map(|part| part.column.as_deref()).collect()))
    }

    /// A name counts as taken when another constraint was given it; those that have none make way.
    fn check_constraint_name(&self, name: &str, except: Option<usize>, rule: NameRule) -> Applied {
        let given = self.constraints.iter().enumerate().filter(|&(at, _)| Some(at) != except);
        match given.filter_map(|(_, other)| other.name.as_ref()).find(|taken| rule.same(taken, name)) {
            Some(taken) => Err(ApplyError::AlreadyExists {
                what: ObjectRef::Constraint(self.name.clone(), taken.clone()),
            }),
            None => Ok(()),
        }
    }

    fn known_constraint(&self, name: &str, rule: NameRule) -> Result<(usize, String), ApplyError> {
        self.constraint_at(name, rule).ok_or_else(|| {
            let names = self.constraint_names();
            ApplyError::UnknownConstraint {
                table: self.name.clone(),
                name: name.to_owned(),
                near: near(name, names.iter().map(String::as_str)),
            }
        })
    }
}
