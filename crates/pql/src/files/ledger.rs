//! The files of a project beside the journal of a database.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pql_engine::MigrationInfo;
use pql_schema::{MigrationId, MigrationStatus};
use serde::{Deserialize, Serialize};

use super::directory::{Directory, MigrationFile};
use super::name;

/// What the journal keeps beside a migration that came from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The file's number.
    pub(crate) number: u64,
    /// `001_add_status_column`.
    pub(crate) file: String,
    /// The up file's checksum.
    pub(crate) checksum: String,
    /// The down file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) down_checksum: Option<String>,
    /// The file is gone on purpose and is no longer asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) forgotten: bool,
}

impl Origin {
    /// As the journal keeps it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        // Of all that come from one file only one is ever in force.
        serde_json::json!({ "file": self, "once": self.file })
    }

    fn of(info: &MigrationInfo) -> Option<Self> {
        serde_json::from_value(info.attributes.as_ref()?.get("file")?.clone()).ok()
    }
}

/// A migration that came from a file.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) origin: Origin,
    pub(crate) info: MigrationInfo,
}

/// A file, its record, or both.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) file: Option<MigrationFile>,
    pub(crate) recorded: Option<Recorded>,
}

/// Where a file is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum FileStatus {
    /// Not applied yet.
    Pending,
    /// Begun and not finished.
    Interrupted,
    /// Applied.
    Applied,
    /// Its last run failed and was taken back.
    Failed,
    /// Applied once and taken back.
    #[serde(rename = "Rolled back")]
    RolledBack,
}

impl FileStatus {
    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Interrupted => "Interrupted",
            Self::Applied => "Applied",
            Self::Failed => "Failed",
            Self::RolledBack => "Rolled back",
        }
    }
}

/// A line of `pql migrate status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusRow {
    /// `001_add_status_column`.
    pub id: String,
    /// Where it is in its life.
    pub status: FileStatus,
    /// Its words.
    pub description: String,
    /// When it was applied.
    pub applied_at: Option<DateTime<Utc>>,
    /// How long that took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// What is the matter with it.
    pub problem: Option<String>,
}

impl Entry {
    pub(crate) fn status(&self) -> FileStatus {
        match self.recorded.as_ref().map(|recorded| recorded.info.status) {
            None | Some(MigrationStatus::Generated | MigrationStatus::Cancelled) => FileStatus::Pending,
            Some(MigrationStatus::Running | MigrationStatus::Paused) => FileStatus::Interrupted,
            Some(MigrationStatus::Applied) => FileStatus::Applied,
            Some(MigrationStatus::Failed) => FileStatus::Failed,
            Some(MigrationStatus::RolledBack) => FileStatus::RolledBack,
        }
    }

    pub(crate) fn is_applied(&self) -> bool {
        self.status() == FileStatus::Applied
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.status() == FileStatus::Interrupted
    }

    /// The migration in the journal.
    pub(crate) fn migration_id(&self) -> Option<MigrationId> {
        self.recorded.as_ref().map(|recorded| recorded.info.migration_id)
    }

    /// The version that it made.
    pub(crate) fn applied_version(&self) -> Option<u64> {
        self.recorded.as_ref().and_then(|recorded| recorded.info.version)
    }

    /// Whether it is applied and the file is not any more what was applied.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_applied() && self.differs()
    }

    /// Whether it was begun and the file is not any more what was begun.
    pub(crate) fn is_changed_midway(&self) -> bool {
        self.is_interrupted() && self.differs()
    }

    /// Whether the file is another than the one that was recorded.
    fn differs(&self) -> bool {
        match (&self.file, &self.recorded) {
            (Some(file), Some(recorded)) => file.up.checksum != recorded.origin.checksum,
            _ => false,
        }
    }

    /// Whether it is applied and there is no file any more.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_applied()
            && self.file.is_none()
            && self.recorded.as_ref().is_some_and(|recorded| !recorded.origin.forgotten)
    }

    pub(crate) fn row(&self) -> StatusRow {
        let status = self.status();
        let info = self.recorded.as_ref().map(|recorded| &recorded.info);
        let problem = if self.is_changed() {
            Some("the file was changed after it was applied".to_owned())
        } else if self.is_missing() {
            Some("the file is gone".to_owned())
        } else {
            info.filter(|_| status != FileStatus::Applied).and_then(|info| info.error.clone())
        };
        let applied = info.filter(|_| status == FileStatus::Applied);
        StatusRow {
            id: self.id.clone(),
            status,
            description: name::description(&self.id),
            applied_at: applied.and_then(|info| info.applied_at),
            duration_ms: applied.map(|info| info.duration_ms),
            problem,
        }
    }
}

/// Of two records of one file the one counts that has changed more; otherwise the last.
fn weight(status: MigrationStatus) -> u8 {
    match status {
        MigrationStatus::Generated | MigrationStatus::Cancelled => 0,
        MigrationStatus::Failed | MigrationStatus::RolledBack => 1,
        MigrationStatus::Running | MigrationStatus::Paused => 2,
        MigrationStatus::Applied => 3,
    }
}

/// Files and records by number and name.
pub(crate) fn entries(directory: &Directory, journal: &[MigrationInfo]) -> Vec<Entry> {
    let mut entries: BTreeMap<(u64, String), Entry> = BTreeMap::new();
    for file in &directory.files {
        let entry =
            Entry { number: file.number, id: file.id.clone(), file: Some(file.clone()), recorded: None };
        entries.insert((file.number, file.id.clone()), entry);
    }
    for info in journal {
        let Some(origin) = Origin::of(info) else { continue };
        let key = (origin.number, origin.file.clone());
        let entry = entries.entry(key.clone()).or_insert(Entry {
            number: key.0,
            id: key.1,
            file: None,
            recorded: None,
        });
        let known = entry.recorded.as_ref().map_or(0, |known| weight(known.info.status));
        if weight(info.status) >= known {
            entry.recorded = Some(Recorded { origin, info: info.clone() });
        }
    }
    // A record without a file matters only as long as it is in force.
    entries
        .into_values()
        .filter(|entry| entry.file.is_some() || entry.is_applied() || entry.is_interrupted())
        .collect()
}
