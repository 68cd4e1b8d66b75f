//! MIGRATE GENERATE: operations become a saved migration, after the model and the planner have accepted them.

use std::fmt::Write as _;

use pql_schema::{Migration, MigrationId, MigrationOp, MigrationStatus};
use uuid::Uuid;

use crate::journal::{Kind, Record, Retention, Totals, now};
use crate::options::{ApplyOptions, Retain};
use crate::runner::transact;
use crate::{Engine, Error, Result, codes};

use super::planning;

impl Engine {
    /// Saves operations as a migration, without running them. They are applied to the model and planned first;
    /// nothing is saved when either refuses.
    pub fn generate(&mut self, ops: Vec<MigrationOp>, name: Option<&str>) -> Result<Migration> {
        self.generate_with(ops, name, None)
    }

    /// The same, with attributes of the caller's that are kept with the migration.
    pub fn generate_with(
        &mut self,
        mut operations: Vec<MigrationOp>,
        name: Option<&str>,
        attributes: Option<serde_json::Value>,
    ) -> Result<Migration> {
        if operations.is_empty() {
            return Err(Error::new(codes::EMPTY, "a migration needs at least one operation")
                .with_help("the schema may be what is wanted already; MIGRATE DETECT tells"));
        }
        let id = MigrationId(Uuid::now_v7());
        let schema = self.backend.introspect()?;
        pql_planner::name_keys(&schema, &mut operations);
        let options = ApplyOptions::default();
        let planned =
            planning::make(self.backend.as_mut(), &schema, &operations, &options, &planning::tag(id, 1))?;
        planning::check_columns(self.backend.as_mut(), &schema, &operations)?;
        let migration = Migration {
            id,
            name: name.map_or_else(|| name_of(&operations), str::to_owned),
            version: None,
            operations,
            status: MigrationStatus::Generated,
            created_at: now(),
            applied_at: None,
        };
        let record = Record {
            migration,
            kind: Kind::Migration,
            touches: planning::names(&planned.plan, &planned.expected),
            base: planned.base,
            attributes,
            attempt: 0,
            run: None,
            strategy: None,
            retain: Retain::Forever,
            retention: Retention::Kept,
            totals: Totals::default(),
            failure: None,
            actor: self.actor.clone(),
        };
        self.save(&record, "generated")?;
        Ok(record.migration)
    }

    /// Saves a new migration.
    pub(super) fn save(&mut self, record: &Record, event: &str) -> Result<()> {
        let (journal, actor) = (self.journal, &self.actor);
        transact(self.backend.as_mut(), |connection| {
            journal.ensure(connection)?;
            journal.insert(connection, record)?;
            journal.record(connection, actor, Some(record.migration.id), event, Some(&record.migration.name))
        })
    }

    /// What the caller keeps with a migration.
    pub fn attributes(&mut self, id: MigrationId) -> Result<Option<serde_json::Value>> {
        Ok(self.record(id)?.attributes)
    }

    /// Changes that.
    pub fn set_attributes(&mut self, id: MigrationId, attributes: &serde_json::Value) -> Result<()> {
        self.record(id)?;
        let journal = self.journal;
        transact(self.backend.as_mut(), |connection| journal.set_attributes(connection, id, attributes))
    }
}

/// A name from the first operation and the number of the others.
fn name_of(ops: &[MigrationOp]) -> String {
    let statement = pql_planner::text::statement(&ops[0]);
    let objects = ops[0].objects();
    let verb = ops[0].kind().to_ascii_lowercase();
    let object = objects.first().map_or(statement, ToString::to_string);
    let mut name = String::new();
    // The verb says the kind already: "drop column users.email", not "drop column column users.email".
    let object = object.split_once(' ').map_or(object.as_str(), |(_, object)| object);
    for c in format!("{verb} {object}").chars() {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    let mut name: String = name.trim_matches('_').chars().take(60).collect();
    if ops.len() > 1 {
        let _ = write!(name, "_and_{}_more", ops.len() - 1);
    }
    name
}
