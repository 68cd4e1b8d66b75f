//! What the application feels while its schema changes: every operation beside the plain SQLite statement, on the same
//! data, in the same run.
//!
//! ```text
//! cargo bench -p pql-engine --bench sqlite_online -- --rows 1000000 --writers 1
//! ```
//! Writers commit single-row transactions at a steady rate (`--rate`, each; 0: at full speed) through connections of
//! their own with SQLite's ordinary busy timeout. Printed is a Markdown table: how long the change took, how long the
//! slowest transaction of the writers took meanwhile and how long all but one in a hundred, the share of the wanted
//! rate that was kept, and the same for the way back. `--only WORD` picks operations, `--dir DIR` another disk.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, Silent};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_syntax::ast::Statement;
use rusqlite::{Connection, TransactionBehavior, params};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// An operation and what people write without us.
struct Operation {
    name: &'static str,
    /// Made before the clock starts.
    setup: &'static str,
    statement: &'static str,
    plain: &'static str,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "add column",
        setup: "",
        statement: "ADD COLUMN people.extra TEXT DEFAULT 'none'",
        plain: "ALTER TABLE people ADD COLUMN extra TEXT DEFAULT 'none'",
    },
    Operation {
        name: "add column, computed",
        setup: "",
        statement: "ADD COLUMN people.upper_name TEXT BACKFILL upper(name)",
        plain: "ALTER TABLE people ADD COLUMN upper_name TEXT; UPDATE people SET upper_name = upper(name)",
    },
    Operation {
        name: "set not null",
        setup: "",
        statement: "SET NOT NULL people.email",
        plain: "ALTER TABLE people ALTER COLUMN email SET NOT NULL",
    },
    Operation {
        name: "add check",
        setup: "",
        statement: "ADD CONSTRAINT people.people_age CHECK (age >= 0)",
        plain: "ALTER TABLE people ADD CONSTRAINT people_age CHECK (age >= 0)",
    },
    Operation {
        name: "change type",
        setup: "",
        statement: "CHANGE COLUMN people.amount TYPE REAL USING CAST(amount AS REAL) REVERT USING CAST(amount AS TEXT)",
        plain: "BEGIN IMMEDIATE; CREATE TABLE people_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, \
                age INTEGER, amount REAL, note TEXT); INSERT INTO people_new SELECT id, name, email, age, \
                CAST(amount AS REAL), note FROM people; DROP TABLE people; ALTER TABLE people_new RENAME TO people; COMMIT",
    },
    Operation {
        name: "add index",
        setup: "",
        statement: "ADD INDEX people_email ON people (email)",
        plain: "CREATE INDEX people_email ON people (email)",
    },
    Operation {
        name: "add unique index",
        setup: "",
        statement: "ADD UNIQUE INDEX people_one ON people (email, id)",
        plain: "CREATE UNIQUE INDEX people_one ON people (email, id)",
    },
    Operation {
        name: "drop index",
        setup: "CREATE INDEX people_email ON people (email)",
        statement: "DROP INDEX people_email",
        plain: "DROP INDEX people_email",
    },
    Operation {
        name: "rename column",
        setup: "",
        statement: "RENAME COLUMN people.note TO remark",
        plain: "ALTER TABLE people RENAME COLUMN note TO remark",
    },
    Operation {
        name: "drop column",
        setup: "",
        statement: "DROP COLUMN people.note",
        plain: "ALTER TABLE people DROP COLUMN note",
    },
    Operation {
        name: "drop table",
        setup: "CREATE TABLE old_people AS SELECT * FROM people",
        statement: "DROP TABLE old_people",
        plain: "DROP TABLE old_people",
    },
];

/// What the command line asks for.
struct Wanted {
    rows: u64,
    writers: usize,
    rate: u32,
    only: String,
    directory: PathBuf,
}

fn main() -> Outcome<()> {
    let wanted = wanted()?;
    let place = tempfile::tempdir_in(&wanted.directory)?;
    let template = place.path().join("template.db");
    make(&template, wanted.rows)?;
    let rate =
        if wanted.rate == 0 { "full speed".to_owned() } else { format!("{} transactions/s", wanted.rate) };
    println!(
        "{} rows, {} writer(s) at {rate} each, SQLite {}, in {}; load average before: {}\n",
        wanted.rows,
        wanted.writers,
        rusqlite::version(),
        wanted.directory.display(),
        fs::read_to_string("/proc/loadavg").unwrap_or_default().trim()
    );
    println!(
        "| operation | duration | longest | p99 | rate kept | WAL | rolled back in | longest | plain: duration | longest | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let idle = Bench::new(&template, &wanted, "")?.idle()?;
    println!(
        "| nothing | {} | {} | {} | {} | | | | | | |",
        span(idle.time),
        span(idle.longest),
        span(idle.p99),
        idle.kept
    );
    for operation in OPERATIONS.iter().filter(|operation| operation.name.contains(&wanted.only)) {
        let online = Bench::new(&template, &wanted, operation.setup)?.online(operation.statement);
        let plain = Bench::new(&template, &wanted, operation.setup)?.plain(operation.plain);
        let ours = match online {
            Ok((there, wal, back)) => format!(
                "{} | {} | {} | {} | {wal} MB | {} | {}",
                span(there.time),
                span(there.longest),
                span(there.p99),
                there.kept,
                span(back.time),
                span(back.longest)
            ),
            Err(error) => format!("{error} | | | | | |"),
        };
        let theirs = match plain {
            Ok(plain) => format!("{} | {} | {}", span(plain.time), span(plain.longest), span(plain.p99)),
            Err(error) => format!("{error} | |"),
        };
        println!("| {} | {ours} | {theirs} |", operation.name);
    }
    Ok(())
}

fn wanted() -> Outcome<Wanted> {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let mut wanted = Wanted { rows: 1_000_000, writers: 1, rate: 1_000, only: String::new(), directory };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--rows" => wanted.rows = value()?.parse()?,
            "--writers" => wanted.writers = value()?.parse()?,
            "--rate" => wanted.rate = value()?.parse()?,
            "--only" => wanted.only = value()?,
            "--dir" => wanted.directory = value()?.into(),
            // Cargo says so to every benchmark.
            "--bench" => {}
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(wanted)
}

/// The table that everything is done to.
fn make(file: &Path, rows: u64) -> Outcome<()> {
    let db = Connection::open(file)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.execute_batch(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, age INTEGER, amount TEXT, note TEXT)",
    )?;
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
         INSERT INTO people SELECT i, 'name ' || i, 'user' || (i * 7919 % 1000003) || '@example.org', i % 90, \
         (i % 10000) || '.25', 'a note of some length about row ' || i FROM n",
        [i64::try_from(rows)?],
    )?;
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// A database with writers at work.
struct Bench {
    file: PathBuf,
    writers: Vec<Writer>,
    rate: u32,
}

/// What the writers felt in a stretch of time.
struct Felt {
    time: Duration,
    longest: Duration,
    p99: Duration,
    kept: String,
}

impl Bench {
    fn new(template: &Path, wanted: &Wanted, setup: &str) -> Outcome<Self> {
        let file = template.with_file_name("work.db");
        for suffix in ["db-wal", "db-shm"] {
            // Of the measurement before; there may be none.
            let _ = fs::remove_file(file.with_extension(suffix));
        }
        fs::copy(template, &file)?;
        let db = connect(&file)?;
        db.execute_batch(setup)?;
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let writers = (0..wanted.writers)
            .map(|number| Writer::start(&file, number, wanted.rate, wanted.rows))
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self { file, writers, rate: wanted.rate })
    }

    fn idle(self) -> Outcome<Felt> {
        let start = Instant::now();
        std::thread::sleep(Duration::from_secs(2));
        let end = Instant::now();
        let times = self.stop()?;
        Ok(Self::felt(&times, start, end, self.writers_rate()))
    }

    /// There, the log's size then in megabytes, and back.
    fn online(self, statement: &str) -> Outcome<(Felt, u64, Felt)> {
        let mut engine =
            Engine::open(self.file.to_str().ok_or("a path that is not UTF-8")?, &OpenOptions::default())?;
        let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {statement};"));
        let schema = engine.schema()?;
        let context = Context { dialect: Dialect::Sqlite, schema: &schema, params: &|_| None };
        let Some(Statement::Generate(generate)) = parse.statements().next() else {
            return Err("not a MIGRATE GENERATE".into());
        };
        let ops = lower::operations(&generate, context).map_err(|findings| format!("{findings:?}"))?.ops;
        let id = engine.generate(ops, None)?.id;
        let options = ApplyOptions::default();
        let start = Instant::now();
        let applied = engine.apply(id, &options, &mut Silent).map(drop);
        let end = Instant::now();
        let wal = fs::metadata(self.file.with_extension("db-wal")).map_or(0, |data| data.len() >> 20);
        // The writers go on for a while: what they write has to come back too.
        std::thread::sleep(Duration::from_millis(500));
        let back_start = Instant::now();
        let rolled_back = applied
            .and_then(|()| engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).map(drop));
        let back_end = Instant::now();
        let times = self.stop()?;
        rolled_back?;
        let rate = self.writers_rate();
        Ok((Self::felt(&times, start, end, rate), wal, Self::felt(&times, back_start, back_end, rate)))
    }

    fn plain(self, sql: &str) -> Outcome<Felt> {
        let db = connect(&self.file)?;
        let start = Instant::now();
        let done = db.execute_batch(sql);
        let end = Instant::now();
        let times = self.stop()?;
        done?;
        Ok(Self::felt(&times, start, end, self.writers_rate()))
    }

    /// Transactions a second that all writers together are to make; none: as many as they can.
    fn writers_rate(&self) -> Option<f64> {
        (self.rate > 0)
            .then(|| f64::from(self.rate) * f64::from(u32::try_from(self.writers.len()).unwrap_or(u32::MAX)))
    }

    fn stop(&self) -> Outcome<Vec<(Instant, Duration)>> {
        let mut all = Vec::new();
        for writer in &self.writers {
            writer.stop.store(true, Ordering::Relaxed);
        }
        for writer in &self.writers {
            let thread = writer.thread.lock().map_err(|_| "a writer panicked")?.take();
            let times = thread.ok_or("stopped twice")?.join().map_err(|_| "a writer panicked")?;
            all.extend(times.map_err(|error| format!("a writer saw an error: {error}"))?);
        }
        Ok(all)
    }

    /// Of the transactions that were under way at some time between two moments.
    fn felt(times: &[(Instant, Duration)], start: Instant, end: Instant, rate: Option<f64>) -> Felt {
        let mut took: Vec<Duration> = times
            .iter()
            .filter(|(begun, took)| *begun < end && *begun + *took > start)
            .map(|(_, took)| *took)
            .collect();
        took.sort();
        let time = end - start;
        // Of a statement that lasts a millisecond there is no rate.
        let kept = rate.filter(|_| time > Duration::from_millis(50)).map_or(String::new(), |rate| {
            format!(
                "{:.0} %",
                100.0 * f64::from(u32::try_from(took.len()).unwrap_or(u32::MAX))
                    / (rate * time.as_secs_f64())
            )
        });
        let at =
            |share: usize| took.get(took.len() * share / 100).or(took.last()).copied().unwrap_or_default();
        Felt { time, longest: at(100), p99: at(99), kept }
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(file)?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(db)
}

/// When each transaction of a writer ended, and how long it took.
type Times = rusqlite::Result<Vec<(Instant, Duration)>>;

/// A running writer.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: std::sync::Mutex<Option<JoinHandle<Times>>>,
}

impl Writer {
    fn start(file: &Path, number: usize, rate: u32, rows: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (file, stopped) = (file.to_owned(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || write(&file, number, rate, rows, &stopped));
        Self { stop, thread: std::sync::Mutex::new(Some(thread)) }
    }
}

/// Begins and lengths of a writer's transactions.
fn write(
    file: &Path,
    number: usize,
    rate: u32,
    rows: u64,
    stopped: &AtomicBool,
) -> rusqlite::Result<Vec<(Instant, Duration)>> {
    let mut db = connect(file)?;
    let mut times = Vec::new();
    let gap = if rate == 0 { Duration::ZERO } else { Duration::from_secs(1) / rate };
    let mut next = Instant::now();
    let mut seed = 0x9e37_79b9_u64.wrapping_mul(number as u64 + 1);
    while !stopped.load(Ordering::Relaxed) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = i64::try_from((seed >> 24) % rows.max(1)).unwrap_or(0) + 1;
        let begun = Instant::now();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if seed >> 62 == 0 {
            transaction
                .prepare_cached("INSERT INTO people (name, email, age, amount) VALUES (?1, ?1 || '@example.org', 30, '7.5')")?
                .execute([format!("new {number} {}", times.len())])?;
        } else {
            transaction
                .prepare_cached("UPDATE people SET name = ?2, age = age + 1 WHERE id = ?1")?
                .execute(params![id, format!("changed {}", times.len())])?;
        }
        transaction.commit()?;
        let now = Instant::now();
        times.push((begun, now - begun));
        // Who was kept waiting does not make up for it: the next transaction comes when it would have come after that.
        next = (next + gap).max(now);
        std::thread::sleep(next - now);
    }
    Ok(times)
}

fn span(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis >= 1_000.0 { format!("{:.2} s", millis / 1e3) } else { format!("{millis:.1} ms") }
}
