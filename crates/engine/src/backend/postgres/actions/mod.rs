//! What the steps of a plan do on PostgreSQL.

use pql_planner::{Action, Capabilities, Plan};

use super::link::Session;
use super::run::Run;
use crate::error::codes;
use crate::{Error, Result};

/// The statements that an action runs, for showing.
pub(super) fn statements(_: &Capabilities, _: &Plan, _: &Action) -> Vec<String> {
    Vec::new()
}

/// Whether the database is as the action leaves it.
pub(super) fn probe(_: &mut Session, _: &Plan, _: &Action) -> Result<Option<bool>> {
    Ok(None)
}

/// Whether the rows there are let an action of a rollback be done.
pub(super) fn fits(_: &mut Session, _: &Plan, _: &Action) -> Result<()> {
    Ok(())
}

/// Does it.
pub(super) fn execute(_: &mut Run<'_>, action: &Action) -> Result<()> {
    Err(Error::new(
        codes::UNSUPPORTED,
        format!("This version of PQL cannot {} on PostgreSQL yet.", action.verb()),
    ))
}

/// Removes what an applied migration retained.
pub(super) fn purge(run: &mut Run<'_>) -> Result<()> {
    run.finish()
}
