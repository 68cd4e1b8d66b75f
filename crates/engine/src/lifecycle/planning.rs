//! Between the operations and the planner: the model first, then a plan, then what both promise.

use pql_planner::codes::UNKNOWN_COLUMN;
use pql_planner::text::normalise_postgres;
use pql_planner::{Dialect, Plan, PlanError, PlanOptions};
use pql_schema::{Answers, MigrationId, MigrationOp, ObjectName, Schema, diff};

use crate::backend::Backend;
use crate::journal::Delta;
use crate::options::{ApplyOptions, Retain};
use crate::{Error, Result, codes};

use super::columns;

/// A plan with what the model says it leads to.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// The tables and views it touches, as they are now.
    pub(super) base: Schema,
    /// What it makes of the schema.
    pub(super) expected: Delta,
}

/// Checks operations against the model and plans them.
pub(super) fn make(
    backend: &mut dyn Backend,
    schema: &Schema,
    ops: &[MigrationOp],
    options: &ApplyOptions,
    tag: &str,
) -> Result<Planned> {
    let mut after = schema.clone();
    after.apply_all(ops).map_err(|(position, error)| invalid(ops, position, &error))?;
    if backend.capabilities().dialect == Dialect::Postgres {
        // There what is expected is compared with names, keys and texts as the database says them.
        backend.normalise(schema, &mut after)?;
        normalise_postgres(&mut after, Some(&kept(schema, ops)));
    }
    let mut tables: Vec<ObjectName> = ops.iter().flat_map(|op| op.tables(schema)).collect();
    tables.sort();
    tables.dedup();
    let statistics = backend.statistics(&tables)?;
    let options = PlanOptions {
        strategy: options.strategy,
        retain: options.retain != Retain::No,
        max_stall_ms: options.run.max_stall.as_secs_f64() * 1000.0,
        allow_destructive: options.allow_destructive,
        tag: tag.to_owned(),
    };
    let plan = pql_planner::plan(ops, schema, backend.capabilities(), &statistics, &options)
        .map_err(|errors| refused(&errors))?;
    let expected = Delta::between(schema, &after);
    let base = schema.part(&names(&plan, &expected));
    Ok(Planned { plan, base, expected })
}

/// The schema without the tables that give their names up to others.
fn kept(schema: &Schema, ops: &[MigrationOp]) -> Schema {
    let mut kept = schema.clone();
    for op in ops {
        if let MigrationOp::CreateTable { table: pql_schema::Table { name, .. } }
        | MigrationOp::RenameTable { to: name, .. } = op
        {
            kept.tables.remove(name);
        }
    }
    kept
}

/// Refuses expressions that name columns which their tables do not have at that point.
pub(super) fn check_columns(backend: &mut dyn Backend, schema: &Schema, ops: &[MigrationOp]) -> Result<()> {
    match columns::unknown(backend, schema, ops)? {
        Some((position, error)) => Err(refusal(UNKNOWN_COLUMN, ops, position, &error)),
        None => Ok(()),
    }
}

/// The tag that names what an attempt of a migration hides: unlike any other's.
pub(super) fn tag(id: MigrationId, attempt: u64) -> String {
    let hex = id.0.simple().to_string();
    let random = &hex[hex.len() - 8..];
    if attempt <= 1 { random.to_owned() } else { format!("{random}a{attempt}") }
}

/// The names of everything a plan touches, before and after.
pub(super) fn names(plan: &Plan, expected: &Delta) -> Vec<ObjectName> {
    let mut names = plan.touches.clone();
    names.extend(expected.set.tables.keys().chain(expected.set.views.keys()).cloned());
    names.extend(expected.tables.iter().chain(&expected.views).cloned());
    names.sort();
    names.dedup();
    names
}

/// What of a promised change a schema does not fulfil, in words.
pub(super) fn unmet(schema: &Schema, expected: &Delta) -> Vec<String> {
    let found = schema.visible();
    let mut wanted = found.clone();
    expected.clone().apply(&mut wanted);
    if found.same_as(&wanted) {
        return Vec::new();
    }
    match diff(&found, &wanted, &Answers::default()) {
        Ok(diff) if diff.ops.is_empty() => vec!["the definitions differ".to_owned()],
        Ok(diff) => diff.ops.iter().map(pql_planner::text::statement).collect(),
        Err(error) => vec![error.to_string()],
    }
}

fn invalid(ops: &[MigrationOp], position: usize, error: &pql_schema::ApplyError) -> Error {
    refusal(codes::INVALID, ops, position, error)
}

fn refusal(
    code: &'static str,
    ops: &[MigrationOp],
    position: usize,
    error: &pql_schema::ApplyError,
) -> Error {
    let statement = pql_planner::text::statement(&ops[position]);
    let message = if ops.len() == 1 {
        error.to_string()
    } else {
        format!("operation {} ({statement}): {error}", position + 1)
    };
    let refusal = Error::new(code, message);
    match error.help() {
        Some(help) => refusal.with_help(help),
        None => refusal,
    }
}

fn refused(errors: &[PlanError]) -> Error {
    let code = errors.first().map_or(codes::INVALID, |error| error.code);
    let message: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let refused = Error::new(code, message.join("; "));
    match errors.iter().find_map(|error| error.help.as_deref()) {
        Some(help) => refused.with_help(help),
        None => refused,
    }
}
