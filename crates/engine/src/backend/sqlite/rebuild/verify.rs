//! Comparing the target with the source, row by row, in snapshots.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::cell::{self, Cell};
use super::super::exprs;
use super::super::keys::{Range, log_column, qualified};
use super::super::report::{NAMED, Rows};
use super::super::run::Run;
use super::flow::Flow;
use super::pairs::Tie;
use crate::backend::Progress;
use crate::error::codes;
use crate::{Error, Result};

/// Rows that one snapshot compares; in between the run can be paused, and the log of the database can be reset.
const PIECE: u64 = 20_000;

/// Where readers keep writers waiting, a piece is read in a few milliseconds.
const SHORT_PIECE: u64 = 2_000;

/// Fails unless every row of the source that is not in the log is in the target as the mapping says, and the target
/// has no others.
pub(super) fn compare(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let piece = if run.place.wal || !run.online() { PIECE } else { SHORT_PIECE };
    let Some(last) = run.read(|db| flow.source_key.edge(db, flow.source, true))? else {
        return run.read(|db| same_number(db, flow));
    };
    let mut left = Range { after: None, upto: Some(last.clone()) };
    let mut rows = 0;
    loop {
        let upto = run.read(|db| {
            let upto = flow.source_key.nth(db, flow.source, &left, piece)?.unwrap_or_else(|| last.clone());
            let range = Range { after: left.after.clone(), upto: Some(upto.clone()) };
            different(db, flow, &range)?;
            Ok(upto)
        })?;
        rows += piece;
        if upto == last {
            break;
        }
        left.after = Some(upto);
        run.step.breathe(&Progress { rows, ..Progress::default() })?;
    }
    run.read(|db| same_number(db, flow))
}

/// Rows of the source whose row in the target is missing or other than it should be.
fn different(db: &Db, flow: &Flow<'_>, range: &Range) -> Result<()> {
    let (sql, params) = flow.different(range, NAMED + 1);
    let width = flow.source_key.len();
    let mut statement = db.prepare_cached(&sql)?;
    let mut unlike = statement.query(params_from_iter(params))?;
    let mut rows = Rows::default();
    while let Some(row) = unlike.next()? {
        let key = cell::row(row, width)?;
        rows.push(&flow.source_key, &key, None);
    }
    if rows.is_empty() {
        return Ok(());
    }
    Err(rows.error(codes::VERIFY, &format!("rows of {} are not what they should be in the new table", ident(flow.source))).with_help(
        "nothing was swapped; an expression that gives another value each time cannot be verified; otherwise please report it",
    ))
}

/// Every row of the source has one in the target; the other way round that is a matter of counting.
fn same_number(db: &Db, flow: &Flow<'_>) -> Result<()> {
    let source = ident(flow.source);
    let log = ident(flow.log);
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let of_source = count(&format!(
        "SELECT (SELECT count(*) FROM main.{source}) - (SELECT count(*) FROM main.{log} AS _pql_l \
         WHERE EXISTS (SELECT 1 FROM main.{source} WHERE {}))",
        flow.source_key.is_logged(&source, "_pql_l")
    ))?;
    let logged_there = flow.logged_in_target();
    let of_target =
        count(&format!("SELECT (SELECT count(*) FROM main.{}) - ({logged_there})", ident(flow.target)))?;
    if of_source == of_target {
        return Ok(());
    }
    Err(Error::new(
        codes::VERIFY,
        format!("the new table of {source} has {of_target} rows where it should have {of_source}; nothing was swapped"),
    )
    .with_help("please report it"))
}

impl Flow<'_> {
    /// The query for the keys of a range that are not in the log and whose row in the target is missing or other than
    /// it should be.
    fn different(&self, range: &Range, limit: usize) -> (String, Vec<Cell>) {
        let source = ident(self.source);
        let (condition, params) = self.source_key.within(&source, range, 1);
        let keys: Vec<String> = (0..self.source_key.len()).map(log_column).collect();
        // The values are computed where no other table's columns are in sight. A bare `+` takes a value's own affinity
        // away, so that it is compared as the target's column would store it.
        let mut columns: Vec<String> = (self.source_key.names().zip(&keys))
            .map(|(name, key)| format!("{} AS {key}", qualified(&source, name)))
            .collect();
        let mut equal = Vec::new();
        for (at, map) in self.mapping.iter().enumerate() {
            if !map.unstable && exprs::is_stable(&map.from) {
                columns.push(format!("+({}) AS _pql_v{at}", map.from));
                let same = format!("_pql_t.{} COLLATE BINARY IS _pql_s._pql_v{at}", ident(&map.column));
                // SQLite gives a row a number where its INTEGER PRIMARY KEY is NULL.
                equal.push(if self.numbered.as_ref().is_some_and(|name| *name == map.column) {
                    format!("(_pql_s._pql_v{at} IS NULL OR {same})")
                } else {
                    same
                });
            }
        }
        let own: Vec<String> = keys.iter().map(|key| format!("_pql_s.{key}")).collect();
        let logged = self.source_key.same_in_logs("_pql_s", "_pql_l");
        let target = ident(self.target);
        let (from, same) = match &self.tie {
            Tie::Same { .. } => {
                (format!("main.{target} AS _pql_t"), self.target_key.equal("_pql_t", own.iter().cloned()))
            }
            Tie::Pairs(name) => {
                let side = self.side();
                let there = side.other().columns("_pql_p", self.target_key.len());
                let here: Vec<String> = (side.columns("_pql_p", own.len()).iter().zip(&own))
                    .map(|(pair, own)| format!("{pair} = {own}"))
                    .collect();
                let tables = format!(
                    "main.{} AS _pql_p JOIN main.{target} AS _pql_t ON {}",
                    ident(name),
                    self.target_key.equal("_pql_t", there.into_iter())
                );
                (tables, here.join(" AND "))
            }
        };
        equal.insert(0, same);
        let sql = format!(
            // The log is asked last, for the few that differ.
            "SELECT {} FROM (SELECT {} FROM main.{source} WHERE {condition}) AS _pql_s \
             WHERE NOT EXISTS (SELECT 1 FROM {from} WHERE {}) \
             AND NOT EXISTS (SELECT 1 FROM main.{} AS _pql_l WHERE {logged}) LIMIT {limit}",
            own.join(", "),
            columns.join(", "),
            equal.join(" AND "),
            ident(self.log),
        );
        (sql, params)
    }

    /// The query for how many logged keys have a row in the target.
    fn logged_in_target(&self) -> String {
        let log = ident(self.log);
        match &self.tie {
            Tie::Same { .. } => format!(
                "SELECT count(*) FROM main.{log} AS _pql_l WHERE EXISTS (SELECT 1 FROM main.{} AS _pql_t WHERE {})",
                ident(self.target),
                self.target_key.is_logged("_pql_t", "_pql_l")
            ),
            Tie::Pairs(name) => {
                let sides = self.side().columns("_pql_p", self.source_key.len());
                let equal: Vec<String> = (sides.iter().enumerate())
                    .map(|(at, column)| format!("{column} = _pql_l.{}", log_column(at)))
                    .collect();
                format!(
                    "SELECT count(*) FROM main.{log} AS _pql_l JOIN main.{} AS _pql_p ON {}",
                    ident(name),
                    equal.join(" AND ")
                )
            }
        }
    }
}
