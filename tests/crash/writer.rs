//! The application: a plain connection that writes all the time and must never see an error.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use rusqlite::Connection;

use crate::support::state;

/// How long it leaves the file alone after a transaction.
const PAUSE: Duration = Duration::from_micros(150);

/// What it does: lines of statements, each line without effect in the end.
pub(crate) type Script = Vec<Vec<String>>;

/// A connection of an ordinary program.
pub(crate) fn connect(file: &Path) -> Connection {
    let db = Connection::open(file).expect("a database");
    db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    db.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    db
}

/// The lines that are possible in all these databases and leave nothing behind in them, for a case's statement.
pub(crate) fn script(statement: &str, databases: [&Path; 2]) -> Script {
    // What a computed value was made from depends on the moment at which it was computed.
    let computed =
        statement.split_once("BACKFILL").or(statement.split_once("DEFAULT (")).map_or("", |(_, rest)| rest);
    // Between two renames that exchange names there is a moment without one of them.
    let renamed = statement.split_once("RENAME COLUMN").map_or("", |(_, rest)| rest);
    let exchanged = |line: &str| words(renamed).any(|word| words(line).any(|other| other == word));
    let steady = |line: &str| {
        let column = line.split_once(" SET ").and_then(|(_, rest)| rest.split(' ').next());
        column.is_none_or(|column| !words(computed).any(|word| word == column))
    };
    include_str!("writer.sql")
        .lines()
        .filter(|line| !line.starts_with("--") && steady(line) && !exchanged(line))
        .map(|line| line.split(" ~~ ").map(str::to_owned).collect::<Vec<_>>())
        .filter(|statements| databases.iter().all(|file| leaves_nothing(&mut connect(file), statements)))
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn leaves_nothing(db: &mut Connection, statements: &[String]) -> bool {
    let before = state::of(db);
    // Dropped without a commit: nothing stays.
    let attempt = db.transaction().expect("a transaction");
    let counts: Result<Vec<usize>, _> = statements.iter().map(|sql| attempt.execute(sql, [])).collect();
    counts.is_ok_and(|counts| counts.iter().all(|&count| count == 1)) && state::of(&attempt) == before
}

/// The running application.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, String>>,
}

impl Writer {
    /// Starts it.
    pub(crate) fn start(file: &Path, script: &Script) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (file, script, stopped) = (file.to_owned(), script.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || work(&file, &script, &stopped));
        Self { stop, thread }
    }

    /// Lets it finish its round; gives the number of its transactions, or the error that it saw.
    pub(crate) fn stop(self) -> Result<u64, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the application does not panic")
    }
}

fn work(file: &Path, script: &Script, stopped: &AtomicBool) -> Result<u64, String> {
    let db = connect(file);
    let mut written = 0;
    let longest = script.iter().map(Vec::len).max().unwrap_or(0);
    while !stopped.load(Ordering::Relaxed) && longest > 0 {
        // Every line is begun before any is ended: what lies between must be kept by whatever happens then.
        for at in 0..longest {
            for sql in script.iter().filter_map(|line| line.get(at)) {
                let count = db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
                match count {
                    Ok(1) => written += 1,
                    Ok(count) => return Err(format!("{sql}: {count} rows")),
                    Err(error) => return Err(format!("{sql}: {error}")),
                }
                sleep(PAUSE);
            }
        }
    }
    Ok(written)
}
