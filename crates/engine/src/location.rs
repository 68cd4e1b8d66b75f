//! Where a database is, from what the user wrote.

use std::fmt;
use std::path::PathBuf;

use crate::{Error, Result, codes};

/// A database's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    SqliteFile(PathBuf),
    /// A SQLite database in memory, gone when it is closed.
    SqliteMemory,
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
}

/// A `postgres://` address. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// The address with everything in it: for connecting, not for showing.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", &self.0));
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let authority = match authority.rsplit_once('@') {
            Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
            None => authority.to_owned(),
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let shown: Vec<&str> = (query.split('&'))
            .filter(|pair| !pair.is_empty() && !pair.to_ascii_lowercase().starts_with("password="))
            .collect();
        write!(f, "{scheme}://{authority}{path}")?;
        if shown.is_empty() { Ok(()) } else { write!(f, "?{}", shown.join("&")) }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Location {
    type Err = Error;

    /// `app.db`, `sqlite:app.db`, `sqlite://app.db`, `sqlite::memory:`, `postgres://user@host/database`.
    fn from_str(text: &str) -> Result<Self> {
        let path = match text.split_once(':') {
            Some(("sqlite" | "file", rest)) => rest.strip_prefix("//").unwrap_or(rest),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                return Ok(Self::Postgres(PostgresUrl(text.to_owned())));
            }
            Some(("postgres" | "postgresql", _)) => {
                return Err(Error::new(
                    codes::UNKNOWN_SCHEME,
                    "this is not the address of a PostgreSQL database",
                )
                .with_help("write it as postgres://user@host:5432/database"));
            }
            Some((scheme, rest)) if rest.starts_with("//") => {
                return Err(Error::new(
                    codes::UNKNOWN_SCHEME,
                    format!("PQL has no backend for {scheme}: databases"),
                )
                .with_help(
                    "give a SQLite file, such as app.db, or an address such as postgres://user@host/database",
                ));
            }
            _ => text,
        };
        match path {
            "" => Err(Error::new(codes::UNKNOWN_SCHEME, "no database was named").with_help(
                "give a SQLite file, such as app.db, or an address such as postgres://user@host/database",
            )),
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
    fn an_address_is_shown_without_its_password() {
        for (text, shown) in [
            ("postgres://me:se/cret@host/db", "postgres://me"),
            (
                "postgres://me:secret@host:5433/db?sslmode=require",
                "postgres://me@host:5433/db?sslmode=require",
            ),
            ("postgresql://host/db?password=secret&host=/tmp", "postgresql://host/db?host=/tmp"),
        ] {
            let Ok(Location::Postgres(url)) = text.parse() else { panic!("{text}") };
            assert!(url.to_string().starts_with(shown), "{url}");
            assert!(!format!("{url:?}").contains("secret"));
        }
    }

    #[test]
    fn what_cannot_be_opened_is_said_without_the_password() {
        for text in ["postgres:me:secret@host/db", "mysql://me:secret@host/db", "", "sqlite:"] {
            let error = text.parse::<Location>().unwrap_err();
            assert_eq!(error.code(), codes::UNKNOWN_SCHEME, "{text}");
            assert!(!error.to_string().contains("secret") && error.help().is_some());
        }
    }
}
