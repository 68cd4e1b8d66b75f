//! Migrations while four connections write as fast as they can: what they committed is what is there, before and after
//! the change and after its rollback, and no statement of theirs is refused or kept waiting for long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use postgres::Client;
use pql_engine::{ApplyOptions, Engine, RollbackTarget, Silent};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_syntax::ast::Statement;

use crate::support::Database;

const ROWS: i64 = 30_000;
const WRITERS: i64 = 4;

/// What the application may have to wait at most for one statement, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_millis(1_500);

const SCHEMA: &str = "
    CREATE TABLE parents (id int PRIMARY KEY);
    INSERT INTO parents SELECT generate_series(0, 99);
    CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL, label text, other int, parent int);
    INSERT INTO items SELECT i, i % 1000, 'l' || i, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 7 END, i % 100
      FROM generate_series(1, 30000) i;
    CREATE INDEX items_label ON items (label);
    CREATE INDEX items_n ON items (n) WHERE n > 10;
    CREATE VIEW low AS SELECT id, n FROM items WHERE n < 500;
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF NEW.other = -1 THEN RAISE 'a touch of PQL fired this'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER watch BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION never();
    ANALYZE";

/// A row as its writer knows it.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    n: i32,
    label: Option<String>,
    other: Option<i32>,
    parent: i32,
}

/// A writer's rows: those whose key is its number modulo [`WRITERS`].
type Model = BTreeMap<i64, Row>;

struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(Model, Duration, u64)>>,
}

impl Writers {
    fn start(database: &Database, models: Vec<Model>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = models
            .into_iter()
            .enumerate()
            .map(|(number, model)| {
                let (stop, client) = (Arc::clone(&stop), database.client());
                spawn(move || write(client, i64::try_from(number).unwrap(), model, &stop))
            })
            .collect();
        Self { stop, threads }
    }

    /// Their models, the longest wait and the number of statements.
    fn stop(self) -> (Vec<Model>, Duration, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let mut models = Vec::new();
        let (mut longest, mut count) = (Duration::ZERO, 0);
        for thread in self.threads {
            let (model, wait, statements) = thread.join().expect("no statement of the application fails");
            models.push(model);
            longest = longest.max(wait);
            count += statements;
        }
        (models, longest, count)
    }
}

/// A number that looks like chance and is the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn write(mut client: Client, number: i64, mut model: Model, stop: &AtomicBool) -> (Model, Duration, u64) {
    let mut chance = Chance(u64::try_from(number).unwrap() + 7);
    let mut fresh = model.keys().max().copied().unwrap_or(number).max(ROWS * 2) / WRITERS * WRITERS + number;
    let mut keys: Vec<i64> = model.keys().copied().collect();
    let (mut longest, mut count) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        let at = usize::try_from(chance.next(keys.len() as u64)).unwrap();
        let key = keys[at];
        let n = i32::try_from(chance.next(1000)).unwrap();
        let row = model.get_mut(&key).unwrap();
        let start = Instant::now();
        match chance.next(10) {
            0..4 => {
                let changed =
                    client.execute("UPDATE items SET n = $2::int WHERE id = $1", &[&key, &n]).unwrap();
                assert_eq!(changed, 1, "{key} is gone");
                row.n = n;
            }
            4..6 => {
                let label = (n % 5 > 0).then(|| format!("w{number}-{n}"));
                let changed =
                    client.execute("UPDATE items SET label = $2 WHERE id = $1", &[&key, &label]).unwrap();
                assert_eq!(changed, 1, "{key} is gone");
                row.label = label;
            }
            6 => {
                let other = (n % 2 > 0).then_some(n);
                client.execute("UPDATE items SET other = $2 WHERE id = $1", &[&key, &other]).unwrap();
                row.other = other;
            }
            7 => {
                fresh += WRITERS;
                let changed =
                    client.execute("UPDATE items SET id = $2 WHERE id = $1", &[&key, &fresh]).unwrap();
                assert_eq!(changed, 1, "{key} is gone");
                let row = model.remove(&key).unwrap();
                model.insert(fresh, row);
                keys[at] = fresh;
            }
            8 => {
                client.execute("DELETE FROM items WHERE id = $1", &[&key]).unwrap();
                model.remove(&key);
                keys.swap_remove(at);
            }
            _ => {
                fresh += WRITERS;
                let row = Row { n, label: Some(format!("new{n}")), other: None, parent: n % 100 };
                client
                    .execute(
                        "INSERT INTO items (id, n, label, parent) VALUES ($1, $2::int, $3, $4)",
                        &[&fresh, &row.n, &row.label, &row.parent],
                    )
                    .unwrap();
                model.insert(fresh, row);
                keys.push(fresh);
            }
        }
        longest = longest.max(start.elapsed());
        count += 1;
    }
    (model, longest, count)
}

/// The rows that are there, each with its writer.
fn found(client: &mut Client, n: &str) -> Vec<Model> {
    let mut models = vec![Model::new(); usize::try_from(WRITERS).unwrap()];
    let sql = format!("SELECT id, ({n})::int, label, other, parent FROM items");
    for row in client.query(&sql, &[]).unwrap() {
        let id: i64 = row.get(0);
        let row = Row { n: row.get(1), label: row.get(2), other: row.get(3), parent: row.get(4) };
        models[usize::try_from(id % WRITERS).unwrap()].insert(id, row);
    }
    models
}

fn assert_same(what: &str, found: &[Model], expected: &[Model]) {
    for (found, expected) in found.iter().zip(expected) {
        let wrong: Vec<_> = expected
            .iter()
            .filter(|(key, row)| found.get(key) != Some(row))
            .map(|(key, row)| (key, row, found.get(key)))
            .take(3)
            .collect();
        assert!(wrong.is_empty(), "{what}: {wrong:?}");
        assert_eq!(found.len(), expected.len(), "{what}: rows that nobody wrote");
    }
}

#[derive(Clone, Copy)]
struct Operation {
    statement: &'static str,
    /// `n` as it reads after the change.
    n: &'static str,
    /// A condition that no row may fulfil after the change.
    never: &'static str,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        statement: "ADD COLUMN items.status TEXT NOT NULL DEFAULT 'new'",
        n: "n",
        never: "status <> 'new'",
    },
    Operation {
        statement: "ADD COLUMN items.token UUID NOT NULL DEFAULT gen_random_uuid()",
        n: "n",
        never: "token IS NULL",
    },
    Operation {
        statement: "ADD COLUMN items.double BIGINT BACKFILL id * 2",
        n: "n",
        never: "id <= 30000 AND double IS DISTINCT FROM id * 2",
    },
    Operation { statement: "SET NOT NULL items.other BACKFILL 5", n: "n", never: "false" },
    Operation { statement: "ADD INDEX items_other ON items (other, n DESC)", n: "n", never: "false" },
    Operation { statement: "ADD CONSTRAINT items.small CHECK (n < 1000)", n: "n", never: "n >= 1000" },
    Operation {
        statement: "ADD CONSTRAINT items.of_parent FOREIGN KEY (parent) REFERENCES parents (id)",
        n: "n",
        never: "false",
    },
    Operation { statement: "DROP INDEX items_label", n: "n", never: "false" },
    Operation { statement: "RENAME INDEX items_label TO by_label", n: "n", never: "false" },
];

fn migrate(
    database: &Database,
    statement: &str,
    options: &ApplyOptions,
) -> (Engine, pql_schema::MigrationId) {
    let mut engine = database.engine();
    let schema = engine.schema().unwrap();
    let context = Context { dialect: Dialect::Postgres, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {statement}"));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{statement}") };
    let ops = lower::operations(&generate, context).unwrap().ops;
    let id = engine.generate(ops, None).unwrap().id;
    engine
        .apply(id, options, &mut Silent)
        .unwrap_or_else(|error| panic!("{statement}: {} {error}", error.code()));
    (engine, id)
}

/// Of a table with so many indexes that a new one takes its place.
const INDEXED: &str = "
    CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL CONSTRAINT natural_n CHECK (n >= 0), label text, other int,
      parent int);
    INSERT INTO items SELECT i, i % 1000, 'l' || i, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 7 END, i % 100
      FROM generate_series(1, 30000) i;
    CREATE INDEX items_label ON items (label);
    CREATE INDEX items_n ON items (n) WHERE n > 10;
    CREATE INDEX items_other ON items (other, parent);
    CREATE UNIQUE INDEX items_pair ON items (parent, id DESC);
    CREATE VIEW low AS SELECT id, n FROM items WHERE n < 500;
    ANALYZE";

/// Done by a new column, or, with many indexes, by a new table.
const CHANGES: &[Operation] = &[
    Operation { statement: "CHANGE COLUMN items.n TYPE DECIMAL(12,2)", n: "n", never: "n <> trunc(n)" },
    Operation {
        statement: "CHANGE COLUMN items.n TYPE BIGINT USING n + 5000 REVERT USING (n - 5000)::int",
        n: "n - 5000",
        never: "n < 5000",
    },
    Operation { statement: "CHANGE COLUMN items.label TYPE VARCHAR(40)", n: "n", never: "false" },
];

#[test]
fn nothing_that_is_written_is_lost() {
    assert_nothing_is_lost(SCHEMA, &[OPERATIONS, CHANGES].concat(), false);
}

#[test]
fn nothing_that_is_written_is_lost_by_a_new_table() {
    assert_nothing_is_lost(INDEXED, CHANGES, true);
}

fn assert_nothing_is_lost(schema: &str, operations: &[Operation], replaces: bool) {
    let template = Database::with(schema);
    let only = std::env::var("PQL_CASE").unwrap_or_default();
    for operation in operations.iter().filter(|operation| operation.statement.contains(&only)) {
        let what = operation.statement;
        let database = template.copy();
        let mut client = database.client();
        let dump = database.dump();
        let models = found(&mut client, "n");
        let mut options = ApplyOptions::default();
        options.run.max_stall = Duration::ZERO;
        let refuses_null = what.starts_with("SET NOT NULL");
        let recoded = what.contains("USING");
        // Once the column is another one, the application that writes it has to be another one, too.
        let applying = (!refuses_null && !recoded).then(|| Writers::start(&database, models.clone()));
        let (mut engine, id) = migrate(&database, what, &options);
        let kept = "SELECT count(*) FROM pg_class WHERE relname = 'items' AND relnamespace::regnamespace::text LIKE '\\_pql%'";
        let kept: i64 = client.query_one(kept, &[]).unwrap().get(0);
        assert_eq!(kept == 1, replaces, "{what}");
        let mut after = models;
        if let Some(writers) = applying {
            sleep(Duration::from_millis(150));
            let (models, longest, count) = writers.stop();
            assert!(longest < PATIENCE, "{what}: {longest:?}");
            assert!(count > 50, "{what}: {count} statements");
            assert_same(what, &found(&mut client, operation.n), &models);
            after = models;
        }
        let never = client
            .query_one(&format!("SELECT count(*) FROM items WHERE {}", operation.never), &[])
            .unwrap()
            .get::<_, i64>(0);
        assert_eq!(never, 0, "{what}: {}", operation.never);
        if refuses_null || recoded {
            engine.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap();
            assert_same(what, &found(&mut client, "n"), &after);
        } else {
            let writers = Writers::start(&database, after);
            sleep(Duration::from_millis(100));
            engine
                .rollback(RollbackTarget::Migration(id), &options, &mut Silent)
                .unwrap_or_else(|error| panic!("{what}: ROLLBACK: {} {error}", error.code()));
            sleep(Duration::from_millis(100));
            let (models, longest, _) = writers.stop();
            assert!(longest < PATIENCE, "{what}, back: {longest:?}");
            assert_same(what, &found(&mut client, "n"), &models);
        }
        assert_eq!(dump, database.dump(), "{what} is not taken back");
    }
}
