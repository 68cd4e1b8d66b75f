//! Changes of a large PostgreSQL table while four connections write it: the plain statement, the best recipe that
//! people write by hand, and PQL, each on a fresh copy of the same table.
//!
//! ```text
//! cargo bench -p pql-engine --bench postgres_online -- --rows 1000000
//! ```
//! Printed is a Markdown table: how long it takes, the longest time that a statement of the writers took meanwhile, the
//! part of their throughput that was left to them, and how long PQL's rollback takes after completion. The last columns
//! are from a server where nobody else is at work (`--quiet`: only those). The server is private and gone afterwards.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../tests/postgres/support/mod.rs"]
#[allow(dead_code, reason = "a bench needs less of it than the tests")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use postgres::Client;
use pql_engine::{ApplyOptions, RollbackTarget, Silent};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_syntax::ast::Statement;

use support::Database;

const WRITERS: u64 = 4;

/// How many rows a batch of the hand-written recipes has.
const BATCH: i64 = 10_000;

struct Change {
    name: &'static str,
    /// What the table has beside its key.
    indexes: &'static str,
    plain: &'static str,
    /// Statements; one with `{range}` is repeated for each range of keys.
    recipe: &'static [&'static str],
    pql: &'static str,
}

/// A column of whole numbers made one of decimals, by hand.
const TO_NUMERIC: &[&str] = &[
    "ALTER TABLE items ADD COLUMN n2 numeric(12,2)",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n2 := NEW.n; RETURN NEW; END $$; \
     CREATE TRIGGER t BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION f()",
    "UPDATE items SET n2 = n WHERE {range} AND n2 IS NULL",
    "BEGIN; DROP TRIGGER t ON items; ALTER TABLE items ALTER n DROP NOT NULL; \
     ALTER TABLE items RENAME n TO n_old; ALTER TABLE items RENAME n2 TO n; COMMIT",
];

const CHANGES: &[Change] = &[
    Change {
        name: "add column computed from another",
        indexes: "",
        plain: "ALTER TABLE items ADD COLUMN twice bigint; UPDATE items SET twice = n * 2",
        recipe: &[
            "ALTER TABLE items ADD COLUMN twice bigint",
            "UPDATE items SET twice = n * 2 WHERE {range} AND twice IS NULL",
        ],
        pql: "ADD COLUMN items.twice BIGINT BACKFILL n * 2",
    },
    Change {
        name: "add column, random default",
        indexes: "",
        plain: "ALTER TABLE items ADD COLUMN token uuid DEFAULT gen_random_uuid()",
        recipe: &[
            "ALTER TABLE items ADD COLUMN token uuid",
            "ALTER TABLE items ALTER COLUMN token SET DEFAULT gen_random_uuid()",
            "UPDATE items SET token = gen_random_uuid() WHERE {range} AND token IS NULL",
        ],
        pql: "ADD COLUMN items.token UUID DEFAULT gen_random_uuid()",
    },
    Change {
        name: "NOT NULL",
        indexes: "",
        plain: "ALTER TABLE items ALTER COLUMN label SET NOT NULL",
        recipe: &[
            "ALTER TABLE items ADD CONSTRAINT c CHECK (label IS NOT NULL) NOT VALID",
            "ALTER TABLE items VALIDATE CONSTRAINT c",
            "ALTER TABLE items ALTER COLUMN label SET NOT NULL",
            "ALTER TABLE items DROP CONSTRAINT c",
        ],
        pql: "SET NOT NULL items.label",
    },
    Change {
        name: "index",
        indexes: "",
        plain: "CREATE INDEX items_n ON items (n)",
        recipe: &["CREATE INDEX CONCURRENTLY items_n ON items (n)"],
        pql: "ADD INDEX items_n ON items (n)",
    },
    Change {
        name: "int to numeric",
        indexes: "",
        plain: "ALTER TABLE items ALTER COLUMN n TYPE numeric(12,2)",
        recipe: TO_NUMERIC,
        pql: "CHANGE COLUMN items.n TYPE DECIMAL(12,2)",
    },
    Change {
        name: "int to numeric, four indexes",
        indexes: "CREATE INDEX a ON items (label); CREATE INDEX b ON items (other); CREATE INDEX c ON items (parent, id)",
        plain: "ALTER TABLE items ALTER COLUMN n TYPE numeric(12,2)",
        recipe: TO_NUMERIC,
        pql: "CHANGE COLUMN items.n TYPE DECIMAL(12,2)",
    },
    Change {
        name: "foreign key",
        indexes: "",
        plain: "ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (parent) REFERENCES parents (id)",
        recipe: &[
            "ALTER TABLE items ADD CONSTRAINT f FOREIGN KEY (parent) REFERENCES parents (id) NOT VALID",
            "ALTER TABLE items VALIDATE CONSTRAINT f",
        ],
        pql: "ADD CONSTRAINT items.f FOREIGN KEY (parent) REFERENCES parents (id)",
    },
];

/// What the writers saw.
#[derive(Clone, Copy)]
struct Seen {
    longest: Duration,
    per_second: f64,
}

struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(Duration, u64)>>,
    start: Instant,
}

impl Writers {
    fn start(database: &Database, rows: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..WRITERS)
            .map(|number| {
                let (stop, client) = (Arc::clone(&stop), database.client());
                spawn(move || write(client, number, rows, &stop))
            })
            .collect();
        Self { stop, threads, start: Instant::now() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn stop(self) -> Seen {
        let elapsed = self.start.elapsed();
        self.stop.store(true, Ordering::Relaxed);
        let (mut longest, mut count) = (Duration::ZERO, 0);
        for thread in self.threads {
            let (wait, statements) = thread.join().unwrap();
            longest = longest.max(wait);
            count += statements;
        }
        Seen { longest, per_second: count as f64 / elapsed.as_secs_f64() }
    }
}

/// Single-row updates, inserts and deletes.
fn write(mut client: Client, number: u64, rows: i64, stop: &AtomicBool) -> (Duration, u64) {
    /// Writers come again for the way back, on the same table.
    static STARTED: AtomicI64 = AtomicI64::new(0);
    let mut chance = number + 7;
    let round = STARTED.fetch_add(1, Ordering::Relaxed) / 4;
    let mut fresh = rows * 2 + round * 1_000_000_000 + i64::try_from(number).unwrap();
    let (mut longest, mut count) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = i64::try_from(chance >> 33).unwrap() % rows + 1;
        let start = Instant::now();
        let sql = match chance >> 60 {
            0..12 => format!("UPDATE items SET n = {} WHERE id = {key}", key % 1000),
            12..14 => format!("UPDATE items SET label = 'w{key}' WHERE id = {key}"),
            14 => format!("DELETE FROM items WHERE id = {fresh}"),
            _ => {
                fresh += i64::try_from(WRITERS).unwrap();
                format!("INSERT INTO items (id, n, label, parent) VALUES ({fresh}, 1, 'new', 1)")
            }
        };
        client.simple_query(&sql).unwrap();
        longest = longest.max(start.elapsed());
        count += 1;
    }
    (longest, count)
}

fn template(rows: i64) -> Database {
    Database::with(&format!(
        "CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents SELECT generate_series(0, 999);
         CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL, label text, other int, parent int);
         INSERT INTO items SELECT i, i % 1000, 'label ' || i, i % 7, i % 1000 FROM generate_series(1, {rows}) i;
         ANALYZE"
    ))
}

/// The table as the change finds it.
fn fresh(template: &Database, change: &Change) -> Database {
    let database = template.copy();
    database.client().batch_execute(change.indexes).unwrap();
    database
}

/// Runs something beside the writers.
fn beside(database: &Database, rows: i64, work: impl FnOnce()) -> (Duration, Seen) {
    let writers = Writers::start(database, rows);
    sleep(Duration::from_millis(200));
    let start = Instant::now();
    work();
    let took = start.elapsed();
    (took, writers.stop())
}

fn by_hand(client: &mut Client, rows: i64, statements: &[&str]) {
    for statement in statements {
        if !statement.contains("{range}") {
            client.batch_execute(statement).unwrap();
            continue;
        }
        let mut from = 0;
        while from < rows {
            let range = format!("id > {from} AND id <= {}", from + BATCH);
            client.batch_execute(&statement.replace("{range}", &range)).unwrap();
            from += BATCH;
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut rows, mut only, mut alone) = (1_000_000i64, String::new(), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rows" => rows = arguments.next().and_then(|text| text.parse().ok()).expect("--rows 1000000"),
            "--only" => only = arguments.next().expect("--only NAME"),
            "--quiet" => alone = true,
            _ => {}
        }
    }
    let template = template(rows);
    let changes = || CHANGES.iter().filter(|change| change.name.contains(&only));
    if alone {
        println!("| change, nobody writes | plain | PQL |\n|---|---|---|");
        changes().for_each(|change| println!("| {} | {} |", change.name, quiet(&template, change)));
        return;
    }
    let baseline = {
        let database = template.copy();
        beside(&database, rows, || sleep(Duration::from_secs(2))).1
    };
    println!(
        "{rows} rows; alone, the writers do {:.0} statements a second, the longest took {}.\n",
        baseline.per_second,
        ms(baseline.longest)
    );
    println!("| change | plain | by hand | PQL | writers keep | rollback | nobody writes: plain | PQL |");
    println!("|---|---|---|---|---|---|---|---|");
    for change in changes() {
        let shown =
            |(took, seen): (Duration, Seen)| format!("{:.2} s / {}", took.as_secs_f64(), ms(seen.longest));
        let plain = {
            let database = fresh(&template, change);
            let mut client = database.client();
            shown(beside(&database, rows, || client.batch_execute(change.plain).unwrap()))
        };
        let hand = {
            let database = fresh(&template, change);
            let mut client = database.client();
            shown(beside(&database, rows, || by_hand(&mut client, rows, change.recipe)))
        };
        let (pql, kept, back) = {
            let database = fresh(&template, change);
            let mut engine = database.engine();
            let id = generate(&mut engine, change.pql);
            let options = ApplyOptions::default();
            let there = beside(&database, rows, || drop(engine.apply(id, &options, &mut Silent).unwrap()));
            let kept = there.1.per_second / baseline.per_second * 100.0;
            let back = beside(&database, rows, || {
                engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
            });
            (shown(there), kept, shown(back))
        };
        println!(
            "| {} | {plain} | {hand} | {pql} | {kept:.0}% | {back} | {} |",
            change.name,
            quiet(&template, change)
        );
    }
}

/// On a server where nobody else is at work: the plain statement, and PQL.
fn quiet(template: &Database, change: &Change) -> String {
    let plain = {
        let database = fresh(template, change);
        let start = Instant::now();
        database.client().batch_execute(change.plain).unwrap();
        start.elapsed()
    };
    let database = fresh(template, change);
    let mut engine = database.engine();
    let id = generate(&mut engine, change.pql);
    let start = Instant::now();
    engine.apply(id, &ApplyOptions::default(), &mut Silent).unwrap();
    format!("{:.2} s | {:.2} s", plain.as_secs_f64(), start.elapsed().as_secs_f64())
}

fn generate(engine: &mut pql_engine::Engine, statement: &str) -> pql_schema::MigrationId {
    let schema = engine.schema().unwrap();
    let context = Context { dialect: Dialect::Postgres, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {statement}"));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{statement}") };
    let ops = lower::operations(&generate, context).unwrap().ops;
    engine.generate(ops, None).unwrap().id
}

fn ms(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
