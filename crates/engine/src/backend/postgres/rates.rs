//! How large tables are.

use pql_planner::{Statistics, TableStatistics};
use pql_schema::ObjectName;

use super::blockers::{literal, qualified};
use super::link::Session;
use crate::backend::Connection as _;
use crate::{Result, Value};

/// Tables of at most so many bytes are counted; of others the planner's estimate is taken.
const COUNTED: u64 = 1 << 20;

/// The sizes of tables; those that do not exist are left out.
pub(super) fn statistics(session: &mut Session, tables: &[ObjectName]) -> Result<Statistics> {
    let mut statistics = Statistics::default();
    if tables.is_empty() {
        return Ok(statistics);
    }
    let names: Vec<String> = tables.iter().map(|table| literal(&qualified(table))).collect();
    // A table that was never analysed has no estimate: then a row is taken to be as wide as its columns are declared.
    let found = session.query(
        &format!(
            "SELECT n.at, c.reltuples::float8, pg_catalog.pg_table_size(c.oid), c.relkind IN ('r', 'p'), \
                    coalesce((SELECT sum(a.live) FROM (SELECT s.n_live_tup AS live \
                        FROM pg_catalog.pg_stat_all_tables s WHERE s.relid = c.oid) a), 0)::int8 \
             FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) WITH ORDINALITY AS n(name, at) \
             JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name)",
            names.join(", ")
        ),
        &[],
    )?;
    let mut small = Vec::new();
    for row in found.rows {
        let [
            Value::Integer(at),
            Value::Real(estimate),
            Value::Integer(bytes),
            Value::Boolean(is_table),
            Value::Integer(live),
        ] = row.as_slice()
        else {
            continue;
        };
        let Some(table) = usize::try_from(*at - 1).ok().and_then(|at| tables.get(at)) else { continue };
        let bytes = u64::try_from(*bytes).unwrap_or(0);
        if *is_table && bytes <= COUNTED {
            small.push((table, bytes));
            continue;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
        let estimated = (estimate.max(0.0) as u64).max(u64::try_from(*live).unwrap_or(0));
        // Without an estimate: rows of a hundred bytes.
        let rows = if estimated == 0 && *is_table { bytes / 100 } else { estimated };
        statistics.tables.insert(table.to_string(), TableStatistics { rows, bytes });
    }
    for ((table, bytes), rows) in small.iter().zip(counts(session, &small)?) {
        statistics.tables.insert(table.to_string(), TableStatistics { rows, bytes: *bytes });
    }
    Ok(statistics)
}

/// The number of rows of small tables, all at once.
fn counts(session: &mut Session, tables: &[(&ObjectName, u64)]) -> Result<Vec<u64>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let one = |(table, _): &(&ObjectName, u64)| format!("(SELECT count(*) FROM {})", qualified(table));
    let list: Vec<String> = tables.iter().map(one).collect();
    let found = session.query(&format!("SELECT pg_catalog.unnest(ARRAY[{}])", list.join(", ")), &[])?;
    Ok(found
        .rows
        .into_iter()
        .flatten()
        .map(|value| match value {
            Value::Integer(count) => u64::try_from(count).unwrap_or(0),
            _ => 0,
        })
        .collect())
}
