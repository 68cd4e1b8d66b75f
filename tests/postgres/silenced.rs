//! What is written while the triggers on a table are disabled, as bulk loads and restores do: ours see nothing of it.

use pql_engine::{Engine, RollbackTarget, Silent, codes};
use pql_schema::MigrationStatus;

use crate::conversions::{INDEXED, apply_before_exchange};
use crate::rows::{careful, generate, one};
use crate::support::Database;

const WRITTEN: &str = "ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET a = '555' WHERE id = 1; \
     INSERT INTO t (id, a, b) VALUES (9999, '666', 'y'); DELETE FROM t WHERE id = 3; ALTER TABLE t ENABLE TRIGGER ALL";

const ROWS: &str =
    "SELECT string_agg(concat_ws(' ', id, a, b), ', ' ORDER BY id) FROM t WHERE id < 6 OR id > 2990";

#[test]
fn what_the_old_column_lacks_stops_the_rollback() {
    for (kind, to) in [
        ("int", "TEXT"),
        ("int NOT NULL CHECK (a > 0)", "BIGINT"),
        ("int", "TEXT USING a::text REVERT USING a::int"),
        ("json", "JSONB"),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, a {kind}, b text);
             INSERT INTO t SELECT i, i::text::{}, 'x' FROM generate_series(1, 3000) i",
            kind.split(' ').next().unwrap()
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, &format!("CHANGE COLUMN t.a TYPE {to}"));
        engine.apply(id, &careful(), &mut Silent).unwrap();
        assert_eq!(engine.verify().unwrap(), []);
        let mut client = database.client();
        client.batch_execute(WRITTEN).unwrap();
        let drifts: Vec<String> = engine.verify().unwrap().iter().map(ToString::to_string).collect();
        assert!(drifts.len() == 3, "{drifts:?}");
        assert!(drifts[0].ends_with("of t was ENABLE ALWAYS and is ENABLE"), "{drifts:?}");
        let (applied, written) = (database.dump(), one(&database, ROWS));
        let error = engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect_err(to);
        assert_eq!(error.code(), codes::ROWS, "{to}: {error}");
        // In the order in which they are stored, which a vacuum may have changed.
        for row in ["2 rows: ", "id = 1 (\"a\" is 555)", "id = 9999 (\"a\" is 666)"] {
            assert!(error.message().contains(row), "{to}: {error}");
        }
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{to}");
        assert_eq!((database.dump(), one(&database, ROWS)), (applied, written.clone()), "{to}");
        // As it is told to.
        let help = error.help().unwrap();
        let update = &help[help.find("UPDATE").unwrap()..help.find(';').unwrap()];
        client.batch_execute(update).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(to);
        assert_eq!(database.dump(), before, "{to}");
        assert_eq!(one(&database, ROWS), written, "{to}");
    }
}

/// Nothing tells what the new form lacks once every row was compared.
#[test]
fn what_the_new_form_lacks_stops_the_exchange() {
    for indexes in ["", INDEXED] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, x text, y int); INSERT INTO t SELECT i, i, i FROM generate_series(1, 3000) i{indexes}"
        ));
        let before = database.dump();
        let writes = ["ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET x = '555' WHERE id = 1; \
             INSERT INTO t VALUES (9999, '666'); ALTER TABLE t ENABLE TRIGGER ALL"];
        let change = "CHANGE COLUMN t.x TYPE INTEGER USING x::integer";
        let (mut engine, id, outcome) = apply_before_exchange(&database, change, &writes);
        let error = outcome.expect_err(indexes);
        assert_eq!(error.code(), codes::VERIFY, "{indexes}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Failed, "{indexes}");
        assert_eq!(database.dump(), before, "{indexes}");
        let rows = "SELECT string_agg(x, ', ' ORDER BY id) FROM t WHERE id IN (1, 2, 9999)";
        assert_eq!(one(&database, rows), "555, 2, 666", "{indexes}");
        let id = generate(&mut engine, change);
        engine.apply(id, &careful(), &mut Silent).expect(indexes);
        assert_eq!(one(&database, rows.replace("(x", "(x::text").as_str()), "555, 2, 666", "{indexes}");
    }
}

/// What guards the place of a column is for the application alone.
#[test]
fn a_dropped_column_leaves_nothing_that_differs() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY, a int, b int)");
    let mut engine = database.engine();
    let id = generate(&mut engine, "DROP COLUMN t.a");
    engine.apply(id, &careful(), &mut Silent).unwrap();
    assert_eq!(engine.verify().unwrap(), []);
    database.client().batch_execute("ALTER TABLE t DISABLE TRIGGER ALL").unwrap();
    let drifts: Vec<String> = engine.verify().unwrap().iter().map(ToString::to_string).collect();
    assert!(drifts.len() == 1 && drifts[0].ends_with("of t was ENABLE and is DISABLE"), "{drifts:?}");
    database.client().batch_execute("ALTER TABLE t ENABLE TRIGGER ALL").unwrap();
    assert_eq!(engine.verify().unwrap(), []);
}

/// Then the old table is brought to what the new one is.
#[test]
fn what_the_old_table_lacks_is_brought_over() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text); INSERT INTO t SELECT i, i, 'x' FROM generate_series(1, 3000) i;
         CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b); CREATE INDEX t_ab ON t (a, b); CREATE INDEX t_ba ON t (b, a); ANALYZE",
    );
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.a TYPE TEXT");
    engine.apply(id, &careful(), &mut Silent).unwrap();
    assert_eq!(one(&database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '\\_pql\\_%'"), "1");
    let mut client = database.client();
    client.batch_execute(WRITTEN).unwrap();
    client
        .batch_execute(
            "UPDATE t SET a = 'one' WHERE id = 4; SET session_replication_role = replica;
             UPDATE t SET a = 'two' WHERE id = 5; INSERT INTO t VALUES (0, '0', 'z'); RESET session_replication_role",
        )
        .unwrap();
    let back = |engine: &mut Engine| engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent);
    let error = back(&mut engine).unwrap_err();
    assert_eq!(error.code(), codes::ROWS, "{error}");
    for row in ["2 rows: ", "id = 4 (\"a\" is one)", "id = 5 (\"a\" is two)"] {
        assert!(error.message().contains(row), "{error}");
    }
    assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied);
    client
        .batch_execute(
            "SET session_replication_role = replica; UPDATE t SET a = '4' WHERE id = 4; UPDATE t SET a = '50' WHERE id = 5",
        )
        .unwrap();
    let written = one(&database, ROWS);
    back(&mut engine).unwrap();
    assert_eq!(one(&database, ROWS), written);
    assert_eq!(one(&database, "SELECT count(*) FROM t"), "3001");
    assert_eq!(database.dump(), before);
}
