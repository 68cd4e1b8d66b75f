//! The PostgreSQL backend against a server of its own, and behind a pooler.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod connections;
mod journal;
mod round_trips;
mod rows;
mod scenarios;
mod schemas;
mod writers;
