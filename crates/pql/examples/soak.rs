//! Random changes for as long as you like, beside an application that keeps book.
//!
//! ```text
//! cargo run --release -p pql --example soak -- --minutes 30 [--seed 7] [--dir /mnt/disk]
//! ```
//! Four writers and two readers use a database whose schema changes all the time: random operations are applied,
//! rolled back, paused, cancelled, and killed with their process. Each writer notes outside of the database what it
//! has committed; the readers look, in snapshots, for anything that goes back. In the end every row must be what its
//! writer noted, no more and no less, and after a rollback of everything the schema is that of the start.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, Silent};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::{MigrationId, MigrationStatus, Schema};
use pql_syntax::ast::Statement;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

type Outcome<T> = Result<T, Box<dyn Error>>;

const TABLES: [&str; 3] = ["alpha", "beta", "gamma"];
const WRITERS: i64 = 4;
const ROWS: i64 = 3_000;
/// Tells a child process what to do: a verb and a migration, and the database's file.
const CHILD: &str = "PQL_SOAK_CHILD";

fn main() -> ExitCode {
    let outcome = match std::env::var(CHILD) {
        Ok(order) => child(&order).map(|()| true),
        Err(_) => soak(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A generator of numbers that a seed decides.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        // Vigna's splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // Of a positive number, so it is one.
        ((word ^ (word >> 31)) >> 1).cast_signed() % limit.max(1)
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(i64::try_from(count).unwrap_or(i64::MAX))).unwrap_or(0)
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        from.get(self.index(from.len()))
    }
}

fn soak() -> Outcome<bool> {
    let (minutes, seed, directory) = options()?;
    println!("seed {seed}");
    let place = tempfile::tempdir_in(directory)?;
    let file = place.path().join("soak.db");
    let books = make(&file)?;
    let schema = texts(&file)?;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = books
        .into_iter()
        .zip(0_i64..)
        .map(|(book, who)| Writer { who, book, random: Random(seed ^ (who + 1).cast_unsigned()) })
        .map(|writer| start(&file, &stop, move |file, stop| writer.work(file, stop)))
        .collect();
    let readers: Vec<_> = (0..2).map(|_| start(&file, &stop, read)).collect();

    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut changes = Changes { file: file.clone(), random: Random(seed), tally: BTreeMap::new(), number: 0 };
    let mut outcome = Ok(());
    while outcome.is_ok() && Instant::now() < end {
        outcome = changes.one();
    }
    let outcome = outcome.and_then(|()| changes.settle());
    stop.store(true, Ordering::Relaxed);

    let mut wrong = Vec::new();
    let mut transactions = 0;
    let mut book = BTreeMap::new();
    for writer in writers {
        match writer.join().map_err(|_| "a writer panicked")? {
            Ok((count, noted)) => {
                transactions += count;
                book.extend(noted);
            }
            Err(error) => wrong.push(format!("a writer saw {error}")),
        }
    }
    let mut looks = 0;
    for reader in readers {
        match reader.join().map_err(|_| "a reader panicked")? {
            Ok(count) => looks += count,
            Err(error) => wrong.push(format!("a reader saw {error}")),
        }
    }
    outcome.unwrap_or_else(|error| wrong.push(error.to_string()));
    wrong.extend(compare(&file, &book)?.into_iter().map(|line| format!("as it was left: {line}")));
    changes.back().unwrap_or_else(|error| wrong.push(format!("the rollback of everything: {error}")));
    wrong.extend(compare(&file, &book)?.into_iter().map(|line| format!("after the rollback: {line}")));
    if texts(&file)? != schema {
        wrong.push(format!("the schema is not that of the start:\n{}", texts(&file)?));
    }
    for (what, count) in &changes.tally {
        println!("{count:6} {what}");
    }
    println!("{transactions} transactions, {looks} snapshots, {} rows in the books", book.len());
    for line in &wrong {
        println!("WRONG: {line}");
    }
    if !wrong.is_empty() {
        println!("kept: {}", place.keep().display());
    }
    println!("{}, seed {seed}", if wrong.is_empty() { "nothing lost, nothing invented" } else { "FAILED" });
    Ok(wrong.is_empty())
}

fn options() -> Outcome<(u64, u64, PathBuf)> {
    let memory = Path::new("/dev/shm");
    let mut directory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let (mut minutes, mut seed) = (1, clock.as_secs());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--minutes" => minutes = value.parse()?,
            "--seed" => seed = value.parse()?,
            "--dir" => directory = value.into(),
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok((minutes, seed, directory))
}

/// What a writer knows that it has committed: by table and row.
type Book = BTreeMap<(usize, i64), String>;

/// Makes the database; gives each writer the rows that are its own, which are those whose id says so.
fn make(file: &Path) -> Outcome<Vec<Book>> {
    let mut db = connect(file)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.execute_batch("CREATE TABLE counters (who INTEGER PRIMARY KEY, n INTEGER NOT NULL)")?;
    let mut books = vec![Book::new(); usize::try_from(WRITERS)?];
    let all = db.transaction()?;
    for who in 0..WRITERS {
        all.execute("INSERT INTO counters VALUES (?1, 0)", [who])?;
    }
    for (table, name) in TABLES.iter().enumerate() {
        all.execute_batch(&format!(
            "CREATE TABLE {name} (id INTEGER PRIMARY KEY, who INTEGER NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, extra INTEGER)"
        ))?;
        let mut insert = all.prepare(&format!("INSERT INTO {name} VALUES (?1, ?2, 0, ?3, ?1)"))?;
        for id in 1..=ROWS {
            let body = format!("at the start {id}");
            insert.execute(params![id, id % WRITERS, body])?;
            books[usize::try_from(id % WRITERS)?].insert((table, id), body);
        }
    }
    all.commit()?;
    Ok(books)
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(file)?;
    db.busy_timeout(Duration::from_secs(5))?;
    Ok(db)
}

/// The texts of the schema, without what is PQL's own.
fn texts(file: &Path) -> Outcome<String> {
    let db = connect(file)?;
    let mut query =
        db.prepare("SELECT sql FROM sqlite_schema WHERE substr(name, 1, 5) <> '_pql_' ORDER BY rowid")?;
    let rows: Vec<Option<String>> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect::<Vec<_>>().join(";\n"))
}

fn start<T: Send + 'static>(
    file: &Path,
    stop: &Arc<AtomicBool>,
    work: impl FnOnce(&Path, &AtomicBool) -> rusqlite::Result<T> + Send + 'static,
) -> JoinHandle<rusqlite::Result<T>> {
    let (file, stop) = (file.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || work(&file, &stop))
}

struct Writer {
    who: i64,
    book: Book,
    random: Random,
}

impl Writer {
    /// Writes until it is told to stop; gives the number of its transactions and its book.
    fn work(mut self, file: &Path, stop: &AtomicBool) -> rusqlite::Result<(i64, Book)> {
        let mut db = connect(file)?;
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            match self.transaction(&mut db, count + 1) {
                Ok(()) => count += 1,
                // It waited as long as it wanted to; nothing was committed.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                Err(error) => return Err(error),
            }
            sleep(Duration::from_micros((500 + self.random.below(1_500)).unsigned_abs()));
        }
        Ok((count, self.book))
    }

    fn transaction(&mut self, db: &mut Connection, number: i64) -> rusqlite::Result<()> {
        let table = self.random.index(TABLES.len());
        let name = TABLES[table];
        let body = format!("{number} of {}", self.who);
        let known = self.book.range((table, self.random.below(2 * ROWS))..(table + 1, 0)).next();
        let known = known.map(|(&(_, id), _)| id);
        let all = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        all.execute("UPDATE counters SET n = ?2 WHERE who = ?1", [self.who, number])?;
        let (id, left) = match (self.random.below(4), known) {
            (0, _) | (_, None) => {
                let id = self.random.below(ROWS) * WRITERS + self.who;
                all.execute(
                    &format!("INSERT OR REPLACE INTO {name} (id, who, seq, body) VALUES (?1, ?2, ?3, ?4)"),
                    params![id, self.who, number, body],
                )?;
                (id, Some(body))
            }
            (1, Some(id)) => {
                all.execute(&format!("DELETE FROM {name} WHERE id = ?1"), [id])?;
                (id, None)
            }
            (_, Some(id)) => {
                all.execute(
                    &format!("UPDATE {name} SET seq = ?2, body = ?3 WHERE id = ?1"),
                    params![id, number, body],
                )?;
                (id, Some(body))
            }
        };
        all.commit()?;
        match left {
            Some(body) => self.book.insert((table, id), body),
            None => self.book.remove(&(table, id)),
        };
        Ok(())
    }
}

/// Looks at snapshots: no row is newer than its writer's counter, and no counter goes back.
fn read(file: &Path, stop: &AtomicBool) -> rusqlite::Result<u64> {
    let mut db = connect(file)?;
    let mut last = BTreeMap::new();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let snapshot = db.transaction()?;
        for who in 0..WRITERS {
            let counter: i64 =
                snapshot.query_row("SELECT n FROM counters WHERE who = ?1", [who], |row| row.get(0))?;
            assert!(counter >= last.insert(who, counter).unwrap_or(0), "writer {who} has lost transactions");
            for name in TABLES {
                let sql = format!("SELECT ifnull(max(seq), 0) FROM {name} WHERE id % {WRITERS} = ?1");
                let newest: i64 = snapshot.query_row(&sql, [who], |row| row.get(0))?;
                assert!(newest <= counter, "{name} has a row that writer {who} has not written");
            }
        }
        drop(snapshot);
        count += 1;
        sleep(Duration::from_millis(20));
    }
    Ok(count)
}

/// What separates the database from the books.
fn compare(file: &Path, book: &Book) -> Outcome<Vec<String>> {
    let db = connect(file)?;
    let mut wrong = Vec::new();
    for check in ["integrity_check", "foreign_key_check"] {
        let mut query = db.prepare(&format!("PRAGMA {check}"))?;
        let said: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        wrong.extend(said.into_iter().filter(|line| line != "ok").map(|line| format!("{check}: {line}")));
    }
    for (table, name) in TABLES.iter().enumerate() {
        let mut query = db.prepare(&format!("SELECT id, body FROM {name}"))?;
        let found: BTreeMap<i64, String> =
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let noted = book.iter().filter(|((of, _), _)| *of == table);
        wrong.extend(
            noted
                .filter(|((_, id), body)| found.get(id) != Some(body))
                .map(|((_, id), body)| format!("{name} {id} is {:?}, not {body:?}", found.get(id))),
        );
        wrong.extend(
            found
                .iter()
                .filter(|(id, _)| !book.contains_key(&(table, **id)))
                .map(|(id, _)| format!("{name} {id} was not written")),
        );
    }
    Ok(wrong)
}

/// The one who changes the schema.
struct Changes {
    file: PathBuf,
    random: Random,
    tally: BTreeMap<String, u64>,
    number: u64,
}

impl Changes {
    fn count(&mut self, what: &str) {
        *self.tally.entry(what.to_owned()).or_default() += 1;
    }

    fn engine(&self) -> Outcome<Engine> {
        Ok(Engine::open(self.file.to_str().ok_or("a path that is not UTF-8")?, &OpenOptions::default())?)
    }

    /// One change, or one taken back, with what may come between.
    fn one(&mut self) -> Outcome<()> {
        let mut engine = self.engine()?;
        let schema = engine.schema()?;
        let applied: Vec<MigrationId> = (engine.status()?.into_iter())
            .filter(|row| row.status == MigrationStatus::Applied && row.version == Some(schema.version))
            .map(|row| row.migration_id)
            .collect();
        let (verb, id) = match applied.first() {
            Some(id) if self.random.below(3) == 0 || schema.version > 25 => ("rollback", *id),
            _ => match self.generate(&mut engine, &schema)? {
                Some(id) => ("apply", id),
                None => return Ok(()),
            },
        };
        self.count(verb);
        let child = self.child(verb, id)?;
        self.disturb(child, &mut engine, id)?;
        // Whatever was left half way is finished or taken back, now and then by one who is killed as well.
        let mut attempts = 0;
        while is_open(&mut engine, id)? {
            attempts += 1;
            let verb = if self.random.below(2) == 0 { "resume" } else { "cancel" };
            self.count(&format!("{verb} of what was left half way"));
            let child = self.child(verb, id)?;
            if attempts < 4 {
                self.disturb(child, &mut engine, id)?;
            } else if let Some(said) = finish(child)? {
                return Err(format!("{verb} of {id}: {said}").into());
            }
        }
        let status = engine.info(id)?;
        self.count(&format!("ended as {}", status.status.as_str()));
        if let Some(error) = status.error {
            self.count(&format!("said: {}", error.split("_pql_").next().unwrap_or_default()));
        }
        Ok(())
    }

    /// A random operation on what is there.
    fn generate(&mut self, engine: &mut Engine, schema: &Schema) -> Outcome<Option<MigrationId>> {
        self.number += 1;
        let number = self.number;
        let name = *self.random.pick(&TABLES).ok_or("no tables")?;
        let table = schema.tables.values().find(|table| table.name.name == name).ok_or("a table is gone")?;
        let own: Vec<&str> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|column| column.starts_with('c'))
            .collect();
        let own = self.random.pick(&own).copied();
        let indexes: Vec<&str> = schema.indexes.values().map(|index| index.name.name.as_str()).collect();
        let index = self.random.pick(&indexes).copied();
        let kind = self.random.pick(&["INTEGER", "TEXT", "REAL"]).copied().unwrap_or("TEXT");
        let column = own.unwrap_or("extra");
        let statement = match (self.random.below(14), own, index) {
            (0, ..) => format!("ADD COLUMN {name}.c{number} {kind}"),
            (1, ..) => format!("ADD COLUMN {name}.c{number} TEXT NOT NULL DEFAULT 'x'"),
            (2, ..) => format!("ADD COLUMN {name}.c{number} TEXT BACKFILL upper(body)"),
            (3, ..) => format!("ADD COLUMN {name}.c{number} TIMESTAMP DEFAULT NOW()"),
            (4, ..) => format!("ADD INDEX i{number} ON {name} ({column}, body)"),
            (5, ..) => format!("ADD UNIQUE INDEX i{number} ON {name} (body, id)"),
            (6, ..) => format!("CHANGE COLUMN {name}.extra TYPE {kind}"),
            (7, ..) => format!("ADD CONSTRAINT {name}.k{number} CHECK (length(body) > 0)"),
            (8, ..) => format!("ADD CONSTRAINT {name}.k{number} UNIQUE (id, body)"),
            (9, ..) => format!("SET DEFAULT {name}.extra = {number}"),
            (10, Some(own), _) => format!("DROP COLUMN {name}.{own}"),
            (11, Some(own), _) => format!("RENAME COLUMN {name}.{own} TO c{number}"),
            (12, _, Some(index)) => format!("DROP INDEX {index}"),
            _ => format!("SET NOT NULL {name}.body, ADD COLUMN {name}.c{number} INTEGER DEFAULT 0"),
        };
        let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {statement};"));
        let Some(Statement::Generate(generate)) = parse.statements().next() else {
            return Err(format!("{statement} is not understood").into());
        };
        let context = Context { dialect: Dialect::Sqlite, schema, params: &|_| None };
        let ops =
            lower::operations(&generate, context).map_err(|found| format!("{statement}: {found:?}"))?.ops;
        if let Ok(migration) = engine.generate(ops, None) {
            return Ok(Some(migration.id));
        }
        self.count("refused, as it does not fit what is there");
        Ok(None)
    }

    fn child(&self, verb: &str, id: MigrationId) -> Outcome<Child> {
        let child = Command::new(std::env::current_exe()?)
            .env(CHILD, format!("{verb} {id} {}", self.file.display()))
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(child)
    }

    /// Lets a child finish, or kills it, or has it pause or cancel.
    fn disturb(&mut self, mut child: Child, engine: &mut Engine, id: MigrationId) -> Outcome<()> {
        let what = self.random.below(6);
        let moment = Duration::from_micros((10_000 + self.random.below(400_000)).unsigned_abs());
        if what < 4 {
            sleep(moment);
        }
        let busy = child.try_wait()?.is_none();
        match what {
            0 | 1 if busy => {
                self.count("killed");
                child.kill()?;
            }
            // It may have come to its end meanwhile; then there is nothing to steer.
            2 if busy && engine.pause(id).is_ok() => self.count("paused"),
            3 if busy && is_open(engine, id)? => {
                self.count("cancelled while it ran");
                let _ = engine.cancel(id, &ApplyOptions::default(), &mut Silent);
            }
            _ => {}
        }
        if let Some(said) = finish(child)? {
            self.count(&format!("a child said: {}", said.split(['_', '\'']).next().unwrap_or_default()));
        }
        Ok(())
    }

    /// Finishes what stands half way.
    fn settle(&mut self) -> Outcome<()> {
        let mut engine = self.engine()?;
        let open: Vec<MigrationId> = (engine.status()?.into_iter())
            .filter(|row| matches!(row.status, MigrationStatus::Running | MigrationStatus::Paused))
            .map(|row| row.migration_id)
            .collect();
        for id in open {
            engine.resume(id, &ApplyOptions::default(), &mut Silent)?;
        }
        Ok(())
    }

    /// Takes everything back.
    fn back(&mut self) -> Outcome<()> {
        let reports =
            self.engine()?.rollback(RollbackTarget::ToVersion(0), &ApplyOptions::default(), &mut Silent)?;
        println!("{:6} rolled back at the end", reports.len());
        Ok(())
    }
}

fn is_open(engine: &mut Engine, id: MigrationId) -> Outcome<bool> {
    Ok(matches!(engine.info(id)?.status, MigrationStatus::Running | MigrationStatus::Paused))
}

/// Waits for a child; what it said when it failed by itself.
fn finish(child: Child) -> Outcome<Option<String>> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((output.status.code() == Some(1)).then_some(said))
}

/// Does what a child is told.
fn child(order: &str) -> Outcome<()> {
    let mut words = order.splitn(3, ' ');
    let mut word = || words.next().ok_or("three words");
    let (verb, id, file) = (word()?, word()?.parse::<MigrationId>()?, word()?);
    let mut engine = Engine::open(file, &OpenOptions::default())?;
    let mut options = ApplyOptions::default();
    // Every other change is made as if the tables were large.
    if id.to_string().ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']) {
        options.run.max_stall = Duration::ZERO;
    }
    match verb {
        "apply" => drop(engine.apply(id, &options, &mut Silent)?),
        "rollback" => drop(engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent)?),
        "resume" => drop(engine.resume(id, &options, &mut Silent)?),
        _ => drop(engine.cancel(id, &options, &mut Silent)?),
    }
    Ok(())
}
