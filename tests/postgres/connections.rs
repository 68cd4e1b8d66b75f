//! Connections: values there and back, errors, and what a pooler does to them.

use pql_engine::backend::LockPatience;
use pql_engine::{Engine, OpenOptions, Value, codes};

use crate::support::{Database, server};

fn row(engine: &mut Engine, sql: &str, params: &[(String, Value)]) -> Vec<Value> {
    engine.run_sql(sql, params).unwrap().rows.unwrap().rows.remove(0)
}

#[test]
fn values_of_every_common_type() {
    let database = Database::with(
        "CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
         CREATE TYPE pair AS (a int, b text);",
    );
    let mut client = database.client();
    for pooled in [false, true] {
        let mut engine = if pooled { database.pooled_engine() } else { database.engine() };
        for expression in [
            "1.50::numeric(10,2)",
            "-0.0001::numeric",
            "12345678901234567890.000100::numeric",
            "0::numeric(5,3)",
            "'NaN'::numeric",
            "100000000::numeric",
            "0.00012345::numeric",
            "'2024-02-29'::date",
            "'infinity'::date",
            "'0044-03-15 BC'::date",
            "'12:34:56.789'::time",
            "'24:00'::time",
            "'12:34:56+05:30'::timetz",
            "'2024-02-29 01:02:03.000001'::timestamp",
            "'1 year 2 mons -3 days 04:05:06.7'::interval",
            "'-1 mons +3 days'::interval",
            "'00:00:00'::interval",
            "'-00:00:01.5'::interval",
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            "'{\"a\": [1, null]}'::jsonb",
            "'{ }'::json",
            "'192.168.0.1/24'::inet",
            "'10.0.0.0/8'::cidr",
            "'fe80::1/64'::inet",
            "'08:00:2b:01:02:03'::macaddr",
            "B'10110'::bit(5)",
            "ARRAY[1,NULL,3]",
            "ARRAY[['a b','c,d'],['\"','']]",
            "'{}'::text[]",
            "ARRAY[1.5,2.25]::numeric[]",
            "int4range(1, 5)",
            "'empty'::int4range",
            "tstzrange(NULL, '2024-01-01Z')",
            "'it''s ok'::mood",
            "ARRAY['sad']::mood[]",
            "7::positive",
            "ROW(1,'x y')::pair",
            "ROW(1,NULL,'')",
            "'(1,2)'::point",
            "'x'::\"char\"",
            "'16/B374D848'::pg_lsn",
            "'pg_class'::regclass::text",
        ] {
            let wanted: Option<String> = client
                .simple_query(&format!(
                    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SELECT ({expression})::text"
                ))
                .unwrap()
                .into_iter()
                .find_map(|message| match message {
                    postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                });
            let found = match row(&mut engine, &format!("SELECT {expression}"), &[]).remove(0) {
                Value::Text(text) => text,
                Value::Integer(number) => number.to_string(),
                other => panic!("{expression}: {other:?}"),
            };
            assert_eq!(Some(found), wanted, "{expression}");
        }
    }
    let mut engine = database.engine();
    assert_eq!(
        row(
            &mut engine,
            "SELECT true, 1::int2, 2::int8, 1.5::float4, 0.1::float8, '\\x00ff'::bytea, NULL",
            &[]
        ),
        [
            Value::Boolean(true),
            Value::Integer(1),
            Value::Integer(2),
            Value::Real(1.5),
            Value::Real(0.1),
            Value::Blob(vec![0, 255]),
            Value::Null
        ]
    );
}

#[test]
fn values_are_bound_whatever_their_type() {
    let database = Database::with(
        "CREATE TABLE t (a smallint, b numeric(6,2), c timestamptz, d jsonb, e bytea, f boolean, g text, h uuid[])",
    );
    for mut engine in [database.engine(), database.pooled_engine()] {
        let params: Vec<(String, Value)> = [
            ("a", Value::Integer(3)),
            ("b", Value::Text("12.50".into())),
            ("c", Value::Text("2024-01-01 00:00:00+02".into())),
            ("d", Value::Text("{\"x\": 1}".into())),
            ("e", Value::Blob(vec![1, 2])),
            ("f", Value::Boolean(false)),
            ("g", Value::Text("'); DROP TABLE t; --".into())),
            ("h", Value::Null),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let done = engine.run_sql("INSERT INTO t VALUES (@a, @b, @c, @d, @e, @f, @g, @h)", &params).unwrap();
        assert_eq!((done.rows, done.changed), (None, 1));
        let found = row(&mut engine, "DELETE FROM t WHERE a = @a AND e = @e AND g = @g RETURNING *", &params);
        assert_eq!(
            found,
            [
                Value::Integer(3),
                "12.50".into(),
                "2023-12-31 22:00:00+00".into(),
                "{\"x\": 1}".into(),
                Value::Blob(vec![1, 2]),
                Value::Boolean(false),
                "'); DROP TABLE t; --".into(),
                Value::Null
            ]
        );
        let empty = engine.run_sql("SELECT a, g AS \"G g\" FROM t", &[]).unwrap().rows.unwrap();
        assert_eq!((empty.columns, empty.rows.len()), (vec!["a".to_owned(), "G g".to_owned()], 0));
    }
}

#[test]
fn errors_keep_their_meaning() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut engine = database.engine();
    let mut refused = |sql: &str| engine.run_sql(sql, &[]).unwrap_err();
    let error = refused("INSERT INTO t VALUES (1)");
    assert_eq!(error.code(), codes::CONSTRAINT);
    assert!(error.message().contains("Key (id)=(1) already exists"), "{error}");
    assert_eq!(refused("SELECT * FROM nowhere").code(), codes::DATABASE);
    assert_eq!(refused("COPY t TO STDOUT").code(), codes::UNSUPPORTED);
    assert_eq!(refused("SELECT 1/0").message(), "division by zero");
    let mut client = database.client();
    client.batch_execute("CREATE ROLE visitor LOGIN").unwrap();
    let url = database.url().replace("postgres@", "visitor@");
    let mut visitor = Engine::open(&url, &OpenOptions::default()).unwrap();
    assert_eq!(visitor.run_sql("SELECT * FROM t", &[]).unwrap_err().code(), codes::PERMISSION);
    let reader = OpenOptions { read_only: true, ..OpenOptions::default() };
    let mut reader = Engine::open(&database.url(), &reader).unwrap();
    assert_eq!(reader.run_sql("DELETE FROM t", &[]).unwrap_err().code(), codes::READ_ONLY);
    assert_eq!(row(&mut reader, "SELECT id FROM t", &[]), [Value::Integer(1)]);
}

#[test]
fn what_cannot_be_opened_is_said() {
    let database = Database::new();
    let refused = |url: &str| Engine::open(url, &OpenOptions::default()).err().unwrap();
    let error = refused(&database.url().replace("/t", "/no_t"));
    assert_eq!(error.code(), codes::CANNOT_OPEN);
    assert!(error.message().contains("does not exist"), "{error}");
    let error = refused("postgres://me:secret@127.0.0.1:1/x?connect_timeout=2");
    assert_eq!(error.code(), codes::CANNOT_OPEN);
    assert!(!error.to_string().contains("secret") && error.message().contains("me@127.0.0.1:1/x"), "{error}");
    // Nobody listens at that port, whatever the host.
    let error = refused("postgres:///x?port=1&connect_timeout=2");
    assert!(error.help().unwrap().contains("localhost was tried"), "{error} {:?}", error.help());
}

/// Whether the connection of an address is encrypted, or the error that there is none.
fn encrypted(url: &str) -> Result<bool, pql_engine::Error> {
    let mut engine = Engine::open(url, &OpenOptions::default())?;
    let row = row(&mut engine, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]);
    Ok(row == [Value::Boolean(true)])
}

#[test]
fn tls_as_it_is_asked_for() {
    let database = Database::with("CREATE ROLE tlsonly LOGIN");
    let certificate = |name: &str| server().directory.join(name).display().to_string();
    let (root, other) = (certificate("root.crt"), certificate("other.crt"));
    let url = |host: &str, mode: &str| database.tcp_url("tlsonly", host, &format!("?sslmode={mode}"));
    let trusting = |host: &str, mode: &str, root: &str| format!("{}&sslrootcert={root}", url(host, mode));
    for fine in [
        url("127.0.0.1", "prefer"),
        url("127.0.0.1", "require"),
        trusting("127.0.0.1", "require", &root),
        trusting("127.0.0.1", "verify-ca", &root),
        trusting("localhost", "verify-full", &root),
    ] {
        assert!(encrypted(&fine).unwrap(), "{fine}");
    }
    for wrong in [
        url("127.0.0.1", "disable"),
        trusting("127.0.0.1", "verify-full", &root),
        trusting("localhost", "verify-ca", &other),
        trusting("localhost", "require", &other),
        trusting("localhost", "verify-full", "/nowhere.crt"),
        url("localhost", "sometimes"),
    ] {
        assert_eq!(encrypted(&wrong).unwrap_err().code(), codes::CANNOT_OPEN, "{wrong}");
    }
    assert!(!encrypted(&database.tcp_url("postgres", "127.0.0.1", "?sslmode=disable")).unwrap());
}

#[test]
fn passwords_from_the_address_and_the_password_file() {
    let database = Database::with("CREATE ROLE guarded LOGIN PASSWORD 'p:a\\ss@word'");
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines = format!("*:*:other:*:wrong\n127.0.0.1:*:{}:guarded:p\\:a\\\\ss@word\n", database.name);
    std::fs::write(file.path(), lines).unwrap();
    let with_file = database.tcp_url("guarded", "127.0.0.1", &format!("?passfile={}", file.path().display()));
    let in_address = database.tcp_url("guarded:p%3Aa%5Css%40word", "127.0.0.1", "");
    for url in [&with_file, &in_address] {
        let mut engine =
            Engine::open(url, &OpenOptions::default()).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(row(&mut engine, "SELECT current_user::text", &[]), ["guarded".into()]);
    }
    let wrong = database.tcp_url("guarded:secret", "127.0.0.1", "");
    let error = Engine::open(&wrong, &OpenOptions::default()).err().unwrap();
    assert_eq!(error.code(), codes::CANNOT_OPEN);
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    assert!(error.help().is_some_and(|help| help.contains("PGPASSWORD")), "{error:?}");
    std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let error = Engine::open(&with_file, &OpenOptions::default()).err().unwrap();
    assert!(error.message().contains("can be read by others"), "{error}");
}

#[test]
fn a_lost_connection_is_opened_again() {
    let database = Database::new();
    let mut engine = database.engine();
    let pid = row(&mut engine, "SELECT pg_backend_pid()", &[]).remove(0);
    let Value::Integer(pid) = pid else { panic!("{pid:?}") };
    database.client().execute("SELECT pg_terminate_backend($1)", &[&i32::try_from(pid).unwrap()]).unwrap();
    let error = engine.run_sql("SELECT 1", &[]);
    assert!(error.is_err_and(|error| error.code() == codes::CONNECTION && error.is_retryable()));
    assert_eq!(row(&mut engine, "SELECT 1", &[]), [Value::Integer(1)]);
}

#[test]
fn a_connection_that_is_ended_between_two_statements_is_no_error_to_a_reader() {
    let database = Database::with("CREATE TABLE t (a int)");
    for mut engine in [database.engine(), database.pooled_engine()] {
        let before = engine.schema().unwrap();
        database
            .client()
            .batch_execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE pid <> pg_backend_pid() AND datname = current_database()",
            )
            .unwrap();
        assert_eq!(engine.schema().unwrap(), before);
    }
}

#[test]
fn a_statement_waits_for_locks_as_long_as_the_session_says() {
    let database = Database::with("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let mut holder = database.client();
    holder.batch_execute("BEGIN; LOCK TABLE t").unwrap();
    for mut engine in [database.engine(), database.pooled_engine()] {
        let short = std::time::Duration::from_millis(50);
        engine.set_patience(LockPatience { attempt: short, total: short });
        for sql in ["SELECT * FROM t", "UPDATE t SET a = 2", "ALTER TABLE t ADD COLUMN b int"] {
            assert_eq!(engine.run_sql(sql, &[]).unwrap_err().code(), codes::LOCKED, "{sql}");
        }
        engine.run_sql("BEGIN", &[]).unwrap();
        assert_eq!(engine.run_sql("SELECT * FROM t", &[]).unwrap_err().code(), codes::LOCKED);
        assert_eq!(engine.run_sql("SELECT 1", &[]).unwrap_err().code(), codes::TRANSACTION_OPEN);
        engine.run_sql("ROLLBACK", &[]).unwrap();
        // What the user sets is the user's, and none of it stays behind.
        engine.run_sql("BEGIN", &[]).unwrap();
        engine.run_sql("SET LOCAL lock_timeout = '7s'", &[]).unwrap();
        assert_eq!(row(&mut engine, "SELECT current_setting('lock_timeout')", &[]), [Value::from("7s")]);
        engine.run_sql("CREATE TABLE kept (a int)", &[]).unwrap();
        engine.run_sql("INSERT INTO kept VALUES (1), (2)", &[]).unwrap();
        engine.run_sql("COMMIT", &[]).unwrap();
        assert_eq!(row(&mut engine, "SELECT count(*) FROM kept", &[]), [Value::Integer(2)]);
        assert_eq!(row(&mut engine, "SHOW lock_timeout", &[]), [Value::from("0")]);
        for sql in ["VACUUM kept", "CREATE INDEX CONCURRENTLY kept_a ON kept (a)", "DROP TABLE kept"] {
            engine.run_sql(sql, &[]).unwrap();
        }
    }
}

/// A statement that is passed through and one of PQL's own mean the same table, whatever the role's path is.
#[test]
fn a_name_without_a_schema_means_public_for_every_statement() {
    let database = Database::with(
        "CREATE SCHEMA app; CREATE TABLE app.t (v text); CREATE TABLE public.t (v text);
         INSERT INTO app.t VALUES ('app'); INSERT INTO public.t VALUES ('public')",
    );
    assert!(database.engine().remark().is_none());
    let name: String = database.client().query_one("SELECT current_database()", &[]).unwrap().get(0);
    let alter = format!("ALTER DATABASE \"{name}\" SET search_path = app, public");
    database.client().batch_execute(&alter).unwrap();
    let is = |engine: &mut Engine, schema: &str| {
        assert_eq!(row(engine, "SELECT v FROM t", &[]), [Value::from(schema)]);
    };
    for mut engine in [database.engine(), database.pooled_engine()] {
        assert!(engine.remark().unwrap().contains("app, public"));
        is(&mut engine, "public");
        engine.run_sql("BEGIN", &[]).unwrap();
        is(&mut engine, "public");
        engine.run_sql("COMMIT", &[]).unwrap();
        engine.run_sql("UPDATE t SET v = v || ''", &[]).unwrap();
        assert_eq!(row(&mut engine, "SELECT v FROM app.t", &[]), [Value::from("app")]);
    }
    // The application's own connections are as they were.
    assert_eq!(database.client().query_one("SELECT v FROM t", &[]).unwrap().get::<_, String>(0), "app");
    let mut engine = database.engine();
    engine.run_sql("SET search_path = app", &[]).unwrap();
    is(&mut engine, "app");
}
