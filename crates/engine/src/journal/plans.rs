//! The plans that were started. A migration that is applied again gets a new one; the older ones are kept, because
//! what they retained may still be there.

use pql_planner::Plan;
use pql_schema::{MigrationId, Schema};

use crate::backend::Connection;
use crate::{Error, Result, codes};

use super::row::{json, number};
use super::{Delta, Journal, Row};

/// A plan that was started.
#[derive(Debug, Clone)]
pub(crate) struct StoredPlan {
    /// The plan.
    pub(crate) plan: Plan,
    /// The objects it touches, as they were.
    pub(crate) base: Schema,
    /// What it makes of the schema, as far as the model can tell.
    pub(crate) expected: Delta,
}

impl Journal {
    /// Saves the plan of an attempt.
    pub(crate) fn insert_plan(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        attempt: u64,
        stored: &StoredPlan,
    ) -> Result<()> {
        connection.execute(
            &self.sql("INSERT INTO {plans} (migration_id, attempt, plan, base, expected) VALUES (?1, ?2, ?3, ?4, ?5)"),
            &[id.to_string().into(), number(attempt), json(&stored.plan), json(&stored.base), json(&stored.expected)],
        )?;
        Ok(())
    }

    /// The plan of an attempt.
    pub(crate) fn plan(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        attempt: u64,
    ) -> Result<StoredPlan> {
        let found = connection.query(
            &self.sql("SELECT plan, base, expected FROM {plans} WHERE migration_id = ?1 AND attempt = ?2"),
            &[id.to_string().into(), number(attempt)],
        )?;
        let row = found
            .rows
            .into_iter()
            .next()
            .ok_or_else(|| super::row::damaged(&format!("the plan of migration {id} is missing")))?;
        read(Row::new(row))
    }

    /// The plans of all attempts, oldest first.
    pub(crate) fn plans(self, connection: &mut dyn Connection, id: MigrationId) -> Result<Vec<StoredPlan>> {
        let found = connection.query(
            &self.sql("SELECT plan, base, expected FROM {plans} WHERE migration_id = ?1 ORDER BY attempt"),
            &[id.to_string().into()],
        )?;
        found.rows.into_iter().map(|row| read(Row::new(row))).collect()
    }
}

fn read(mut row: Row) -> Result<StoredPlan> {
    let plan: serde_json::Value = row.json()?;
    // The format is looked at before the rest, which another format may spell differently.
    if plan["format"] != pql_planner::plan::FORMAT {
        return Err(Error::new(
            codes::PLAN_FORMAT,
            format!(
                "the run was planned in format {}, which this version of PQL does not execute",
                plan["format"]
            ),
        )
        .with_help("finish or cancel it with the version of PQL that started it"));
    }
    let plan =
        serde_json::from_value(plan).map_err(|error| super::row::damaged("a plan").with_source(error))?;
    Ok(StoredPlan { plan, base: row.json()?, expected: row.json()? })
}
