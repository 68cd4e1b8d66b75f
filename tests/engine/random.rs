//! Any schema with rows reaches any other, and comes back with its rows.
//! `PQL_SEEDS=10000 cargo test --release -p pql-engine --test engine random` tries more of them,
//! `PQL_SEED=159` one.

use std::path::Path;

use pql_engine::{Engine, OpenOptions, RollbackTarget, Silent, codes};
use pql_planner::text::{self, Affinity, ident};
use pql_schema::{Answers, MigrationStatus, Schema, Table, random_pair};

use crate::support::run::{VARIANTS, Variant, directory, plain, shown};
use crate::support::state;

fn seeds() -> std::ops::Range<u64> {
    let wanted = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match wanted("PQL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..wanted("PQL_SEEDS").unwrap_or(40),
    }
}

/// What became of a pair.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// There and back.
    Done,
    /// Refused, with everything as before: a row or the wanted schema stands in the way.
    Refused(&'static str),
}

fn open(path: &Path) -> Engine {
    Engine::open(path.to_str().expect("UTF-8"), &OpenOptions::default()).expect("a database")
}

/// Makes a database with the schema and a few rows in each table.
fn build(path: &Path, schema: &Schema) {
    let db = rusqlite::Connection::open(path).expect("a database");
    db.pragma_update(None, "journal_mode", "wal").expect("WAL");
    let ddl = text::schema_in(schema, &text::SQLITE);
    db.execute_batch(&ddl).unwrap_or_else(|error| panic!("{error}\n{ddl}"));
    for table in schema.tables.values() {
        (0..5).for_each(|row| insert(&db, table, row));
        // A gap among the rowids.
        let hole = format!("DELETE FROM {} WHERE rowid = 2", ident(&table.name.name));
        if !table.options.without_rowid {
            db.execute_batch(&hole).expect("rows can be deleted");
        }
    }
}

/// A row that differs from the others in every column; columns that a foreign key starts from are NULL.
fn insert(db: &rusqlite::Connection, table: &Table, row: i64) {
    let referring: Vec<&str> = table
        .constraints
        .iter()
        .filter(|constraint| constraint.foreign_key().is_some())
        .flat_map(|constraint| constraint.columns())
        .collect();
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for (at, column) in table.columns.iter().enumerate() {
        let refers = referring.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        if column.generated.is_some() || refers && !column.not_null {
            continue;
        }
        columns.push(ident(&column.name));
        let at = i64::try_from(at).expect("few columns");
        values.push(match Affinity::of(column, table) {
            _ if row == 4 && !column.not_null && at % 2 == 1 => "NULL".to_owned(),
            Affinity::Text => format!("'t{row}{at}'"),
            Affinity::Blob => format!("x'{row:02x}{at:02x}'"),
            _ => (row * 10 + at + 1).to_string(),
        });
    }
    let table = ident(&table.name.name);
    let sql = if columns.is_empty() {
        format!("INSERT INTO {table} DEFAULT VALUES")
    } else {
        format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
    };
    // A row that the schema does not accept is none of this test's business.
    let _ = db.execute_batch(&sql);
}

fn there_and_back(seed: u64, from: &Schema, to: &Schema, variant: Variant) -> Outcome {
    let place = format!("seed {seed}, {}", variant.name());
    let directory = directory();
    let path = directory.path().join("app.db");
    build(&path, from);
    let before = state::of(&plain(&path));
    let mut engine = open(&path);
    let found = match engine.detect(None, to, &Answers::default()) {
        Ok(found) => found,
        Err(error) if error.code() == codes::TARGET => return Outcome::Refused(error.code()),
        Err(error) => panic!("{place}: DETECT: {}", shown(&error)),
    };
    let ops: Vec<_> = found.changes.into_iter().map(|change| change.op).collect();
    let listed = || ops.iter().map(text::statement).collect::<Vec<_>>().join("\n");
    if ops.is_empty() {
        return Outcome::Done;
    }
    let id = match engine.generate(ops.clone(), None) {
        Ok(migration) => migration.id,
        Err(error) => {
            assert!(error.help().is_some(), "{place}: {}\n{}", shown(&error), listed());
            assert_eq!(before, state::of(&plain(&path)), "{place}: {}", listed());
            return Outcome::Refused(error.code());
        }
    };
    if let Err(error) = engine.apply(id, &variant.options(), &mut Silent) {
        assert_eq!(error.code(), codes::ROWS, "{place}: APPLY: {}\n{}", shown(&error), listed());
        assert_eq!(before, state::of(&plain(&path)), "{place}: {}\n{}", shown(&error), listed());
        assert_eq!(engine.info(id).expect("a row").status, MigrationStatus::Failed);
        return Outcome::Refused(error.code());
    }
    let rest = engine.detect(None, to, &Answers::default()).expect("a detection");
    let rest: Vec<String> = rest.changes.into_iter().map(|change| change.statement).collect();
    assert!(rest.is_empty(), "{place}: DETECT still finds {rest:?} after\n{}", listed());
    assert!(engine.verify().expect("a record").is_empty(), "{place}");
    sound(&path, &place, &listed());
    let back = engine.rollback(RollbackTarget::Migration(id), &variant.options(), &mut Silent);
    back.unwrap_or_else(|error| panic!("{place}: ROLLBACK: {}\n{}", shown(&error), listed()));
    assert_eq!(before, state::of(&plain(&path)), "{place}: comes back changed after\n{}", listed());
    sound(&path, &place, &listed());
    Outcome::Done
}

fn sound(path: &Path, place: &str, listed: &str) {
    let whole: String =
        plain(path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(whole, "ok", "{place}\n{listed}\n{}", state::of(&plain(path)));
}

#[test]
fn any_schema_reaches_any_other_with_its_rows() {
    let mut done = 0;
    let mut refused = std::collections::BTreeMap::new();
    let mut failed = Vec::new();
    for seed in seeds() {
        let (from, to) = random_pair(seed);
        let variant = VARIANTS[usize::try_from(seed).expect("a small number") % VARIANTS.len()];
        match std::panic::catch_unwind(|| there_and_back(seed, &from, &to, variant)) {
            Ok(Outcome::Done) => done += 1,
            Ok(Outcome::Refused(code)) => *refused.entry(code).or_insert(0) += 1,
            Err(reason) => {
                failed
                    .push(reason.downcast_ref::<String>().cloned().unwrap_or_else(|| format!("seed {seed}")));
            }
        }
    }
    println!("{done} there and back, refused: {refused:?}");
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n---\n"));
    assert!(
        done >= (seeds().end - seeds().start) / 6,
        "many pairs must be possible, but only {done} were; refused: {refused:?}"
    );
}
