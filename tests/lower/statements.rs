//! What DETECT prints can be pasted after MIGRATE GENERATE: for any two schemas each operation's statement parses and
//! means the same operation again, also when all of them stand in one statement.

use std::collections::BTreeMap;

use pql_planner::lower::{self, Context};
use pql_planner::{Dialect, text};
use pql_schema::{Answers, Constraint, ConstraintKind, MigrationOp, ObjectName, Schema, diff, random_pair};
use pql_syntax::ast::Statement;

/// The operations of `MIGRATE GENERATE …` on a schema.
fn generate(schema: &Schema, operations: &[String], dialect: Dialect) -> Vec<MigrationOp> {
    let source = format!("MIGRATE GENERATE {};", operations.join(",\n"));
    let parse = pql_syntax::parse(&source);
    assert!(parse.is_ok(), "{source}\n{:#?}", parse.diagnostics());
    let formatted = pql_syntax::format(&source).expect("what parses");
    assert!(pql_syntax::parse(&formatted).is_ok(), "its formatted text does not parse: {formatted}");
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{source}") };
    let context = Context { dialect, schema, params: &|_| None };
    let lowered = lower::operations(&generate, context);
    lowered.unwrap_or_else(|findings| panic!("{source}\n{findings:#?}")).ops
}

/// As lowering its statement gives it back: tables are spelled as the schema spells them.
fn settled(op: &MigrationOp, schema: &Schema) -> MigrationOp {
    let mut op = op.clone();
    let spell = |name: &mut ObjectName| {
        if let Some(table) = schema.table(name) {
            name.clone_from(&table.name);
        }
    };
    let spell_parents = |constraints: &mut [Constraint]| {
        for constraint in constraints {
            if let ConstraintKind::ForeignKey(key) = &mut constraint.kind {
                spell(&mut key.table);
            }
        }
    };
    match &mut op {
        MigrationOp::AddIndex { index } => spell(&mut index.table),
        MigrationOp::AddConstraint { constraint, .. } => spell_parents(std::slice::from_mut(constraint)),
        MigrationOp::AddColumn { constraints, .. } => spell_parents(constraints),
        MigrationOp::CreateTable { table } => spell_parents(&mut table.constraints),
        _ => {}
    }
    op
}

fn round_trips(
    from: &Schema,
    ops: &[MigrationOp],
    dialect: Dialect,
    seen: &mut BTreeMap<&'static str, usize>,
) {
    let mut schema = from.clone();
    let mut expected = Vec::new();
    for op in ops {
        expected.push(settled(op, &schema));
        let found = generate(&schema, &[text::statement(op)], dialect);
        assert_eq!(found, [expected.last().expect("it was pushed").clone()], "{}", text::statement(op));
        schema.apply(op).expect("an operation of a diff");
        *seen.entry(op.kind()).or_default() += 1;
    }
    let all: Vec<String> = ops.iter().map(text::statement).collect();
    if !all.is_empty() {
        assert_eq!(generate(from, &all, dialect), expected, "{}", all.join(",\n"));
    }
}

#[test]
fn whatever_separates_two_schemas() {
    let wanted = std::env::var("PQL_SEEDS").ok().and_then(|text| text.parse().ok());
    let mut seen = BTreeMap::new();
    for seed in 0..wanted.unwrap_or(40) {
        let (a, b) = random_pair(seed);
        for (from, to) in [(&a, &b), (&b, &a)] {
            let Ok(found) = diff(from, to, &Answers::default()) else { continue };
            let yes = found.questions.iter();
            let answers = yes.fold(Answers::default(), |answers, question| answers.with(&question.id, true));
            round_trips(from, &found.ops, Dialect::Sqlite, &mut seen);
            // Renames that exclude each other are not answered with yes at once.
            if let Ok(renamed) = diff(from, to, &answers) {
                round_trips(from, &renamed.ops, Dialect::Sqlite, &mut seen);
            }
        }
    }
    let never: Vec<&str> = KINDS.iter().copied().filter(|kind| !seen.contains_key(kind)).collect();
    assert_eq!(never, [] as [&str; 0], "{seen:?}");
}

/// What a difference of random schemas consists of.
const KINDS: [&str; 17] = [
    "create table",
    "drop table",
    "set table options",
    "add column",
    "drop column",
    "rename column",
    "change column type",
    "set not null",
    "drop not null",
    "set default",
    "drop default",
    "add index",
    "drop index",
    "add constraint",
    "drop constraint",
    "create view",
    "drop view",
];

/// From one schema file to another and back, each operation printed and read again.
fn there_and_back(dialect: Dialect, from: &str, to: &str) -> BTreeMap<&'static str, usize> {
    let schema = |text: &str| {
        let lowered = lower::schema_text(text, dialect, &|_| None);
        lowered.unwrap_or_else(|findings| panic!("{text}\n{findings:#?}")).schema
    };
    let (from, to) = (schema(from), schema(to));
    let mut seen = BTreeMap::new();
    for (from, to) in [(&from, &to), (&to, &from)] {
        let found = diff(from, to, &Answers::default()).expect("two schemas");
        assert_ne!(found.ops, []);
        round_trips(from, &found.ops, dialect, &mut seen);
    }
    seen
}

#[test]
fn what_only_sqlite_says() {
    let seen = there_and_back(
        Dialect::Sqlite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL ON CONFLICT IGNORE, b INT, UNIQUE (a) ON CONFLICT FAIL);",
        "CREATE TABLE t (id INTEGER, a TEXT NOT NULL ON CONFLICT REPLACE, b INT NOT NULL ON CONFLICT FAIL,
             PRIMARY KEY (id ASC) ON CONFLICT ROLLBACK, UNIQUE (a COLLATE NOCASE DESC, b)) STRICT, WITHOUT ROWID;
         CREATE INDEX i ON t (a || 'x' COLLATE NOCASE, b DESC) WHERE b IN (1, 2);",
    );
    assert_eq!(seen["set column options"], 4);
    assert_eq!(seen["set table options"], 2);
}

#[test]
fn what_only_postgres_says() {
    let seen = there_and_back(
        Dialect::Postgres,
        "CREATE TABLE p (id INT PRIMARY KEY, k INT, UNIQUE (id, k));
         CREATE TABLE t (id INT GENERATED ALWAYS AS IDENTITY, a TEXT, b INT[], c INT, d INT) WITH (fillfactor = 70);",
        "CREATE TABLE p (id INT PRIMARY KEY, k INT, UNIQUE (id, k));
         CREATE TABLE t (id INT GENERATED BY DEFAULT AS IDENTITY, a TEXT COLLATE \"C\", b TEXT[], c INT, d INT,
             e TIMESTAMP WITH TIME ZONE DEFAULT now(), f NUMERIC(12, 2) GENERATED ALWAYS AS (c * 2) STORED,
             CONSTRAINT one UNIQUE NULLS NOT DISTINCT (a, c) DEFERRABLE INITIALLY DEFERRED,
             CONSTRAINT some CHECK (c > 0) NOT VALID,
             CONSTRAINT parent FOREIGN KEY (c, d) REFERENCES p (id, k) MATCH FULL ON DELETE SET NULL (d)
                 ON UPDATE CASCADE DEFERRABLE,
             CONSTRAINT apart EXCLUDE USING gist (c WITH =)) WITH (fillfactor = 90);
         CREATE UNIQUE INDEX i ON t USING btree (lower(a) text_pattern_ops DESC NULLS LAST, c) INCLUDE (d)
             NULLS NOT DISTINCT WITH (fillfactor = 80) WHERE a <> '' AND c > 0;
         CREATE VIEW v (x, y) AS SELECT a, c FROM t;
         CREATE MATERIALIZED VIEW m AS SELECT x FROM v;",
    );
    assert_eq!(seen["set column options"], 2);
    assert_eq!(seen["set table options"], 2);
}

#[test]
fn raw_sql_outside_a_transaction() {
    let schema = Schema::new(pql_schema::NameRule::AsciiInsensitive);
    for (sql, revert, outside_transaction) in [
        ("VACUUM", None, true),
        ("REINDEX", Some("SELECT 'it''s'"), true),
        ("UPDATE t SET a = 1", Some("UPDATE t SET a = 0"), false),
    ] {
        let op = MigrationOp::Execute {
            sql: sql.to_owned(),
            revert: revert.map(str::to_owned),
            outside_transaction,
        };
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            assert_eq!(generate(&schema, &[text::statement(&op)], dialect), std::slice::from_ref(&op));
        }
    }
}
