//! From a place to a backend.

use crate::options::OpenOptions;
use crate::{Location, Result};

use super::Backend;

/// Opens the database at a place.
pub(crate) fn open(location: &Location, options: &OpenOptions) -> Result<Box<dyn Backend>> {
    todo!()
}
