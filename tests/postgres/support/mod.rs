//! A private server for the tests of a process: made on first use, gone with the process, one database per test.
//!
//! Its programs are taken from where Debian puts them or from the search path. They refuse to run as root; then they
//! run as `nobody`. A pooler in transaction mode stands before the server on a socket of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use pql_engine::{Engine, OpenOptions};

/// The user without rights, and its group.
const NOBODY: u32 = 65_534;

/// The server and the pooler before it.
pub(crate) struct Server {
    /// Where the sockets are.
    pub(crate) directory: PathBuf,
    /// The server's port, also on 127.0.0.1.
    pub(crate) port: u16,
    pooler_port: u16,
    /// Ends the server and removes the directory when its input ends, which is when this process does.
    _keeper: Child,
}

/// A database of its own.
pub(crate) struct Database {
    /// Its name.
    pub(crate) name: String,
}

/// The server of this process.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

impl Server {
    fn start() -> Self {
        let bin = programs();
        let root = tempfile::Builder::new().prefix("pqlpg").tempdir().unwrap().keep();
        if is_root() {
            std::os::unix::fs::chown(&root, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let (port, pooler_port) = (free_port(), free_port());
        let directory = root.join("run");
        let shown = root.display();
        let bin = bin.display();
        let pooler = pooler();
        let script = format!(
            "set -e; umask 077; mkdir {shown}/run; chmod 755 {shown}/run; cd {shown}
             {bin}/initdb -D {shown}/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >{shown}/log 2>&1
             cat >>{shown}/data/postgresql.conf <<-'END'
             \tlisten_addresses = '127.0.0.1'
             \tport = {port}
             \tunix_socket_directories = '{shown}/run'
             \tfsync = off
             \tmax_connections = 200
             \tmax_prepared_transactions = 10
             \tshared_buffers = '128MB'
             \tmax_wal_size = '4GB'
             \twal_level = logical
             \tautovacuum_naptime = '5s'
             \tssl = on
             \tssl_cert_file = '{shown}/server.crt'
             \tssl_key_file = '{shown}/server.key'
\tEND
             cat >{shown}/pg_hba.conf <<-'END'
             \thost all guarded 127.0.0.1/32 scram-sha-256
             \thostssl all tlsonly 127.0.0.1/32 trust
             \thost all tlsonly 127.0.0.1/32 reject
\tEND
             sed 's/^ *\t*//' {shown}/pg_hba.conf | cat - {shown}/data/pg_hba.conf >{shown}/hba
             cp {shown}/hba {shown}/data/pg_hba.conf
             for root in root other; do
               openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj \"/CN=$root\" \
                 -keyout $root.key -out run/$root.crt -addext basicConstraints=critical,CA:TRUE
             done >>{shown}/log 2>&1
             printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >extensions
             openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
               -keyout server.key -out request >>{shown}/log 2>&1
             openssl x509 -req -in request -CA run/root.crt -CAkey root.key -CAcreateserial -days 2 \
               -extfile extensions -out server.crt >>{shown}/log 2>&1
             chmod 644 run/*.crt
             {bin}/postgres -D {shown}/data >>{shown}/log 2>&1 & server=$!
             cat >{shown}/pooler.ini <<-'END'
             \t[databases]
             \t* = host={shown}/run port={port}
             \t[pgbouncer]
             \tlisten_addr =
             \tlisten_port = {pooler_port}
             \tunix_socket_dir = {shown}/run
             \tauth_type = any
             \tpool_mode = transaction
             \tmax_client_conn = 200
             \tdefault_pool_size = 20
             \tserver_reset_query =
\tEND
             sed -i 's/^ *\t*//; s/^\\* = \\(.*\\)/* = \\1 user=postgres/' {shown}/pooler.ini
             {} -q {shown}/pooler.ini >{shown}/pooler.log 2>&1 & pooler=$!
             set +e; read _
             kill -INT $pooler; kill -QUIT $server; wait; cd /; rm -rf {shown}",
            pooler.display()
        );
        assert!(
            on_path("openssl").is_some(),
            "these tests need a certificate for their server: install openssl"
        );
        let server = Self { directory, port, pooler_port, _keeper: keep(&script) };
        server.wait(&root);
        server
    }

    /// A server that only the calling test knows, and its address.
    pub(crate) fn alone() -> (Self, String) {
        let server = Self::start();
        let host = server.directory.display().to_string().replace('/', "%2F");
        let url = format!("postgres://postgres@/postgres?host={host}&port={}", server.port);
        (server, url)
    }

    /// A standby of it, which is gone with what is given back: its port.
    pub(crate) fn standby(&self) -> (Child, u16) {
        let (bin, root, port) = (programs(), self.directory.parent().unwrap(), free_port());
        let (bin, shown, primary) = (bin.display(), root.display(), self.port);
        let keeper = keep(&format!(
            "set -e; umask 077; cd {shown}
             {bin}/pg_basebackup -h {shown}/run -p {primary} -U postgres -D {shown}/standby -R -X stream -c fast \
                >>{shown}/log 2>&1
             echo 'port = {port}' >>{shown}/standby/postgresql.conf
             {bin}/postgres -D {shown}/standby >>{shown}/log 2>&1 & standby=$!
             set +e; read _
             kill -QUIT $standby; wait",
        ));
        self.wait_for(port, root);
        (keeper, port)
    }

    fn wait(&self, root: &Path) {
        for port in [self.port, self.pooler_port] {
            self.wait_for(port, root);
        }
    }

    fn wait_for(&self, port: u16, root: &Path) {
        let start = Instant::now();
        while let Err(error) = self.connect(port, "postgres") {
            let log = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_default();
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "the test server does not start: {error}\n{}\n{}",
                log("log"),
                log("pooler.log")
            );
            sleep(Duration::from_millis(30));
        }
    }

    /// A connection to one of its ports.
    pub(crate) fn connect(&self, port: u16, name: &str) -> Result<Client, postgres::Error> {
        postgres::Config::new()
            .host_path(&self.directory)
            .port(port)
            .user("postgres")
            .dbname(name)
            .connect(NoTls)
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0)
}

/// Runs a script that starts servers and ends them when its input ends, as somebody who may run them.
fn keep(script: &str) -> Child {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    // A group of its own: an interrupt at the terminal must not end the server before its tests.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.args(["-c", script]).stdin(Stdio::piped()).spawn().expect("sh and setpriv (util-linux) are there")
}

fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().or_else(|| on_path("initdb")).expect(
        "these tests need a PostgreSQL server's programs: install postgresql-15 or newer (initdb, postgres)",
    )
}

fn pooler() -> PathBuf {
    on_path("pgbouncer")
        .map(|directory| directory.join("pgbouncer"))
        .or_else(|| Some(PathBuf::from("/usr/sbin/pgbouncer")).filter(|path| path.exists()))
        .expect("these tests need PgBouncer: install pgbouncer")
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find(|directory| directory.join(program).exists())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Database {
    /// Makes an empty one.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = server();
        let mut client = server.connect(server.port, "postgres").unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
        Self { name }
    }

    /// Makes one with these definitions.
    pub(crate) fn with(sql: &str) -> Self {
        let database = Self::new();
        database.client().batch_execute(sql).unwrap();
        database
    }

    /// Another one like it; nobody may be connected to it meanwhile.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        let server = server();
        let mut client = server.connect(server.port, "postgres").unwrap();
        let (name, template) = (&copy.name, &self.name);
        client.batch_execute(&format!("DROP DATABASE {name}")).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).unwrap();
        copy
    }

    /// Removes it, for those who make very many.
    pub(crate) fn remove(self) {
        let mut client = server().connect(server().port, "postgres").unwrap();
        client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).unwrap();
    }

    /// Its address, straight to the server.
    pub(crate) fn url(&self) -> String {
        self.url_at(server().port)
    }

    /// Its address behind the pooler.
    pub(crate) fn pooled_url(&self) -> String {
        self.url_at(server().pooler_port)
    }

    fn url_at(&self, port: u16) -> String {
        let host = server().directory.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@/{}?host={host}&port={port}", self.name)
    }

    /// Another program's connection to it.
    pub(crate) fn client(&self) -> Client {
        server().connect(server().port, &self.name).unwrap()
    }

    /// Its address over TCP, for a role; `rest` follows it.
    pub(crate) fn tcp_url(&self, user: &str, host: &str, rest: &str) -> String {
        format!("postgres://{user}@{host}:{}/{}{rest}", server().port, self.name)
    }

    /// PQL's engine on it.
    pub(crate) fn engine(&self) -> Engine {
        Engine::open(&self.url(), &OpenOptions::default()).unwrap()
    }

    /// The same behind the pooler.
    pub(crate) fn pooled_engine(&self) -> Engine {
        Engine::open(&self.pooled_url(), &OpenOptions::default()).unwrap()
    }

    /// What `pg_dump --schema-only` says, PQL's own schema left out.
    pub(crate) fn dump(&self) -> String {
        let text = self.dumped(&["--schema-only", "--exclude-schema=_pql*"]);
        // Newer versions guard each dump with a random word.
        text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")).fold(
            String::new(),
            |mut text, line| {
                let _ = writeln!(text, "{line}");
                text
            },
        )
    }

    /// Another one, made from a dump of all that is in it; whatever cannot be restored is an error.
    pub(crate) fn restored(&self) -> Self {
        let (dump, restored) = (self.dumped(&[]), Self::new());
        let path = std::env::temp_dir().join(format!("pql_{}_{}.sql", std::process::id(), restored.name));
        fs::write(&path, dump).unwrap();
        let args = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"];
        let output = restored.program("psql").args(args).arg(&path).output().unwrap();
        fs::remove_file(path).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        restored
    }

    fn dumped(&self, args: &[&str]) -> String {
        let output = self.program("pg_dump").args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// One of the server's programs, told to use this database.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(programs().join(name));
        command.args(["-U", "postgres", "-d", &self.name, "-h"]).arg(&server().directory);
        command.args(["-p", &server().port.to_string()]);
        command
    }
}
