//! Settings that are kept with the database.

use std::collections::BTreeMap;

use crate::Result;
use crate::backend::Connection;

use super::{Journal, Row};

impl Journal {
    /// All of them.
    pub(crate) fn settings(self, connection: &mut dyn Connection) -> Result<BTreeMap<String, String>> {
        let found = connection.query(&self.sql("SELECT name, value FROM {settings}"), &[])?;
        found
            .rows
            .into_iter()
            .map(|row| {
                let mut row = Row::new(row);
                Ok((row.text()?, row.text()?))
            })
            .collect()
    }

    /// Sets one, or with `None` forgets it.
    pub(crate) fn set_setting(
        self,
        connection: &mut dyn Connection,
        name: &str,
        value: Option<&str>,
    ) -> Result<()> {
        match value {
            Some(value) => connection.execute(
                &self.sql(
                    "INSERT INTO {settings} (name, value) VALUES (?1, ?2) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                ),
                &[name.into(), value.into()],
            )?,
            None => {
                connection.execute(&self.sql("DELETE FROM {settings} WHERE name = ?1"), &[name.into()])?
            }
        };
        Ok(())
    }
}
