//! Types that change, and what is written before they are taken back.

use pql_engine::{Engine, RollbackTarget, Silent, codes};
use pql_schema::MigrationStatus;

use crate::rows::{careful, committing, generate, one, try_generate};
use crate::support::Database;

/// The server changes the type of no column that a trigger says, and there ours does.
#[test]
fn a_type_that_only_widens_comes_after_one_that_took_a_new_column() {
    for (kind, [first, second, third], values) in [
        ("int", ["VARCHAR(20)", "VARCHAR(50)", "TEXT"], ["'11'", "'12'", "'13'"]),
        ("int", ["DECIMAL(10,2)", "DECIMAL(12,2)", "DECIMAL"], ["11", "12", "13"]),
        ("text", ["VARCHAR(20)", "VARCHAR(50)", "VARCHAR(60)"], ["'a'", "'b'", "'c'"]),
        ("inet", ["CIDR", "INET", "TEXT"], ["'10.0.0.0/8'", "'10.1.0.0/16'", "'10.2.0.0/16'"]),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n {kind} CHECK (n IS NOT NULL)); CREATE INDEX t_n ON t (n);
             CREATE VIEW v AS SELECT n FROM t; INSERT INTO t SELECT i, {} FROM generate_series(1, 20) i",
            values[0]
        ));
        let mut engine = database.engine();
        let mut client = database.client();
        let mut applied = Vec::new();
        for (at, to) in [first, second, third].into_iter().enumerate() {
            let before = database.dump();
            let id = generate(&mut engine, &format!("CHANGE COLUMN t.n TYPE {to}"));
            engine.apply(id, &careful(), &mut Silent).unwrap();
            applied.push((id, before));
            client
                .batch_execute(&format!(
                    "UPDATE t SET n = {} WHERE id = {at}; INSERT INTO t (id, n) VALUES (10{at}, {0})",
                    values[at]
                ))
                .unwrap();
        }
        // Whatever is replicated in is followed as before.
        client
            .batch_execute(&format!(
                "SET session_replication_role = replica; UPDATE t SET n = {} WHERE id = 7",
                values[1]
            ))
            .unwrap();
        let rows = "SELECT string_agg(concat_ws(' ', id, regexp_replace(n::text, '\\.0+$', '')), ', ' ORDER BY id) FROM t";
        let written = one(&database, rows);
        for (id, before) in applied.into_iter().rev() {
            engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
            assert_eq!(one(&database, rows), written, "{kind}, {id}");
            assert_eq!(database.dump(), before, "{kind}, {id}");
        }
    }
}

/// The type that a column had, the wider one that it gets, a value of both, one of the latter alone.
const WIDER: &[(&str, &str, &str, &str)] = &[
    ("varchar(5)", "VARCHAR(20)", "'abc'", "'longer than five'"),
    ("varchar(5)", "TEXT", "'abc'", "'abc      '"),
    ("numeric(4,2)", "DECIMAL(12,2)", "1.25", "55555.55"),
    ("numeric(4,2)", "DECIMAL", "'NaN'", "1.255"),
    ("numeric(4,2)", "DECIMAL", "99.99", "'-Infinity'"),
    ("numeric(2,4)", "DECIMAL", "0.0012", "0.01"),
    ("bit varying(3)", "VARBIT", "'101'", "'10101'"),
    ("cidr", "INET", "'10.0.0.0/8'", "'10.1.2.3/8'"),
    ("timestamp(0)", "TIMESTAMP(6)", "'2020-01-01'", "'2020-01-01 00:00:00.125'"),
    ("short", "VARCHAR(5)", "'abc'", "'no'"),
    ("short", "VARCHAR(5)", "'abc'", "NULL"),
];

const SHORT: &str =
    "CREATE DOMAIN short AS varchar(5) NOT NULL CHECK (VALUE <> 'no'); CREATE TABLE other (id int);";

#[test]
fn values_that_only_the_wider_type_has_stop_the_rollback_before_it_begins() {
    for &(kind, to, fits, lost) in WIDER {
        let what = format!("{kind} to {to}: {lost}");
        let null = if kind == "short" { fits } else { "NULL" };
        let database = Database::with(&format!(
            "{SHORT} CREATE TABLE t (id int PRIMARY KEY, n {kind} DEFAULT {fits}, CONSTRAINT c CHECK (n IS NULL OR id > 0));
             CREATE VIEW v AS SELECT n FROM t; INSERT INTO t VALUES (1, {fits}), (2, {fits}), (3, {null})"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, &format!("CHANGE COLUMN t.n TYPE {to}"));
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let (applied, mut client) = (database.dump(), database.client());
        client.batch_execute(&format!("UPDATE t SET n = {lost} WHERE id = 2")).unwrap();
        let rows = one(&database, "SELECT string_agg(t::text, ' ' ORDER BY id) FROM t");
        let back =
            |engine: &mut Engine| engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent);
        let error = back(&mut engine).expect_err(&what);
        assert_eq!(error.code(), codes::ROWS, "{what}: {error}");
        assert!(error.message().contains("1 row: id = 2 (\"n\" is "), "{what}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{what}");
        assert_eq!(database.dump(), applied, "{what}");
        assert_eq!(one(&database, "SELECT string_agg(t::text, ' ' ORDER BY id) FROM t"), rows, "{what}");
        client.batch_execute(&format!("UPDATE t SET n = {fits} WHERE id = 2")).unwrap();
        back(&mut engine).expect(&what);
        assert_eq!(database.dump(), before, "{what}");
        let kept = format!("SELECT count(*) FROM t WHERE n = {fits} OR id = 3");
        assert_eq!(one(&database, &kept), "3", "{what}");
    }
}

/// It is seen by nobody when the rollback looks, and is there when it has the lock.
#[test]
fn a_value_that_comes_while_the_rollback_waits_leaves_the_migration_applied() {
    for &(kind, to, fits, lost) in WIDER {
        let what = format!("{kind} to {to}: {lost}");
        let database = Database::with(&format!(
            "{SHORT} CREATE TABLE t (id int PRIMARY KEY, n {kind}); INSERT INTO t VALUES (1, {fits}), (2, {fits})"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, &format!("CHANGE COLUMN t.n TYPE {to}"));
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let mut client = database.client();
        client.batch_execute(&format!("BEGIN; UPDATE t SET n = {lost} WHERE id = 2")).unwrap();
        let error = engine
            .rollback(RollbackTarget::Migration(id), &careful(), &mut committing(&mut client))
            .expect_err(&what);
        assert_eq!(error.code(), codes::ROWS, "{what}: {error}");
        assert!(error.message().contains("id = 2 (\"n\" is "), "{what}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{what}");
        // Others go on.
        let other = generate(&mut engine, "ADD COLUMN other.a INTEGER");
        engine.apply(other, &careful(), &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(other), &careful(), &mut Silent).unwrap();
        client.batch_execute(&format!("UPDATE t SET n = {fits} WHERE id = 2")).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(&what);
        assert_eq!(database.dump(), before, "{what}");
    }
}

#[test]
fn what_becomes_of_such_values_can_be_said() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n varchar(5) DEFAULT 'x'); INSERT INTO t VALUES (1, 'abc')",
    );
    let before = database.dump();
    let mut engine = database.engine();
    let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE TEXT REVERT USING NULLIF(left(n, 5), 'gone ')");
    engine.apply(id, &careful(), &mut Silent).unwrap();
    let mut client = database.client();
    client
        .batch_execute("INSERT INTO t VALUES (2, 'longer than five'), (3, NULL), (4, 'gone for good')")
        .unwrap();
    let error = engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap_err();
    assert!(error.message().contains("1 row: id = 4 (\"n\" is gone for good)"), "{error}");
    client.batch_execute("DELETE FROM t WHERE id = 4").unwrap();
    engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
    assert_eq!(
        one(&database, "SELECT string_agg(t::text, ' ' ORDER BY id) FROM t"),
        "(1,abc) (2,longe) (3,)"
    );
    assert_eq!(database.dump(), before);
    let error = try_generate(&mut engine, "CHANGE COLUMN t.n TYPE TEXT REVERT USING nobody")
        .map(|id| engine.apply(id, &careful(), &mut Silent).unwrap_err());
    let error = error.unwrap_or_else(|error| error);
    assert!(error.message().contains("nobody"), "{error}");
    assert_eq!(database.dump(), before);
}

/// What is asked of a row on the way back to the first type means nothing yet to the second one.
#[test]
fn types_that_change_twice_in_one_migration_come_back() {
    for (kind, changes) in [
        ("int", "CHANGE COLUMN t.n TYPE BIGINT, CHANGE COLUMN t.n TYPE TEXT"),
        ("varchar(5)", "CHANGE COLUMN t.n TYPE VARCHAR(9), CHANGE COLUMN t.n TYPE INTEGER USING n::int"),
        ("text", "CHANGE COLUMN t.n TYPE INTEGER USING n::int, CHANGE COLUMN t.n TYPE VARCHAR(9)"),
        ("int", "CHANGE COLUMN t.n TYPE TEXT, DROP COLUMN t.n"),
        ("varchar(5)", "CHANGE COLUMN t.n TYPE TEXT, DROP COLUMN t.n"),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n {kind}); INSERT INTO t VALUES (1, '1'), (2, '2')"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, changes);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let dropped = changes.contains("DROP");
        if !dropped {
            database.client().batch_execute("UPDATE t SET n = '7' WHERE id = 2").unwrap();
        }
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(changes);
        assert_eq!(database.dump(), before, "{changes}");
        let found = one(&database, "SELECT string_agg(n::text, ' ' ORDER BY id) FROM t");
        assert_eq!(found, if dropped { "1 2" } else { "1 7" }, "{changes}");
    }
}

/// A view of all columns has those that are out of sight.
#[test]
fn what_a_view_reads_out_of_sight_is_neither_purged_nor_given_up() {
    for change in ["CHANGE COLUMN t.n TYPE TEXT", "DROP COLUMN t.n"] {
        let database = Database::with(
            "CREATE TABLE t (id int PRIMARY KEY, n int, m int); INSERT INTO t SELECT i, i, i FROM generate_series(1, 100) i",
        );
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, change);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let mut client = database.client();
        client.batch_execute("CREATE VIEW v AS SELECT * FROM t").unwrap();
        let applied = database.dump();
        let error = engine.purge(Some(id), None, &careful(), &mut Silent).expect_err(change);
        assert!(error.message().contains("view public.v reads"), "{change}: {error}");
        assert_eq!(database.dump(), applied, "{change}");
        if change.starts_with("CHANGE") {
            let error =
                engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect_err(change);
            assert!(error.message().contains("view public.v reads"), "{change}: {error}");
            assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{change}");
        }
        client.batch_execute("DROP VIEW v").unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(change);
        assert_eq!(database.dump(), before, "{change}");
    }
}

/// What the model does not have would go with the column, or keep it.
#[test]
fn what_was_made_of_the_new_column_stops_the_rollback() {
    for (key, made, undo) in [
        ("", "CREATE STATISTICS s ON n, m FROM t", "DROP STATISTICS s"),
        ("", "CREATE POLICY p ON t USING (n = current_user)", "DROP POLICY p ON t"),
        (" UNIQUE", "CREATE STATISTICS s ON n, m FROM t", "DROP STATISTICS s"),
        ("", "CREATE PUBLICATION pub FOR TABLE t (id, n)", "DROP PUBLICATION pub"),
    ] {
        let database = Database::with(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, n int{key}, m int); INSERT INTO t SELECT i, i, i FROM generate_series(1, 100) i"
        ));
        let before = database.dump();
        let mut engine = database.engine();
        let id = generate(&mut engine, "CHANGE COLUMN t.n TYPE TEXT");
        engine.apply(id, &careful(), &mut Silent).unwrap();
        let mut client = database.client();
        client.batch_execute(made).unwrap();
        let applied = database.dump();
        let error = engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect_err(made);
        assert_eq!(error.code(), codes::UNSUPPORTED, "{made}: {error}");
        assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Applied, "{made}: {error}");
        assert_eq!(database.dump(), applied, "{made}");
        client.batch_execute(undo).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(made);
        assert_eq!(database.dump(), before, "{made}");
    }
}
