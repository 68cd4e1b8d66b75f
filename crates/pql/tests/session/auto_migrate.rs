//! Sessions that bring their database to its schema by themselves.

use pql::Session;

use super::{Database, rows};

const TARGET: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INTEGER DEFAULT 1);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);";

fn database() -> Database {
    Database::with("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, legacy BLOB);")
}

async fn open(url: &str) -> Session {
    Session::builder()
        .database(url)
        .application_schema(TARGET)
        .auto_migrate(true)
        .open()
        .await
        .expect("it opens and migrates")
}

#[tokio::test]
async fn opening_applies_what_loses_nothing_and_holds_the_rest() {
    let database = database();
    let mut session = open(&database.url()).await;
    let outputs = session.execute("MIGRATE STATUS").await.expect("it runs");
    let states: Vec<String> =
        (0..rows(&outputs).len()).map(|row| super::text(rows(&outputs), row, "status")).collect();
    assert_eq!(states, ["applied", "generated"]);
    assert_eq!(database.number("SELECT count(age) + count(legacy) FROM users"), 0);
    // Again there is nothing to do, and what is held is not generated twice.
    let mut session = open(&database.url()).await;
    let outputs = session.execute("MIGRATE STATUS").await.expect("it runs");
    assert_eq!(rows(&outputs).len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn sessions_that_start_at_once_do_it_once() {
    let database = database();
    let url = database.url();
    let (a, b, c) = tokio::join!(open(&url), open(&url), open(&url));
    drop((a, b, c));
    let mut session = database.session().await;
    let outputs =
        session.execute("MIGRATE STATUS; SELECT @current_version AS version").await.expect("it runs");
    assert_eq!(super::number(rows(&outputs), 0, "version"), 1);
    let status = outputs[0].rows().expect("rows");
    let applied = (0..status.len()).filter(|&row| super::text(status, row, "status") == "applied").count();
    assert_eq!(applied, 1, "{status}");
}

#[tokio::test]
async fn what_comes_in_the_place_of_something_held_is_held_with_it() {
    let database = Database::with(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, total INTEGER);
         INSERT INTO users VALUES (1, 'a', 5);",
    );
    let target = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INTEGER,
                      total INTEGER GENERATED ALWAYS AS (id * 2) VIRTUAL);";
    let session = Session::builder()
        .database(database.url())
        .application_schema(target)
        .auto_migrate(true)
        .open()
        .await;
    let mut session = session.expect("it opens and migrates");
    let outputs = session.execute("MIGRATE STATUS").await.expect("it runs");
    let held: Vec<i64> =
        (0..rows(&outputs).len()).map(|row| super::number(rows(&outputs), row, "operations")).collect();
    assert_eq!(held, [1, 2], "the new column; the drop with what takes its place");
    assert_eq!(database.number("SELECT total FROM users WHERE age IS NULL"), 5);
    session.execute("MIGRATE APPLY migration_id = @migration_id").await.expect("it runs");
    assert_eq!(database.number("SELECT total FROM users"), 2);
}
