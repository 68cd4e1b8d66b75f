//! What hangs on tables and is not part of the schema model.

use std::collections::BTreeMap;

use pql_planner::{Capabilities, Held};
use pql_schema::ObjectName;

use super::link::Session;
use crate::Result;

/// By table.
pub(super) fn of(
    _session: &mut Session,
    _tables: &[ObjectName],
    _capabilities: &Capabilities,
) -> Result<BTreeMap<String, Vec<Held>>> {
    Ok(BTreeMap::new())
}
