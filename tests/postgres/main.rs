//! The PostgreSQL backend against a server of its own, and behind a pooler.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod batches;
mod beside;
mod brakes;
mod by_place;
mod connections;
mod conversions;
mod dumps;
mod journal;
mod kills;
mod late;
mod later;
mod meanwhile;
mod new_tables;
mod refusals;
mod round_trips;
mod rows;
mod scenarios;
mod schemas;
mod silenced;
mod traps;
mod types;
mod writers;
