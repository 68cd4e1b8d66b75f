//! The new column: its fill and its comparison with the old one.

use pql_planner::text::{POSTGRES, postgres_comparable, postgres_type_name};
use pql_planner::{Backfill, Change, Check, ColumnSwap};
use pql_schema::{Column, Expr, Table};

use super::super::super::link::Session;
use super::super::super::run::Run;
use super::super::statements::{self, ident, object};
use super::super::{backfill, examine, rows};
use super::{definition, exchange, functions};
use crate::error::codes;
use crate::{Error, Result};

/// Adds the new column and what fills it.
pub(in super::super) fn prepare(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    possible(run.session, swap)?;
    let sql = prepare_statements(swap).join("; ");
    let assigned = assignment(swap);
    run.write_last(|session| {
        session.batch(&sql)?;
        definition::remember(session, swap)?;
        session.batch(&assigned)
    })
}

/// The statements.
pub(super) fn prepare_statements(swap: &ColumnSwap) -> Vec<String> {
    let mut all = vec![add_column(swap)];
    all.extend(functions::create_forward(swap));
    all
}

fn add_column(swap: &ColumnSwap) -> String {
    let column = Column {
        name: swap.shadow.clone(),
        collation: swap.new.collation.clone(),
        ..Column::new(swap.shadow.clone(), swap.new.data_type.clone())
    };
    let definition = POSTGRES.column_def(&column, &Table::new(swap.before.name.clone()), &[]);
    format!("ALTER TABLE {} ADD COLUMN {definition}", object(&swap.before.name))
}

/// A value that has no place in the new column is an error now rather than in a trigger.
fn assignment(swap: &ColumnSwap) -> String {
    format!("EXPLAIN UPDATE {} SET {} = {}", object(&swap.before.name), ident(&swap.shadow), swap.forward)
}

/// Fails when one of the expressions means nothing, before anything is done.
pub(super) fn possible(session: &mut Session, swap: &ColumnSwap) -> Result<()> {
    let table = &swap.before.name;
    session.batch(&format!("SELECT ({}) FROM {} LIMIT 0", swap.forward, object(table)))?;
    let columns: Vec<String> = swap
        .before
        .columns
        .iter()
        .map(|column| {
            if column.name == swap.old.name {
                format!("NULL::{} AS {}", postgres_type_name(&swap.new.data_type), ident(&column.name))
            } else {
                ident(&column.name)
            }
        })
        .collect();
    let back = session.batch(&format!(
        "SELECT ({}) FROM (SELECT {} FROM {}) AS {} LIMIT 0",
        swap.backward,
        columns.join(", "),
        object(table),
        ident(&table.name)
    ));
    back.map_err(|error| {
        if error.is_retryable() {
            return error;
        }
        Error::new(
            codes::INVALID,
            format!(
                "the way back of {}.{} cannot be computed: {error}",
                object(table),
                ident(&swap.old.name)
            ),
        )
        .with_help("say with REVERT USING how the old value comes from the new one")
    })
}

/// Fills the rows that are there.
pub(in super::super) fn fill(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    backfill::backfill(run, &as_backfill(swap)).map_err(|error| explained(run.session, swap, error))
}

/// The fill, as that of any column. A row that a trigger has filled is left alone.
pub(super) fn as_backfill(swap: &ColumnSwap) -> Backfill {
    Backfill {
        table: swap.before.name.clone(),
        key: swap.key.clone(),
        assignments: vec![(swap.shadow.clone(), swap.forward.clone())],
        filter: Some(Expr::statement(format!("{} IS NULL", ident(&swap.shadow)))),
        capture: None,
        record: None,
    }
}

/// Compares the two columns in every row.
pub(in super::super) fn verify(run: &mut Run<'_>, swap: &ColumnSwap) -> Result<()> {
    if !run.step.options().verify {
        return run.finish();
    }
    let table = &swap.before.name;
    let differs = differs(swap);
    let found = run.read(|session| examine::found(session, table, &differs));
    let named = match found {
        Ok(named) => named,
        Err(error) => return Err(explained(run.session, swap, error)),
    };
    if named.is_empty() { run.finish() } else { Err(misfit(swap, &named)) }
}

/// The error of rows whose values have no place in the new column.
pub(super) fn misfit(swap: &ColumnSwap, named: &[String]) -> Error {
    let (table, column) = (object(&swap.before.name), ident(&swap.old.name));
    rows::error(codes::ROWS, &format!("{table}.{column} has no value of the new type in"), named)
        .with_help("change those rows, or say with USING what they become; then apply the migration again")
}

/// The query, for showing.
pub(super) fn verify_statement(swap: &ColumnSwap) -> String {
    format!("SELECT :key FROM {} WHERE {}", object(&swap.before.name), differs(swap))
}

fn differs(swap: &ColumnSwap) -> String {
    let kind = &swap.new.data_type;
    format!(
        "{} IS DISTINCT FROM {}",
        postgres_comparable(kind, &ident(&swap.shadow)),
        postgres_comparable(kind, &format!("({})::{}", swap.forward, postgres_type_name(kind)))
    )
}

/// The error of a value that cannot be computed, with its row.
pub(super) fn explained(session: &mut Session, swap: &ColumnSwap, error: Error) -> Error {
    let values = [format!("({})::{}", swap.forward, postgres_type_name(&swap.new.data_type))];
    let target = format!("{} as {}", ident(&swap.old.name), swap.new.data_type);
    backfill::failing(session, &swap.before.name, &values, None, &target, error)
}

/// All of it in one transaction.
pub(super) fn at_once(session: &mut Session, swap: &ColumnSwap, silence: &str) -> Result<()> {
    let table = &swap.before.name;
    session.batch(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; {silence}", object(table)))?;
    session.batch(&at_once_statements(swap).join("; "))?;
    if !swap.unstable {
        let named = examine::found(session, table, &differs(swap))?;
        if !named.is_empty() {
            return Err(misfit(swap, &named));
        }
    }
    if swap.new.not_null {
        let check = Check::NotNull { column: swap.shadow.clone(), fill: None };
        examine::one(session, table, &check)?;
    }
    exchange::forth(session, swap)
}

/// What comes before the exchange when nobody else is at work.
pub(super) fn at_once_statements(swap: &ColumnSwap) -> Vec<String> {
    let table = &swap.before.name;
    let mut all = vec![add_column(swap)];
    all.push(format!("UPDATE {} SET {} = {}", object(table), ident(&swap.shadow), swap.forward));
    all.extend(swap.indexes.iter().map(|twin| POSTGRES.create_index(&twin.twin)));
    let valid =
        swap.declared.iter().map(|declared| Change::AddConstraint { constraint: declared.twin.clone() });
    all.extend(valid.map(|change| statements::change(table, &change)));
    all
}
