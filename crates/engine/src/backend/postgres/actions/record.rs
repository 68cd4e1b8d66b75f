//! What a backfill changed, noted in its own transactions, and taken back by that.

use pql_planner::Backfill;
use pql_schema::ObjectName;

use super::super::run::{Run, done};
use super::batches::CHANGED;
use super::rows::Key;
use super::statements::{ident, object};
use super::{catalog, silence};
use crate::Result;
use crate::backend::Progress;

/// Rows taken back in one transaction where the options do not say.
const ROWS: u64 = 2_000;

/// Makes the table that notes keys and values, unless it is there.
pub(super) fn make(run: &mut Run<'_>, fill: &Backfill, record: &ObjectName) -> Result<()> {
    if catalog::has_relation(run.session, record)? {
        return Ok(());
    }
    let sql = format!(
        "CREATE TABLE {} AS SELECT {} FROM {} WITH NO DATA",
        object(record),
        noted(fill, ""),
        object(&fill.table)
    );
    run.write(|session| {
        session.batch(&sql)?;
        Ok(((), Progress::default()))
    })
}

/// Keys and values, under names of their own: a key may be among what is filled.
fn noted(fill: &Backfill, of: &str) -> String {
    let key = Key::of(&fill.key).names();
    let keys = key.iter().enumerate().map(|(at, name)| format!("{of}{name} AS k{at}"));
    let values = fill
        .assignments
        .iter()
        .enumerate()
        .map(|(at, (column, _))| format!("{of}{} AS v{at}", ident(column)));
    keys.chain(values).collect::<Vec<_>>().join(", ")
}

/// An UPDATE that notes what it does, as the list of a WITH.
pub(super) fn noting(fill: &Backfill, record: &ObjectName, update: &str) -> String {
    format!(
        "{CHANGED} AS ({update} RETURNING {}), _pql_noted AS (INSERT INTO {} SELECT * FROM {CHANGED})",
        noted(fill, &format!("{}.", ident(&fill.table.name))),
        object(record)
    )
}

/// Takes it back: every column that still has the value it was given becomes NULL again. Then the notes go.
pub(super) fn revert(run: &mut Run<'_>, fill: &Backfill) -> Result<()> {
    let Some(record) = &fill.record else { return run.finish() };
    if !catalog::has_relation(run.session, record)? {
        return run.finish();
    }
    let drop = format!("DROP TABLE IF EXISTS {}", object(record));
    if !catalog::has_relation(run.session, &fill.table)? {
        return run.write_text(&drop);
    }
    let silence = {
        let columns: Vec<String> = fill.assignments.iter().map(|(column, _)| column.clone()).collect();
        silence::of(run.session, &fill.table, &columns)?
    };
    let count = run.step.options().batch_rows.unwrap_or(ROWS);
    let sql = statement(fill, record, &format!("LIMIT {count}"));
    let mut rows = 0;
    loop {
        let so_far = rows;
        let taken = run.write(|session| {
            session.batch(&silence)?;
            let taken = session.batch_value(&sql)?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            Ok((taken, Progress { rows: so_far + taken, ..Progress::default() }))
        })?;
        if taken == 0 {
            break;
        }
        rows += taken;
    }
    run.write(|session| {
        session.batch(&drop)?;
        Ok(((), Progress { rows, ..done() }))
    })
}

/// The statement of a batch, for showing.
pub(super) fn shown(fill: &Backfill) -> String {
    fill.record.as_ref().map(|record| statement(fill, record, "LIMIT :rows")).unwrap_or_default()
}

fn statement(fill: &Backfill, record: &ObjectName, limit: &str) -> String {
    let name = ident(&fill.table.name);
    let record = object(record);
    let set: Vec<String> =
        fill.assignments.iter().map(|(column, _)| format!("{} = NULL", ident(column))).collect();
    let keys = Key::of(&fill.key).names();
    let keys = keys.iter().enumerate().map(|(at, key)| format!("{name}.{key} = taken.k{at}"));
    let values = fill
        .assignments
        .iter()
        .enumerate()
        .map(|(at, (column, _))| format!("{name}.{} IS NOT DISTINCT FROM taken.v{at}", ident(column)));
    format!(
        "WITH taken AS (DELETE FROM {record} WHERE ctid IN (SELECT ctid FROM {record} {limit}) RETURNING *), \
         reverted AS (UPDATE {} SET {} FROM taken WHERE {}) SELECT pg_catalog.count(*) FROM taken",
        object(&fill.table),
        set.join(", "),
        keys.chain(values).collect::<Vec<_>>().join(" AND ")
    )
}
