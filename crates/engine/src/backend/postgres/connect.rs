//! From an address to a connection: who, where, by which password, over what kind of TLS.
//!
//! The address says it; what it leaves out comes from the environment variables that every PostgreSQL program knows,
//! and the password, last, from the password file. No session setting is made here: behind a pooler a session is
//! whichever server connection comes next, so what we need is set in each transaction.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::config::SslMode;
use postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors;
use super::passfile;
use super::service;
use super::tls::{self, Trust};
use crate::error::codes;
use crate::location::PostgresUrl;
use crate::{Error, Result};

/// How long opening a connection may take where the address does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A place to connect to, as often as is needed.
pub(super) struct Target {
    config: Config,
    trust: Trust,
    shown: String,
    /// Nobody has said which host it is.
    guessed: bool,
}

/// A connection with what it has been told by the server on the side.
pub(super) struct Opened {
    pub(super) client: Client,
    pub(super) notices: Notices,
}

/// Notices of the server that mean something to us.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices {
    already_open: Arc<AtomicBool>,
}

impl Notices {
    /// Whether the last BEGIN found a transaction open; forgets it.
    pub(super) fn take_already_open(&self) -> bool {
        self.already_open.swap(false, Ordering::Relaxed)
    }

    fn hear(&self, notice: &postgres::error::DbError) {
        if notice.code() == &postgres::error::SqlState::ACTIVE_SQL_TRANSACTION {
            self.already_open.store(true, Ordering::Relaxed);
        }
    }
}

impl Target {
    /// Reads an address.
    pub(super) fn new(url: &PostgresUrl) -> Result<Self> {
        let (rest, mut ours) = split(url.secret());
        let shown = url.to_string();
        let mut config: Config = rest.parse().map_err(|error: postgres::Error| {
            let why =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Error::new(codes::CANNOT_OPEN, format!("the address {shown} cannot be read: {why}"))
                .with_help("write it as postgres://user@host:5432/database")
        })?;
        let service = ours.service.clone().or_else(|| given("PGSERVICE"));
        if let Some(name) = service {
            for (key, value) in service::parameters(&name)? {
                from_service(&mut config, &mut ours, &key, &value)?;
            }
        }
        let unnamed = config.get_hosts().is_empty() && config.get_hostaddrs().is_empty();
        let guessed = unnamed && given("PGHOST").is_none();
        complete(&mut config)?;
        let (mode, trust) = security(&ours, &config)?;
        config.ssl_mode(mode);
        if config.get_password().is_none()
            && let Some(password) = passfile::password(ours.passfile.as_deref(), &config)?
        {
            config.password(password);
        }
        Ok(Self { config, trust, shown, guessed })
    }

    /// What makes its TLS connections.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        tls::connector(&self.trust)
    }

    /// Connects.
    pub(super) fn open(&self) -> Result<Opened> {
        let notices = Notices::default();
        let mut config = self.config.clone();
        let listener = notices.clone();
        config.notice_callback(move |notice| listener.hear(&notice));
        let mut client = config.connect(self.connector()?).map_err(|error| {
            let error = errors::connecting(error, &self.shown, self.config.get_ssl_mode());
            if !self.guessed || error.help().is_some() || error.code() != codes::CANNOT_OPEN {
                return error;
            }
            error.with_help(
                "the address names no host, so localhost was tried: write it as postgres://user@host:5432/database, \
                 or name a socket's directory as in postgres://user@/database?host=/run/postgresql",
            )
        })?;
        // A text of several statements is taken apart before the first of them sets anything.
        client.batch_execute(PLAIN_STRINGS)?;
        Ok(Opened { client, notices })
    }
}

/// A backslash in a string is itself, as everywhere in PQL. It is the default, so there hardly is anything to set, and a
/// pooler keeps it apart for each of its clients.
const PLAIN_STRINGS: &str = "SELECT pg_catalog.set_config('standard_conforming_strings', 'on', false) \
     WHERE pg_catalog.current_setting('standard_conforming_strings') <> 'on'";

/// The parameters of an address that the client does not know or knows only in part.
#[derive(Debug, Default)]
struct Ours {
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    passfile: Option<String>,
    service: Option<String>,
}

/// A variable of the environment that says something.
fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

/// A parameter of a service, where the address does not say it.
fn from_service(config: &mut Config, ours: &mut Ours, key: &str, value: &str) -> Result<()> {
    let wrong =
        || Error::new(codes::CANNOT_OPEN, format!("the service's {key} is {value:?}, which is no number"));
    let fresh = config.get_hosts().is_empty() && config.get_hostaddrs().is_empty();
    match key {
        "host" if fresh => drop(config.host(value)),
        "port" if config.get_ports().is_empty() => drop(config.port(value.parse().map_err(|_| wrong())?)),
        "user" if config.get_user().is_none() => drop(config.user(value)),
        "dbname" if config.get_dbname().is_none() => drop(config.dbname(value)),
        "password" if config.get_password().is_none() => drop(config.password(value)),
        "application_name" if config.get_application_name().is_none() => drop(config.application_name(value)),
        "connect_timeout" if config.get_connect_timeout().is_none() => {
            config.connect_timeout(Duration::from_secs(value.parse().map_err(|_| wrong())?));
        }
        "sslmode" => drop(ours.sslmode.get_or_insert_with(|| value.to_owned())),
        "sslrootcert" => drop(ours.sslrootcert.get_or_insert_with(|| value.to_owned())),
        "passfile" => drop(ours.passfile.get_or_insert_with(|| value.to_owned())),
        // What is said already, or means nothing here.
        _ => {}
    }
    Ok(())
}

/// Takes our parameters out of an address.
fn split(url: &str) -> (String, Ours) {
    let mut ours = Ours::default();
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), ours) };
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "sslmode" => &mut ours.sslmode,
            "sslrootcert" => &mut ours.sslrootcert,
            "passfile" => &mut ours.passfile,
            "service" => &mut ours.service,
            _ => {
                rest.push(pair);
                continue;
            }
        };
        *place = Some(decoded(value));
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (url, ours)
}

/// A value without its percent signs.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
            .flatten();
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Fills in what the address leaves out.
fn complete(config: &mut Config) -> Result<()> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host(given("PGHOST").as_deref().unwrap_or("localhost"));
    }
    if config.get_ports().is_empty()
        && let Some(port) = given("PGPORT")
    {
        config.port(port.parse().map_err(|_| {
            Error::new(codes::CANNOT_OPEN, format!("PGPORT is {port:?}, which is not a port"))
        })?);
    }
    if config.get_user().is_none() {
        let user = given("PGUSER").or_else(|| given("USER")).or_else(|| given("LOGNAME"));
        config.user(user.as_deref().unwrap_or("postgres"));
    }
    if config.get_dbname().is_none() {
        let name = given("PGDATABASE").or_else(|| config.get_user().map(str::to_owned));
        config.dbname(name.as_deref().unwrap_or("postgres"));
    }
    if config.get_password().is_none()
        && let Some(password) = given("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_application_name().is_none() {
        config.application_name(given("PGAPPNAME").as_deref().unwrap_or("pql"));
    }
    if config.get_connect_timeout().is_none() {
        let seconds = given("PGCONNECT_TIMEOUT").and_then(|text| text.parse().ok());
        config.connect_timeout(seconds.map_or(CONNECT_TIMEOUT, Duration::from_secs));
    }
    Ok(())
}

/// Whether to use TLS, and whom to trust then.
fn security(ours: &Ours, config: &Config) -> Result<(SslMode, Trust)> {
    let word = ours.sslmode.clone().or_else(|| given("PGSSLMODE"));
    let roots = ours.sslrootcert.clone().or_else(|| given("PGSSLROOTCERT"));
    let sockets_only = config.get_hosts().iter().all(|host| matches!(host, postgres::config::Host::Unix(_)));
    if sockets_only && config.get_hostaddrs().is_empty() {
        return Ok((SslMode::Disable, Trust::Anyone));
    }
    Ok(match word.as_deref().unwrap_or("prefer") {
        "disable" => (SslMode::Disable, Trust::Anyone),
        "allow" | "prefer" => (SslMode::Prefer, Trust::Anyone),
        // As other programs have it: who names a root certificate wants it looked at.
        "require" => (
            SslMode::Require,
            roots.map_or(Trust::Anyone, |roots| Trust::Signed { roots: Some(roots), name: false }),
        ),
        "verify-ca" => (SslMode::Require, Trust::Signed { roots, name: false }),
        "verify-full" => (SslMode::Require, Trust::Signed { roots, name: true }),
        other => {
            return Err(Error::new(codes::CANNOT_OPEN, format!("there is no sslmode {other:?}"))
                .with_help("it is one of disable, allow, prefer, require, verify-ca and verify-full"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_parameters_are_taken_out() {
        let (url, ours) =
            split("postgres://h/db?sslmode=verify-full&host=%2Ftmp&sslrootcert=%2Fetc%2Fa%20b.pem");
        assert_eq!(url, "postgres://h/db?host=%2Ftmp");
        assert_eq!(ours.sslmode.as_deref(), Some("verify-full"));
        assert_eq!(ours.sslrootcert.as_deref(), Some("/etc/a b.pem"));
        assert_eq!(split("postgres://h/db?sslmode=disable").0, "postgres://h/db");
    }

    #[test]
    fn a_service_says_what_the_address_does_not() {
        let (mut config, mut ours) = (Config::new(), Ours::default());
        config.user("me");
        for (key, value) in
            [("host", "h"), ("user", "you"), ("port", "5433"), ("sslmode", "require"), ("x", "y")]
        {
            from_service(&mut config, &mut ours, key, value).unwrap();
        }
        assert_eq!((config.get_user(), config.get_ports()), (Some("me"), [5433].as_slice()));
        assert_eq!(ours.sslmode.as_deref(), Some("require"));
        assert!(from_service(&mut Config::new(), &mut ours, "port", "many").is_err());
    }

    #[test]
    fn a_wrong_mode_is_refused() {
        let ours = Ours { sslmode: Some("verify".to_owned()), ..Ours::default() };
        let mut config = Config::new();
        config.host("h");
        assert_eq!(security(&ours, &config).unwrap_err().code(), codes::CANNOT_OPEN);
        config = Config::new();
        config.host_path("/tmp");
        assert!(matches!(security(&Ours::default(), &config), Ok((SslMode::Disable, _))));
    }
}
