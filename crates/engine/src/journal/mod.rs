//! The journal: what was done to the database, kept in the database itself so that it commits with the work.
//!
//! Portable SQL over a [`Connection`]; the dialect decides where the tables live. Reading never creates anything:
//! the tables come into being with the first statement that has something to record. Callers that write are inside a
//! transaction of the backend's.
//!
//! The journal records and gives back; what a status or a state means is decided by the runner and the lifecycle.

mod events;
mod migrations;
mod plans;
mod row;
mod settings;
mod steps;
mod upgrade;
mod versions;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use pql_planner::Dialect;

pub use events::Event;
pub(crate) use migrations::{Failure, Heading, Intent, Kind, Reason, Record, Retention, Run, Totals};
pub(crate) use plans::StoredPlan;
pub(crate) use row::Row;
pub(crate) use steps::{State, StepRow};
pub(crate) use upgrade::Presence;
pub(crate) use versions::Delta;

/// Access to the journal of a database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journal {
    dialect: Dialect,
}

impl Journal {
    /// For a database of that dialect.
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect }
    }

    /// A statement in the dialect's words: `{name}` is one of the journal's tables, `?1` a parameter.
    pub(crate) fn sql(self, template: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => template.replace('{', "_pql_").replace('}', ""),
            Dialect::Postgres => template.replace('{', "_pql.").replace('}', "").replace('?', "$"),
        }
    }

    /// What reads the fencing number so that it cannot change before the transaction ends. SQLite has one writer at a
    /// time anyway. PostgreSQL's lock keeps away who would change the number, since that is a unique key, and not the
    /// heartbeat, which does not.
    pub(crate) fn fence_sql(self) -> String {
        let lock = match self.dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR KEY SHARE",
        };
        self.sql(&format!("SELECT fence FROM {{lease}} WHERE one = 1{lock}"))
    }
}

/// The time now, to the precision that the journal keeps.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// A time as the journal writes it: sorts as text.
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
