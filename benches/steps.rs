//! What a migration costs that touches no rows: the fixed price of one, and how the price of many steps on one table
//! grows with their number, on SQLite (a file in WAL) and on PostgreSQL (a private server, gone afterwards).
//!
//! ```text
//! cargo bench -p pql-engine --bench steps -- --columns 50,100,200,400
//! ```
//! Printed are two Markdown tables; the fixed prices are the medians of fifteen.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../tests/postgres/support/mod.rs"]
#[allow(dead_code, reason = "a bench needs less of it than the tests")]
mod support;

use std::time::{Duration, Instant};

use pql_engine::{ApplyOptions, Engine, OpenOptions, RollbackTarget, Silent};
use pql_planner::lower::{self, Context};
use pql_schema::MigrationId;
use pql_syntax::ast::Statement;

use support::Database;

const REPEATS: usize = 15;

const TABLES: &str = "CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL, label text, other int);
     CREATE TABLE others (id bigint PRIMARY KEY);
     INSERT INTO items SELECT 1, 1, 'label', 1";

/// Metadata only on either database.
const CHANGES: &[(&str, &str)] = &[
    ("add column", "ADD COLUMN items.extra TEXT DEFAULT 'none'"),
    ("rename column", "RENAME COLUMN items.other TO another"),
    ("set default", "SET DEFAULT items.other = 7"),
    ("drop column", "DROP COLUMN items.other"),
    ("drop table", "DROP TABLE others"),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut sizes = vec![50, 100, 200, 400];
    while let Some(argument) = arguments.next() {
        if argument == "--columns" {
            let list = arguments.next().expect("--columns 100,200");
            sizes = list.split(',').map(|size| size.parse().expect("a number of columns")).collect();
        }
    }
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = directory.path().join("steps.db");
    let server = Database::with(TABLES);
    let mut sqlite = Engine::open(&path.display().to_string(), &OpenOptions::default()).unwrap();
    for sql in TABLES.split(';') {
        sqlite.run_sql(sql, &[]).unwrap();
    }
    let mut postgres = server.engine();

    println!(
        "| metadata only | SQLite: GENERATE | APPLY | ROLLBACK | PostgreSQL: GENERATE | APPLY | ROLLBACK |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, change) in CHANGES {
        println!("| {name} | {} | {} |", fixed(&mut sqlite, change), fixed(&mut postgres, change));
    }
    println!(
        "\n| ADD COLUMN on one table | SQLite: GENERATE | APPLY | ROLLBACK | PostgreSQL: GENERATE | APPLY | ROLLBACK |"
    );
    println!("|---|---|---|---|---|---|---|");
    for size in sizes {
        let list: Vec<String> = (0..size).map(|n| format!("ADD COLUMN items.extra_{n} TEXT")).collect();
        let list = list.join(", ");
        let shown = |times: [Duration; 3]| times.map(shown).join(" | ");
        println!("| {size} | {} | {} |", shown(once(&mut sqlite, &list)), shown(once(&mut postgres, &list)));
    }
}

fn fixed(engine: &mut Engine, change: &str) -> String {
    let all: Vec<[Duration; 3]> = (0..REPEATS).map(|_| once(engine, change)).collect();
    let median = |part: usize| {
        let mut times: Vec<Duration> = all.iter().map(|times| times[part]).collect();
        times.sort();
        shown(times[REPEATS / 2])
    };
    [median(0), median(1), median(2)].join(" | ")
}

/// There and back.
fn once(engine: &mut Engine, change: &str) -> [Duration; 3] {
    let options = ApplyOptions::default();
    let mut id = None;
    let generate = timed(|| id = Some(generated(engine, change)));
    let id = id.unwrap();
    let apply = timed(|| drop(engine.apply(id, &options, &mut Silent).unwrap()));
    let back = timed(|| drop(engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap()));
    [generate, apply, back]
}

fn generated(engine: &mut Engine, statement: &str) -> MigrationId {
    let (schema, dialect) = (engine.schema().unwrap(), engine.capabilities().dialect);
    let context = Context { dialect, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {statement}"));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{statement}") };
    let ops = lower::operations(&generate, context).unwrap().ops;
    engine.generate(ops, None).unwrap().id
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
