//! Backends, journal, lease, runner, backfill and verification.
