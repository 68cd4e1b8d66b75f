//! `pql demo`: what "online" means, on a database made for it.
//!
//! An application (a thread with its own plain connection, which knows nothing of PQL) keeps writing to a database
//! while the contract statements change its schema. Shown are each statement's time and the longest that the
//! application had to wait meanwhile; in the end everything is rolled back and compared with what the application
//! knows that it wrote.

mod database;
mod proof;
mod writer;

use std::path::Path;
use std::time::{Duration, Instant};

use pql::{Error, Session, Value};

use crate::commands::connect::{block_on, fail};
use crate::commands::run::watch;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::render::{Problem, Ui};
use writer::Writer;

/// The contract statements, each with what it shows.
const STATEMENTS: &[&str] = &[
    "MIGRATE DETECT\nFROM schema_version = @current_version\nTO application_schema = @target_schema;",
    "MIGRATE GENERATE\nADD COLUMN users.last_login TIMESTAMP DEFAULT NOW(),\nADD INDEX users_email_idx ON users(email),\n\
     ADD COLUMN products.embedding VECTOR(768);",
    "MIGRATE APPLY migration_id = @migration_id\nWITH strategy = 'online';",
    "ALTER TABLE users ADD COLUMN status TEXT DEFAULT 'active' CONCURRENTLY;",
    "ALTER TABLE users DROP COLUMN old_field CONCURRENTLY;",
    "CREATE INDEX CONCURRENTLY idx_users_email ON users(email);",
    "CREATE UNIQUE INDEX CONCURRENTLY idx_users_username ON users(username);",
    "DROP INDEX CONCURRENTLY idx_old_index;",
    "ALTER TABLE orders\n  ALTER COLUMN amount TYPE DECIMAL(10,2)\n  USING amount::DECIMAL\n  CONCURRENTLY;",
    "ALTER TABLE orders ADD CONSTRAINT fk_user_id\n  FOREIGN KEY (user_id) REFERENCES users(id);",
    "ALTER TABLE orders DROP CONSTRAINT fk_user_id;",
    "ALTER TABLE users RENAME COLUMN old_name TO new_name;",
];

/// Runs it; `Failed` when anything was lost or could not be done.
pub(crate) fn run(ui: &mut Ui, rows: u64) -> Exit {
    let directory = match tempfile::Builder::new().prefix("pql-demo-").tempdir() {
        Ok(directory) => directory,
        Err(error) => return file_error(ui, &format!("cannot make a temporary directory: {error}")),
    };
    let file = directory.path().join("demo.db");
    ui.line(&format!("A database of {rows} rows in {}", file.display()));
    let started = Instant::now();
    if let Err(error) = database::create(&file, rows) {
        return file_error(ui, &format!("cannot make the database: {error}"));
    }
    ui.line(&format!(
        "made in {:.1} s. An application now writes to it without a pause.\n",
        started.elapsed().as_secs_f64()
    ));

    match with_writer(ui, &file) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(error) => fail(ui, &error),
    }
}

fn file_error(ui: &mut Ui, message: &str) -> Exit {
    ui.problem(&Problem::file(message));
    Exit::Failed
}

/// The statements, the rollback and the proof, beside the application.
fn with_writer(ui: &mut Ui, file: &Path) -> Result<bool, Error> {
    let before = match proof::Snapshot::take(file) {
        Ok(before) => before,
        Err(error) => {
            file_error(ui, &format!("cannot read the database: {error}"));
            return Ok(false);
        }
    };
    let writer = Writer::start(file);
    let mut interrupts = Interrupts::install();
    let mut session = block_on(Session::open(&format!("sqlite:{}", file.display())))?;
    session.bind("target_schema", database::TARGET);

    let mut longest = Duration::ZERO;
    for statement in STATEMENTS {
        longest = longest.max(one(ui, &mut session, &writer, &mut interrupts, statement)?);
    }
    ui.line("Everything again as it was, with what was written meanwhile:");
    longest = longest.max(one(ui, &mut session, &writer, &mut interrupts, "MIGRATE ROLLBACK TO VERSION 0;")?);

    let outcome = writer.stop();
    ui.line(&format!(
        "The application committed {} transactions; the longest took {}, the median {}.",
        outcome.transactions,
        millis(outcome.longest),
        millis(outcome.median),
    ));
    ui.line(&format!("While the schema changed, its longest wait was {}.\n", millis(longest)));
    match proof::check(file, &before, &outcome.ledger) {
        Ok(findings) => {
            for finding in &findings {
                ui.line(&format!("{} {}", if finding.holds { "✓" } else { "✗" }, finding.what));
            }
            for error in &outcome.errors {
                ui.line(&format!("✗ the application saw an error: {error}"));
            }
            Ok(outcome.errors.is_empty() && findings.iter().all(|finding| finding.holds))
        }
        Err(error) => {
            file_error(ui, &format!("cannot read the database: {error}"));
            Ok(false)
        }
    }
}

/// Runs a statement and gives the longest that the application waited meanwhile.
fn one(
    ui: &mut Ui,
    session: &mut Session,
    writer: &Writer,
    interrupts: &mut Interrupts,
    statement: &str,
) -> Result<Duration, Error> {
    ui.line(statement);
    writer.take_longest();
    let started = Instant::now();
    let job = session.start(statement)?;
    let outputs = block_on(watch(ui, job, interrupts, false))?;
    let elapsed = started.elapsed();
    let wait = writer.take_longest();
    for output in &outputs {
        for row in output.rows().into_iter().flat_map(|rows| summary(&output.statement, rows)) {
            ui.line(&format!("  → {row}"));
        }
    }
    ui.line(&format!("  {} · longest wait of the application: {}\n", millis(elapsed), millis(wait)));
    Ok(wait)
}

/// What matters of an answer, a line per row.
fn summary(statement: &str, rows: &pql::ResultSet) -> Vec<String> {
    let text = |row: usize, column: &str| rows.get(row, column).map(pql::value_text).unwrap_or_default();
    (0..rows.len())
        .map(|row| match statement {
            "migrate_detect" => text(row, "statement"),
            "migrate_generate" => {
                format!("{}: {} operations", text(row, "migration_id"), text(row, "operations"))
            }
            _ => {
                let lock = match rows.get(row, "longest_lock_ms") {
                    Some(Value::Real(lock)) => format!("{lock:.1}"),
                    _ => text(row, "longest_lock_ms"),
                };
                format!("{} in {} steps, longest lock {lock} ms", text(row, "status"), text(row, "steps"))
            }
        })
        .collect()
}

fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis >= 1_000.0 { format!("{:.2} s", millis / 1e3) } else { format!("{millis:.1} ms") }
}
