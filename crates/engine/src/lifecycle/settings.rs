//! Settings that are kept with the database. What they mean is the session's business.

use std::collections::BTreeMap;

use crate::runner::transact;
use crate::{Engine, Result};

impl Engine {
    /// The settings that are kept with this database.
    pub fn settings(&mut self) -> Result<BTreeMap<String, String>> {
        if self.known()? { self.journal.settings(self.backend.connection()) } else { Ok(BTreeMap::new()) }
    }

    /// Keeps a setting, or with `None` forgets it.
    pub fn set_setting(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        if value.is_none() && !self.known()? {
            return Ok(());
        }
        let journal = self.journal;
        transact(self.backend.as_mut(), |connection| {
            journal.ensure(connection)?;
            journal.set_setting(connection, name, value)
        })
    }
}
