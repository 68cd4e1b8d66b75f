//! How often the server is asked: as often for many tables as for few.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use pql_engine::{ApplyOptions, Engine, OpenOptions, Silent};
use pql_planner::Dialect;
use pql_planner::lower;
use pql_schema::{Answers, Column, DataType, MigrationOp, ObjectName};

use crate::support::{Database, server};

/// Stands between a client and the server and counts how often the client speaks after the server has.
struct Counter {
    directory: tempfile::TempDir,
    turns: Arc<AtomicUsize>,
}

impl Counter {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = server().port;
        let listener = UnixListener::bind(directory.path().join(format!(".s.PGSQL.{port}"))).unwrap();
        let upstream = server().directory.join(format!(".s.PGSQL.{port}"));
        let turns = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&turns);
        thread::spawn(move || {
            for client in listener.incoming() {
                relay(client.unwrap(), &upstream, &count);
            }
        });
        Self { directory, turns }
    }

    fn url(&self, database: &Database) -> String {
        let host = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@/{}?host={host}&port={}", database.name, server().port)
    }
}

fn relay(client: UnixStream, upstream: &Path, turns: &Arc<AtomicUsize>) {
    let server = UnixStream::connect(upstream).unwrap();
    let answered = Arc::new(AtomicBool::new(true));
    let (turns, spoke) = (Arc::clone(turns), Arc::clone(&answered));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        pass(from, to, || {
            if spoke.swap(false, Ordering::SeqCst) {
                turns.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    thread::spawn(move || pass(server, client, || answered.store(true, Ordering::SeqCst)));
}

fn pass(mut from: UnixStream, mut to: UnixStream, note: impl Fn()) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count) = from.read(&mut bytes) {
        note();
        if count == 0 || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn detect_asks_as_often_for_many_tables_as_for_few() {
    let mut turns = Vec::new();
    for tables in [3, 60] {
        let mut sql = String::new();
        for number in 0..tables {
            let _ = write!(
                sql,
                "CREATE TABLE t{number} (id serial PRIMARY KEY, a int CHECK (a IN (1, 2)), b text DEFAULT 'x');
                 CREATE INDEX ON t{number} (lower(b)); CREATE VIEW v{number} AS SELECT a FROM t{number};"
            );
        }
        let database = Database::with(&sql);
        let counter = Counter::start();
        let mut engine = Engine::open(&counter.url(&database), &OpenOptions::default()).unwrap();
        let text = pql_planner::text::schema(&engine.schema().unwrap());
        let same = lower::schema_text(&text, Dialect::Postgres, &|_| None).unwrap().schema;
        // Everything has to be looked at: the words are not the server's.
        let other = text.replace("= ANY (ARRAY[1, 2])", "IN (1, 2, 3)");
        assert_ne!(text, other);
        let other = lower::schema_text(&other, Dialect::Postgres, &|_| None).unwrap().schema;
        let mut count = |target: &pql_schema::Schema| {
            let before = counter.turns.load(Ordering::SeqCst);
            let changes = engine.detect(None, target, &Answers::default()).unwrap().changes.len();
            (counter.turns.load(Ordering::SeqCst) - before, changes)
        };
        let (nothing, none) = count(&same);
        let (everything, all) = count(&other);
        assert_eq!((none, all), (0, tables * 2));
        turns.push((nothing, everything));
    }
    assert_eq!(turns[0], turns[1]);
    assert!(turns[0].0 <= 4, "{turns:?}");
}

/// What a run asks beside its steps does not grow with their number, nor does what it asks for each.
#[test]
fn every_short_step_costs_the_same_few_questions() {
    let mut turns = Vec::new();
    for columns in [10, 20, 40] {
        let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)");
        let counter = Counter::start();
        let mut engine = Engine::open(&counter.url(&database), &OpenOptions::default()).unwrap();
        let table = ObjectName::new("t");
        let ops = (0..columns).map(|number| MigrationOp::AddColumn {
            table: table.clone(),
            column: Column::new(format!("c{number}"), DataType::Text),
            constraints: Vec::new(),
            backfill: None,
        });
        let id = engine.generate(ops.collect(), None).unwrap().id;
        let before = counter.turns.load(Ordering::SeqCst);
        engine.apply(id, &ApplyOptions::default(), &mut Silent).unwrap();
        turns.push(counter.turns.load(Ordering::SeqCst) - before);
    }
    // A look at the flags that others set may come in between.
    let each = (turns[2] - turns[1]).div_ceil(20);
    assert!(each <= 7 && turns[1] - turns[0] <= 7 * 10 + 5, "{turns:?}");
}
