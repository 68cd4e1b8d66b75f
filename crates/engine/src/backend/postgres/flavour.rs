//! What kind of PostgreSQL is at the other end.

use pql_planner::{Capabilities, Dialect, Flavour, Lacks, Rates};

use super::link::Session;
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result, Value};

/// The oldest version that is understood.
const OLDEST: i64 = 140_000;

/// Asks the server what it is.
pub(super) fn capabilities(session: &mut Session) -> Result<Capabilities> {
    let found = session.query(
        "SELECT pg_catalog.version(), pg_catalog.current_setting('server_version'), \
                pg_catalog.current_setting('server_version_num')::int, \
                (SELECT pg_catalog.string_agg(extname, ' ') FROM pg_catalog.pg_extension), \
                EXISTS (SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'vector'), \
                CASE WHEN pg_catalog.current_schema() <> 'public' \
                     THEN pg_catalog.current_setting('search_path') END",
        &[],
    )?;
    let mut row = found.rows.into_iter().next().unwrap_or_default().into_iter();
    let mut text = || match row.next() {
        Some(Value::Text(text)) => text,
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Boolean(truth)) => truth.to_string(),
        _ => String::new(),
    };
    let (banner, version, number, extensions, vector) = (text(), text(), text(), text(), text());
    session.set_path(Some(text()).filter(|path| !path.is_empty()));
    let flavour = flavour(&banner, &extensions);
    let number: i64 = number.parse().unwrap_or(0);
    if number < OLDEST && flavour == Flavour::Plain {
        return Err(Error::new(codes::UNSUPPORTED, format!("this server is PostgreSQL {version}"))
            .with_help("PQL works with PostgreSQL 14 and newer"));
    }
    Ok(Capabilities {
        dialect: Dialect::Postgres,
        version: if flavour == Flavour::Plain {
            version
        } else {
            format!("{version} ({})", flavour.as_str())
        },
        definition_edit: false,
        snapshot_reads: true,
        vectors: vectors(&extensions, vector == "true"),
        rates: Rates::POSTGRES,
        flavour,
        lacks: Lacks::of(flavour),
    })
}

fn flavour(banner: &str, extensions: &str) -> Flavour {
    let banner = banner.to_ascii_lowercase();
    if banner.contains("cockroach") {
        Flavour::Cockroach
    } else if banner.contains("yugabyte") || banner.contains("-yb-") {
        Flavour::Yugabyte
    } else if extensions.split(' ').any(|name| name == "citus") {
        Flavour::Citus
    } else {
        Flavour::Plain
    }
}

fn vectors(extensions: &str, available: bool) -> Result<(), String> {
    if extensions.split(' ').any(|name| name == "vector") {
        Ok(())
    } else if available {
        Err("VECTOR needs the extension pgvector: run CREATE EXTENSION vector in this database first"
            .to_owned())
    } else {
        Err("VECTOR needs the extension pgvector: install it on the server, then run CREATE EXTENSION vector in \
             this database"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavours_are_told_apart() {
        for (banner, extensions, expected) in [
            ("PostgreSQL 15.13 (Debian) on x86_64", "plpgsql", Flavour::Plain),
            ("PostgreSQL 16.2 on x86_64", "plpgsql citus citus_columnar", Flavour::Citus),
            ("CockroachDB CCL v25.1.0 (x86_64)", "", Flavour::Cockroach),
            ("PostgreSQL 11.2-YB-2.21.0.0-b0 on x86_64", "plpgsql", Flavour::Yugabyte),
        ] {
            assert_eq!(flavour(banner, extensions), expected, "{banner}");
        }
        assert!(Lacks::of(Flavour::Cockroach).triggers && Lacks::of(Flavour::Citus).is_none());
    }

    #[test]
    fn vectors_say_what_is_missing() {
        assert_eq!(vectors("plpgsql vector", true), Ok(()));
        assert!(vectors("plpgsql", true).unwrap_err().contains("CREATE EXTENSION vector"));
        assert!(vectors("plpgsql", false).unwrap_err().contains("install it"));
    }
}
