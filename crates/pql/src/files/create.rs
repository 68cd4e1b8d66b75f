//! `create`: the next pair of files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use pql_engine::Change;
use pql_planner::text;
use pql_schema::{MigrationOp, Schema};

use super::directory::Directory;
use super::name;
use crate::codes;
use crate::error::Error;

/// The files that were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// `001_add_status_column`.
    pub id: String,
    /// The file for the change.
    pub up: PathBuf,
    /// The file for the way back.
    pub down: PathBuf,
}

/// Makes the next pair, filled with changes when there are some.
pub(crate) fn create(
    directory: &Path,
    words: &str,
    changes: Option<(&[Change], &Schema)>,
    now: DateTime<Utc>,
) -> Result<Created, Error> {
    let existing = Directory::read(directory)?;
    let id = name::id(existing.last_number + 1, words).ok_or_else(|| {
        Error::new(codes::FILE_NAME, format!("`{words}` has no word that a file could be named after"))
            .with_help("say in a few words what the migration does: \"add status column\"")
    })?;
    let unwritable = |path: &Path, error: std::io::Error| {
        Error::new(codes::FILE, format!("cannot write {}: {error}", path.display())).with_source(error)
    };
    std::fs::create_dir_all(directory).map_err(|error| unwritable(directory, error))?;
    let created = Created {
        up: directory.join(format!("{id}.up.sql")),
        down: directory.join(format!("{id}.down.sql")),
        id,
    };
    let header = format!("-- Migration: {}\n-- Created: {}\n", words.trim(), now.format("%Y-%m-%d %H:%M:%S"));
    let (up, down) = match changes {
        Some((changes, schema)) => (forward(changes), backward(changes, schema)),
        None => (String::new(), String::new()),
    };
    for (path, body) in [(&created.up, up), (&created.down, down)] {
        let text = format!("{header}\n{body}");
        // Never over a file that somebody made meanwhile.
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|error| unwritable(path, error))?;
    }
    Ok(created)
}

fn forward(changes: &[Change]) -> String {
    generate(changes.iter().map(|change| change.statement.clone()))
}

/// The inverse operations, last first; what has none is said in a comment.
fn backward(changes: &[Change], before: &Schema) -> String {
    let mut schema = before.clone();
    let mut inverses: Vec<Result<Vec<MigrationOp>, &str>> = Vec::new();
    for change in changes {
        inverses.push(change.op.inverse(&schema).ok_or(&change.statement));
        // A change that was detected fits the schema that it was detected in.
        let _ = schema.apply(&change.op);
    }
    let mut comments = String::new();
    let mut statements = Vec::new();
    for inverse in inverses.into_iter().rev() {
        match inverse {
            Ok(ops) => {
                statements.extend(ops.iter().map(|op| text::statement_in(op, text::pql(before.names))));
            }
            Err(statement) => {
                let _ = writeln!(comments, "-- no way back by itself: {statement}");
            }
        }
    }
    comments + &generate(statements.into_iter())
}

fn generate(statements: impl Iterator<Item = String>) -> String {
    let statements: Vec<String> = statements.collect();
    if statements.is_empty() {
        String::new()
    } else {
        format!("MIGRATE GENERATE\n  {};\n", statements.join(",\n  "))
    }
}
