//! MIGRATE VERIFY: the database compared with what the journal says it should be.

use crate::{Engine, Error, Result, codes};

use super::drift::{Drift, differences};

impl Engine {
    /// What of the schema is not as the last migration left it.
    pub fn verify(&mut self) -> Result<Vec<Drift>> {
        let recorded = if self.known()? {
            let connection = self.backend.connection();
            let version = self.journal.version(connection)?;
            self.journal.schema_at(connection, version)?
        } else {
            None
        };
        let Some(recorded) = recorded else {
            return Err(Error::new(
                codes::NO_RECORD,
                "the journal has no schema to compare the database with",
            )
            .with_help("MIGRATE BASELINE records the schema as it is"));
        };
        let found = self.backend.introspect()?.visible();
        let mut drifts = differences(&recorded, &found);
        drifts.extend(self.backend.silenced()?.into_iter().map(|silenced| Drift {
            object: format!("trigger {}", silenced.trigger),
            expected: Some(silenced.meant),
            found: Some(silenced.state),
        }));
        Ok(drifts)
    }
}
