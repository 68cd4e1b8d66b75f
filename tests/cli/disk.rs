//! A disk that takes no more: the program runs with a limit to the size of its files, at which a write stores what
//! still fits and fails, as on a full disk or at the end of a quota. Whatever the limit cuts short, the application's
//! rows and schema stay whole, and with room again the migration is finished or taken back as if nothing had been.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;
use rusqlite::types::Value;

/// Between two limits that are tried, in bytes.
const STRIDE: u64 = 12_000;

#[test]
fn whatever_no_longer_fits_is_finished_or_taken_back_later() {
    for operation in [
        "ADD COLUMN t.upper_s TEXT BACKFILL upper(s)",
        "CHANGE COLUMN t.n TYPE INTEGER USING CAST(n AS INTEGER)",
        "ADD INDEX t_s ON t (s)",
    ] {
        tried(operation);
    }
}

fn tried(operation: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| directory.path().join(name);
    let start = file("start.db");
    let db = Connection::open(&start).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT, s TEXT);
         WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 3000)
         INSERT INTO t SELECT i, i, 'some text ' || i FROM x;",
    )
    .expect("a table");
    drop(db);
    succeeded(&pql(&start, None, &format!("MIGRATE GENERATE {operation} AS 'it'")), operation);
    let before = state(&start);

    let clean = file("clean.db");
    fs::copy(&start, &clean).expect("a copy");
    succeeded(&pql(&clean, None, "MIGRATE APPLY migration_id = 'it'"), operation);
    let after = state(&clean);
    assert_ne!(before, after);

    let mut cut_short = 0;
    let mut limit = fs::metadata(&start).expect("the database").len();
    loop {
        let (one, other) = (file("one.db"), file("other.db"));
        copy(&start, &one);
        let output = pql(&one, Some(limit), "MIGRATE APPLY migration_id = 'it'");
        if output.status.success() {
            assert_eq!(state(&one), after, "{operation}, {limit} bytes");
            break;
        }
        cut_short += 1;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.starts_with("PQL04"), "{operation}, {limit} bytes: {said}");
        limit += STRIDE;
        let Some(status) = unfinished(&one) else {
            assert_eq!(state(&one), before, "{operation}, {limit} bytes: {said}");
            continue;
        };
        // Left where it was, on the way there or back: RESUME goes on in that direction, CANCEL always goes back.
        copy(&one, &other);
        let end = if status.contains("finishes it") { &after } else { &before };
        succeeded(&pql(&one, None, "MIGRATE RESUME migration_id = 'it'"), &said);
        assert_eq!(&state(&one), end, "{operation}, {limit} bytes: {status}");
        succeeded(&pql(&other, None, "MIGRATE CANCEL migration_id = 'it'"), &said);
        assert_eq!(state(&other), before, "{operation}, {limit} bytes: {status}");
    }
    assert!(cut_short > 3, "{operation}: the limits cut nothing short");
}

/// Runs a statement on a database, as much beside the application as can be.
fn pql(file: &Path, limit: Option<u64>, statement: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_pql");
    let mut command = match limit {
        // Without a handler for its signal the program would be ended by the write that is too long.
        Some(limit) => {
            let mut command = Command::new("sh");
            command.args([
                "-c",
                "trap '' XFSZ; exec prlimit --fsize=\"$0\" \"$@\"",
                &limit.to_string(),
                program,
            ]);
            command
        }
        None => Command::new(program),
    };
    command.arg("--database").arg(file).args(["--set", "max_stall=0", "-c", statement]);
    command.output().expect("the program runs")
}

fn succeeded(output: &Output, what: &str) {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the next session says of a migration that stands half way.
fn unfinished(file: &Path) -> Option<String> {
    let said = String::from_utf8_lossy(&pql(file, None, "MIGRATE STATUS").stderr).into_owned();
    said.contains("MIGRATE RESUME").then_some(said)
}

/// A database with its log: what an application finds that opens it now.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let path = |file: &Path| format!("{}{suffix}", file.display());
        // There may be no log, or one of the attempt before.
        let _ = fs::remove_file(path(to));
        let _ = fs::copy(path(from), path(to));
    }
    let _ = fs::remove_file(format!("{}-shm", to.display()));
}

/// The schema that an application sees and a hash of its rows, after SQLite's own check.
fn state(file: &Path) -> (String, u64) {
    let db = Connection::open(file).expect("a database");
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
    let texts = db
        .prepare("SELECT sql FROM sqlite_schema WHERE sql NOT LIKE '%\\_pql%' ESCAPE '\\' ORDER BY name")
        .and_then(|mut found| found.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>());
    let mut hash = DefaultHasher::new();
    let mut statement = db.prepare("SELECT * FROM t ORDER BY id").expect("a query");
    let width = statement.column_count();
    let mut rows = statement.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let values: Vec<Value> = (0..width).map(|at| row.get(at).expect("a value")).collect();
        format!("{values:?}").hash(&mut hash);
    }
    (texts.expect("texts").join("; "), hash.finish())
}
