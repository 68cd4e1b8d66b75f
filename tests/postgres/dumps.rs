//! A database that is dumped while a migration is under way or can be taken back, and restored elsewhere.

use pql_engine::{RollbackTarget, RunProgress, Signal, Silent};
use pql_schema::MigrationStatus;

use crate::rows::{careful, generate, one};
use crate::support::Database;

/// Types whose values differ where the server's `=` does not say so, or that have none.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("int", "TEXT", "7", "'70'"),
    ("text", "VARCHAR(50)", "'a'", "'b'"),
    ("numeric", "TEXT", "1.0", "'1.00'"),
    ("citext", "TEXT", "'a'", "'A'"),
    ("double precision", "DECIMAL USING n::numeric", "'NaN'", "3"),
    ("json", "JSONB", "'{\"a\": 1}'", "'{\"a\": 2}'"),
];

fn definitions(kind: &str, value: &str) -> String {
    format!(
        "CREATE EXTENSION citext; CREATE TABLE t (id citext PRIMARY KEY, n {kind}, m int CHECK (m > 0));
         INSERT INTO t SELECT 'k' || i, {value}, i FROM generate_series(1, 3000) i; CREATE INDEX t_m ON t (m)"
    )
}

#[test]
fn a_change_of_type_survives_a_dump() {
    for (kind, to, value, later) in KINDS {
        let database = Database::with(&definitions(kind, value));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, &format!("CHANGE COLUMN t.n TYPE {to}"));
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let restored = database.restored();
        assert_eq!(restored.dump(), database.dump(), "{kind}");
        restored
            .client()
            .batch_execute(&format!(
                "UPDATE t SET n = {later} WHERE id = 'k5'; UPDATE t SET id = 'K6' WHERE id = 'k6'"
            ))
            .unwrap();
        restored.engine().rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        assert_eq!(one(&restored, "SELECT n FROM t WHERE id = 'k5'"), later.trim_matches('\''), "{kind}");
        assert_eq!(one(&restored, "SELECT string_agg(id, ' ') FROM t WHERE id = 'k6'"), "K6", "{kind}");
        assert_eq!(restored.dump(), before, "{kind}");
    }
}

#[test]
fn a_change_of_type_survives_a_dump_while_the_column_is_filled() {
    for (kind, to, value, later) in KINDS {
        let database = Database::with(&definitions(kind, value));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, &format!("CHANGE COLUMN t.n TYPE {to}"));
        let mut options = careful();
        options.run.batch_rows = Some(100);
        let mut pausing = |progress: &RunProgress| if progress.rows > 0 { Signal::Pause } else { Signal::Go };
        engine.apply(id, &options, &mut pausing).unwrap_err();
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Paused, "{kind}");
        drop(engine);
        let restored = database.restored();
        restored.client().batch_execute(&format!("UPDATE t SET n = {later}")).unwrap();
        let mut engine = restored.engine();
        engine.resume(id, &careful(), &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        let written = format!("SELECT count(*) FROM t WHERE n::text = '{}'", later.trim_matches('\''));
        assert_eq!(one(&restored, &written), "3000", "{kind}");
        assert_eq!(restored.dump(), before, "{kind}");
    }
}
