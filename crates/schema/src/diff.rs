//! The operations between two schemas.
