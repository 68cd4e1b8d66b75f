//! The schema as it is.
use pql_schema::{NameRule, Schema};

use super::link::Session;
use crate::Result;

/// Reads it.
pub(super) fn schema(_session: &mut Session) -> Result<Schema> {
    Ok(Schema::new(NameRule::Exact))
}
