//! The schema model, its operations, diff and fingerprint.
