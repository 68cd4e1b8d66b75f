//! The history: every state change, with its time, actor and reason. Only ever added to.

use chrono::{DateTime, Utc};
use pql_schema::MigrationId;
use serde::Serialize;

use crate::Result;
use crate::backend::Connection;

use super::{Journal, Row, now, time_text};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// To which migration, when to one.
    pub migration_id: Option<MigrationId>,
    /// What, in one word.
    pub event: String,
    /// The circumstances.
    pub detail: Option<String>,
    /// Who did it.
    pub actor: String,
}

impl Journal {
    /// Adds to the history.
    pub(crate) fn record(
        self,
        connection: &mut dyn Connection,
        actor: &str,
        id: Option<MigrationId>,
        event: &str,
        detail: Option<&str>,
    ) -> Result<()> {
        connection.execute(
            &self.sql(
                "INSERT INTO {events} (seq, at, migration_id, event, detail, actor) \
                 SELECT coalesce(max(seq), 0) + 1, ?1, ?2, ?3, ?4, ?5 FROM {events}",
            ),
            &[
                time_text(now()).into(),
                id.map(|id| id.to_string()).into(),
                event.into(),
                detail.into(),
                actor.into(),
            ],
        )?;
        Ok(())
    }

    /// The history, oldest first.
    pub(crate) fn events(self, connection: &mut dyn Connection) -> Result<Vec<Event>> {
        let found = connection.query(
            &self.sql("SELECT at, migration_id, event, detail, actor FROM {events} ORDER BY seq"),
            &[],
        )?;
        found
            .rows
            .into_iter()
            .map(|row| {
                let mut row = Row::new(row);
                Ok(Event {
                    at: row.time()?,
                    migration_id: row.opt_parse()?,
                    event: row.text()?,
                    detail: row.opt_text()?,
                    actor: row.text()?,
                })
            })
            .collect()
    }
}
