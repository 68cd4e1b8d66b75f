//! Migration files by the typed interface; the program's own tests have the cases.

use std::sync::{Arc, Mutex};

use pql::files::{MigrationConfig, MigrationExecutor, MigrationExecutorConfig, ProgressEvent};

use super::Database;

#[tokio::test]
async fn files_are_created_validated_applied_and_rolled_back() {
    let database = Database::with("CREATE TABLE t (id INTEGER PRIMARY KEY);");
    let directory = database.directory.path().join("migrations");
    let mut session = database.session().await;
    let config = MigrationConfig { migrations_dir: directory.clone(), ..MigrationConfig::default() };
    assert_eq!((config.lock_timeout_secs, config.auto_rollback, config.max_concurrent_ops), (300, true, 4));
    let mut executor =
        MigrationExecutor::new(&mut session, MigrationExecutorConfig { config, verbose: true });
    executor.initialize().await.expect("a directory and a database");

    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    executor.progress.listen(move |event| {
        listener.lock().expect("nobody panics").push(event.clone());
        pql::Signal::Go
    });

    let created = executor.create("Add a column").expect("two files");
    assert_eq!(created.id, "001_add_a_column");
    std::fs::write(&created.up, "ALTER TABLE t ADD COLUMN a TEXT;").expect("the file is written");
    let validation = executor.validate_migration(None).await.expect("it validates");
    assert!(validation.valid, "{validation:?}");

    let results = executor.migrate_up(None).await.expect("it applies");
    assert!(results[0].success && results[0].migration_id == created.id, "{results:?}");
    assert!(executor.migrate_up(None).await.expect("nothing is left").is_empty());
    let events = told.lock().expect("nobody panics").clone();
    assert!(matches!(&events[0], ProgressEvent::Start { id, .. } if *id == created.id), "{events:?}");
    assert!(matches!(events.last(), Some(ProgressEvent::Complete(result)) if result.success), "{events:?}");

    let rows = executor.status().await.expect("a line per file");
    assert_eq!(rows[0].status.as_str(), "Applied");
    let results = executor.migrate_down(1).await.expect("it rolls back");
    assert!(results[0].success);
    assert_eq!(executor.status().await.expect("a line per file")[0].status.as_str(), "Rolled back");
    assert_eq!(database.number("SELECT count(*) FROM pragma_table_xinfo('t')"), 1);
}

/// An executor's configuration for files of a test.
fn config(database: &Database, files: &[(&str, &str)]) -> MigrationExecutorConfig {
    let migrations_dir = database.directory.path().join("migrations");
    std::fs::create_dir_all(&migrations_dir).expect("a directory");
    for (name, text) in files {
        std::fs::write(migrations_dir.join(name), text).expect("a file");
    }
    let config = MigrationConfig { migrations_dir, auto_rollback: false, ..MigrationConfig::default() };
    MigrationExecutorConfig { config, verbose: false }
}

const HALF_WAY: [(&str, &str); 3] = [
    ("001_a.up.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);"),
    ("002_b.up.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY); CREATE UNIQUE INDEX t_n ON t (n);"),
    ("003_c.up.sql", "ALTER TABLE b ADD COLUMN c TEXT;"),
];

async fn statuses(executor: &mut MigrationExecutor<'_>) -> Vec<&'static str> {
    executor.status().await.expect("a status").iter().map(|row| row.status.as_str()).collect()
}

#[tokio::test]
async fn a_file_that_stands_half_way_is_finished_and_the_others_follow() {
    let database = Database::with("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (1);");
    let mut session = database.session().await;
    let config = config(&database, &HALF_WAY);
    let changed = config.config.migrations_dir.join("002_b.up.sql");
    let mut executor = MigrationExecutor::new(&mut session, config);
    let results = executor.migrate_up(None).await.expect("it runs");
    assert_eq!(results.iter().map(|it| it.success).collect::<Vec<_>>(), [true, false]);
    assert_eq!(statuses(&mut executor).await, ["Applied", "Interrupted", "Pending"]);
    database.plain().execute_batch("UPDATE t SET n = rowid").expect("SQL of the test");

    // What was begun is what is finished.
    std::fs::write(&changed, "CREATE TABLE b (id INTEGER PRIMARY KEY, other TEXT);").expect("a file");
    let refused = executor.migrate_up(None).await.expect_err("the file was changed");
    assert!(refused.message().contains("changed after it was begun"), "{refused}");
    std::fs::write(&changed, HALF_WAY[1].1).expect("a file");

    let results = executor.migrate_up(None).await.expect("it runs");
    assert!(results.len() == 2 && results.iter().all(|it| it.success), "{results:?}");
    assert_eq!(statuses(&mut executor).await, ["Applied", "Applied", "Applied"]);
}

#[tokio::test]
async fn down_begins_with_the_file_that_stands_half_way() {
    let database = Database::with("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (1);");
    let mut session = database.session().await;
    let mut executor = MigrationExecutor::new(&mut session, config(&database, &HALF_WAY));
    executor.migrate_up(None).await.expect("it runs");
    let results = executor.migrate_down(2).await.expect("it runs");
    let done: Vec<_> = results.iter().map(|it| (it.migration_id.as_str(), it.success)).collect();
    assert_eq!(done, [("002_b", true), ("001_a", true)]);
    assert_eq!(database.number("SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'b', 't_n')"), 0);
    assert_eq!(statuses(&mut executor).await, ["Rolled back", "Pending", "Pending"]);
}

#[tokio::test(flavor = "current_thread")]
async fn files_that_several_run_at_once_are_each_applied_once() {
    let database = Database::with("CREATE TABLE seen (what TEXT);");
    // Nothing but the file's name says that this was done already.
    let files = [("001_a.up.sql", "INSERT INTO seen VALUES ('a');"), ("001_a.down.sql", "DELETE FROM seen;")];
    let config = config(&database, &files);
    let up = async || {
        let mut session = database.session().await;
        let mut executor = MigrationExecutor::new(&mut session, config.clone());
        executor.migrate_up(None).await.expect("it runs").len()
    };
    let (a, b, c) = tokio::join!(up(), up(), up());
    assert_eq!((a + b + c, database.number("SELECT count(*) FROM seen")), (1, 1));
    assert_eq!(up().await, 0);
}
