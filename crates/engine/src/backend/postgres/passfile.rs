//! The password file: lines of `host:port:database:user:password`, `*` for anything, `\` before a `:` or `\` that is
//! part of a field.

use std::path::{Path, PathBuf};
use std::{env, fs};

use postgres::Config;
use postgres::config::Host;

use crate::error::codes;
use crate::{Error, Result};

/// The password for a connection, when there is a file with a line for it.
pub(super) fn password(named: Option<&str>, config: &Config) -> Result<Option<String>> {
    let path = named.map(str::to_owned).or_else(|| env::var("PGPASSFILE").ok()).map(PathBuf::from);
    let required = named.is_some();
    let Some(path) = path.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".pgpass"))) else {
        return Ok(None);
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if required => {
            return Err(Error::new(
                codes::CANNOT_OPEN,
                format!("the password file {} cannot be read: {error}", path.display()),
            ));
        }
        Err(_) => return Ok(None),
    };
    let found = find(&text, config);
    if found.is_some() && is_open_to_others(&path) {
        return Err(Error::new(
            codes::CANNOT_OPEN,
            format!("the password file {} can be read by others, so it is not used", path.display()),
        )
        .with_help(format!("close it with: chmod 0600 {}", path.display())));
    }
    Ok(found)
}

fn find(text: &str, config: &Config) -> Option<String> {
    let hosts: Vec<String> = (config.get_hosts().iter())
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let local = hosts.iter().any(|host| host.starts_with('/'));
    let ports: Vec<String> = match config.get_ports() {
        [] => vec!["5432".to_owned()],
        ports => ports.iter().map(ToString::to_string).collect(),
    };
    let is = |field: &str, known: &str| field == "*" || field == known;
    text.lines().map(str::trim_end).filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line)?;
        let [host, port, database, user, password] = &fields;
        let fits = (hosts.iter().any(|known| is(host, known)) || (local && host == "localhost"))
            && ports.iter().any(|known| is(port, known))
            && is(database, config.get_dbname().unwrap_or_default())
            && is(user, config.get_user().unwrap_or_default());
        fits.then(|| password.clone())
    })
}

fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields.last_mut()?.push(chars.next()?),
            // What follows the fourth colon is the password, colons and all.
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    fields.try_into().ok()
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits() {
        let mut config = Config::new();
        config.host("db.example").port(5433).dbname("a:b").user("me");
        let text = "# db.example:*:*:*:comment\nother:*:*:*:no\ndb.example:5432:*:*:no\n\
                    *:5433:a\\:b:me:p\\:a:ss\n*:*:*:*:late\n";
        assert_eq!(find(text, &config).as_deref(), Some("p:a:ss"));
        config.user("you");
        assert_eq!(find(text, &config).as_deref(), Some("late"));
    }

    #[test]
    fn a_socket_is_localhost() {
        let mut config = Config::new();
        config.host_path("/run/postgresql").dbname("d").user("u");
        assert_eq!(find("localhost:5432:d:u:x", &config).as_deref(), Some("x"));
        assert_eq!(find("/run/postgresql:*:d:u:y", &config).as_deref(), Some("y"));
        assert_eq!(find("elsewhere:*:d:u:y", &config), None);
    }
}
