//! The objects of one kind in a schema, by name.
//!
//! A map whose copies share what they hold: a planner keeps several versions of a schema beside each other, and each
//! differs from the last in an object or two. Copying is one count, comparing what is shared a comparison of addresses;
//! the map, and an object in it, becomes this copy's own when it is changed.

use std::collections::{BTreeMap, btree_map};
use std::ops::{Index, RangeBounds};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{NameRule, ObjectName};

/// Objects by name, in the names' order; in JSON a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Objects<T>(Arc<Map<T>>);

type Map<T> = BTreeMap<ObjectName, Arc<T>>;

/// Anything kept under its own name.
pub trait Named {
    /// The name.
    fn name(&self) -> &ObjectName;
}

/// A name's place in the map.
#[derive(Debug)]
pub struct Entry<'a, T>(btree_map::Entry<'a, ObjectName, Arc<T>>);

impl<T> Objects<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object of exactly that name.
    pub fn get(&self, name: &ObjectName) -> Option<&T> {
        self.0.get(name).map(|object| &**object)
    }

    /// The object of that name by a rule. The order puts all spellings of a name beside each other, the one in
    /// capitals first.
    pub fn find(&self, rule: NameRule, name: &ObjectName) -> Option<(&ObjectName, &T)> {
        find(&self.0, rule, name).map(|(name, object)| (name, &**object))
    }

    /// Whether there is one of exactly that name.
    pub fn contains_key(&self, name: &ObjectName) -> bool {
        self.0.contains_key(name)
    }

    /// The names.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &ObjectName> + ExactSizeIterator + Clone {
        self.0.keys()
    }

    /// The objects.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator + Clone {
        self.0.values().map(|object| &**object)
    }

    /// Both.
    pub fn iter(&self) -> Iter<'_, T> {
        self.into_iter()
    }

    /// Those whose names lie in a range.
    pub fn range(&self, range: impl RangeBounds<ObjectName>) -> impl Iterator<Item = (&ObjectName, &T)> {
        self.0.range(range).map(|(name, object)| (name, &**object))
    }

    /// Keeps only some.
    pub fn retain(&mut self, mut keep: impl FnMut(&ObjectName, &T) -> bool) {
        if self.0.iter().any(|(name, object)| !keep(name, object)) {
            self.map().retain(|name, object| keep(name, object));
        }
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0 = Arc::default();
    }

    /// Whether both maps have the same under a name.
    pub fn agrees(&self, other: &Self, name: &ObjectName) -> bool
    where
        T: Eq,
    {
        self.0.get(name) == other.0.get(name)
    }

    /// Shares with another map what both have: to compare the two afterwards costs next to nothing.
    pub fn adopt(&mut self, other: &Self)
    where
        T: Eq,
    {
        if self.0 == other.0 {
            self.0 = Arc::clone(&other.0);
            return;
        }
        for (name, object) in self.map() {
            if let Some(same) = other.0.get(name).filter(|same| *same == object) {
                *object = Arc::clone(same);
            }
        }
    }

    /// Whether an object is the very one that another map has under its name.
    pub fn shares(&self, name: &ObjectName, object: &T) -> bool {
        self.0.get(name).is_some_and(|same| std::ptr::eq(&raw const **same, object))
    }

    /// Puts in what another map holds and shares it with that map.
    pub fn share(&mut self, from: &Self, name: &ObjectName) {
        if let Some((name, object)) = from.0.get_key_value(name) {
            self.map().insert(name.clone(), Arc::clone(object));
        }
    }

    /// Puts in what is shared already.
    pub fn insert_shared(&mut self, name: ObjectName, object: Arc<T>) {
        self.map().insert(name, object);
    }
}

impl<T> Objects<T> {
    /// The map, as this copy's own.
    fn map(&mut self) -> &mut Map<T> {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Clone> Objects<T> {
    /// The object of exactly that name, to be changed.
    pub fn get_mut(&mut self, name: &ObjectName) -> Option<&mut T> {
        self.map().get_mut(name).map(Arc::make_mut)
    }

    /// Every object, to be changed: each becomes this map's own. For few of many see [`Objects::change`].
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.map().values_mut().map(Arc::make_mut)
    }

    /// Changes those that a condition holds for; the others stay shared.
    pub fn change(&mut self, which: impl Fn(&T) -> bool, mut change: impl FnMut(&mut T)) {
        if self.values().any(&which) {
            let chosen = self.map().values_mut().filter(|object| which(object));
            chosen.for_each(|object| change(Arc::make_mut(object)));
        }
    }

    /// Puts an object in and gives back the one that was there.
    pub fn insert(&mut self, name: ObjectName, object: T) -> Option<T> {
        self.map().insert(name, Arc::new(object)).map(Arc::unwrap_or_clone)
    }

    /// Takes an object out.
    pub fn remove(&mut self, name: &ObjectName) -> Option<T> {
        self.map().remove(name).map(Arc::unwrap_or_clone)
    }

    /// A name's place.
    pub fn entry(&mut self, name: ObjectName) -> Entry<'_, T> {
        Entry(self.map().entry(name))
    }

    /// All objects, taken out.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        Arc::unwrap_or_clone(self.0).into_values().map(Arc::unwrap_or_clone)
    }
}

impl<'a, T: Clone> Entry<'a, T> {
    /// Changes the object if there is one.
    pub fn and_modify(self, change: impl FnOnce(&mut T)) -> Self {
        Self(self.0.and_modify(|object| change(Arc::make_mut(object))))
    }

    /// The object, put in if there is none.
    pub fn or_insert(self, object: T) -> &'a mut T {
        Arc::make_mut(self.0.or_insert_with(|| Arc::new(object)))
    }
}

/// The entry of that name by a rule.
pub(crate) fn find<'a, K: std::borrow::Borrow<ObjectName> + Ord, T>(
    map: &'a BTreeMap<K, T>,
    rule: NameRule,
    name: &ObjectName,
) -> Option<(&'a K, &'a T)> {
    use std::ops::Bound;
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

/// What [`Objects::iter`] gives.
#[derive(Debug)]
pub struct Iter<'a, T>(btree_map::Iter<'a, ObjectName, Arc<T>>);

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a ObjectName, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, object)| (name, &**object))
    }
}

impl<'a, T> IntoIterator for &'a Objects<T> {
    type Item = (&'a ObjectName, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        Iter(self.0.iter())
    }
}

impl<T: Clone> IntoIterator for Objects<T> {
    type Item = (ObjectName, T);
    type IntoIter =
        std::iter::Map<btree_map::IntoIter<ObjectName, Arc<T>>, fn((ObjectName, Arc<T>)) -> (ObjectName, T)>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter().map(|(name, object)| (name, Arc::unwrap_or_clone(object)))
    }
}

impl<T> Clone for Objects<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> FromIterator<(ObjectName, T)> for Objects<T> {
    fn from_iter<I: IntoIterator<Item = (ObjectName, T)>>(items: I) -> Self {
        let map: Map<T> = items.into_iter().map(|(name, object)| (name, Arc::new(object))).collect();
        Self(Arc::new(map))
    }
}

impl<T> Extend<(ObjectName, T)> for Objects<T> {
    fn extend<I: IntoIterator<Item = (ObjectName, T)>>(&mut self, items: I) {
        self.map().extend(items.into_iter().map(|(name, object)| (name, Arc::new(object))));
    }
}

impl<T> Index<&ObjectName> for Objects<T> {
    type Output = T;

    fn index(&self, name: &ObjectName) -> &T {
        &self.0[name]
    }
}

impl<T: Serialize> Serialize for Objects<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.values())
    }
}

impl<'de, T: Deserialize<'de> + Named> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut objects = BTreeMap::new();
        for item in Vec::<T>::deserialize(deserializer)? {
            let name = item.name().clone();
            if objects.insert(name.clone(), Arc::new(item)).is_some() {
                return Err(D::Error::custom(format_args!("{name} is listed twice")));
            }
        }
        Ok(Self(Arc::new(objects)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn tables(names: &[&str]) -> Objects<Table> {
        names.iter().map(|name| (ObjectName::new(*name), Table::new(*name))).collect()
    }

    #[test]
    fn a_change_is_seen_by_its_own_copy_alone() {
        let first = tables(&["a", "b"]);
        let mut second = first.clone();
        second.change(|table| table.name.name == "a", |table| table.options.strict = true);
        assert!(!first[&"a".into()].options.strict && second[&"a".into()].options.strict);
        assert!(second.shares(&"b".into(), &first[&"b".into()]), "what did not change stays shared");
        second.remove(&"b".into());
        assert_eq!((first.len(), second.len()), (2, 1));
    }

    #[test]
    fn equal_objects_of_different_origin_can_be_shared() {
        let (mut first, second) = (tables(&["a", "b"]), tables(&["b", "c"]));
        first.adopt(&second);
        assert!(second.shares(&"b".into(), &first[&"b".into()]));
        assert!(!first.contains_key(&"c".into()) && first.agrees(&second, &"b".into()));
    }
}
