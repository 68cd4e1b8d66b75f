//! The directory of migration files: what is in it, and what is wrong with the names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::checksum::checksum;
use super::name::{FileName, Side};
use crate::codes;
use crate::error::Error;

/// A migration's files.
#[derive(Debug, Clone)]
pub struct MigrationFile {
    /// The number that gives the order.
    pub number: u64,
    /// `001_add_status_column`.
    pub id: String,
    /// The file with the change.
    pub up: SourceFile,
    /// The file with the way back.
    pub down: Option<SourceFile>,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// The digest of its tokens.
    pub checksum: String,
}

/// Every migration file of a directory, by number.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// The files in order.
    pub files: Vec<MigrationFile>,
    /// What is wrong with names and numbers; the other files are listed all the same.
    pub problems: Vec<(&'static str, String)>,
    /// The largest number in use.
    pub last_number: u64,
}

impl Directory {
    /// Reads a directory; one that does not exist has no files.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut directory = Self::default();
        let mut found: BTreeMap<String, (u64, Option<SourceFile>, Option<SourceFile>)> = BTreeMap::new();
        for path in list(path)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match FileName::parse(&name) {
                None => {}
                Some(Err(())) => {
                    directory.problem(codes::FILE_NAME, format!("`{name}` is not a migration's name"));
                }
                Some(Ok(name)) => {
                    let file = SourceFile::read(path)?;
                    let entry = found.entry(name.id).or_insert((name.number, None, None));
                    match name.side {
                        Side::Up => entry.1 = Some(file),
                        Side::Down => entry.2 = Some(file),
                    }
                }
            }
        }
        for (id, (number, up, down)) in found {
            directory.last_number = directory.last_number.max(number);
            match up {
                Some(up) => directory.files.push(MigrationFile { number, id, up, down }),
                None => {
                    directory.problem(codes::FILE_NAME, format!("`{id}.down.sql` has no up file beside it"));
                }
            }
        }
        directory.files.sort_by(|a, b| (a.number, &a.id).cmp(&(b.number, &b.id)));
        directory.check_numbers();
        Ok(directory)
    }

    fn check_numbers(&mut self) {
        let numbers: Vec<(u64, String)> =
            self.files.iter().map(|file| (file.number, file.id.clone())).collect();
        for pair in numbers.windows(2) {
            let [(before, first), (number, second)] = pair else { continue };
            if before == number {
                self.problem(
                    codes::DUPLICATE_NUMBER,
                    format!("`{first}` and `{second}` have the same number"),
                );
            } else if before + 1 != *number {
                self.problem(
                    codes::NUMBER_GAP,
                    format!("between `{first}` and `{second}` a number is missing"),
                );
            }
        }
    }

    fn problem(&mut self, code: &'static str, message: String) {
        self.problems.push((code, message));
    }
}

impl SourceFile {
    fn read(path: PathBuf) -> Result<Self, Error> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::new(codes::FILE, format!("cannot read {}: {error}", path.display()))
        };
        let bytes = std::fs::read(&path).map_err(|error| unreadable(&error))?;
        let text = String::from_utf8(bytes).map_err(|error| unreadable(&error.utf8_error()))?;
        let text = text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text);
        Ok(Self { checksum: checksum(&text), path, text })
    }

    /// What messages call it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }
}

fn list(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::new(codes::FILE, format!("cannot read the directory {}: {error}", path.display()))
            .with_source(error)
    };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
