//! What SQLite reports, in the user's words and with our codes.

use rusqlite::ErrorCode;

use crate::Error;
use crate::error::codes;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let message = message(&error);
        let new = |code, text: String| Self::new(code, text);
        let translated = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                new(codes::LOCKED, format!("the database is in use by another connection: {message}"))
                    .with_help("another program holds its lock; try again, or allow more time with lock_timeout and retry_for")
                    .retryable()
            }
            Some(ErrorCode::NotADatabase) => not_a_database("the file"),
            Some(ErrorCode::ReadOnly) => new(codes::READ_ONLY, format!("the database cannot be written: {message}"))
                .with_help("check the permissions of the file and of its directory, where SQLite keeps its journal"),
            Some(ErrorCode::DiskFull) => new(codes::DISK_FULL, "the disk is full; nothing of this step was kept".into())
                .with_help("free space and resume; PURGE gives up what finished migrations retain"),
            Some(ErrorCode::SystemIoFailure) => {
                new(codes::INPUT_OUTPUT, format!("reading or writing the database failed: {message}"))
                    .with_help("the disk or its file system reported an error; the transaction was rolled back")
            }
            Some(ErrorCode::CannotOpen) => new(codes::CANNOT_OPEN, format!("the database cannot be opened: {message}")),
            Some(ErrorCode::DatabaseCorrupt) => new(codes::CORRUPT, format!("the database is damaged: {message}"))
                .with_help("run PRAGMA integrity_check; restore a backup or use the `.recover` command of the sqlite3 shell"),
            Some(ErrorCode::ConstraintViolation) => new(codes::CONSTRAINT, message),
            Some(ErrorCode::OperationInterrupted) => new(codes::TIMED_OUT, "a statement ran for longer than statement_timeout allows".into())
                    .with_help("nothing of it was kept; allow more time, or leave the limit out"),
            _ => new(codes::DATABASE, message),
        };
        translated.with_source(error)
    }
}

/// The error for a file whose header is not SQLite's.
pub(super) fn not_a_database(what: &str) -> Error {
    Error::new(codes::NOT_A_DATABASE, format!("{what} is not a SQLite database, or it is encrypted"))
        .with_help("PQL opens plain SQLite 3 files; it does not touch any other")
}

/// The database is not what the plan was made for.
pub(super) fn moved(what: impl Into<String>) -> Error {
    Error::new(codes::MOVED, what)
        .with_help("it was changed after the plan was made; generate the migration again")
}

/// SQLite's own words.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// Whether the statement failed because of the row that it met (a constraint, a conversion, an expression), rather
/// than because of the database as a whole.
pub(super) fn is_about_a_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig | ErrorCode::Unknown
        )
    )
}

/// Whether the row met another one with the same unique key.
pub(super) fn is_duplicate(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
        )
    )
}
