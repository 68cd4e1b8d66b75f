//! The schema of each version, kept as what it changed of the version before: a large schema is written once, not
//! with every migration.

use std::collections::BTreeSet;

use pql_schema::{MigrationId, ObjectName, Objects, Schema};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::backend::Connection;

use super::row::{json, number};
use super::{Journal, Row, now, time_text};

/// What separates two schemas, object by object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// The objects that came or changed, as they are afterwards.
    pub(crate) set: Schema,
    /// Tables that went.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) tables: BTreeSet<ObjectName>,
    /// Indexes that went.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) indexes: BTreeSet<ObjectName>,
    /// Views that went.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) views: BTreeSet<ObjectName>,
    /// Triggers that went.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) triggers: BTreeSet<ObjectName>,
}

impl Delta {
    /// What leads from one schema to another, as users see them.
    pub(crate) fn between(from: &Schema, to: &Schema) -> Self {
        let (from, to) = (from.visible(), to.visible());
        let mut delta = Self { set: Schema::new(to.names), ..Self::default() };
        compare(&from.tables, &to.tables, &mut delta.set.tables, &mut delta.tables);
        compare(&from.indexes, &to.indexes, &mut delta.set.indexes, &mut delta.indexes);
        compare(&from.views, &to.views, &mut delta.set.views, &mut delta.views);
        compare(&from.triggers, &to.triggers, &mut delta.set.triggers, &mut delta.triggers);
        delta
    }

    /// The schema after it.
    pub(crate) fn apply(self, schema: &mut Schema) {
        schema.names = self.set.names;
        replace(&mut schema.tables, self.set.tables, &self.tables);
        replace(&mut schema.indexes, self.set.indexes, &self.indexes);
        replace(&mut schema.views, self.set.views, &self.views);
        replace(&mut schema.triggers, self.set.triggers, &self.triggers);
    }
}

fn compare<T: Eq>(from: &Objects<T>, to: &Objects<T>, set: &mut Objects<T>, gone: &mut BTreeSet<ObjectName>) {
    if from == to {
        return;
    }
    gone.extend(from.keys().filter(|name| !to.contains_key(name)).cloned());
    for name in to.keys().filter(|name| !from.agrees(to, name)) {
        set.share(to, name);
    }
}

fn replace<T: Clone>(objects: &mut Objects<T>, set: Objects<T>, gone: &BTreeSet<ObjectName>) {
    objects.retain(|name, _| !gone.contains(name));
    objects.extend(set);
}

impl Journal {
    /// The schema that the journal has for a version; `None`: it has none.
    pub(crate) fn schema_at(self, connection: &mut dyn Connection, version: u64) -> Result<Option<Schema>> {
        let found = connection.query(
            &self.sql("SELECT version, delta FROM {versions} WHERE version <= ?1 ORDER BY version"),
            &[number(version)],
        )?;
        let mut schema = Schema::default();
        let mut last = None;
        for row in found.rows {
            let mut row = Row::new(row);
            last = Some(row.number()?);
            row.json::<Delta>()?.apply(&mut schema);
        }
        schema.version = version;
        Ok((last == Some(version)).then_some(schema))
    }

    /// Records the schema of a version, after which there is none.
    pub(crate) fn set_version(
        self,
        connection: &mut dyn Connection,
        version: u64,
        id: Option<MigrationId>,
        schema: &Schema,
    ) -> Result<()> {
        self.cut_versions(connection, version)?;
        let before = match version.checked_sub(1) {
            Some(before) => self.schema_at(connection, before)?.unwrap_or_default(),
            None => Schema::default(),
        };
        connection.execute(
            &self.sql("INSERT INTO {versions} (version, migration_id, delta, at) VALUES (?1, ?2, ?3, ?4)"),
            &[
                number(version),
                id.map(|id| id.to_string()).into(),
                json(&Delta::between(&before, schema)),
                time_text(now()).into(),
            ],
        )?;
        Ok(())
    }

    /// Forgets the versions from this one on.
    pub(crate) fn cut_versions(self, connection: &mut dyn Connection, from: u64) -> Result<()> {
        connection.execute(&self.sql("DELETE FROM {versions} WHERE version >= ?1"), &[number(from)])?;
        Ok(())
    }

    /// The versions that the journal has, oldest first.
    pub(crate) fn versions(self, connection: &mut dyn Connection) -> Result<Vec<u64>> {
        let found = connection.query(&self.sql("SELECT version FROM {versions} ORDER BY version"), &[])?;
        found.rows.into_iter().map(|row| Row::new(row).number()).collect()
    }
}
