//! What a change costs before it touches a row: DETECT and GENERATE on schemas of many tables, and the fixed price of
//! one APPLY and ROLLBACK.
//!
//! Everything is timed as a session's caller sees it, warm: statement in, result out, the wanted schema read from its
//! text each time. After the measurements a table gives the times and how they grow.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use pql::{Output, Session};
use tokio::runtime::{Builder, Runtime};

/// Tables in the generated schemas.
const SIZES: [usize; 3] = [100, 1_000, 5_000];

const DETECT: &str = "MIGRATE DETECT TO application_schema = @target";
const GENERATE: &str = "MIGRATE GENERATE ADD COLUMN customer_0.note TEXT DEFAULT 'none'";

/// A schema as applications have them; `changes` of its tables differ from what `changes = 0` gives.
fn schema(tables: usize, changes: usize) -> String {
    let mut text = String::new();
    for table in 0..tables {
        let differs = table % tables.div_ceil(changes.max(1)) == 0 && changes > 0;
        write!(
            text,
            "CREATE TABLE customer_{table} (
    id INTEGER PRIMARY KEY,
    email VARCHAR(255) NOT NULL UNIQUE, -- the login
    full_name TEXT NOT NULL DEFAULT 'nobody''s name',
    balance DECIMAL(12, 2) DEFAULT {default} CHECK (balance >= 0 AND balance < 1000000),
    parent_id BIGINT REFERENCES customer_{parent} (id) ON DELETE SET NULL ON UPDATE CASCADE,
    settings JSON,{added}
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT customer_{table}_name CHECK (length(full_name) > 0 OR email IS NOT NULL)
);
CREATE INDEX customer_{table}_name_idx ON customer_{table} (lower(full_name), created_at DESC);
CREATE UNIQUE INDEX customer_{table}_open_idx ON customer_{table} (email) WHERE balance > {default};
",
            parent = table / 2,
            default = usize::from(differs),
            added = if differs { "\n    added TEXT NOT NULL DEFAULT ''," } else { "" },
        )
        .expect("a string takes any text");
    }
    text
}

/// A session on a database of so many tables, and the runtime it is asked from.
struct World {
    runtime: Runtime,
    session: Session,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(tables: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("app.db");
        let db = rusqlite::Connection::open(&path).expect("a database");
        db.execute_batch(&format!("PRAGMA journal_mode = WAL; BEGIN; {} COMMIT;", schema(tables, 0)))
            .expect("the schema");
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let mut session = runtime
            .block_on(Session::open(&format!("sqlite:{}", path.display())))
            .expect("a session on the database");
        session.bind("target", schema(tables, 10));
        Self { runtime, session, _folder: folder }
    }

    fn run(&mut self, statement: &str) -> Vec<Output> {
        let outputs = self.runtime.block_on(self.session.execute(statement));
        outputs.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    fn detect(&mut self) -> usize {
        let outputs = self.run(DETECT);
        outputs[0].rows().map_or(0, pql::ResultSet::len)
    }

    fn apply_and_roll_back(&mut self) {
        self.run(GENERATE);
        self.run("MIGRATE APPLY migration_id = @migration_id");
        self.run("MIGRATE ROLLBACK migration_id = @migration_id");
    }
}

fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    group.sample_size(10);
    for tables in SIZES {
        // Made for the first measurement that is asked for.
        let mut world = None;
        let create = || World::new(tables);
        group.bench_with_input(BenchmarkId::new("detect", tables), &(), |b, ()| {
            let world = world.get_or_insert_with(create);
            assert!(world.detect() >= 30, "every difference is found");
            b.iter(|| black_box(world.detect()));
        });
        group.bench_with_input(BenchmarkId::new("generate", tables), &(), |b, ()| {
            let world = world.get_or_insert_with(create);
            b.iter(|| black_box(world.run(GENERATE)));
        });
        group.bench_with_input(BenchmarkId::new("apply and roll back", tables), &(), |b, ()| {
            let world = world.get_or_insert_with(create);
            b.iter(|| world.apply_and_roll_back());
        });
    }
    group.finish();
}

/// The best of several runs.
fn best(rounds: u32, mut work: impl FnMut()) -> Duration {
    (0..rounds).fold(Duration::MAX, |best, _| {
        let start = Instant::now();
        work();
        best.min(start.elapsed())
    })
}

fn print_table() {
    println!("\n| tables | DETECT | per table | GENERATE | APPLY and ROLLBACK of a new column |");
    println!("|---|---|---|---|---|");
    for tables in SIZES {
        let mut world = World::new(tables);
        let detect = best(8, || {
            black_box(world.detect());
        });
        let generate = best(8, || {
            black_box(world.run(GENERATE));
        });
        let round_trip = best(8, || world.apply_and_roll_back());
        let each = detect / u32::try_from(tables).expect("a small number");
        println!(
            "| {tables} | {detect:.2?} | {each:.2?} | {generate:.2?} | {:.2?} |",
            round_trip.saturating_sub(generate)
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion);
    criterion.final_summary();
    // `cargo bench` itself passes one argument; any other picks measurements.
    if std::env::args().skip(1).all(|argument| argument == "--bench") {
        print_table();
    }
}
