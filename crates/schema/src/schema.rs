//! A whole schema.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::column::is_false;
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
    #[serde(default, with = "by_name")]
    pub tables: BTreeMap<ObjectName, Table>,
    /// The indexes that do not belong to a constraint.
    #[serde(default, with = "by_name")]
    pub indexes: BTreeMap<ObjectName, Index>,
    /// The views. Dependants: their text follows what they name.
    #[serde(default, with = "by_name")]
    pub views: BTreeMap<ObjectName, View>,
    /// The triggers. Dependants, as views are.
    #[serde(default, with = "by_name")]
    pub triggers: BTreeMap<ObjectName, Trigger>,
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
        self.find(&self.tables, name)
    }

    /// The index of that name.
    pub fn index(&self, name: &ObjectName) -> Option<&Index> {
        self.find(&self.indexes, name)
    }

    /// The view of that name.
    pub fn view(&self, name: &ObjectName) -> Option<&View> {
        self.find(&self.views, name)
    }

    /// The trigger of that name.
    pub fn trigger(&self, name: &ObjectName) -> Option<&Trigger> {
        self.find(&self.triggers, name)
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

    fn find<'a, T>(&self, map: &'a BTreeMap<ObjectName, T>, name: &ObjectName) -> Option<&'a T> {
        Some(find(map, self.names, name)?.1)
    }
}

/// The entry of that name. The map's order puts all spellings of a name beside each other, the one in capitals first.
pub(crate) fn find<'a, K: Borrow<ObjectName> + Ord, T>(
    map: &'a BTreeMap<K, T>,
    rule: NameRule,
    name: &ObjectName,
) -> Option<(&'a K, &'a T)> {
    map.get_key_value(name).or_else(|| match rule {
        NameRule::Exact => None,
        NameRule::AsciiInsensitive => {
            let first = name.first_spelling();
            map.range((Bound::Included(&first), Bound::Unbounded))
                .next()
                .filter(|(key, _)| rule.same_object((*key).borrow(), name))
        }
    })
}

/// Anything kept under its own name.
trait Named {
    fn name(&self) -> &ObjectName;
}

macro_rules! named {
    ($($kind:ty),*) => { $(impl Named for $kind { fn name(&self) -> &ObjectName { &self.name } })* };
}
named!(Table, Index, View, Trigger);

mod by_name {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Named, ObjectName};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        map: &BTreeMap<ObjectName, T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.values())
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de> + Named, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ObjectName, T>, D::Error> {
        let mut map = BTreeMap::new();
        for item in Vec::<T>::deserialize(deserializer)? {
            let name = item.name().clone();
            if map.insert(name.clone(), item).is_some() {
                return Err(serde::de::Error::custom(format_args!("{name} is listed twice")));
            }
        }
        Ok(map)
    }
}
