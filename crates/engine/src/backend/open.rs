//! From a place to a backend.

use crate::options::OpenOptions;
use crate::{Location, Result};

use super::Backend;
use super::postgres::Postgres;
use super::sqlite::Sqlite;

/// Opens the database at a place.
pub fn open(location: &Location, options: &OpenOptions) -> Result<Box<dyn Backend>> {
    Ok(match location {
        Location::SqliteFile(path) => {
            Box::new(Sqlite::open_patiently(path, options.create, options.read_only, options.patience)?)
        }
        Location::SqliteMemory => Box::new(Sqlite::memory()?),
        Location::Postgres(url) => {
            let mut postgres = Postgres::open(url, options.read_only)?;
            postgres.set_patience(options.patience);
            Box::new(postgres)
        }
    })
}
