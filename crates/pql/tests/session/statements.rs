//! Statements, parameters and answers.

use pql::{Schema, SchemaOf, Session, Table};
use serde::Deserialize;

use super::{Database, number, rows, text};

const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
    INSERT INTO users (email) VALUES ('a@x'), ('b@x');";

#[tokio::test]
async fn rows_are_values_and_structs() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct User {
        id: i64,
        email: String,
    }
    let database = Database::with(USERS);
    let mut session = database.session().await;
    session.bind("wanted", "b@x");
    let outputs =
        session.execute("SELECT id, email FROM users WHERE email = @wanted").await.expect("it runs");
    let users: Vec<User> = rows(&outputs).deserialize().expect("the columns fit");
    assert_eq!(users, [User { id: 2, email: "b@x".to_owned() }]);

    let outputs = session.execute("UPDATE users SET email = upper(email)").await.expect("it runs");
    assert_eq!(outputs[0].changed(), Some(2));
    assert_eq!(outputs[0].statement, "update");
}

#[tokio::test]
async fn nothing_runs_when_anything_does_not_parse() {
    let database = Database::with(USERS);
    let mut session = database.session().await;
    let script = "DELETE FROM users;\nMIGRAT STATUS;\nALTER TABLE users ADD;";
    let error = session.execute(script).await.expect_err("two statements do not parse");
    let lines: Vec<usize> = error.all().filter_map(pql::Error::span).map(|span| span.line).collect();
    assert_eq!(lines, [2, 3]);
    assert!(error.is_syntax());
    assert_eq!(database.number("SELECT count(*) FROM users"), 2);
}

#[tokio::test]
async fn the_last_migration_and_the_version_are_bound_unless_the_user_did() {
    let database = Database::with(USERS);
    let mut session = database.session().await;
    let script = "MIGRATE GENERATE ADD COLUMN users.age INTEGER; MIGRATE APPLY migration_id = @migration_id;
        SELECT @current_version AS version, @migration_id AS id";
    let outputs = session.execute(script).await.expect("it runs");
    let id = outputs[0].migration_id().expect("a migration was generated");
    assert_eq!(number(rows(&outputs), 0, "version"), 1);
    assert_eq!(text(rows(&outputs), 0, "id"), id.to_string());

    session.bind("migration_id", "mine");
    let outputs = session.execute("SELECT @migration_id AS id").await.expect("it runs");
    assert_eq!(text(rows(&outputs), 0, "id"), "mine");
}

#[derive(Table)]
#[table(name = "users")]
#[expect(dead_code, reason = "only its shape matters")]
struct User {
    #[column(primary_key)]
    id: i64,
    #[column(renamed_from = "email")]
    mail: String,
    #[column(default = "0", check = "age >= 0")]
    age: i32,
    nickname: Option<String>,
}

#[derive(Table)]
#[table(index(columns = "price DESC", filter = "price > 1"))]
#[expect(dead_code, reason = "only its shape matters")]
struct Product {
    #[column(primary_key)]
    id: i64,
    #[column(references = "users(id) ON DELETE CASCADE", index)]
    owner: i64,
    #[column(type = "DECIMAL(10,2)", default = "1 + 1")]
    price: f64,
    #[column(default = "NOW()")]
    made: NaiveDateTime,
    picture: Option<Vec<u8>>,
    embedding: Option<[f32; 4]>,
}

struct NaiveDateTime;

#[tokio::test]
async fn structs_are_the_application_schema() {
    let database = Database::with(USERS);
    let mut session = database.session().await;
    session.bind("target", Schema::of::<(User, Product)>());
    let script =
        "MIGRATE GENERATE TO application_schema = @target; MIGRATE APPLY migration_id = @migration_id;
        MIGRATE DETECT TO application_schema = @target";
    let outputs = session.execute(script).await.expect("it runs");
    assert!(rows(&outputs).is_empty(), "{}", rows(&outputs));
    assert_eq!(database.number("SELECT count(*) FROM users WHERE mail LIKE '%@x' AND age = 0"), 2);

    session.execute("MIGRATE ROLLBACK LAST 1").await.expect("it rolls back");
    assert_eq!(database.number("SELECT count(*) FROM users WHERE email LIKE '%@x'"), 2);
}

#[tokio::test]
async fn the_json_form_leads_back_to_the_same_schema() {
    let database = Database::with(USERS);
    let mut session = database.session().await;
    let json = session.schema_as(pql::SchemaForm::Json).await.expect("a schema");
    let model = session.schema().await.expect("a schema");
    session.bind("text", json);
    session.bind("model", model);
    for name in ["text", "model"] {
        let detect = format!("MIGRATE DETECT TO application_schema = @{name}");
        let outputs = session.execute(&detect).await.expect("it runs");
        assert!(rows(&outputs).is_empty(), "{}", rows(&outputs));
    }
}

#[tokio::test]
async fn an_unfinished_error_names_its_place() {
    let database = Database::with(USERS);
    let mut session = database.session().await;
    let error =
        session.execute("SELECT 1;\nALTER TABLE userz ADD COLUMN a TEXT").await.expect_err("no such table");
    assert_eq!(error.span().map(|span| span.line), Some(2));
    assert_eq!(error.help(), Some("did you mean `users`?"));

    let schema = "CREATE TABLE a (id INTEGER);\nCREATE TABLE a (id INTEGER);";
    session.bind("schema", schema);
    let error = session
        .execute("MIGRATE DETECT TO application_schema = @schema")
        .await
        .expect_err("a is there twice");
    assert_eq!(error.span().map(|span| span.line), Some(2));
    assert_eq!(error.origin().map(|(_, text)| text), Some(schema));
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_an_error_at_once() {
    assert!(Session::open("/no/such/directory/a.db").await.is_err());
    let database = Database::with(USERS);
    let missing = format!("{}.missing", database.url());
    assert!(Session::builder().database(missing).existing().open().await.is_err());
    let mut reader = Session::builder().database(database.url()).read_only().open().await.expect("it opens");
    assert!(reader.execute("CREATE TABLE x (id INTEGER)").await.is_err());
    let outputs =
        reader.execute("SELECT count(*) AS n FROM users; MIGRATE STATUS").await.expect("reading works");
    assert_eq!(outputs[0].rows().map(|rows| number(rows, 0, "n")), Some(2));
}
