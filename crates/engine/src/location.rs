//! Where a database is, from what the user wrote.

use std::path::PathBuf;

use crate::{Error, Result, codes};

/// A database's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    SqliteFile(PathBuf),
    /// A SQLite database in memory, gone when it is closed.
    SqliteMemory,
}

impl std::str::FromStr for Location {
    type Err = Error;

    /// `app.db`, `sqlite:app.db`, `sqlite://app.db`, `sqlite::memory:`.
    fn from_str(text: &str) -> Result<Self> {
        let path = match text.split_once(':') {
            Some(("sqlite" | "file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some(("postgres" | "postgresql", _)) => {
                return Err(Error::new(
                    codes::UNKNOWN_SCHEME,
                    "PostgreSQL cannot be opened by this version of PQL yet",
                )
                .with_help("give a SQLite file, such as app.db"));
            }
            Some((scheme, rest)) if rest.starts_with("//") => {
                return Err(Error::new(
                    codes::UNKNOWN_SCHEME,
                    format!("PQL has no backend for {scheme}: databases"),
                )
                .with_help("give a SQLite file, such as app.db or sqlite:app.db"));
            }
            _ => text,
        };
        match path {
            "" => Err(Error::new(codes::UNKNOWN_SCHEME, "no database was named")
                .with_help("give a SQLite file, such as app.db, or sqlite::memory:")),
            ":memory:" => Ok(Self::SqliteMemory),
            path => Ok(Self::SqliteFile(PathBuf::from(path))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings() {
        for text in ["app.db", "sqlite:app.db", "sqlite://app.db", "file:app.db"] {
            assert_eq!(text.parse::<Location>().unwrap(), Location::SqliteFile("app.db".into()), "{text}");
        }
        for text in [":memory:", "sqlite::memory:"] {
            assert_eq!(text.parse::<Location>().unwrap(), Location::SqliteMemory, "{text}");
        }
        assert_eq!(
            "sqlite:///tmp/a.db".parse::<Location>().unwrap(),
            Location::SqliteFile("/tmp/a.db".into())
        );
        assert_eq!(
            "C:\\data\\a.db".parse::<Location>().unwrap(),
            Location::SqliteFile("C:\\data\\a.db".into())
        );
    }

    #[test]
    fn what_cannot_be_opened_is_said_without_the_password() {
        for text in ["postgres://me:secret@host/db", "mysql://me:secret@host/db", "", "sqlite:"] {
            let error = text.parse::<Location>().unwrap_err();
            assert_eq!(error.code(), codes::UNKNOWN_SCHEME, "{text}");
            assert!(!error.to_string().contains("secret") && error.help().is_some());
        }
    }
}
