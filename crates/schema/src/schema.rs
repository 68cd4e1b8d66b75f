//! A whole schema.

use serde::{Deserialize, Serialize};

use crate::column::is_false;
use crate::objects::{Named, Objects};
use crate::{Constraint, Expr, Index, NameRule, ObjectName, Table};

/// A database's schema, or the one an application wants. In JSON the objects are lists, ordered by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The version that the journal gives it; 0 for one that no migration has made.
    #[serde(default)]
    pub version: u64,
    /// How its names compare.
    #[serde(default)]
    pub names: NameRule,
    /// The tables.
    #[serde(default)]
    pub tables: Objects<Table>,
    /// The indexes that do not belong to a constraint.
    #[serde(default)]
    pub indexes: Objects<Index>,
    /// The views. Dependants: their text follows what they name.
    #[serde(default)]
    pub views: Objects<View>,
    /// The triggers. Dependants, as views are.
    #[serde(default)]
    pub triggers: Objects<Trigger>,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its name.
    pub name: ObjectName,
    /// The names of its columns, when said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The query.
    pub query: Expr,
    /// A materialised view.
    #[serde(default, skip_serializing_if = "is_false")]
    pub materialized: bool,
}

/// A trigger, as the database's own text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name.
    pub name: ObjectName,
    /// The table or view it watches.
    pub table: ObjectName,
    /// The whole `CREATE TRIGGER` statement.
    pub definition: Expr,
}

impl Schema {
    /// An empty schema.
    pub fn new(names: NameRule) -> Self {
        Self { names, ..Self::default() }
    }

    /// The table of that name, by this schema's name rule.
    pub fn table(&self, name: &ObjectName) -> Option<&Table> {
        Some(self.tables.find(self.names, name)?.1)
    }

    /// The index of that name.
    pub fn index(&self, name: &ObjectName) -> Option<&Index> {
        Some(self.indexes.find(self.names, name)?.1)
    }

    /// The view of that name.
    pub fn view(&self, name: &ObjectName) -> Option<&View> {
        Some(self.views.find(self.names, name)?.1)
    }

    /// The trigger of that name.
    pub fn trigger(&self, name: &ObjectName) -> Option<&Trigger> {
        Some(self.triggers.find(self.names, name)?.1)
    }

    /// The indexes of a table, by name. Looks at every index: for many tables, group them once.
    pub fn indexes_of<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = &'a Index> {
        self.indexes.values().filter(move |index| self.same(&index.table, table))
    }

    /// The triggers of a table or view, by name. Looks at every trigger.
    pub fn triggers_of<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = &'a Trigger> {
        self.triggers.values().filter(move |trigger| self.same(&trigger.table, table))
    }

    /// Every constraint with its table.
    pub fn constraints(&self) -> impl Iterator<Item = (&Table, &Constraint)> {
        self.tables
            .values()
            .flat_map(|table| table.constraints.iter().map(move |constraint| (table, constraint)))
    }

    /// Whether two names denote the same object.
    pub fn same(&self, a: &ObjectName, b: &ObjectName) -> bool {
        self.names.same_object(a, b)
    }
}

macro_rules! named {
    ($($kind:ty),*) => { $(impl Named for $kind { fn name(&self) -> &ObjectName { &self.name } })* };
}
named!(Table, Index, View, Trigger);
