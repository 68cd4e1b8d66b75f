//! What cannot be done is said when the migration is generated, with what to do about it.

use pql_engine::{RollbackTarget, Silent};

use crate::rows::{careful, generate, try_generate};
use crate::support::Database;

/// Definitions, a statement, what the error says, what its help says.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE FUNCTION f(t) RETURNS text LANGUAGE sql AS 'SELECT $1.n::text'",
        "CHANGE COLUMN t.n TYPE TEXT USING f(t)",
        "USING reads the row of t as a whole",
        "name the columns",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT $1.id'",
        "CHANGE COLUMN t.n TYPE TEXT REVERT USING f(t.*)",
        "REVERT USING reads the row of t as a whole",
        "EXECUTE 'ALTER TABLE t ALTER COLUMN n TYPE",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (t int REFERENCES t)",
        "CHANGE COLUMN t.id TYPE BIGINT",
        "foreign key u_t_fkey of u",
        "in the same migration, before",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE MATERIALIZED VIEW v AS SELECT n FROM t",
        "CHANGE COLUMN t.n TYPE BIGINT",
        "materialised view v",
        "in the same migration, before",
    ),
    (
        "CREATE TABLE t (n varchar(5)); CREATE MATERIALIZED VIEW v AS SELECT n FROM t",
        "CHANGE COLUMN t.n TYPE VARCHAR(10)",
        "materialised view v",
        "retain = false",
    ),
    (
        "CREATE TABLE t (n varchar(5), m text GENERATED ALWAYS AS (n || 'x') STORED)",
        "CHANGE COLUMN t.n TYPE VARCHAR(10)",
        "m is generated from it",
        "retain = false",
    ),
    (
        "CREATE TABLE t (n varchar(5), m int); CREATE POLICY p ON t USING (n = current_user)",
        "CHANGE COLUMN t.n TYPE VARCHAR(10)",
        "policy p",
        "EXECUTE 'DROP POLICY p ON t'",
    ),
    (
        "CREATE TABLE t (n int, m int); CREATE STATISTICS s ON n, m FROM t",
        "CHANGE COLUMN t.n TYPE BIGINT",
        "statistics object s",
        "EXECUTE 'DROP STATISTICS s'",
    ),
    (
        "CREATE TABLE t (n int, m int) PARTITION BY LIST (m)",
        "CHANGE COLUMN t.n TYPE BIGINT",
        "partitioned by LIST (m)",
        "EXECUTE 'ALTER TABLE t ALTER COLUMN n TYPE",
    ),
    (
        "CREATE TABLE t (n varchar(5)); CREATE TABLE u () INHERITS (t)",
        "CHANGE COLUMN u.n TYPE VARCHAR(10)",
        "inherits from t",
        "EXECUTE 'ALTER TABLE u",
    ),
    (
        "CREATE TABLE t (n int NOT NULL UNIQUE); ALTER TABLE t REPLICA IDENTITY USING INDEX t_n_key",
        "DROP NOT NULL t.n",
        "index t_n_key is the replica identity",
        "REPLICA IDENTITY",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, \"at-last\" int, name text, new_name text); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.\"at-last\" := 1; RETURN NEW; END'; \
         CREATE TRIGGER stamp BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "DROP COLUMN t.\"at-last\"",
        "trigger stamp runs f(), which reads it",
        "EXECUTE 'DROP TRIGGER stamp ON t'",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, n int, name text); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF Old . Name <> new.id THEN RETURN NULL; END IF; RETURN NEW; END'; \
         CREATE TRIGGER stamp AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "RENAME COLUMN t.name TO title",
        "trigger stamp runs f(), which reads it",
        "EXECUTE 'DROP TRIGGER stamp ON t'",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, x int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY mine ON t WITH CHECK (x > 0)",
        "DROP COLUMN t.x",
        "there is policy mine",
        "EXECUTE 'DROP POLICY mine ON t'",
    ),
    (
        "CREATE DOMAIN plain AS varchar(7) CHECK (VALUE IS NOT NULL); CREATE DOMAIN more AS plain; \
         CREATE TABLE t (id int PRIMARY KEY, x more)",
        "DROP COLUMN t.x",
        "its domain more takes no NULL",
        "CHANGE COLUMN t.x TYPE character varying(7)",
    ),
    (
        "CREATE DOMAIN present AS text NOT NULL; CREATE TABLE t (id int PRIMARY KEY, x present)",
        "CHANGE COLUMN t.x TYPE BIGINT",
        "its domain present takes no NULL",
        "CHANGE COLUMN t.x TYPE text",
    ),
    (
        "CREATE TABLE t (id int, x int) PARTITION BY HASH (x)",
        "DROP COLUMN t.x",
        "partitioned by HASH (x)",
        "partitioned otherwise",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, x int); CREATE TABLE log (x int); \
         CREATE RULE keep AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.x)",
        "DROP COLUMN t.x",
        "there is rule keep",
        "EXECUTE 'DROP RULE keep ON t'",
    ),
    (
        "CREATE TABLE t (id int PRIMARY KEY, x int); \
         CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT max(x) FROM t; END",
        "DROP COLUMN t.x",
        "there is function f()",
        "EXECUTE 'DROP FUNCTION f()'",
    ),
];

#[test]
fn what_stands_in_the_way_is_named_before_anything_is_done() {
    for (schema, statement, message, help) in REFUSED {
        let database = Database::with(schema);
        let error = try_generate(&mut database.engine(), statement).expect_err(statement);
        assert_eq!(error.code(), "PQL0308", "{statement}: {error}");
        assert!(error.message().contains(message), "{statement}: {error}");
        assert!(error.help().unwrap().contains(help), "{statement}: {:?}", error.help());
    }
}

#[test]
fn columns_that_expressions_name_and_the_table_lacks_are_found_before_anything_is_done() {
    let database = Database::with(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 10);
         CREATE TABLE t (id int PRIMARY KEY, n small, \"Odd\" mood, tags text[], d numeric(10,2))",
    );
    let mut engine = database.engine();
    for (statement, name) in [
        ("ADD COLUMN t.z INT BACKFILL nn + 1", "nn"),
        ("ADD COLUMN t.z INT DEFAULT nosuch", "nosuch"),
        ("ADD COLUMN t.z INT BACKFILL t.nosuch", "nosuch"),
        ("ADD COLUMN t.z TEXT BACKFILL \"odd\"::text", "odd"),
        ("ADD CONSTRAINT t.c CHECK (nosuch > 0)", "nosuch"),
        ("ADD INDEX i ON t ((lower(nosuch)))", "nosuch"),
        ("ADD INDEX i ON t (n) WHERE nosuch", "nosuch"),
        ("CHANGE COLUMN t.n TYPE TEXT USING nosuch || 'x'", "nosuch"),
        ("ADD COLUMN t.g INT GENERATED ALWAYS AS (nosuch * 2) STORED", "nosuch"),
        ("SET NOT NULL t.n BACKFILL nosuch", "nosuch"),
        ("RENAME COLUMN t.n TO m, ADD COLUMN t.z INT BACKFILL n", "n"),
    ] {
        let error = try_generate(&mut engine, statement).expect_err(statement);
        assert_eq!(error.code(), "PQL0302", "{statement}: {error}");
        let has_no = format!("table t has no column {name}");
        assert!(error.message().ends_with(&has_no), "{statement}: {error}");
    }
    for statement in [
        "ADD COLUMN t.z INT BACKFILL (ctid::text::point)[0]::int + tableoid::int",
        "ADD COLUMN t.z INT BACKFILL (SELECT max(x) FROM nowhere)",
        "ADD COLUMN t.z TEXT DEFAULT current_user BACKFILL t.*::text || tags[1] || public.t.d || \"Odd\"",
    ] {
        try_generate(&mut engine, statement).expect(statement);
    }
}

#[test]
fn what_the_help_says_makes_room_for_the_change() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY, n int, name text, new_name text);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.new_name := OLD.n; RETURN NEW; END';
         CREATE TRIGGER stamp BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
         CREATE DOMAIN present AS text NOT NULL; ALTER TABLE t ADD COLUMN p present DEFAULT 'x';
         ALTER TABLE t ALTER COLUMN p DROP DEFAULT; INSERT INTO t VALUES (1, 2, 'a', 'b', 'c')",
    );
    for statement in [
        "RENAME COLUMN t.name TO title",
        "EXECUTE 'DROP TRIGGER stamp ON t' REVERT 'CREATE TRIGGER stamp BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()', \
         RENAME COLUMN t.n TO m",
        "CHANGE COLUMN t.p TYPE TEXT",
        "DROP COLUMN t.p",
    ] {
        let mut engine = database.engine();
        let id = generate(&mut engine, statement);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        database.client().batch_execute("UPDATE t SET id = id").unwrap();
    }
    database.client().batch_execute("INSERT INTO t (id) VALUES (2)").unwrap();
}

/// What the help says can be done.
#[test]
fn what_was_dropped_with_retain_false_is_out_of_the_way() {
    let database = Database::with(
        "CREATE TABLE t (n varchar(5)); CREATE MATERIALIZED VIEW v AS SELECT n FROM t; INSERT INTO t VALUES ('a')",
    );
    let mut engine = database.engine();
    let drop = generate(&mut engine, "DROP VIEW v");
    engine.apply(drop, &careful(), &mut Silent).unwrap();
    let change = generate(&mut engine, "CHANGE COLUMN t.n TYPE VARCHAR(10)");
    let error = engine.apply(change, &careful(), &mut Silent).unwrap_err();
    assert!(error.help().unwrap().contains("MIGRATE PURGE"), "{error} {:?}", error.help());
    engine.purge(Some(drop), None, &careful(), &mut Silent).unwrap();
    let change = generate(&mut engine, "CHANGE COLUMN t.n TYPE VARCHAR(10)");
    engine.apply(change, &careful(), &mut Silent).unwrap();
}

/// The server drops no index of a partitioned table beside others.
#[test]
fn indexes_of_partitioned_tables_go() {
    let database = Database::with(
        "CREATE TABLE t (n int, m int) PARTITION BY LIST (m); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
         INSERT INTO t SELECT i, 1 FROM generate_series(1, 2000) i; CREATE INDEX t_n ON t (n);
         CREATE UNIQUE INDEX t_nm ON t (n, m); ANALYZE",
    );
    let before = database.dump();
    let mut engine = database.engine();
    for statement in ["DROP INDEX t_n", "DROP INDEX t_nm"] {
        let id = generate(&mut engine, statement);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap();
        assert_eq!(database.dump(), before, "{statement}");
        let id = generate(&mut engine, statement);
        engine.apply(id, &careful(), &mut Silent).unwrap();
        engine.purge(Some(id), None, &careful(), &mut Silent).unwrap();
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).unwrap_err();
        let id = generate(
            &mut engine,
            &statement
                .replace("DROP INDEX t_nm", "ADD UNIQUE INDEX t_nm ON t (n, m)")
                .replace("DROP INDEX t_n", "ADD INDEX t_n ON t (n)"),
        );
        engine.apply(id, &careful(), &mut Silent).unwrap();
        assert_eq!(database.dump(), before, "{statement}, for good");
    }
}

/// Nor has it a key over an index that was built before, nor a foreign key that is declared before it is examined.
#[test]
fn keys_of_partitioned_tables_go_and_come() {
    let database = Database::with(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
         CREATE TABLE t (n int, m int NOT NULL, p int, PRIMARY KEY (n, m), CONSTRAINT u UNIQUE (m, n, p),
             CONSTRAINT f FOREIGN KEY (p) REFERENCES p) PARTITION BY LIST (m);
         CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); INSERT INTO t SELECT i, 1, 1 FROM generate_series(1, 2000) i;
         ANALYZE",
    );
    let before = database.dump();
    let mut engine = database.engine();
    for (gone, come) in [
        ("DROP CONSTRAINT t.t_pkey", "ADD CONSTRAINT t.t_pkey PRIMARY KEY (n, m)"),
        ("DROP CONSTRAINT t.u", "ADD CONSTRAINT t.u UNIQUE (m, n, p)"),
        ("DROP CONSTRAINT t.f", "ADD CONSTRAINT t.f FOREIGN KEY (p) REFERENCES p (id)"),
    ] {
        let id = generate(&mut engine, gone);
        engine.apply(id, &careful(), &mut Silent).expect(gone);
        engine.rollback(RollbackTarget::Migration(id), &careful(), &mut Silent).expect(gone);
        assert_eq!(database.dump(), before, "{gone}");
        let id = generate(&mut engine, gone);
        engine.apply(id, &careful(), &mut Silent).expect(gone);
        let id = generate(&mut engine, come);
        engine.apply(id, &careful(), &mut Silent).expect(come);
        assert_eq!(engine.verify().unwrap(), [], "{come}");
    }
}

/// Partitions are not in the schema, and yet they are there.
#[test]
fn a_partition_is_said_to_be_one() {
    let database = Database::with(
        "CREATE TABLE t (n int) PARTITION BY LIST (n); CREATE TABLE \"T1\" PARTITION OF t FOR VALUES IN (1)",
    );
    let mut engine = database.engine();
    let why = engine.absence(&"T1".into()).unwrap().unwrap();
    assert_eq!(why, "\"T1\" is a partition of t: change t, and its partitions follow");
    assert_eq!(engine.describe(Some("T1")).unwrap_err().help(), Some(why.as_str()));
    assert_eq!(engine.absence(&"t".into()).unwrap(), None);
    assert_eq!(engine.absence(&"nowhere".into()).unwrap(), None);
}
