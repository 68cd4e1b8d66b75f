//! The ways in which a case is run, on every database.

use std::time::Duration;

use pql_engine::ApplyOptions;
use pql_schema::MigrationStrategy;

/// How a case is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As it is by default: small tables take the plain statement.
    Online,
    /// Every table is as good as large.
    NoStall,
    /// In as few transactions as possible.
    Offline,
}

/// All of them.
pub(crate) const VARIANTS: [Variant; 3] = [Variant::Online, Variant::NoStall, Variant::Offline];

impl Variant {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::NoStall => "online without any stall",
            Self::Offline => "offline",
        }
    }

    /// The options that it stands for.
    pub(crate) fn options(self) -> ApplyOptions {
        let mut options = ApplyOptions::default();
        // Several transactions even for a handful of rows.
        options.run.batch_rows = Some(2);
        match self {
            Self::Online => {}
            Self::NoStall => options.run.max_stall = Duration::ZERO,
            Self::Offline => options.strategy = MigrationStrategy::Offline,
        }
        options
    }
}
