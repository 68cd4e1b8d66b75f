//! A schema after an operation.
