//! MIGRATE HISTORY.

use crate::journal::Event;
use crate::{Engine, Result};

impl Engine {
    /// Every state change, oldest first.
    pub fn history(&mut self) -> Result<Vec<Event>> {
        if self.known()? { self.journal.events(self.backend.connection()) } else { Ok(Vec::new()) }
    }
}
