//! What is left of a migration that was taken back, told from what others did to its tables meanwhile: only what it made,
//! and did not take away again, counts against it.

use pql_schema::{ObjectName, Schema};

use crate::backend::Backend;
use crate::journal::StoredPlan;
use crate::{Error, Result, codes};

use super::drift::{Drift, differences};
use super::planning::names;

/// How a schema differs from what it was before a migration.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// As the migration had made it.
    pub(super) own: Vec<Drift>,
    /// As others have.
    pub(super) foreign: Vec<Drift>,
}

/// What separates the schema from the one before the migration.
pub(super) fn since(stored: &StoredPlan, schema: &Schema) -> Differences {
    between(&stored.base, &made(stored), &schema.part(&names(&stored.plan, &stored.expected)))
}

/// What separates the schema from the one that the migration should have made, where that is not of its own doing.
pub(super) fn besides(stored: &StoredPlan, schema: &Schema) -> Differences {
    let made = made(stored);
    let meant = differences(&stored.base, &made);
    let now = schema.part(&names(&stored.plan, &stored.expected));
    let (own, foreign) = differences(&made, &now)
        .into_iter()
        .partition(|drift| meant.iter().any(|meant| meant.object == drift.object));
    Differences { own, foreign }
}

/// The migration's tables as it makes them.
fn made(stored: &StoredPlan) -> Schema {
    let mut made = stored.base.clone();
    stored.expected.clone().apply(&mut made);
    made
}

fn between(base: &Schema, made: &Schema, now: &Schema) -> Differences {
    let missing = differences(made, now);
    let (foreign, own) = differences(base, now)
        .into_iter()
        .partition(|drift| missing.iter().any(|missing| missing.object == drift.object));
    Differences { own, foreign }
}

/// Fails when a table of the migration's is called otherwise by now and has something of it that is found by the table's
/// name only. A table that is gone has taken everything along.
pub(super) fn none_elsewhere(backend: &mut dyn Backend, stored: &StoredPlan) -> Result<()> {
    let made = made(stored);
    let mut missing = Vec::new();
    for name in stored.base.tables.keys().filter(|name| made.tables.contains_key(name)) {
        if !backend.exists(name)? {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let schema = backend.introspect()?;
    for name in missing {
        let known = names(&stored.plan, &stored.expected);
        for other in schema.tables.keys().filter(|other| !known.contains(other)) {
            if let Some(first) = remains(name, other, [&stored.base, &made, &schema]) {
                return Err(Error::new(
                    codes::DRIFTED,
                    format!("table {name} is called {other} now, and has what the migration made: {first}"),
                )
                .with_help(format!("call it {name} again")));
            }
        }
    }
    Ok(())
}

/// What the migration has made of a table that may be called otherwise by now; `None` when that is another table, or it
/// has nothing of the migration.
fn remains(name: &ObjectName, other: &ObjectName, [base, made, now]: [&Schema; 3]) -> Option<Drift> {
    let called = |schema: &Schema| {
        let mut part = Schema::new(schema.names);
        let table = schema.table(name)?.clone();
        part.tables.insert(other.clone(), pql_schema::Table { name: other.clone(), ..table });
        Some(part)
    };
    let (base, made) = (called(base)?, called(made)?);
    let mut found = Schema::new(now.names);
    found.tables.insert(other.clone(), now.table(other)?.clone());
    let kept = |column: &&pql_schema::Column| made.table(other).is_some_and(|it| has(it, &column.name));
    let all = base
        .table(other)?
        .visible()
        .filter(kept)
        .all(|column| found.table(other).is_some_and(|found| has(found, &column.name)));
    all.then(|| between(&base, &made, &found).own.into_iter().next()).flatten()
}

fn has(table: &pql_schema::Table, column: &str) -> bool {
    table.visible().any(|known| known.name == column)
}
