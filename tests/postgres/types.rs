//! Types that change, and what is written before they are taken back.

use pql_engine::{RollbackTarget, Silent};

use crate::rows::{careful, generate, one};
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
