//! The core against a fake backend: every way in which a run can be stopped, at every transaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pql_planner::{Action, Estimate, Lock, Phase, Plan, Step};
use pql_schema::{
    Fingerprint, Migration, MigrationId, MigrationStatus, MigrationStrategy, NameRule, ObjectName, Schema,
    Table,
};
use uuid::Uuid;

use super::fake::{Fake, Fault};
use crate::journal::{
    Delta, Heading, Intent, Journal, Kind, Record, Retention, Run, StoredPlan, Totals, now,
};
use crate::lease::Lease;
use crate::runner::transact;
use crate::{
    ApplyOptions, Engine, OnFailure, Report, Result, Retain, RollbackTarget, RunProgress, Signal, Silent,
    Value, codes,
};

/// A database file that goes with the test.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pql-core-{}-{}.db", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

fn engine(path: &Path, fault: Option<Fault>) -> (Engine, Arc<AtomicU32>) {
    let mut fake = Fake::open(path);
    fake.fault = fault;
    let commits = Arc::clone(&fake.commits);
    (Engine::with_backend(Box::new(fake), Some("tester".to_owned())), commits)
}

fn step(sql: &str, undo: &[&str]) -> Step {
    let execute = |sql: &str| Action::Execute { sql: sql.to_owned(), outside_transaction: false };
    Step {
        phase: Phase::Expand,
        op: None,
        action: execute(sql),
        undo: undo.iter().map(|sql| execute(sql)).collect(),
        irreversible: false,
        lock: Lock::Short,
        estimate: Estimate::default(),
        hazards: Vec::new(),
    }
}

/// A table, rows in three transactions, another table; and the way back, which has two actions for the rows.
fn plan() -> Plan {
    Plan {
        format: pql_planner::plan::FORMAT,
        strategy: MigrationStrategy::Online,
        touches: vec!["a".into(), "b".into()],
        base: Fingerprint(String::new()),
        steps: vec![
            step("CREATE TABLE a (x)", &["DROP TABLE a"]),
            step(
                "INSERT INTO a VALUES (1)…INSERT INTO a VALUES (2)…INSERT INTO a VALUES (3)",
                &["DELETE FROM a WHERE x = 1", "DELETE FROM a WHERE x > 1"],
            ),
            step("CREATE TABLE b (y)", &["DROP TABLE b"]),
        ],
        rebuilds: Vec::new(),
        index_builds: Vec::new(),
        column_swaps: Vec::new(),
        hazards: Vec::new(),
    }
}

/// What a run of [`plan`] leaves.
fn state(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let tables: String = connection
        .query_row(
            "SELECT coalesce(group_concat(name, ','), '') FROM (SELECT name FROM sqlite_schema \
             WHERE type = 'table' AND name NOT LIKE '\\_pql%' ESCAPE '\\' ORDER BY name)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    if !tables.contains('a') {
        return tables;
    }
    let rows: String = connection
        .query_row("SELECT coalesce(group_concat(x, ','), '') FROM a", [], |row| row.get(0))
        .unwrap();
    format!("{tables}: {rows}")
}

const NEW: &str = "a,b: 1,2,3";
const OLD: &str = "";

fn schema(tables: &[&str]) -> Schema {
    let mut schema = Schema::new(NameRule::AsciiInsensitive);
    for name in tables {
        let table = Table::new(*name);
        schema.tables.insert(table.name.clone(), table);
    }
    schema
}

/// A migration whose run is recorded as begun.
fn begin(engine: &mut Engine, plan: Plan, retain: Retain) -> MigrationId {
    let base = schema(&[]);
    let stored =
        StoredPlan { plan, base: base.clone(), expected: Delta::between(&base, &schema(&["a", "b"])) };
    let id = MigrationId(Uuid::now_v7());
    let record = Record {
        migration: Migration {
            id,
            name: "test".into(),
            version: None,
            operations: Vec::new(),
            status: MigrationStatus::Running,
            created_at: now(),
            applied_at: None,
        },
        kind: Kind::Migration,
        touches: vec!["a".into(), "b".into()],
        base,
        attributes: None,
        attempt: 1,
        run: Some(Run { intent: Intent::Apply, heading: Heading::Forward, reason: None }),
        strategy: Some(MigrationStrategy::Online),
        retain,
        retention: Retention::Kept,
        totals: Totals::default(),
        failure: None,
        actor: "tester".into(),
    };
    let journal = engine.journal;
    transact(engine.backend.as_mut(), |connection| {
        journal.ensure(connection)?;
        journal.insert(connection, &record)?;
        journal.set_version(connection, 0, None, &record.base)?;
        journal.insert_plan(connection, id, 1, &stored)?;
        journal.update(connection, &record)
    })
    .unwrap();
    id
}

fn resume(engine: &mut Engine, id: MigrationId) -> Result<Report> {
    engine.resume(id, &ApplyOptions::default(), &mut Silent)
}

/// Nothing is left in the journal that speaks of steps, and nobody holds the lease.
fn assert_at_rest(engine: &mut Engine, id: MigrationId, steps: usize) {
    let connection = engine.backend.connection();
    assert_eq!(engine.journal.steps(connection, id).unwrap().len(), steps);
    assert!(crate::lease::holder(engine.journal, connection).unwrap().is_none());
    assert!(engine.interrupted().unwrap().is_empty());
}

const COMMITS: u32 = 5;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

#[test]
fn a_clean_run_and_its_way_back() {
    let file = File::new();
    let (mut engine, commits) = engine(&file.0, None);
    let id = begin(&mut engine, plan(), Retain::Forever);
    let report = resume(&mut engine, id).unwrap();
    assert_eq!(
        (report.status, report.version, report.steps, report.rows),
        (MigrationStatus::Applied, 1, 3, 5)
    );
    assert_eq!((state(&file.0).as_str(), commits.load(Ordering::Relaxed)), (NEW, COMMITS));
    assert_eq!(engine.schema_at(0).unwrap().tables.len(), 0);
    assert_eq!(engine.schema_at(1).unwrap().tables.len(), 2);
    assert_at_rest(&mut engine, id, 3);

    let again = engine.apply(id, &ApplyOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(again.code(), codes::ALREADY_APPLIED);
    let back = engine.rollback(RollbackTarget::Last(1), &ApplyOptions::default(), &mut Silent).unwrap();
    assert_eq!(
        (back[0].status, back[0].version, state(&file.0).as_str()),
        (MigrationStatus::RolledBack, 0, OLD)
    );
    assert_eq!(engine.schema_at(1).unwrap_err().code(), codes::UNKNOWN_VERSION);
    let twice = engine.rollback(RollbackTarget::Migration(id), &ApplyOptions::default(), &mut Silent);
    assert_eq!(twice.unwrap_err().code(), codes::NOT_APPLIED);
    assert_at_rest(&mut engine, id, 0);
    let events: Vec<String> = engine.history().unwrap().into_iter().map(|event| event.event).collect();
    assert_eq!(events, ["resumed", "applied", "rollback_started", "rolled_back"]);
}

#[test]
fn an_error_anywhere_is_taken_back() {
    for at in 1..=COMMITS {
        for fault in [Fault::Before(at), Fault::After(at)] {
            let file = File::new();
            let (mut engine, _) = engine(&file.0, Some(fault));
            let id = begin(&mut engine, plan(), Retain::Forever);
            let error = resume(&mut engine, id).unwrap_err();
            assert_eq!((error.code(), state(&file.0).as_str()), (codes::INJECTED, OLD), "{fault:?}");
            let info = engine.info(id).unwrap();
            assert_eq!(
                (info.status, info.error.as_deref()),
                (MigrationStatus::Failed, Some(error.message()))
            );
            assert_at_rest(&mut engine, id, 0);
        }
    }
}

#[test]
fn a_lock_that_cannot_be_had_is_tried_again() {
    for at in 1..=COMMITS {
        let file = File::new();
        let (mut engine, _) = engine(&file.0, Some(Fault::Busy(at)));
        let id = begin(&mut engine, plan(), Retain::Forever);
        assert_eq!(resume(&mut engine, id).unwrap().status, MigrationStatus::Applied);
        assert_eq!(state(&file.0), NEW);
    }
}

#[test]
fn a_run_that_died_is_resumed_or_cancelled() {
    for at in 1..=COMMITS {
        for fault in [Fault::KillBefore(at), Fault::KillAfter(at)] {
            for cancel in [false, true] {
                let file = File::new();
                let (mut first, _) = engine(&file.0, Some(fault));
                let id = begin(&mut first, plan(), Retain::Forever);
                assert_eq!(resume(&mut first, id).unwrap_err().code(), codes::LEASE_LOST);
                drop(first);
                let (mut second, _) = engine(&file.0, None);
                assert_eq!(second.interrupted().unwrap()[0].migration_id, id);
                let options = ApplyOptions::default();
                let report = if cancel {
                    second.cancel(id, &options, &mut Silent).unwrap()
                } else {
                    second.apply(id, &options, &mut Silent).unwrap()
                };
                let expected =
                    if cancel { (MigrationStatus::Cancelled, OLD) } else { (MigrationStatus::Applied, NEW) };
                assert_eq!((report.status, state(&file.0).as_str()), expected, "{fault:?}");
                assert_at_rest(&mut second, id, if cancel { 0 } else { 3 });
            }
        }
    }
}

#[test]
fn a_rollback_that_died_is_resumed_or_cancelled() {
    for at in 1..=4 {
        for kill in [Fault::KillBefore as fn(u32) -> Fault, Fault::KillAfter] {
            for cancel in [false, true] {
                let file = File::new();
                let (mut first, _) = engine(&file.0, Some(kill(COMMITS + at)));
                let id = begin(&mut first, plan(), Retain::Forever);
                resume(&mut first, id).unwrap();
                let options = ApplyOptions::default();
                let lost = first.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap_err();
                assert_eq!(lost.code(), codes::LEASE_LOST);
                let (mut second, _) = engine(&file.0, None);
                assert!(second.interrupted().unwrap()[0].undoing);
                let report = if cancel {
                    second.cancel(id, &options, &mut Silent).unwrap()
                } else {
                    second.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap().remove(0)
                };
                let expected =
                    if cancel { (MigrationStatus::Applied, NEW) } else { (MigrationStatus::RolledBack, OLD) };
                assert_eq!((report.status, state(&file.0).as_str()), expected, "{at}");
                assert_at_rest(&mut second, id, if cancel { 3 } else { 0 });
            }
        }
    }
}

#[test]
fn an_error_in_a_rollback_leaves_the_migration_applied_as_long_as_nothing_is_lost_by_that() {
    for at in 1..=4 {
        let file = File::new();
        let (mut first, _) = engine(&file.0, Some(Fault::Before(COMMITS + at)));
        let id = begin(&mut first, plan(), Retain::Forever);
        resume(&mut first, id).unwrap();
        let options = ApplyOptions::default();
        let error = first.rollback(RollbackTarget::Migration(id), &options, &mut Silent).unwrap_err();
        if at == 1 {
            assert_eq!((error.code(), state(&file.0).as_str()), (codes::INJECTED, NEW));
            assert_eq!(first.info(id).unwrap().status, MigrationStatus::Applied);
            assert_eq!(first.version().unwrap(), 1);
            assert_at_rest(&mut first, id, 3);
        } else {
            // What was dropped would come back empty.
            assert_eq!(error.code(), codes::STUCK, "{at}");
            assert_eq!(first.info(id).unwrap().status, MigrationStatus::Paused);
            let (mut second, _) = engine(&file.0, None);
            assert_eq!(resume(&mut second, id).unwrap().status, MigrationStatus::RolledBack);
            assert_eq!(state(&file.0), OLD);
            assert_at_rest(&mut second, id, 0);
        }
    }
}

#[test]
fn pausing_and_cancelling_between_any_two_transactions() {
    let count = {
        let file = File::new();
        let (mut engine, _) = engine(&file.0, None);
        let id = begin(&mut engine, plan(), Retain::Forever);
        let mut seen = 0;
        let mut observer = |_: &RunProgress| {
            seen += 1;
            Signal::Go
        };
        engine.resume(id, &ApplyOptions::default(), &mut observer).unwrap();
        seen
    };
    assert!(count >= 3);
    for stop in 1..=count {
        for signal in [Signal::Pause, Signal::Cancel] {
            let file = File::new();
            let (mut engine, _) = engine(&file.0, None);
            let id = begin(&mut engine, plan(), Retain::Forever);
            let mut seen = 0;
            let mut observer = |_: &RunProgress| {
                seen += 1;
                if seen == stop { signal } else { Signal::Go }
            };
            let error = engine.resume(id, &ApplyOptions::default(), &mut observer).unwrap_err();
            if signal == Signal::Cancel {
                assert_eq!((error.code(), state(&file.0).as_str()), (codes::CANCELLED, OLD));
                assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Cancelled);
            } else {
                assert_eq!(error.code(), codes::PAUSED);
                assert_eq!(engine.info(id).unwrap().status, MigrationStatus::Paused);
                assert_eq!(resume(&mut engine, id).unwrap().status, MigrationStatus::Applied);
                assert_eq!(state(&file.0), NEW);
            }
        }
    }
}

#[test]
fn on_failure_pause_waits_for_the_cause_to_go() {
    let file = File::new();
    let (mut first, _) = engine(&file.0, Some(Fault::Before(3)));
    let id = begin(&mut first, plan(), Retain::Forever);
    let options = ApplyOptions { on_failure: OnFailure::Pause, ..ApplyOptions::default() };
    assert_eq!(first.resume(id, &options, &mut Silent).unwrap_err().code(), codes::INJECTED);
    let info = first.info(id).unwrap();
    assert_eq!(
        (info.status, info.progress.to_string().as_str()),
        (MigrationStatus::Paused, "1/3 steps, 1 of 3 rows")
    );
    let (mut second, _) = engine(&file.0, None);
    assert_eq!(resume(&mut second, id).unwrap().status, MigrationStatus::Applied);
    assert_eq!(second.info(id).unwrap().error, None);
}

#[test]
fn a_step_without_a_way_back_is_not_passed_by_an_error() {
    let file = File::new();
    let mut plan = plan();
    plan.steps[0].undo.clear();
    plan.steps[0].irreversible = true;
    let (mut first, _) = engine(&file.0, Some(Fault::Before(3)));
    let id = begin(&mut first, plan, Retain::Forever);
    assert_eq!(resume(&mut first, id).unwrap_err().code(), codes::STUCK);
    assert_eq!(state(&file.0), "a: 1");
    let cancel = first.cancel(id, &ApplyOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(cancel.code(), codes::IRREVERSIBLE);
    let (mut second, _) = engine(&file.0, None);
    assert_eq!(resume(&mut second, id).unwrap().status, MigrationStatus::Applied);
    let back = second.rollback(RollbackTarget::Last(1), &ApplyOptions::default(), &mut Silent).unwrap_err();
    assert_eq!((back.code(), state(&file.0).as_str()), (codes::IRREVERSIBLE, NEW));
}

#[test]
fn a_second_error_on_the_way_back_leaves_it_paused() {
    let file = File::new();
    let mut plan = plan();
    plan.steps[0].undo =
        vec![Action::Execute { sql: "DROP TABLE missing".into(), outside_transaction: false }];
    let (mut engine, _) = engine(&file.0, Some(Fault::Before(5)));
    let id = begin(&mut engine, plan, Retain::Forever);
    assert_eq!(resume(&mut engine, id).unwrap_err().code(), codes::STUCK);
    let info = engine.info(id).unwrap();
    assert_eq!((info.status, info.error_code.as_deref()), (MigrationStatus::Paused, Some(codes::STUCK)));
    engine.run_sql("CREATE TABLE missing (x)", &[]).unwrap();
    let report = resume(&mut engine, id);
    // The table of the first step is still there: what the check finds is said.
    assert_eq!(report.unwrap_err().code(), codes::STUCK);
    engine.run_sql("DROP TABLE a", &[]).unwrap();
    assert_eq!(resume(&mut engine, id).unwrap().status, MigrationStatus::Failed);
}

#[test]
fn a_schema_that_is_not_what_was_promised_is_taken_back() {
    let file = File::new();
    let mut plan = plan();
    plan.steps[2] = step("CREATE TABLE c (y)", &["DROP TABLE c"]);
    let (mut engine, _) = engine(&file.0, None);
    let id = begin(&mut engine, plan, Retain::Forever);
    let error = resume(&mut engine, id).unwrap_err();
    assert_eq!((error.code(), state(&file.0).as_str()), (codes::UNEXPECTED_SCHEMA, OLD));
}

#[test]
fn a_schema_that_was_changed_during_an_interruption_stops_the_resume_and_keeps_the_progress() {
    let file = File::new();
    let (mut first, _) = engine(&file.0, Some(Fault::KillBefore(3)));
    let id = begin(&mut first, plan(), Retain::Forever);
    resume(&mut first, id).unwrap_err();
    let (mut second, _) = engine(&file.0, None);
    second.run_sql("CREATE TABLE b (other)", &[]).unwrap();
    assert_eq!(resume(&mut second, id).unwrap_err().code(), codes::DRIFTED);
    assert_eq!(second.info(id).unwrap().status, MigrationStatus::Paused);
    assert_eq!(state(&file.0), "a,b: 1");
    second.run_sql("DROP TABLE b", &[]).unwrap();
    assert_eq!(resume(&mut second, id).unwrap().status, MigrationStatus::Applied);
}

#[test]
fn one_runner_at_a_time() {
    let file = File::new();
    let (mut first, _) = engine(&file.0, None);
    let id = begin(&mut first, plan(), Retain::Forever);
    let journal = first.journal;
    let lease = Lease::acquire(first.backend.as_mut(), journal, "alice@there", Some(id), PATIENCE).unwrap();
    let (mut second, _) = engine(&file.0, None);
    let refused = resume(&mut second, id).unwrap_err();
    assert_eq!(refused.code(), codes::LEASE);
    assert!(refused.message().contains("alice@there"), "{refused}");
    assert!(second.interrupted().unwrap().is_empty());
    assert_eq!(second.baseline(None).unwrap_err().code(), codes::LEASE);

    // Another takes over from an owner that is believed dead: the old one can commit nothing any more.
    transact(first.backend.as_mut(), |connection| lease.verify(connection)).unwrap();
    second.run_sql("UPDATE _pql_lease SET fence = fence + 1, owner = NULL", &[]).unwrap();
    let lost = transact(first.backend.as_mut(), |connection| lease.verify(connection)).unwrap_err();
    assert_eq!(lost.code(), codes::LEASE_LOST);
    assert_eq!(resume(&mut second, id).unwrap().status, MigrationStatus::Applied);
}

#[test]
fn a_dead_owner_is_taken_over_at_once_and_a_silent_one_after_a_while() {
    let file = File::new();
    let (mut first, _) = engine(&file.0, None);
    let id = begin(&mut first, plan(), Retain::Forever);
    let journal = first.journal;
    let lease = Lease::acquire(first.backend.as_mut(), journal, "alice", Some(id), PATIENCE).unwrap();
    lease.release(first.backend.as_mut()).unwrap();
    // The process that is named here started at another time than the one that has its number now.
    let gone = "UPDATE _pql_lease SET owner = 'ghost', at = ?1, process = json_set(?2, '$.started', '0')";
    let process = serde_json::to_string(&crate::process::Process::current()).unwrap();
    let time = crate::journal::time_text(now());
    first.backend.connection().execute(gone, &[time.into(), process.into()]).unwrap();
    assert_eq!(resume(&mut first, id).unwrap().status, MigrationStatus::Applied);
    assert!(first.history().unwrap().iter().any(|event| event.event == "lease_taken_over"));

    let silent = "UPDATE _pql_lease SET owner = 'far away', process = NULL, at = ?1";
    // The clock of whoever wrote it may be wrong, or ours: one from the future is no more believed than an old one.
    let watched = |engine: &mut Engine, time: &str, run: &dyn Fn(&mut Engine)| {
        engine.backend.connection().execute(silent, &[time.into()]).unwrap();
        let start = std::time::Instant::now();
        run(engine);
        assert!(
            start.elapsed() >= std::time::Duration::from_secs(5),
            "a heartbeat that looks old is watched first"
        );
    };
    watched(&mut first, "2001-01-01T00:00:00.000Z", &|engine| {
        engine.rollback(RollbackTarget::Last(1), &ApplyOptions::default(), &mut Silent).unwrap();
    });
    let another = File::new();
    let (mut second, _) = engine(&another.0, None);
    let id = begin(&mut second, plan(), Retain::Forever);
    let lease = Lease::acquire(second.backend.as_mut(), second.journal, "bob", Some(id), PATIENCE).unwrap();
    lease.release(second.backend.as_mut()).unwrap();
    watched(&mut second, "2199-01-01T00:00:00.000Z", &|engine| {
        assert_eq!(resume(engine, id).unwrap().status, MigrationStatus::Applied);
    });
}

/// Returns when the journal tells of the event; far later than it ever should, it gives up.
fn wait_for_event(file: &Path, event: &str) {
    let db = rusqlite::Connection::open(file).unwrap();
    for _ in 0..2_000 {
        let seen: i64 = db
            .query_row("SELECT count(*) FROM _pql_events WHERE event = ?1", [event], |row| row.get(0))
            .unwrap_or(0);
        if seen > 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn another_session_pauses_and_cancels() {
    for (word, status) in [("pause", MigrationStatus::Paused), ("cancel", MigrationStatus::Cancelled)] {
        let file = File::new();
        let (mut first, _) = engine(&file.0, None);
        let id = begin(&mut first, plan(), Retain::Forever);
        let path = file.0.clone();
        let steering = std::thread::spawn(move || {
            let (mut second, _) = engine(&path, None);
            while !second.runs_elsewhere(id).unwrap() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            match word {
                "pause" => second.pause(id).unwrap().status,
                _ => second.cancel(id, &ApplyOptions::default(), &mut Silent).unwrap().status,
            }
        });
        // The run goes on only when the word is there, and then slowly enough to look for it.
        let mut observer = |_: &RunProgress| {
            wait_for_event(&file.0, &format!("{word}_asked"));
            std::thread::sleep(std::time::Duration::from_secs(3));
            Signal::Go
        };
        first.resume(id, &ApplyOptions::default(), &mut observer).unwrap_err();
        assert_eq!(steering.join().unwrap(), status);
        assert_eq!(first.info(id).unwrap().status, status);
    }
}

#[test]
fn a_word_that_comes_before_the_run_has_begun_is_not_lost() {
    let file = File::new();
    let (mut first, _) = engine(&file.0, None);
    let id = begin(&mut first, plan(), Retain::Forever);
    let journal = first.journal;
    let word = |engine: &mut Engine| journal.control(engine.backend.connection(), id).unwrap();
    journal.set_control(first.backend.connection(), id, Some("cancel")).unwrap();
    let lease = Lease::acquire(first.backend.as_mut(), journal, "alice", Some(id), PATIENCE).unwrap();
    assert_eq!(word(&mut first), None, "it was for a run before");
    journal.set_control(first.backend.connection(), id, Some("pause")).unwrap();
    first.prepare(id, &lease, None).unwrap();
    assert_eq!(word(&mut first).as_deref(), Some("pause"));
}

#[test]
fn what_somebody_begins_at_this_moment_is_not_given_up() {
    let file = File::new();
    let (mut first, _) = engine(&file.0, None);
    let id = begin(&mut first, plan(), Retain::Forever);
    let journal = first.journal;
    let mut record = first.record(id).unwrap();
    record.migration.status = MigrationStatus::Generated;
    journal.update(first.backend.connection(), &record).unwrap();
    let lease = Lease::acquire(first.backend.as_mut(), journal, "alice", Some(id), PATIENCE).unwrap();
    assert!(!first.give_up(id).unwrap());
    lease.release(first.backend.as_mut()).unwrap();
    assert!(first.give_up(id).unwrap());
    assert_eq!(first.info(id).unwrap().status, MigrationStatus::Cancelled);
}

#[test]
fn purging_ends_the_way_back() {
    let file = File::new();
    let (mut engine, _) = engine(&file.0, None);
    let id = begin(&mut engine, plan(), Retain::Forever);
    resume(&mut engine, id).unwrap();
    let options = ApplyOptions::default();
    let day = std::time::Duration::from_hours(24);
    assert!(engine.purge(None, Some(day), &options, &mut Silent).unwrap().is_empty());
    assert_eq!(engine.purge(Some(id), None, &options, &mut Silent).unwrap(), [id]);
    assert!(engine.purge(None, None, &options, &mut Silent).unwrap().is_empty());
    let error = engine.rollback(RollbackTarget::Last(1), &options, &mut Silent).unwrap_err();
    assert_eq!((error.code(), state(&file.0).as_str()), (codes::PURGED, NEW));
}

#[test]
fn what_is_not_to_be_kept_is_purged_with_the_run() {
    let file = File::new();
    let (mut engine, _) = engine(&file.0, None);
    let id = begin(&mut engine, plan(), Retain::No);
    resume(&mut engine, id).unwrap();
    assert!(!engine.info(id).unwrap().retained);
}

#[test]
fn reading_creates_nothing_and_a_newer_journal_is_left_alone() {
    let file = File::new();
    let (mut engine, _) = engine(&file.0, None);
    assert_eq!(engine.version().unwrap(), 0);
    assert!(engine.status().unwrap().is_empty() && engine.history().unwrap().is_empty());
    assert!(engine.interrupted().unwrap().is_empty() && engine.settings().unwrap().is_empty());
    assert_eq!(engine.verify().unwrap_err().code(), codes::NO_RECORD);
    assert_eq!(engine.find("0197").unwrap_err().code(), codes::UNKNOWN_MIGRATION);
    engine.set_setting("retain", None).unwrap();
    let count = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(engine.run_sql(count, &[]).unwrap().rows.unwrap().rows, [[Value::Integer(0)]]);

    engine.set_setting("retain", Some("7 days")).unwrap();
    assert_eq!(engine.settings().unwrap()["retain"], "7 days");
    engine.run_sql("UPDATE _pql_meta SET value = '99'", &[]).unwrap();
    assert_eq!(engine.version().unwrap_err().code(), codes::JOURNAL_NEWER);
    assert_eq!(engine.set_setting("x", Some("y")).unwrap_err().code(), codes::JOURNAL_NEWER);
}

#[test]
fn an_edited_journal_is_noticed() {
    let file = File::new();
    let (mut engine, _) = engine(&file.0, None);
    let id = begin(&mut engine, plan(), Retain::Forever);
    engine
        .run_sql(
            "UPDATE _pql_migrations SET operations = '[{\"op\":\"drop_table\",\"table\":{\"name\":\"t\"}}]'",
            &[],
        )
        .unwrap();
    assert_eq!(resume(&mut engine, id).unwrap_err().code(), codes::JOURNAL_DAMAGED);
}

#[test]
fn baseline_and_drift() {
    let file = File::new();
    let (mut engine, _) = engine(&file.0, None);
    engine.run_sql("CREATE TABLE kept (x)", &[]).unwrap();
    let baseline = engine.baseline(Some("start")).unwrap();
    assert_eq!((baseline.version, engine.version().unwrap()), (Some(1), 1));
    assert!(engine.verify().unwrap().is_empty());
    assert_eq!(engine.baseline(None).unwrap_err().code(), codes::BASELINE_LATE);
    let back = engine.rollback(RollbackTarget::Last(1), &ApplyOptions::default(), &mut Silent).unwrap_err();
    assert_eq!(back.code(), codes::IRREVERSIBLE);
    engine.run_sql("DROP TABLE kept", &[]).unwrap();
    engine.run_sql("CREATE TABLE other (x)", &[]).unwrap();
    let drift: Vec<String> = engine.verify().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["table kept is gone", "table other is new"]);
}

#[test]
fn names_and_beginnings_of_ids_are_found() {
    let file = File::new();
    let (mut engine, _) = engine(&file.0, None);
    let id = begin(&mut engine, plan(), Retain::Forever);
    let text = id.to_string();
    for spelling in [text.as_str(), &text[..13], "test", &text.to_uppercase()] {
        assert_eq!(engine.find(spelling).unwrap(), id, "{spelling}");
    }
    let mut wrong = text.clone();
    wrong.replace_range(35.., if text.ends_with('0') { "1" } else { "0" });
    let error = engine.find(&wrong).unwrap_err();
    assert!(error.help().unwrap().contains(&text), "{error:?}");
}

#[test]
fn deltas_lead_from_schema_to_schema() {
    let journal = Journal::new(pql_planner::Dialect::Sqlite);
    assert_eq!(journal.sql("SELECT ?1 FROM {steps}"), "SELECT ?1 FROM _pql_steps");
    let (from, to) = (schema(&["a", "b", "c"]), schema(&["b", "c", "d"]));
    let delta = Delta::between(&from, &to);
    assert_eq!(delta.set.tables.keys().map(|name| name.name.as_str()).collect::<Vec<_>>(), ["d"]);
    let mut schema = from;
    delta.apply(&mut schema);
    assert_eq!(schema.tables.keys().collect::<Vec<&ObjectName>>(), to.tables.keys().collect::<Vec<_>>());
}

/// Where the journal's transaction cannot be that of the definition, what was done before it is found in the database.
#[test]
fn a_definition_that_the_journal_does_not_know_of_is_found() {
    for resume in [true, false] {
        let file = File::new();
        let create = |name: &str| Step {
            action: Action::CreateTable { table: Table::new(name) },
            ..step("", &[&format!("DROP TABLE {name}")])
        };
        let plan = Plan { steps: vec![create("a"), create("b")], ..plan() };
        let at = |fault| {
            let mut fake = Fake::apart(&file.0);
            fake.fault = fault;
            Engine::with_backend(Box::new(fake), Some("tester".to_owned()))
        };
        let mut engine = at(Some(Fault::KillBefore(2)));
        let id = begin(&mut engine, plan, Retain::Forever);
        self::resume(&mut engine, id).unwrap_err();
        drop(engine);
        let mut engine = at(None);
        let report = if resume {
            self::resume(&mut engine, id).unwrap()
        } else {
            engine.cancel(id, &ApplyOptions::default(), &mut Silent).unwrap()
        };
        let left: Vec<String> = engine.schema().unwrap().tables.keys().map(ToString::to_string).collect();
        let expected = if resume {
            (MigrationStatus::Applied, vec!["a".to_owned(), "b".to_owned()])
        } else {
            (MigrationStatus::Cancelled, Vec::new())
        };
        assert_eq!((report.status, left), expected, "{report:?}");
    }
}
