//! Definitions that the application changes while a migration runs: CANCEL takes away what the migration made, and leaves
//! alone what the application did.

use std::time::Duration;

use pql_engine::{ApplyOptions, RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use crate::lifecycle::World;

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT, c INT); CREATE TABLE o (id INTEGER PRIMARY KEY);
    WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 3000) INSERT INTO t SELECT i, i, 'b' || i, i FROM x;";

/// What the application finds.
fn found(world: &World) -> Vec<(String, String)> {
    let db = world.db();
    let mut statement = db
        .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_pql%' ESCAPE '\\' ORDER BY name")
        .expect("a query");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

#[test]
fn a_migration_is_cancelled_whatever_the_application_made_of_its_tables() {
    let mut options = ApplyOptions::default();
    options.run.max_stall = Duration::from_nanos(1);
    options.run.batch_rows = Some(400);
    for (change, action) in [
        ("CHANGE COLUMN t.a TYPE TEXT", "copy rows"),
        ("ADD COLUMN t.z INT BACKFILL a + 1", "backfill"),
        ("SET NOT NULL t.c BACKFILL 0", "backfill"),
        ("ADD INDEX t_a ON t (a)", "fill index"),
    ] {
        for sql in [
            "ALTER TABLE t ADD COLUMN zz INT",
            "ALTER TABLE t RENAME COLUMN b TO bb",
            "ALTER TABLE t DROP COLUMN b",
            "CREATE INDEX mid ON t (b)",
            "DROP TABLE t",
        ] {
            let what = format!("{change}, {sql}");
            let mut world = World::new(TABLE);
            let id = world.generate(change);
            let db = world.db();
            let mut come = false;
            let mut application = |progress: &RunProgress| {
                if come || progress.action != action {
                    return Signal::Go;
                }
                come = true;
                db.execute_batch(sql).expect(sql);
                Signal::Pause
            };
            let error = world.engine.apply(id, &options, &mut application).unwrap_err();
            assert_eq!(error.code(), codes::PAUSED, "{what}: {error}");
            let report = world.engine.cancel(id, &options, &mut Silent);
            let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(report.status, MigrationStatus::Cancelled, "{what}");
            let alone = World::new(TABLE);
            alone.db().execute_batch(sql).expect(sql);
            assert_eq!(found(&world), found(&alone), "{what}");
            world.apply("ADD COLUMN o.y INTEGER");
        }
    }
}
