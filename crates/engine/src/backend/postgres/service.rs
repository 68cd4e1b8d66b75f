//! The service file: `[name]` and under it the parameters of a connection, one `key=value` a line.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::error::codes;
use crate::{Error, Result};

/// The parameters of a service, in the order of the file.
pub(super) fn parameters(name: &str) -> Result<Vec<(String, String)>> {
    let unknown = || {
        Error::new(codes::CANNOT_OPEN, format!("there is no service {name:?} in a service file"))
            .with_help("PGSERVICEFILE names the file; it is ~/.pg_service.conf otherwise")
    };
    files()
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|text| section(&text, name))
        .ok_or_else(unknown)
}

/// The files that are looked at: the user's own, then the system's.
fn files() -> Vec<PathBuf> {
    let own = env::var_os("PGSERVICEFILE")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".pg_service.conf")));
    let system = env::var_os("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".into());
    own.into_iter().chain([Path::new(&system).join("pg_service.conf")]).collect()
}

fn section(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let header =
        |line: &str| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).map(str::to_owned);
    lines.find(|line| header(line).as_deref() == Some(name))?;
    let pair = |line: &str| {
        line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
    };
    Some(lines.take_while(|line| header(line).is_none()).filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_by_its_name() {
        let text = "# all\n[a]\nhost=one\n[b c]\nhost = two\nport=5433\n# dbname=x\n\n[d]\nuser=u\n";
        let pairs = |name| section(text, name).map(|all| all.len());
        assert_eq!((pairs("a"), pairs("b c"), pairs("d"), pairs("e")), (Some(1), Some(2), Some(1), None));
        assert_eq!(section(text, "b c").unwrap()[0], ("host".to_owned(), "two".to_owned()));
    }
}
