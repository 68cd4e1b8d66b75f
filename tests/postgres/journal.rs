//! The journal in its schema: written by many at a time, straight and through the pooler.

use std::thread;

use pql_engine::{Engine, OpenOptions, codes};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::{MigrationId, MigrationStatus};
use pql_syntax::ast::Statement;

use crate::support::Database;

fn generate(engine: &mut Engine, operations: &str) -> MigrationId {
    let schema = engine.schema().unwrap();
    let context = Context { dialect: Dialect::Postgres, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {operations};"));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{operations}") };
    let ops = lower::operations(&generate, context).unwrap().ops;
    engine.generate(ops, None).unwrap().id
}

#[test]
fn a_baseline_is_version_one_and_can_be_verified() {
    let database = Database::with(include_str!("everything.sql"));
    for mut engine in [database.engine(), database.pooled_engine()] {
        if engine.version().unwrap() == 0 {
            assert_eq!(engine.verify().unwrap_err().code(), codes::NO_RECORD);
            engine.baseline(Some("as found")).unwrap();
        }
        assert_eq!(engine.version().unwrap(), 1);
        assert_eq!(engine.verify().unwrap(), []);
        let status = engine.status().unwrap();
        assert_eq!((status.len(), status[0].name.as_str()), (1, "as found"));
        assert_eq!(engine.schema_at(1).unwrap(), engine.schema().unwrap());
        assert_eq!(engine.history().unwrap().len(), 1);
        assert_eq!(engine.baseline(None).unwrap_err().code(), codes::BASELINE_LATE);
    }
    database
        .client()
        .batch_execute("ALTER TABLE app.child ADD COLUMN surprise int; DROP INDEX plain_gin")
        .unwrap();
    let drift: Vec<String> =
        database.engine().verify().unwrap().iter().map(|drift| format!("{drift:?}")).collect();
    assert_eq!(drift.len(), 2, "{drift:?}");
    assert!(drift.iter().any(|line| line.contains("surprise")), "{drift:?}");
}

#[test]
fn reading_creates_nothing() {
    let database = Database::with("CREATE TABLE t (a int)");
    let mut engine = database.engine();
    assert_eq!(engine.status().unwrap(), []);
    assert_eq!(engine.history().unwrap(), []);
    assert_eq!(engine.version().unwrap(), 0);
    let schemas: i64 = database
        .client()
        .query_one("SELECT count(*) FROM pg_namespace WHERE nspname = '_pql'", &[])
        .unwrap()
        .get(0);
    assert_eq!(schemas, 0);
}

#[test]
fn many_sessions_write_it_at_once() {
    let database = Database::with("CREATE TABLE t (a int)");
    let before = database.dump();
    let url = [database.url(), database.pooled_url()];
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let url = url[number % 2].clone();
            thread::spawn(move || {
                let mut engine = Engine::open(&url, &OpenOptions::default()).unwrap();
                for column in 0..5 {
                    generate(&mut engine, &format!("ADD COLUMN t.c{number}_{column} INT"));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let mut engine = database.engine();
    let status = engine.status().unwrap();
    assert_eq!(status.len(), 40);
    assert!(status.iter().all(|row| row.status == MigrationStatus::Generated));
    assert_eq!(engine.history().unwrap().len(), 40);
    assert_eq!(database.dump(), before, "nothing but the journal");
}

#[test]
fn an_open_transaction_is_not_joined() {
    let database = Database::with("CREATE TABLE t (a int)");
    let mut engine = database.engine();
    engine.run_sql("BEGIN", &[]).unwrap();
    assert_eq!(engine.baseline(None).unwrap_err().code(), codes::TRANSACTION_OPEN);
    engine.run_sql("ROLLBACK", &[]).unwrap();
    engine.baseline(None).unwrap();
}
