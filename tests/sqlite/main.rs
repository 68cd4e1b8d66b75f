//! The SQLite backend by itself: each action against a real file, with its way back, with writers beside it, and
//! stopped at every transaction.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod backfills;
mod captures;
mod definitions;
mod files;
mod indexes;
mod rebuilds;
mod stragglers;
