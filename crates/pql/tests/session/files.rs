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
