//! CREATE and DROP of views and triggers.

use super::{Applied, ApplyError, near_objects};
use crate::{ObjectName, ObjectRef, Schema, Trigger, View};

impl Schema {
    /// What the query names is the database's to judge.
    pub(super) fn create_view(&mut self, view: &View) -> Applied {
        self.check_free(&view.name)?;
        self.views.insert(view.name.clone(), view.clone());
        Ok(())
    }

    /// Its triggers (and a materialised view's indexes) go with it; views and triggers that read it stop it.
    pub(super) fn drop_view(&mut self, name: &ObjectName) -> Applied {
        let view = self.view(name).ok_or_else(|| ApplyError::UnknownView {
            name: name.clone(),
            near: near_objects(name, &self.views),
        })?;
        let name = view.name.clone();
        let by = self.readers_of(&name);
        if !by.is_empty() {
            return Err(ApplyError::InUse { what: ObjectRef::View(name), by });
        }
        let rule = self.names;
        self.views.remove(&name);
        self.indexes.retain(|_, index| !rule.same_object(&index.table, &name));
        self.triggers.retain(|_, trigger| !rule.same_object(&trigger.table, &name));
        Ok(())
    }

    pub(super) fn create_trigger(&mut self, mut trigger: Trigger) -> Applied {
        if let Some(taken) = self.trigger(&trigger.name) {
            return Err(ApplyError::AlreadyExists { what: ObjectRef::Trigger(taken.name.clone()) });
        }
        trigger.table = match self.view(&trigger.table) {
            Some(view) => view.name.clone(),
            None => self.known_table(&trigger.table)?.name.clone(),
        };
        self.triggers.insert(trigger.name.clone(), trigger);
        Ok(())
    }

    pub(super) fn drop_trigger(&mut self, name: &ObjectName) -> Applied {
        let trigger = self.trigger(name).ok_or_else(|| ApplyError::UnknownTrigger {
            name: name.clone(),
            near: near_objects(name, &self.triggers),
        })?;
        let name = trigger.name.clone();
        self.triggers.remove(&name);
        Ok(())
    }
}
