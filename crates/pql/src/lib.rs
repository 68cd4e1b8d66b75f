//! The embedded query API: sessions, settings, jobs and typed calls.
