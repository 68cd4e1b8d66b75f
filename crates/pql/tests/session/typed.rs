//! The typed calls.

use pql::{MigrationStatus, MigrationStrategy};

use super::Database;

const TARGET: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INTEGER);";

fn database() -> Database {
    Database::with("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);")
}

#[tokio::test]
async fn a_change_goes_there_and_back() {
    let database = database();
    let mut session = database.session().await;
    let mut migrator = session.migrator();
    let changes = migrator.detect_changes(TARGET).await.expect("it detects");
    assert_eq!(changes.len(), 1);
    let migration = migrator.generate_migration(changes).await.expect("it generates");
    assert_eq!(migration.status, MigrationStatus::Generated);

    let report = migrator.apply_migration(&migration, MigrationStrategy::Offline).await.expect("it applies");
    assert_eq!((report.version, report.strategy), (1, MigrationStrategy::Offline));
    assert!(migrator.detect_changes(TARGET).await.expect("it detects").is_empty());
    assert!(
        migrator.apply_migration(&migration, MigrationStrategy::Online).await.is_err(),
        "it is applied already"
    );

    let reports = migrator.rollback_migration(migration.id).await.expect("it rolls back");
    assert_eq!(reports[0].status, MigrationStatus::RolledBack);
    let mut log = migrator.log();
    assert_eq!(log.get(migration.id).await.expect("it is known").status, MigrationStatus::RolledBack);
    let events: Vec<String> =
        log.history().await.expect("a history").into_iter().map(|event| event.event).collect();
    assert_eq!(events, ["generated", "started", "applied", "rollback_started", "rolled_back"]);
}

#[tokio::test]
async fn what_was_done_by_other_means_can_be_recorded() {
    let database = database();
    let mut session = database.session().await;
    let changes = session.migrator().detect_changes(TARGET).await.expect("it detects");
    let mut migrator = session.migrator();
    let migration = migrator.log().save("ages", changes).await.expect("it saves");
    assert_eq!(migrator.log().find("ages").await.expect("it is found"), migration.id);
    assert!(migrator.log().mark_applied(migration.id).await.is_err(), "it has not been done");

    database.plain().execute_batch("ALTER TABLE users ADD COLUMN age INTEGER").expect("it is done by hand");
    let marked = migrator.log().mark_applied(migration.id).await.expect("now it has");
    assert_eq!((marked.status, marked.version), (MigrationStatus::Applied, Some(1)));
    let outputs = session.execute("MIGRATE VERIFY").await.expect("it verifies");
    assert!(super::rows(&outputs).is_empty());
    assert!(session.execute("MIGRATE ROLLBACK LAST 1").await.is_err(), "nothing was retained");
}
