//! What PostgreSQL reports, in the user's words and with our codes.

use postgres::config::SslMode;
use postgres::error::{DbError, SqlState};

use crate::Error;
use crate::error::codes;

/// What our own statements fail with: a batch has changed a row that the application wrote at the same moment.
pub(super) const MET: &str = "PQL01";
/// The lease is another's.
pub(super) const LEASE_GONE: &str = "PQL02";
/// What a batch begins with has been done already.
pub(super) const MOVED_ON: &str = "PQL03";

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        let translated = match error.as_db_error() {
            Some(reported) => of_server(reported),
            None => lost(&error),
        };
        translated.with_source(error)
    }
}

/// An error that the server reported.
fn of_server(error: &DbError) -> Error {
    let message = error.message();
    let new = |code, text: String| Error::new(code, text);
    let state = error.code();
    let class = state.code().get(..2).unwrap_or_default();
    match state.code() {
        MET | MOVED_ON => new(codes::LOCKED, message.to_owned()).retryable(),
        LEASE_GONE => crate::lease::lost(),
        "55P03" => new(codes::LOCKED, format!("a lock could not be had in time: {message}"))
            .with_help("another session holds it; try again, or allow more time with lock_timeout and retry_for")
            .retryable(),
        "40P01" => new(codes::LOCKED, "two sessions waited for each other's locks; the server ended this one's turn".into())
            .retryable(),
        "40001" | "40003" | "XX000" if is_serialization(error) => {
            new(codes::LOCKED, format!("the transaction met another one: {message}")).retryable()
        }
        "57014" if message.contains("statement timeout") => {
            new(codes::TIMEOUT, "the statement ran longer than statement_timeout allows".into())
                .with_help("nothing was kept of it; allow more time with SET statement_timeout, or 0 for no limit")
        }
        "57014" => new(codes::CANCELLED, "the statement was cancelled".into()),
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" => {
            new(codes::CONNECTION, format!("the server ended or refused the connection: {message}")).retryable()
        }
        "25006" => new(codes::READ_ONLY, format!("the database cannot be written: {message}"))
            .with_help("it is a standby, or the session was opened to read only"),
        "42501" if message.contains("row-level security") => new(codes::PERMISSION, plain(message))
            .with_help(
                "policies would hide rows from the role that PQL connects as, and a change must see all of them: let \
                 it own the table (without FORCE ROW LEVEL SECURITY), or give it BYPASSRLS",
            ),
        "42501" => new(codes::PERMISSION, plain(message))
            .with_help("the role that PQL connects as needs that right: it must own the tables that it changes, and CREATE on the database for PQL's own schema _pql"),
        "53100" => new(codes::DISK_FULL, "the server's disk is full; nothing of this step was kept".into())
            .with_help("free space and resume; PURGE gives up what finished migrations retain"),
        "58030" => new(codes::INPUT_OUTPUT, format!("the server could not read or write: {message}")),
        "XX001" | "XX002" => new(codes::CORRUPT, format!("the database is damaged: {message}")),
        "25P02" => new(
            codes::TRANSACTION_OPEN,
            "an earlier statement of this transaction failed, so nothing more is done in it".into(),
        )
        .with_help("ROLLBACK ends it"),
        "28P01" | "28000" => new(codes::CANNOT_OPEN, plain(message))
            .with_help("the password is taken from the address, PGPASSWORD or the password file"),
        "3D000" => new(codes::CANNOT_OPEN, plain(message)),
        _ if class == "08" => {
            new(codes::CONNECTION, format!("the connection was lost: {message}")).retryable()
        }
        _ if class == "23" => {
            new(codes::CONSTRAINT, detailed(error))
        }
        _ => {
            let error_of = new(codes::DATABASE, detailed(error));
            match error.hint() {
                Some(hint) => error_of.with_help(hint),
                None => error_of,
            }
        }
    }
}

/// Serialisation failures; some flavours report theirs under the code of an internal error.
fn is_serialization(error: &DbError) -> bool {
    let code = error.code();
    *code == SqlState::T_R_SERIALIZATION_FAILURE
        || code.code() == "40003"
        || error.message().contains("schema version mismatch")
}

/// An error of the connection itself.
fn lost(error: &postgres::Error) -> Error {
    let cause = cause(error);
    // What the client refuses by itself has nothing to do with the line.
    let of_line = error.is_closed()
        || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    if of_line {
        Error::new(codes::CONNECTION, format!("the connection to the server was lost: {cause}")).retryable()
    } else {
        Error::new(codes::DATABASE, plain(&cause))
    }
}

/// A connection could not be opened.
pub(super) fn connecting(error: postgres::Error, shown: &str, mode: SslMode) -> Error {
    if let Some(reported) = error.as_db_error() {
        let of_server = of_server(reported);
        if of_server.is_retryable() || of_server.code() == codes::CANNOT_OPEN {
            return of_server.with_source(error);
        }
    }
    let cause = cause(&error);
    let opened = Error::new(codes::CANNOT_OPEN, format!("{shown} cannot be opened: {cause}"));
    let help = match mode {
        _ if cause.contains("invalid peer certificate") => {
            Some("the server's certificate is not one that sslrootcert stands for, or not for this host")
        }
        SslMode::Require if cause.contains("TLS") || cause.contains("tls") => {
            Some("the server may not be set up for TLS; sslmode=prefer does without it then")
        }
        _ if cause.contains("password") => {
            Some("give the password in the address, in PGPASSWORD or in the password file")
        }
        _ => None,
    };
    match help {
        Some(help) => opened.with_help(help),
        None => opened,
    }
    .with_source(error)
}

/// The innermost words of an error.
fn cause(error: &postgres::Error) -> String {
    if let Some(reported) = error.as_db_error() {
        return reported.message().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text.trim_end_matches('.').to_owned()
}

/// A message of the server's as one of ours: without a full stop at its end.
fn plain(text: &str) -> String {
    text.trim_end().trim_end_matches('.').to_owned()
}

/// The same with what the server adds to it.
fn detailed(error: &DbError) -> String {
    let message = plain(error.message());
    match error.detail() {
        Some(detail) => format!("{message}: {}", plain(detail)),
        None => message,
    }
}

/// The server's code of the error that one of ours came from.
pub(super) fn state(error: &Error) -> Option<&str> {
    let source = std::error::Error::source(error)?.downcast_ref::<postgres::Error>()?;
    Some(source.code()?.code())
}

/// Whether the connection was lost, so that nobody knows whether the statement took effect.
pub(super) fn is_lost(error: &Error) -> bool {
    error.code() == codes::CONNECTION
}

/// The database is not what the plan was made for.
pub(super) fn moved(what: impl Into<String>) -> Error {
    Error::new(codes::MOVED, what)
        .with_help("it was changed after the plan was made; generate the migration again")
}
