//! Applications that write all the time: a migration ends all the same, with every write.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use pql_engine::{ApplyOptions, RollbackTarget, Silent};

use crate::lifecycle::World;

#[test]
fn what_is_written_all_the_time_comes_along() {
    for operation in ["CHANGE COLUMN t.v TYPE TEXT", "ADD INDEX t_v ON t (v, u)"] {
        let mut world = World::new(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, v INT);
             WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1500)
             INSERT INTO t SELECT i, '', i FROM c;",
        );
        let mut options = ApplyOptions::default();
        options.run.max_stall = Duration::from_nanos(1);
        let id = world.generate(operation);
        let (stop, turns) = (AtomicBool::new(false), AtomicI64::new(0));
        let writers: Vec<_> = (0..1).map(|_| world.db()).collect();
        thread::scope(|scope| {
            for db in &writers {
                db.busy_timeout(Duration::from_mins(1)).expect("patience");
            }
            for db in writers {
                scope.spawn(|| {
                    let db = db;
                    while !stop.load(Ordering::Relaxed) {
                        let turn = turns.fetch_add(1, Ordering::Relaxed);
                        db.execute_batch(&format!(
                            "BEGIN IMMEDIATE; UPDATE t SET v = v + 10000, u = u || '.' WHERE id BETWEEN {0} AND {0} + 9;
                             DELETE FROM t WHERE id = {1}; INSERT INTO t VALUES ({turn} + 1000000, '', 0); COMMIT",
                            turn * 7919 % 1500,
                            turn % 1500,
                        ))
                        .expect("a turn");
                    }
                });
            }
            let applied = world.engine.apply(id, &options, &mut Silent);
            let rolled_back = applied.and_then(|_| {
                world.engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).map(drop)
            });
            stop.store(true, Ordering::Relaxed);
            rolled_back.expect(operation);
        });
        let db = world.db();
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect(sql);
        assert_eq!(one("SELECT count(*) FROM t WHERE id >= 1000000"), turns.into_inner(), "{operation}");
        assert_eq!(one("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
        assert_eq!(one("SELECT count(*) FROM t WHERE v / 10000 <> length(u) OR typeof(v) <> 'integer'"), 0);
    }
}

#[test]
fn rows_that_are_replaced_by_their_numbers_leave_no_entry_behind() {
    let mut world = World::new(
        "CREATE TABLE t (w INTEGER, s TEXT);
         WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
         INSERT INTO t SELECT i, 's' || i FROM c;",
    );
    let mut options = ApplyOptions::default();
    options.run.max_stall = Duration::from_nanos(1);
    options.run.batch_rows = Some(50);
    let id = world.generate("ADD INDEX t_w ON t (w, s)");
    let stop = AtomicBool::new(false);
    let db = world.db();
    db.busy_timeout(Duration::from_mins(1)).expect("patience");
    thread::scope(|scope| {
        scope.spawn(|| {
            let db = db;
            for turn in (0_i64..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                let number = turn * 7919 % 3000 + 1;
                db.execute_batch(&format!(
                    "INSERT OR REPLACE INTO t (rowid, w, s) VALUES ({number}, {turn}, 'r');
                     UPDATE OR REPLACE t SET rowid = {} WHERE rowid = {number}",
                    (number + 5) % 3000 + 1
                ))
                .expect("a turn");
                thread::sleep(Duration::from_millis(1));
            }
        });
        let applied = world.engine.apply(id, &options, &mut Silent);
        stop.store(true, Ordering::Relaxed);
        applied.expect("applied");
    });
    let wrong = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    assert_eq!(world.db().query_row(wrong, [], |row| row.get::<_, i64>(0)), Ok(0));
}
