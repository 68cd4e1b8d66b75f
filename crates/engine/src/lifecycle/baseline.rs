//! MIGRATE BASELINE: an existing database becomes version 1, unchanged.

use pql_schema::{Migration, MigrationId, MigrationStatus, Schema};
use uuid::Uuid;

use crate::journal::{Kind, Record, Retention, Totals, now};
use crate::lease::holder;
use crate::options::Retain;
use crate::runner::transact;
use crate::{Engine, Error, Result, codes};

impl Engine {
    /// Records the schema as it is as version 1.
    pub fn baseline(&mut self, name: Option<&str>) -> Result<Migration> {
        let time = now();
        let schema = self.backend.introspect()?;
        let record = Record {
            migration: Migration {
                id: MigrationId(Uuid::now_v7()),
                name: name.unwrap_or("baseline").to_owned(),
                version: Some(1),
                operations: Vec::new(),
                status: MigrationStatus::Applied,
                created_at: time,
                applied_at: Some(time),
            },
            kind: Kind::Baseline,
            touches: Vec::new(),
            base: Schema::new(schema.names),
            attributes: None,
            attempt: 0,
            run: None,
            strategy: None,
            retain: Retain::Forever,
            retention: Retention::Kept,
            totals: Totals::default(),
            failure: None,
            actor: self.actor.clone(),
        };
        let (journal, actor) = (self.journal, &self.actor);
        transact(self.backend.as_mut(), |connection| {
            journal.ensure(connection)?;
            if let Some(holder) = holder(journal, connection)? {
                return Err(holder.refusal());
            }
            let version = journal.version(connection)?;
            if version > 0 {
                return Err(Error::new(
                    codes::BASELINE_LATE,
                    format!("this database is at version {version} already; a baseline comes before the first migration"),
                )
                .with_help("its schema is recorded; MIGRATE VERIFY compares the database with it"));
            }
            let id = record.migration.id;
            journal.insert(connection, &record)?;
            journal.set_version(connection, 0, None, &Schema::new(schema.names))?;
            journal.set_version(connection, 1, Some(id), &schema)?;
            journal.record(connection, actor, Some(id), "baseline", Some(&record.migration.name))
        })?;
        Ok(record.migration)
    }
}
