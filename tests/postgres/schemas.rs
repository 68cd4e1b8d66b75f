//! The schema that is read, against the schema file that is printed of it.

use pql_engine::{Engine, Location, OpenOptions};
use pql_planner::lower;
use pql_planner::{Dialect, Hold};
use pql_schema::{
    Answers, ConstraintKind, DataType, Deferrable, Identity, NullsOrder, ObjectName, Schema, SortOrder,
};

use crate::support::Database;

const EVERYTHING: &str = include_str!("everything.sql");

fn in_app(name: &str) -> ObjectName {
    ObjectName { schema: Some("app".to_owned()), name: name.to_owned() }
}

fn read_back(text: &str) -> Schema {
    lower::schema_text(text, Dialect::Postgres, &|_| None)
        .unwrap_or_else(|found| panic!("{found:#?}\n{text}"))
        .schema
}

fn changes(engine: &mut Engine, target: &Schema) -> Vec<String> {
    let found = engine.detect(None, target, &Answers::default()).unwrap();
    assert!(found.questions.is_empty(), "{:?}", found.questions);
    found.changes.into_iter().map(|change| change.statement).collect()
}

#[test]
fn a_schema_is_what_its_own_file_says() {
    let database = Database::with(EVERYTHING);
    for mut engine in [database.engine(), database.pooled_engine()] {
        let schema = engine.schema().unwrap();
        let target = read_back(&pql_planner::text::schema(&schema));
        assert_eq!(changes(&mut engine, &target), Vec::<String>::new());
        let json = lower::schema_json(&schema.to_json(), Dialect::Postgres).unwrap().schema;
        assert_eq!(changes(&mut engine, &json), Vec::<String>::new());
        assert_eq!(schema, engine.schema().unwrap(), "the same twice");
    }
}

#[test]
fn names_in_capitals_are_printed_as_they_are_read() {
    let database = Database::with(
        "CREATE TABLE \"Users\" (\"userName\" text, \"UPPER\" int PRIMARY KEY, \"order\" int, plain int CHECK (plain > 0));
         CREATE TABLE other (u int CONSTRAINT \"Fk\" REFERENCES \"Users\" (\"UPPER\") ON DELETE CASCADE);
         CREATE INDEX \"UserIdx\" ON \"Users\" (\"userName\", (\"UPPER\" + 1)) INCLUDE (\"order\") WHERE \"UPPER\" > 1;
         CREATE VIEW \"View\" (\"A\") AS SELECT \"userName\" FROM \"Users\";
         CREATE SCHEMA \"App\"; CREATE TABLE \"App\".t (id int GENERATED ALWAYS AS IDENTITY)",
    );
    let mut engine = database.engine();
    let schema = engine.schema().unwrap();
    let text = pql_planner::text::schema(&schema);
    for name in
        ["\"userName\"", "\"UPPER\"", "INDEX \"UserIdx\" ON \"Users\"", "\"App\".t", "\"Fk\"", "plain "]
    {
        assert!(text.contains(name), "{name} in\n{text}");
    }
    assert_eq!(changes(&mut engine, &read_back(&text)), Vec::<String>::new());
    // What DETECT says is understood as it is meant.
    let empty = Schema::new(schema.names);
    let ops = pql_schema::diff(&empty, &schema.visible(), &Answers::default()).unwrap().ops;
    let style = pql_planner::text::pql(schema.names);
    let all: Vec<String> = ops.iter().map(|op| pql_planner::text::statement_in(op, style)).collect();
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {}", all.join(", ")));
    let Some(pql_syntax::ast::Statement::Generate(generate)) = parse.statements().next() else {
        panic!("{all:?}")
    };
    let context = lower::Context { dialect: Dialect::Postgres, schema: &empty, params: &|_| None };
    let mut again = empty.clone();
    let lowered = lower::operations(&generate, context).unwrap_or_else(|found| panic!("{found:?}"));
    again.apply_all(&lowered.ops).unwrap();
    assert_eq!(changes(&mut engine, &again), Vec::<String>::new());
}

#[test]
fn an_index_is_where_its_table_is() {
    let database =
        Database::with("CREATE SCHEMA other; CREATE TABLE other.t (v int); CREATE INDEX ot ON other.t (v)");
    let mut engine = database.engine();
    let schema = engine.schema().unwrap();
    let text = pql_planner::text::schema(&schema);
    assert!(text.contains("CREATE INDEX ot ON other.t (v);"), "{text}");
    assert_eq!(changes(&mut engine, &read_back(&text)), Vec::<String>::new());
    let wrong = "CREATE TABLE other.t (v INTEGER); CREATE INDEX public.ot ON other.t (v);";
    let found = lower::schema_text(wrong, Dialect::Postgres, &|_| None).unwrap_err();
    assert!(found[0].message.contains("another schema than its table"), "{found:?}");
    // A database where it may be made.
    let fresh = Database::with("CREATE SCHEMA other");
    fresh.client().batch_execute(&text).unwrap();
}

#[test]
fn everything_is_where_it_belongs() {
    let database = Database::with(EVERYTHING);
    let schema = database.engine().schema().unwrap();
    let names: Vec<String> = schema.tables.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["filled", "heir", "keyed", "measured", "plain", "app.child"]);
    let plain = &schema.tables[&"plain".into()];
    let ty = |name: &str| plain.column(name, schema.names).unwrap().data_type.clone();
    let native = |name: &str| DataType::Native(name.to_owned());
    for (column, expected) in [
        ("id", DataType::Integer),
        ("small", DataType::SmallInt),
        ("f4", DataType::Real),
        ("f8", DataType::Double),
        ("n1", DataType::Decimal(Some(5), Some(0))),
        ("v20", DataType::Varchar(Some(20))),
        ("at", DataType::TimestampTz),
        ("ts", native("TIMESTAMP(3) WITHOUT TIME ZONE")),
        ("j", native("\"json\"")),
        ("jb", DataType::Json),
        ("ta", DataType::Array(Box::new(DataType::Text))),
        ("m", native("MOOD")),
    ] {
        assert_eq!(ty(column), expected, "{column}");
    }
    assert_eq!(plain.column("t", schema.names).unwrap().collation.as_deref(), Some("german"));
    assert!(plain.column("total", schema.names).unwrap().generated.as_ref().unwrap().stored);
    let keyed = &schema.tables[&"keyed".into()];
    assert_eq!(keyed.column("always", schema.names).unwrap().identity, Some(Identity::Always));
    let constraint = |name: &str| &keyed.constraint(name, schema.names).unwrap().kind;
    let ConstraintKind::Unique(unique) = constraint("one_of") else { panic!() };
    assert_eq!(unique.deferrable, Some(Deferrable::Deferred));
    assert!(matches!(constraint("beside"), ConstraintKind::Native { .. }));
    assert!(matches!(constraint("keyed_a_excl"), ConstraintKind::Native { .. }));
    let child = &schema.tables[&in_app("child")];
    assert!(child.constraint("later", schema.names).unwrap().not_valid);
    assert_eq!(schema.tables[&"measured".into()].options.native.as_deref(), Some("PARTITION BY RANGE (at)"));
    assert_eq!(schema.tables[&"heir".into()].options.native.as_deref(), Some("INHERITS (keyed)"));
    let index = &schema.indexes[&"plain_mixed".into()];
    assert_eq!(index.include, ["small"]);
    assert_eq!(index.parts[0].order, SortOrder::Desc);
    assert_eq!(index.parts[1].opclass.as_deref(), Some("text_pattern_ops"));
    assert_eq!(schema.indexes[&"plain_nulls".into()].parts[0].nulls, Some(NullsOrder::First));
    assert_eq!(schema.indexes[&"plain_nulls".into()].parts[1].nulls, Some(NullsOrder::Last));
    assert_eq!(schema.indexes[&"plain_gin".into()].with.as_deref(), Some("fastupdate=off"));
    assert!(schema.views[&"summary".into()].materialized && schema.views.contains_key(&in_app("counted")));
    assert_eq!(schema.triggers.len(), 2, "two of one name");
}

#[test]
fn an_index_that_is_not_valid_is_none() {
    let database = Database::with("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
    let made = database.client().batch_execute("CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)");
    assert!(made.is_err());
    assert!(database.engine().schema().unwrap().indexes.is_empty());
}

#[test]
fn session_settings_do_not_change_what_is_read() {
    let database = Database::with(
        "CREATE TABLE t (a timestamptz DEFAULT '2024-01-01 00:00+00', b interval DEFAULT '1 year 2 days');
         CREATE SCHEMA other; CREATE TABLE other.t (a int CHECK (a > 1))",
    );
    let before = database.engine().schema().unwrap();
    database
        .client()
        .batch_execute(&format!(
            "ALTER DATABASE {0} SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE {0} SET IntervalStyle = 'iso_8601';
             ALTER DATABASE {0} SET search_path = other, public; ALTER DATABASE {0} SET DateStyle = 'German'",
            database.name
        ))
        .unwrap();
    assert_eq!(database.engine().schema().unwrap(), before);
}

#[test]
fn what_hangs_on_a_table_is_seen() {
    let database = Database::with(&format!(
        "{EVERYTHING}
         CREATE ROLE reader; GRANT SELECT (v0), UPDATE (v0) ON plain TO reader; GRANT SELECT ON plain TO PUBLIC;
         COMMENT ON TABLE plain IS 'it is plain'; COMMENT ON COLUMN plain.v0 IS 'a word';
         ALTER TABLE plain ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON plain USING (v20 = current_user);
         CREATE PUBLICATION news FOR TABLE plain; CREATE STATISTICS related ON small, medium FROM plain;
         ALTER TABLE plain ALTER v0 SET STATISTICS 500; ALTER TABLE plain ALTER v0 SET STORAGE EXTERNAL;
         ALTER TABLE plain CLUSTER ON plain_expr; ALTER TABLE plain REPLICA IDENTITY FULL;
         CREATE FUNCTION first_of(p plain) RETURNS text LANGUAGE sql AS 'SELECT p.v0';
         CREATE RULE none AS ON DELETE TO plain WHERE OLD.id < 0 DO INSTEAD NOTHING;"
    ));
    let plain: ObjectName = "plain".into();
    let mut backend =
        pql_engine::backend::open(&database.url().parse().unwrap(), &pql_engine::OpenOptions::default())
            .unwrap();
    let tables = [plain, "keyed".into(), "measured".into(), "nowhere".into()];
    let found = backend.statistics(&tables).unwrap();
    let named = |table: &str, hold: Hold| -> Vec<String> {
        let held = found.held(&table.into()).iter().filter(|held| held.hold == hold);
        held.map(|held| [std::slice::from_ref(&held.name), held.columns.as_slice()].concat().join(" "))
            .collect()
    };
    for (hold, expected) in [
        (Hold::View, vec!["seen Mixed Case id", "summary m n2"]),
        (Hold::Rule, vec!["none"]),
        (Hold::Function, vec!["first_of(plain)"]),
        (Hold::Policy, vec!["own v20"]),
        (Hold::RowSecurity, vec!["ENABLE"]),
        (Hold::Publication, vec!["news"]),
        (Hold::ExtendedStatistics, vec!["related small medium"]),
        (Hold::StatisticsTarget, vec!["v0 v0"]),
        (Hold::Storage, vec!["v0 v0"]),
        (Hold::Grant, vec!["PUBLIC", "reader v0"]),
        (Hold::Comment, vec!["", "v0 v0"]),
        (Hold::Clustered, vec!["plain_expr"]),
        (Hold::ReplicaIdentity, vec!["FULL"]),
        (Hold::Sequence, vec!["plain_id_seq id"]),
        // Those of tables that the model has are its own to know.
        (Hold::ForeignKey, vec![]),
        (Hold::Trigger, vec!["touch"]),
    ] {
        let mut found = named("plain", hold);
        found.sort();
        assert_eq!(found, expected, "{hold:?}");
    }
    assert_eq!(named("keyed", Hold::Child), ["heir"]);
    assert_eq!(named("measured", Hold::Partition), ["measured_2024"]);
    assert_eq!(named("measured", Hold::Partitioned), ["RANGE (at) at"]);
    assert_eq!(named("nowhere", Hold::View), Vec::<String>::new());
}

/// What people write, in the words of PQL.
const WRITTEN: &str = "
CREATE TABLE users (
    id SERIAL PRIMARY KEY,
    name VARCHAR(20) NOT NULL DEFAULT 'x' CHECK (name IN ('x', 'y') OR name LIKE 'a%'),
    age INT CHECK (age BETWEEN 1 AND 150), score FLOAT DEFAULT 1e3, level FLOAT(24) DEFAULT -1,
    rate DECIMAL(5) DEFAULT 0.5, active BOOL DEFAULT 'yes', at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
    born DATE DEFAULT '2024-01-01', seen TIMESTAMPTZ DEFAULT '2024-01-01 00:00:00+02', nothing INT DEFAULT NULL,
    tags TEXT[] DEFAULT '{}', data JSONB DEFAULT '{}', span INTERVAL DEFAULT '1 year 2 days',
    twice INT GENERATED ALWAYS AS (age * 2) STORED, short TIMESTAMP(3), kind mood DEFAULT 'ok',
    CONSTRAINT sane CHECK ((age IS NOT DISTINCT FROM 5) OR EXTRACT(year FROM at) > 2000)
);
CREATE TABLE app.notes (id BIGSERIAL PRIMARY KEY, owner INT REFERENCES users (id), text TEXT NOT NULL,
    UNIQUE (owner, text), CHECK (text <> ''));
CREATE INDEX users_lower ON users (lower(name), (age + 1)) WHERE name IN ('x', 'y');
CREATE INDEX users_order ON users (name DESC NULLS FIRST, age ASC NULLS LAST) WITH (fillfactor = 70);
CREATE VIEW adults (who, years) AS SELECT u.name, age FROM users u WHERE age >= 18 AND name NOT IN ('x');
CREATE VIEW app.all_notes AS SELECT n.*, a.who FROM app.notes n, adults a;
CREATE TRIGGER touch BEFORE UPDATE OF name ON public.users FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE PROCEDURE touch();
";

const BEFORE: &str = "CREATE SCHEMA app; CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';";

#[test]
fn what_people_write_is_what_the_server_stores() {
    let database = Database::with(&format!("{BEFORE}{WRITTEN}"));
    let before = database.dump();
    for mut engine in [database.engine(), database.pooled_engine()] {
        assert_eq!(changes(&mut engine, &read_back(WRITTEN)), Vec::<String>::new());
    }
    assert_eq!(database.dump(), before, "asking changes nothing");
}

#[test]
fn a_restored_dump_reads_the_same() {
    let first = Database::with(&format!("{BEFORE}{WRITTEN}"));
    let dump = first.dump();
    let restored = Database::new();
    restored.client().batch_execute(&dump).unwrap();
    assert_eq!(changes(&mut restored.engine(), &read_back(WRITTEN)), Vec::<String>::new());
}

#[test]
fn what_really_differs_is_found() {
    let database = Database::with(&format!("{BEFORE}{WRITTEN}"));
    let mut engine = database.engine();
    for (from, to, expected) in [
        ("BETWEEN 1 AND 150", "BETWEEN 1 AND 151", 2),
        ("rate DECIMAL(5)", "rate DECIMAL(6)", 1),
        ("age >= 18", "age > 18", 4),
        ("WHERE name IN ('x', 'y')", "WHERE name IN ('x')", 2),
        ("DEFAULT '1 year 2 days'", "DEFAULT '1 year 3 days'", 1),
        ("OLD.name <> NEW.name", "OLD.name = NEW.name", 2),
        ("score FLOAT DEFAULT 1e3", "score FLOAT DEFAULT 1e4", 1),
    ] {
        let target = read_back(&WRITTEN.replace(from, to));
        assert_eq!(
            changes(&mut engine, &target).len(),
            expected,
            "{to}: {:?}",
            changes(&mut engine, &target)
        );
    }
}

#[test]
fn a_first_schema_is_created_as_it_would_be_stored() {
    let database = Database::with(BEFORE);
    let mut engine = database.engine();
    let found = engine.detect(None, &read_back(WRITTEN), &Answers::default()).unwrap();
    let text = found.changes.iter().map(|change| change.statement.clone()).collect::<Vec<_>>().join("\n");
    assert!(text.contains("nextval('users_id_seq'::regclass)"), "{text}");
    assert!(text.contains("= ANY"), "{text}");
    assert!(!text.contains("scratch"), "{text}");
}

#[test]
fn a_part_reads_as_it_does_within_the_whole() {
    let database = Database::with(EVERYTHING);
    let location: Location = database.url().parse().unwrap();
    let mut backend = pql_engine::backend::open(&location, &OpenOptions::default()).unwrap();
    let whole = backend.introspect().unwrap();
    let names: Vec<ObjectName> = whole.tables.keys().chain(whole.views.keys()).cloned().collect();
    assert!(names.len() > 5, "{names:?}");
    for each in names.iter().map(std::slice::from_ref).chain([names.as_slice()]) {
        let part = backend.introspect_part(each).unwrap();
        assert_eq!(part.part(each), whole.part(each), "{each:?}");
    }
    let nothing = backend.introspect_part(&[in_app("no such table")]).unwrap();
    assert!(nothing.tables.is_empty() && nothing.indexes.is_empty(), "{nothing:?}");
}
