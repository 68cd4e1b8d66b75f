//! Views and triggers: what the target asks of them, and which have to make way for other changes.
//!
//! A text that uses something which goes is taken down before and put back afterwards. When the target lists no view
//! (or trigger) at all it says nothing about them: then what would be put back broken is an error instead.

use std::collections::{BTreeMap, BTreeSet};

use super::DiffError;
use super::align::same_view;
use super::join::{Side, join};
use super::order::in_order;
use super::phases::Phases;
use crate::objects::find;
use crate::reading::{Reading, denotes};
use crate::{MigrationOp, ObjectName, ObjectRef, Schema, Trigger, View};

/// What goes elsewhere.
pub(super) struct Lost<'a> {
    pub(super) tables: BTreeSet<&'a ObjectName>,
    /// By table: the columns, and whether each goes for good.
    pub(super) columns: BTreeMap<&'a ObjectName, Vec<(String, bool)>>,
}

impl Lost<'_> {
    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.columns.is_empty()
    }
}

/// What happens to views and triggers.
#[derive(Default)]
pub(super) struct Texts<'a> {
    /// In the order in which they can go.
    drop_views: Vec<&'a ObjectName>,
    /// In the order in which they can come.
    create_views: Vec<View>,
    drop_triggers: Vec<&'a ObjectName>,
    create_triggers: Vec<Trigger>,
}

pub(super) fn compare<'a>(
    now: &'a Schema,
    then: &'a Schema,
    lost: &Lost<'a>,
) -> Result<Texts<'a>, DiffError> {
    let mut texts = Texts::default();
    let dropped = texts.compare_views(now, then, lost)?;
    texts.compare_triggers(now, then, lost, &dropped)?;
    Ok(texts)
}

impl<'a> Texts<'a> {
    pub(super) fn dropped_views(&self) -> BTreeSet<&'a ObjectName> {
        self.drop_views.iter().copied().collect()
    }

    pub(super) fn emit(self, current: &Schema, phases: &mut Phases) {
        for name in self.drop_triggers {
            // As it is before the renames, which come later and are taken back earlier.
            if let Some(trigger) = current.trigger(name) {
                phases.drop_triggers.push(trigger.removal(current));
            }
        }
        phases
            .drop_views
            .extend(self.drop_views.into_iter().map(|view| MigrationOp::DropView { view: view.clone() }));
        phases
            .create_views
            .extend(self.create_views.into_iter().map(|view| MigrationOp::CreateView { view }));
        phases.create_triggers.extend(self.create_triggers.iter().map(|trigger| trigger.creation(current)));
    }

    /// Answers the views that go, and whether each goes for good.
    fn compare_views(
        &mut self,
        now: &'a Schema,
        then: &'a Schema,
        lost: &Lost<'a>,
    ) -> Result<BTreeMap<&'a ObjectName, bool>, DiffError> {
        let rule = now.names;
        let spoken_of = !then.views.is_empty();
        let mut dropped: BTreeMap<&'a ObjectName, bool> = BTreeMap::new();
        let mut created: BTreeMap<&'a ObjectName, View> = BTreeMap::new();
        let mut kept: Vec<&'a View> = Vec::new();
        for side in join(&now.views, &then.views, rule) {
            match side {
                Side::Left(view) if !spoken_of => kept.push(view),
                Side::Left(view) => {
                    dropped.insert(&view.name, true);
                }
                Side::Right(target) => {
                    created.insert(&target.name, target.clone());
                }
                Side::Both(view, target) if same_view(view, target, rule) => kept.push(view),
                Side::Both(view, target) => {
                    dropped.insert(&view.name, false);
                    created.insert(&view.name, View { name: view.name.clone(), ..target.clone() });
                }
            }
        }
        if lost.is_empty() && dropped.is_empty() {
            kept.clear();
        }
        // Whatever reads a view that goes has to go before it.
        let mut staying: Vec<_> = kept.into_iter().map(|view| (view, Reading::of_view(view, rule))).collect();
        loop {
            let mut in_the_way = Vec::new();
            for (at, (view, reading)) in staying.iter().enumerate() {
                match hit(now, reading, None, lost, &dropped) {
                    None => {}
                    Some((what, true)) if !spoken_of => {
                        let by = vec![ObjectRef::View(view.name.clone())];
                        return Err(DiffError::UsedElsewhere { what: Box::new(what), by });
                    }
                    Some(_) => in_the_way.push(at),
                }
            }
            if in_the_way.is_empty() {
                break;
            }
            for at in in_the_way.into_iter().rev() {
                let (view, _) = staying.remove(at);
                dropped.insert(&view.name, false);
                created.insert(&view.name, view.clone());
            }
        }
        let going: BTreeMap<&'a ObjectName, &View> =
            dropped.keys().map(|name| (*name, &now.views[*name])).collect();
        self.drop_views = in_order(&readers(now, &going)).0;
        self.drop_views.reverse();
        let coming: BTreeMap<&'a ObjectName, &View> =
            created.iter().map(|(name, view)| (*name, view)).collect();
        let order = in_order(&readers(now, &coming)).0;
        self.create_views = order.into_iter().filter_map(|name| created.remove(name)).collect();
        Ok(dropped)
    }

    fn compare_triggers(
        &mut self,
        now: &'a Schema,
        then: &'a Schema,
        lost: &Lost<'a>,
        views: &BTreeMap<&'a ObjectName, bool>,
    ) -> Result<(), DiffError> {
        let rule = now.names;
        let spoken_of = !then.triggers.is_empty();
        for (name, trigger) in &now.triggers {
            let target = then.triggers.find(rule, name).map(|(_, target)| target);
            let with_table =
                now.tables.find(rule, &trigger.table).is_some_and(|(table, _)| lost.tables.contains(table));
            let with_view = find(views, rule, &trigger.table).map(|(_, for_good)| *for_good);
            let same = |target: &Trigger| {
                target.definition == trigger.definition && rule.same_object(&target.table, &trigger.table)
            };
            let found = if lost.is_empty() && views.is_empty() {
                None
            } else {
                hit(now, &Reading::of_trigger(trigger, rule), Some(&trigger.table), lost, views)
            };
            if with_table || with_view == Some(true) {
                // It goes along, unless it would be in the way of something that goes earlier.
                if found.is_some() || with_view.is_some() {
                    self.drop_triggers.push(name);
                }
                self.create_triggers.extend(target.cloned());
                continue;
            }
            let stays = if spoken_of { target.is_some_and(same) } else { true };
            if !stays {
                self.drop_triggers.push(name);
                self.create_triggers
                    .extend(target.map(|target| Trigger { name: name.clone(), ..target.clone() }));
                continue;
            }
            match found {
                Some((what, true)) if !spoken_of => {
                    let by = vec![ObjectRef::Trigger(name.clone())];
                    return Err(DiffError::UsedElsewhere { what: Box::new(what), by });
                }
                None if with_view.is_none() => {}
                _ => {
                    self.drop_triggers.push(name);
                    self.create_triggers.push(trigger.clone());
                }
            }
        }
        let new = then.triggers.iter().filter(|(name, _)| now.triggers.find(rule, name).is_none());
        self.create_triggers.extend(new.map(|(_, trigger)| trigger.clone()));
        Ok(())
    }
}

/// What of the things that go a text uses, and whether that goes for good; something that does, if there is any.
fn hit(
    now: &Schema,
    reading: &Reading<'_>,
    watched: Option<&ObjectName>,
    lost: &Lost<'_>,
    views: &BTreeMap<&ObjectName, bool>,
) -> Option<(ObjectRef, bool)> {
    let mut found: Option<(ObjectRef, bool)> = None;
    let mut note = |what: ObjectRef, for_good: bool| {
        if found.as_ref().is_none_or(|(_, known)| for_good && !known) {
            found = Some((what, for_good));
        }
    };
    for relation in reading.relations().map(Some).chain([None]) {
        let Some(name) = relation.or(watched) else { continue };
        let object = ObjectName::new(name.name.clone());
        let table = now.tables.find(now.names, name).or_else(|| now.tables.find(now.names, &object));
        let view = now.views.find(now.names, name).or_else(|| now.views.find(now.names, &object));
        if let Some((table, _)) =
            table.filter(|(table, _)| relation.is_none() || denotes(now.names, name, table))
        {
            if relation.is_some() && lost.tables.contains(table) {
                note(ObjectRef::Table(table.clone()), true);
            }
            for (column, for_good) in lost.columns.get(table).into_iter().flatten() {
                if reading.uses(table, column) {
                    note(ObjectRef::Column(table.clone(), column.clone()), *for_good);
                }
            }
        }
        if let Some((view, _)) = view.filter(|(view, _)| relation.is_some() && denotes(now.names, name, view))
            && let Some(&for_good) = views.get(view)
        {
            note(ObjectRef::View(view.clone()), for_good);
        }
    }
    found
}

/// Which of the views read which others of them.
fn readers<'n>(
    schema: &Schema,
    views: &BTreeMap<&'n ObjectName, &View>,
) -> BTreeMap<&'n ObjectName, BTreeSet<&'n ObjectName>> {
    let read = |view: &View| {
        let reading = Reading::of_view(view, schema.names);
        let relations = reading.relations();
        let plain = |name: &ObjectName| ObjectName::new(name.name.clone());
        relations
            .filter_map(|name| {
                find(views, schema.names, name)
                    .or_else(|| find(views, schema.names, &plain(name)))
                    .map(|(name, _)| *name)
            })
            .collect()
    };
    views.iter().map(|(name, view)| (*name, read(view))).collect()
}
