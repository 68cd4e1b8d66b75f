//! Disks that fill up: the write that meets the end is cut short, wherever it is.

use std::path::Path;

use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, Silent};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::{MigrationId, MigrationStatus};
use pql_syntax::ast::Statement;
use rusqlite::Connection;

use crate::child;
use crate::support::run::{Variant, directory, shown};
use crate::support::state;
use crate::template::Task;

const STATEMENTS: [&str; 3] = [
    "MIGRATE GENERATE CHANGE COLUMN notes.amount TYPE REAL USING CAST(amount AS REAL) REVERT USING CAST(amount AS TEXT)",
    "MIGRATE GENERATE ADD INDEX notes_body ON notes (body), ADD COLUMN notes.loud TEXT BACKFILL upper(body)",
    "MIGRATE GENERATE DROP COLUMN notes.amount, SET NOT NULL notes.body",
];

fn make(file: &Path) {
    let db = Connection::open(file).expect("a database");
    db.pragma_update(None, "journal_mode", "wal").expect("WAL");
    db.execute_batch(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, amount TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
         INSERT INTO notes SELECT i, 'a note about number ' || i || hex(zeroblob(250)), i || '.5' FROM n;",
    )
    .expect("a schema");
}

fn engine(file: &Path) -> Engine {
    Engine::open(file.to_str().expect("UTF-8"), &OpenOptions::default()).expect("a database")
}

fn generate(file: &Path, text: &str) -> MigrationId {
    let mut engine = engine(file);
    let schema = engine.schema().expect("a schema");
    let parse = pql_syntax::parse(text);
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{text}") };
    let context = Context { dialect: Dialect::Sqlite, schema: &schema, params: &|_| None };
    let ops = lower::operations(&generate, context).expect("operations").ops;
    engine.generate(ops, None).expect("a migration").id
}

fn state_of(file: &Path) -> String {
    state::of(&Connection::open(file).expect("a database"))
}

/// The application finds its file whole, and can write.
fn assert_usable(file: &Path, place: &str) {
    let db = Connection::open(file).expect("a database");
    let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(whole, "ok", "{place}");
    let touched = db.execute("UPDATE notes SET body = body WHERE id % 20 = 7", []).expect("a write");
    assert_eq!(touched, 20, "{place}");
}

#[test]
fn a_disk_that_fills_up_is_survived() {
    let (mut cut, mut fitted) = (0, 0);
    for statement in STATEMENTS {
        for blocks in [80, 250, 500, 900, 20_000] {
            let place = format!("{blocks} blocks, {statement}");
            let directory = directory();
            let file = directory.path().join("app.db");
            make(&file);
            let start = state_of(&file);
            let id = generate(&file, statement);
            let (status, said) = child::run_on_small_disk(Task::Apply, Variant::NoStall, id, &file, blocks);
            assert_ne!(status.code(), Some(9), "the shell can limit files");
            if status.success() {
                fitted += 1;
            } else {
                cut += 1;
                assert!(said.contains("PQL04"), "{place}: {said}");
            }
            assert_usable(&file, &place);
            // With room again it goes on, or starts again.
            let mut engine = engine(&file);
            let options = Variant::NoStall.options();
            if engine.info(id).expect("a migration").status != MigrationStatus::Applied {
                engine
                    .apply(id, &options, &mut Silent)
                    .unwrap_or_else(|error| panic!("{place}: {}", shown(&error)));
            }
            assert_usable(&file, &place);
            let back = engine.rollback(RollbackTarget::Migration(id), &ApplyOptions::default(), &mut Silent);
            back.unwrap_or_else(|error| panic!("{place}: {}", shown(&error)));
            drop(engine);
            assert_eq!(state_of(&file), start, "{place}");
        }
    }
    println!("{cut} runs met the end of the disk, {fitted} did not");
    assert!(cut > 3 && fitted > 2, "{cut} cut, {fitted} fitted");
}
