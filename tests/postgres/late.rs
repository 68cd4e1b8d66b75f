//! Rows that stand in the way of a rollback, and come when it has begun.

use pql_engine::{RollbackTarget, Silent, codes};
use pql_schema::MigrationStatus;

use crate::rows::{careful, committing, generate};
use crate::support::Database;

/// A row that is seen by nobody when a rollback looks, and is there once it has begun.
#[test]
fn a_row_that_comes_late_leaves_the_migration_applied() {
    for (operation, late, mend) in [
        ("DROP NOT NULL t.n", "UPDATE t SET n = NULL WHERE id = 2", "UPDATE t SET n = 2 WHERE id = 2"),
        ("DROP CONSTRAINT t.small", "UPDATE t SET n = 9999 WHERE id = 2", "UPDATE t SET n = 2 WHERE id = 2"),
        ("DROP CONSTRAINT t.t_m_key", "UPDATE t SET m = 1 WHERE id = 2", "UPDATE t SET m = 2 WHERE id = 2"),
        ("DROP CONSTRAINT t.t_p_fkey", "UPDATE t SET p = 9 WHERE id = 2", "UPDATE t SET p = 1 WHERE id = 2"),
        ("DROP INDEX t_un", "UPDATE t SET n = 1 WHERE id = 2", "UPDATE t SET n = 2 WHERE id = 2"),
        (
            "CHANGE COLUMN t.n TYPE TEXT",
            "UPDATE t SET n = 'x' WHERE id = 2",
            "UPDATE t SET n = '2' WHERE id = 2",
        ),
        (
            "CHANGE COLUMN t.m TYPE TEXT",
            "UPDATE t SET m = '01' WHERE id = 2",
            "UPDATE t SET m = '2' WHERE id = 2",
        ),
    ] {
        let database = Database::with(
            "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
             CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, m int UNIQUE, p int REFERENCES p, CONSTRAINT small CHECK (n::text <> '9999'));
             INSERT INTO t SELECT i, i, i, 1 FROM generate_series(1, 3000) i; CREATE UNIQUE INDEX t_un ON t (n);
             CREATE TABLE other (id int)",
        );
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, operation);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let mut client = database.client();
        client.batch_execute(&format!("BEGIN; {late}")).unwrap();
        let error = engine
            .rollback(RollbackTarget::Migration(id), &careful(), &mut committing(&mut client))
            .expect_err(operation);
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{operation}: {error}");
        assert_eq!(error.code(), codes::ROWS, "{operation}: {error}");
        let other = generate(&mut engine, "ADD COLUMN other.a INTEGER");
        engine.apply(other, &careful(), &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(other), &careful(), &mut Silent).unwrap();
        client.batch_execute(mend).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(operation);
        assert_eq!(database.dump(), before, "{operation}");
    }
}
