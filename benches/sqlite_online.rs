//! Online changes of a large SQLite table, beside writers in other processes, next to the plain statements.
//!
//! `cargo bench -p pql-engine --bench sqlite_online -- [--rows N] [--writers N] [--rate N] [--only WORD]`; a rate of 0 is
//! full speed. For each operation: how long it took, the longest and the 99th percentile of what a writer waited for
//! one transaction, how many transactions it made a second, the longest lock that was reported, and how far the log
//! and the file grew. The rows that start with `plain` are the statements that anyone would write instead.

#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, Silent};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::MigrationId;
use pql_syntax::ast::Statement;
use rusqlite::Connection;

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, amount NUMERIC, created TEXT, note TEXT)";

/// An operation, and the plain statements for the same.
struct Case {
    name: &'static str,
    online: &'static str,
    plain: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "add column, constant default",
        online: "ADD COLUMN t.c TEXT DEFAULT 'x'",
        plain: "ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'x'",
    },
    Case {
        name: "rename column",
        online: "RENAME COLUMN t.note TO remark",
        plain: "ALTER TABLE t RENAME COLUMN note TO remark",
    },
    Case {
        name: "add column, backfill",
        online: "ADD COLUMN t.c INTEGER BACKFILL length(name)",
        plain: "ALTER TABLE t ADD COLUMN c INTEGER; UPDATE t SET c = length(name)",
    },
    Case {
        name: "set not null",
        online: "SET NOT NULL t.created",
        plain: "ALTER TABLE t ALTER COLUMN created SET NOT NULL",
    },
    Case { name: "drop column", online: "DROP COLUMN t.note", plain: "ALTER TABLE t DROP COLUMN note" },
    Case {
        name: "add index",
        online: "ADD INDEX t_email ON t (email)",
        plain: "CREATE INDEX t_email ON t (email)",
    },
    Case {
        name: "add unique index",
        online: "ADD UNIQUE INDEX t_key ON t (email, id)",
        plain: "CREATE UNIQUE INDEX t_key ON t (email, id)",
    },
    Case {
        name: "change type (rebuild)",
        online: "CHANGE COLUMN t.amount TYPE TEXT USING CAST(amount AS TEXT)",
        plain: "CREATE TABLE n (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, amount TEXT, created TEXT, note TEXT); \
                INSERT INTO n SELECT id, name, email, CAST(amount AS TEXT), created, note FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t",
    },
    Case { name: "drop table", online: "DROP TABLE t", plain: "DROP TABLE t" },
];

struct Settings {
    rows: u64,
    writers: u64,
    rate: u64,
    only: Option<String>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "writer") {
        return write(&PathBuf::from(&args[2]), args[3].parse().unwrap(), args[4].parse().unwrap());
    }
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned();
    let number = |name: &str, default: u64| value(name).map_or(default, |text| text.parse().unwrap());
    let settings = Settings {
        rows: number("--rows", 1_000_000),
        writers: number("--writers", 1),
        rate: number("--rate", 1_000),
        only: value("--only"),
    };
    let place =
        if Path::new("/dev/shm").is_dir() { tempfile::tempdir_in("/dev/shm") } else { tempfile::tempdir() }
            .unwrap();
    let start = place.path().join("start.db");
    fill(&start, settings.rows);
    println!(
        "{} rows, {} writers, {} transactions a second each (0: full speed)",
        settings.rows, settings.writers, settings.rate
    );
    println!(
        "{:<34} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "operation", "seconds", "longest", "p99", "tx/s", "lock ms", "log MB", "file MB"
    );
    for case in
        CASES.iter().filter(|case| settings.only.as_deref().is_none_or(|only| case.name.contains(only)))
    {
        let path = place.path().join("run.db");
        copy(&start, &path);
        let mut id = None;
        let (mut lock, mut back_lock) = (Duration::ZERO, Duration::ZERO);
        let gone = case.name == "drop table";
        measure(case.name, &path, &settings, gone, |path| {
            let (migration, longest) = apply(path, case.online);
            (id, lock) = (Some(migration), longest);
            lock
        });
        let id = id.unwrap();
        measure("  rollback", &path, &settings, gone, |path| {
            back_lock = rollback(path, id);
            back_lock
        });
        copy(&start, &path);
        measure("  plain", &path, &settings, gone, |path| {
            let db = open(path);
            let start = Instant::now();
            db.execute_batch(&format!("BEGIN IMMEDIATE; {}; COMMIT", case.plain)).unwrap();
            start.elapsed()
        });
    }
}

fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::from_secs(60)).unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.pragma_update(None, "synchronous", "normal").unwrap();
    db
}

fn fill(path: &Path, rows: u64) {
    let db = open(path);
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.execute_batch(&format!(
        "{TABLE}; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO t SELECT i, 'name of ' || i, printf('%x@example.org', i * 2654435761 % 4294967296), i % 1000 + 0.5,
             '2026-01-01', 'a note that is as long as notes are' FROM n;
         CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER); PRAGMA wal_checkpoint(TRUNCATE);"
    ))
    .unwrap();
}

fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", to.display()));
    }
    fs::copy(from, to).unwrap();
}

/// Runs something beside the writers and prints what it cost them.
fn measure(name: &str, path: &Path, settings: &Settings, gone: bool, work: impl FnOnce(&Path) -> Duration) {
    let size =
        |suffix: &str| fs::metadata(format!("{}{suffix}", path.display())).map_or(0, |data| data.len());
    let before = size("");
    let mut writers: Vec<Child> =
        (0..settings.writers).map(|at| writer(path, settings, if gone { u64::MAX } else { at })).collect();
    for child in &mut writers {
        // A writer says so once it is at work.
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    }
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let lock = work(path);
    let took = start.elapsed();
    let log = size("-wal");
    thread::sleep(Duration::from_millis(200));
    let mut waits: Vec<u64> = Vec::new();
    for mut child in writers {
        child.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "a writer failed");
        waits
            .extend(output.stdout.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())));
    }
    waits.sort_unstable();
    let millis = |at: usize| waits.get(at).map_or(0.0, |micros| *micros as f64 / 1_000.0);
    println!(
        "{name:<34} {:>9.3} {:>9.1} {:>8.1} {:>8.0} {:>8.1} {:>8.1} {:>8.1}",
        took.as_secs_f64(),
        millis(waits.len().saturating_sub(1)),
        millis(waits.len() * 99 / 100),
        waits.len() as f64 / (took.as_secs_f64() + 0.4),
        lock.as_secs_f64() * 1_000.0,
        log as f64 / 1e6,
        (size("") as f64 - before as f64) / 1e6,
    );
}

fn writer(path: &Path, settings: &Settings, at: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg("writer")
        .arg(path)
        .arg(settings.rate.to_string())
        .arg(at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The writer: one row a transaction, at its rate, until its input says stop; then it gives every wait, in microseconds.
fn write(path: &Path, rate: u64, seed: u64) {
    let db = open(path);
    let rows: u64 =
        db.query_row("SELECT max(id) FROM t", [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = std::sync::Arc::clone(&stop);
    thread::spawn(move || {
        let _ = std::io::stdin().lines().next();
        told.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    println!("ready");
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut waits: Vec<u64> = Vec::new();
    let start = Instant::now();
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let sql = match (seed == u64::MAX, random % 4) {
            // Where the table goes, the application writes another one.
            (true, _) => "INSERT INTO other (n) VALUES (1)".to_owned(),
            (_, 0) => format!(
                "INSERT INTO t (name, email, amount, created) VALUES ('new', 'w{random:x}', 5, 'now')"
            ),
            _ => format!(
                "UPDATE t SET amount = amount + 1, email = email || '.' WHERE id = {}",
                random % rows + 1
            ),
        };
        let before = Instant::now();
        db.execute(&sql, []).unwrap();
        waits.push(u64::try_from(before.elapsed().as_micros()).unwrap());
        if rate > 0 {
            let due = Duration::from_secs_f64(waits.len() as f64 / rate as f64);
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
    }
    let mut out = std::io::stdout().lock();
    for wait in waits {
        out.write_all(&wait.to_le_bytes()).unwrap();
    }
}

fn engine(path: &Path) -> Engine {
    Engine::open(path.to_str().unwrap(), &OpenOptions::default()).unwrap()
}

fn apply(path: &Path, operation: &str) -> (MigrationId, Duration) {
    let mut engine = engine(path);
    let schema = engine.schema().unwrap();
    let context = Context { dialect: Dialect::Sqlite, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {operation};"));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{operation}") };
    let ops = lower::operations(&generate, context).unwrap_or_else(|findings| panic!("{findings:?}")).ops;
    let migration = engine.generate(ops, None).unwrap();
    let report = engine.apply(migration.id, &ApplyOptions::default(), &mut Silent).unwrap();
    (migration.id, report.longest_lock)
}

fn rollback(path: &Path, id: MigrationId) -> Duration {
    let reports =
        engine(path).rollback(RollbackTarget::Migration(id), &ApplyOptions::default(), &mut Silent).unwrap();
    reports[0].longest_lock
}
