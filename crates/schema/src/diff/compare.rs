//! The comparison of two schemas after the renames.

use std::collections::{BTreeMap, BTreeSet};

use super::DiffError;
use super::align::{aligned_index, same_index};
use super::join::{Side, join};
use super::order::in_order;
use super::phases::Phases;
use super::table::TableChange;
use super::texts::{self, Lost};
use crate::objects::find;
use crate::{ApplyError, Constraint, Index, MigrationOp, ObjectName, ObjectRef, Schema, Table};

/// What separates the two, by kind of object.
struct Comparison<'a> {
    now: &'a Schema,
    then: &'a Schema,
    /// Tables that go.
    gone: BTreeMap<&'a ObjectName, &'a Table>,
    /// Tables that come.
    new: BTreeMap<&'a ObjectName, &'a Table>,
    /// Tables that change, by their current names.
    changes: BTreeMap<&'a ObjectName, TableChange<'a>>,
    indexes: Indexes<'a>,
}

#[derive(Default)]
struct Indexes<'a> {
    kept: Vec<&'a Index>,
    dropped: BTreeMap<&'a ObjectName, &'a Index>,
    renamed: Vec<(&'a Index, ObjectName)>,
    added: Vec<Index>,
}

/// The operations, apart from the renames. `current` is the schema before those.
pub(super) fn compare(current: &Schema, now: &Schema, then: &Schema) -> Result<Phases, DiffError> {
    let mut comparison = Comparison {
        now,
        then,
        gone: BTreeMap::new(),
        new: BTreeMap::new(),
        changes: BTreeMap::new(),
        indexes: Indexes::default(),
    };
    comparison.compare_tables();
    comparison.compare_indexes();
    comparison.recreate_foreign_keys()?;
    comparison.check()?;
    comparison.to_phases(current)
}

impl<'a> Comparison<'a> {
    fn compare_tables(&mut self) {
        for side in join(&self.now.tables, &self.then.tables, self.now.names) {
            match side {
                Side::Left(now) => {
                    self.gone.insert(&now.name, now);
                }
                Side::Right(then) => {
                    self.new.insert(&then.name, then);
                }
                Side::Both(now, then) if !std::ptr::eq(now, then) && now != then => {
                    self.changes.insert(&now.name, TableChange::between(self.now, now, self.then, then));
                }
                Side::Both(..) => {}
            }
        }
    }

    fn compare_indexes(&mut self) {
        let mut fresh = Vec::new();
        let mut stale: BTreeMap<&ObjectName, Vec<&Index>> = BTreeMap::new();
        for side in join(&self.now.indexes, &self.then.indexes, self.now.names) {
            match side {
                Side::Right(then) => fresh.push(aligned_index(self.now, then)),
                Side::Left(now) if self.loses_column_of(now) || self.gone.contains_key(self.home_of(now)) => {
                    self.indexes.dropped.insert(&now.name, now);
                }
                Side::Left(now) => stale.entry(self.home_of(now)).or_default().push(now),
                Side::Both(now, then)
                    if same_index(now, then, self.now.names) && !self.loses_column_of(now) =>
                {
                    self.indexes.kept.push(now);
                }
                Side::Both(now, then) => {
                    self.indexes.dropped.insert(&now.name, now);
                    self.indexes.added.push(aligned_index(self.now, then));
                }
            }
        }
        for index in fresh {
            let of_table = stale.get_mut(&index.table);
            let alike = of_table.and_then(|of_table| {
                let at = of_table.iter().position(|other| same_index(other, &index, self.now.names))?;
                Some(of_table.remove(at))
            });
            match alike {
                Some(old) => self.indexes.renamed.push((old, index.name)),
                None => self.indexes.added.push(index),
            }
        }
        self.indexes.dropped.extend(stale.into_values().flatten().map(|index| (&index.name, index)));
    }

    /// The table of an index, as the table spells its name.
    fn home_of<'i>(&self, index: &'i Index) -> &'i ObjectName
    where
        'a: 'i,
    {
        self.now.tables.find(self.now.names, &index.table).map_or(&index.table, |(name, _)| name)
    }

    fn loses_column_of(&self, index: &Index) -> bool {
        !self.changes.is_empty()
            && find(&self.changes, self.now.names, &index.table)
                .is_some_and(|(_, change)| change.lost().any(|lost| index.uses(lost.name, self.now.names)))
    }

    /// A foreign key that stays, but whose key in the other table goes (and comes), has to make way for it.
    fn recreate_foreign_keys(&mut self) -> Result<(), DiffError> {
        let mut parents: BTreeSet<&ObjectName> =
            self.changes.iter().filter(|(_, change)| change.drops_keys()).map(|(name, _)| *name).collect();
        parents.extend(
            self.indexes.dropped.values().filter(|index| index.unique).map(|index| self.home_of(index)),
        );
        if parents.is_empty() && self.gone.is_empty() {
            return Ok(());
        }
        let mut recreated = Vec::new();
        for (child, table) in &self.now.tables {
            if self.gone.contains_key(child) {
                continue;
            }
            for (at, constraint) in table.constraints.iter().enumerate() {
                let Some(key) = constraint.foreign_key() else { continue };
                let Some((parent, _)) = self.now.tables.find(self.now.names, &key.table) else { continue };
                if self.changes.get(child).is_some_and(|change| change.drops(at)) {
                    continue;
                }
                if self.gone.contains_key(parent) {
                    let name = table.constraint_names().swap_remove(at);
                    let by = vec![ObjectRef::Constraint(child.clone(), name)];
                    return Err(ApplyError::InUse { what: ObjectRef::Table(parent.clone()), by }.into());
                }
                if parents.contains(parent)
                    && self.has_key_now(parent, &key.referenced)
                    && !self.has_surviving_key(parent, &key.referenced)
                {
                    recreated.push((child, table, at));
                }
            }
        }
        for (child, table, at) in recreated {
            self.changes.entry(child).or_insert_with(|| TableChange::none(table)).recreate_constraint(at);
        }
        Ok(())
    }

    fn has_key_now(&self, parent: &ObjectName, columns: &[String]) -> bool {
        let indexes = self.now.indexes_of(parent);
        self.now.tables.get(parent).is_some_and(|table| table.has_key(indexes, columns, self.now.names))
    }

    /// Whether the key is there between what goes and what comes.
    fn has_surviving_key(&self, parent: &ObjectName, columns: &[String]) -> bool {
        let Some(table) = self.now.tables.get(parent) else {
            return false;
        };
        let indexes =
            self.now.indexes_of(parent).filter(|index| !self.indexes.dropped.contains_key(&index.name));
        match self.changes.get(parent) {
            Some(change) => change.surviving().has_key(indexes, columns, self.now.names),
            None => table.has_key(indexes, columns, self.now.names),
        }
    }

    /// Whether the target is consistent where it differs.
    fn check(&self) -> Result<(), ApplyError> {
        for table in self.new.values() {
            self.then.check_table(table)?;
            table.check_settled(self.then.names)?;
        }
        for change in self.changes.values() {
            change.then.check_columns(self.then.names)?;
            change.then.check_settled(self.then.names)?;
            for constraint in change.added() {
                self.then.check_constraint(&change.then, constraint)?;
            }
        }
        for index in &self.indexes.added {
            self.then.check_index(index)?;
        }
        Ok(())
    }

    fn to_phases(&self, current: &Schema) -> Result<Phases, DiffError> {
        let mut phases = Phases::default();
        let mut lost = Lost { tables: self.gone.keys().copied().collect(), columns: BTreeMap::new() };
        for (&name, change) in &self.changes {
            change.emit(self.now.names, &mut phases);
            let columns: Vec<_> =
                change.lost().map(|column| (column.name.to_owned(), column.for_good)).collect();
            if !columns.is_empty() {
                lost.columns.insert(name, columns);
            }
        }
        self.drop_tables(&mut phases);
        self.create_tables(&mut phases);
        let texts = texts::compare(self.now, self.then, &lost)?;
        self.emit_indexes(&texts.dropped_views(), &mut phases);
        texts.emit(current, &mut phases);
        Ok(phases)
    }

    fn emit_indexes(&self, dropped_views: &BTreeSet<&ObjectName>, phases: &mut Phases) {
        let rule = self.now.names;
        let goes_with_view = |index: &Index| {
            self.now.views.find(rule, &index.table).is_some_and(|(name, _)| dropped_views.contains(name))
        };
        let is_of_table = |index: &Index| {
            self.now.tables.find(rule, &index.table).is_some()
                || self.then.tables.find(rule, &index.table).is_some()
        };
        for (&name, index) in &self.indexes.dropped {
            // What goes with its table or view needs no operation of its own.
            if !self.gone.contains_key(self.home_of(index)) && !goes_with_view(index) {
                phases.drop_indexes.push(MigrationOp::DropIndex { index: name.clone() });
            }
        }
        let mut added = self.indexes.added.clone();
        for (index, to) in &self.indexes.renamed {
            let to = to.clone();
            if goes_with_view(index) {
                added.push(Index { name: to, ..(*index).clone() });
            } else {
                phases.rename_indexes.push(MigrationOp::RenameIndex { from: index.name.clone(), to });
            }
        }
        added.extend(
            self.indexes.kept.iter().filter(|index| goes_with_view(index)).map(|index| (*index).clone()),
        );
        added.sort_by(|a, b| a.name.cmp(&b.name));
        for index in added {
            let phase = if is_of_table(&index) { &mut phases.add_indexes } else { &mut phases.index_views };
            phase.push(MigrationOp::AddIndex { index });
        }
    }

    /// Children first; foreign keys that close a cycle go before them all.
    fn drop_tables(&self, phases: &mut Phases) {
        let (order, cycles) = in_order(&self.references(self.now, &self.gone));
        let children: BTreeSet<&ObjectName> = cycles.iter().map(|(child, _)| *child).collect();
        for child in children {
            let table = self.gone[child];
            let closes = |parent: &ObjectName| {
                self.now
                    .tables
                    .find(self.now.names, parent)
                    .is_some_and(|(parent, _)| cycles.contains(&(child, parent)))
            };
            // From the last to the first, so that the names of unnamed ones stay what they are.
            for (constraint, name) in table.constraints.iter().zip(table.constraint_names()).rev() {
                if constraint.foreign_key().is_some_and(|key| closes(&key.table)) {
                    phases.drop_foreign_keys.push(MigrationOp::DropConstraint { table: child.clone(), name });
                }
            }
        }
        let drop = |table: &&ObjectName| MigrationOp::DropTable { table: (*table).clone() };
        phases.drop_tables.extend(order.iter().rev().map(drop));
    }

    /// Parents first. A foreign key comes later when its table or key does not exist by then.
    fn create_tables(&self, phases: &mut Phases) {
        let (order, cycles) = in_order(&self.references(self.then, &self.new));
        for name in order {
            let mut table = self.new[name].clone();
            table.columns.retain(|column| !column.retained);
            let mut later: Vec<Constraint> = Vec::new();
            let whole = table.clone();
            table.constraints.retain(|constraint| {
                let ready = constraint.foreign_key().is_none_or(|key| {
                    let rule = self.then.names;
                    let within = |parent: &Table| parent.has_key([], &key.referenced, rule);
                    if rule.same_object(&key.table, name) {
                        within(&whole)
                    } else if let Some((parent, found)) = find(&self.new, rule, &key.table) {
                        !cycles.contains(&(name, *parent)) && within(found)
                    } else {
                        let parent = self.now.tables.find(rule, &key.table);
                        parent.is_some_and(|(parent, _)| self.has_surviving_key(parent, &key.referenced))
                    }
                });
                if !ready {
                    later.push(constraint.clone());
                }
                ready
            });
            phases.create_tables.push(MigrationOp::CreateTable { table });
            phases.add_foreign_keys.extend(
                later
                    .into_iter()
                    .map(|constraint| MigrationOp::AddConstraint { table: name.clone(), constraint }),
            );
        }
    }

    /// Which of the tables refer to which others of them.
    fn references<'t>(
        &self,
        schema: &'t Schema,
        tables: &BTreeMap<&'t ObjectName, &'t Table>,
    ) -> BTreeMap<&'t ObjectName, BTreeSet<&'t ObjectName>> {
        let parents = |table: &'t Table| {
            let keys = table.constraints.iter().filter_map(Constraint::foreign_key);
            let named = keys.map(|key| key.table.clone()).chain(table.inherited());
            named.filter_map(|parent| schema.tables.find(self.now.names, &parent)).map(|(name, _)| name)
        };
        tables
            .iter()
            .map(|(&name, &table)| {
                (name, parents(table).filter(|parent| tables.contains_key(parent)).collect())
            })
            .collect()
    }
}
