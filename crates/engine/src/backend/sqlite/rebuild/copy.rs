//! Copying the rows that were there when the log was started into the shadow.
//!
//! Beside an application the rows of a batch are read, checked and computed into a temporary table of the shadow's
//! definition while the file is free, and only moved from there under the lock: between two tables of one definition
//! SQLite moves whole records, in a fraction of the time that it takes to make them. What the application writes in
//! between is in the log, so that the row is copied again.

use pql_planner::Rebuild;
use pql_planner::text::{SQLITE, ident};
use pql_schema::ObjectName;
use rusqlite::{Connection as Db, params_from_iter};

use super::super::errors;
use super::super::keys::Range;
use super::super::run::{Batch, Run};
use super::super::walk::Walk;
use super::flow::Flow;
use super::pairs::Tie;
use super::shadow;
use crate::Result;
use crate::backend::Progress;

/// The temporary table.
const CHUNK: &str = "_pql_chunk";

/// Copies what is left of a walk.
pub(super) fn rows(
    run: &mut Run<'_>,
    rebuild: &Rebuild,
    flow: &Flow<'_>,
    walk: &mut Walk,
    progress: impl Fn(&Walk) -> Result<Progress>,
) -> Result<()> {
    let chunk = Chunk::create(run, rebuild, flow)?;
    let outcome = all(run, flow, chunk.as_ref(), walk, progress);
    if chunk.is_none() {
        return outcome;
    }
    let dropped = run.db.execute_batch(&format!("DROP TABLE IF EXISTS temp.{CHUNK}"));
    outcome.and_then(|()| Ok(dropped?))
}

fn all(
    run: &mut Run<'_>,
    flow: &Flow<'_>,
    chunk: Option<&Chunk>,
    walk: &mut Walk,
    progress: impl Fn(&Walk) -> Result<Progress>,
) -> Result<()> {
    while !walk.over {
        let rows = run.batch();
        let ready = match chunk {
            Some(chunk) => chunk.fill(run.db, flow, walk, rows)?,
            None => None,
        };
        run.write_rows(|db| {
            let (piece, copied) = if let (Some(piece), Some(chunk)) = (ready, chunk) {
                chunk.pour(db, flow, piece)?
            } else {
                let piece = walk.next(db, flow.source, &flow.source_key, rows)?;
                let copied = flow.copy(db, &piece)?;
                (piece, copied)
            };
            walk.done(&piece, copied);
            Ok(Batch { value: (), rows: copied, progress: progress(walk)? })
        })?;
    }
    Ok(())
}

/// The temporary table of a copy.
struct Chunk {
    /// The statement that computes rows into it, without its condition.
    fill: String,
    /// The statement that moves them into the shadow.
    pour: String,
}

impl Chunk {
    /// Makes it, unless it is of no use: nobody waits, readers would keep writers waiting, or the key of a row is known
    /// only when the shadow has it.
    fn create(run: &Run<'_>, rebuild: &Rebuild, flow: &Flow<'_>) -> Result<Option<Self>> {
        let Tie::Same { rowid } = &flow.tie else { return Ok(None) };
        if !run.online() || !run.place.wal {
            return Ok(None);
        }
        let mut table = shadow::definition(rebuild);
        table.name = ObjectName { schema: Some("temp".to_owned()), name: CHUNK.to_owned() };
        let chunk = format!("temp.{CHUNK}");
        run.db.execute_batch(&format!("DROP TABLE IF EXISTS {chunk}; {}", SQLITE.create_table(&table)))?;
        let shadow = ident(flow.target);
        // Records are moved whole where nothing is said of the columns, and a column is the rowid.
        let whole = flow.numbered.is_some() && table.columns.iter().all(|column| column.generated.is_none());
        let pour = if whole {
            format!("INSERT INTO main.{shadow} SELECT * FROM {chunk}")
        } else {
            let stored = table.columns.iter().filter(|column| column.generated.is_none());
            let columns: Vec<String> =
                rowid.iter().chain(stored.map(|column| &column.name)).map(|name| ident(name)).collect();
            let columns = columns.join(", ");
            format!("INSERT INTO main.{shadow} ({columns}) SELECT {columns} FROM {chunk}")
        };
        Ok(Some(Self { fill: flow.insert_into(&chunk, false), pour }))
    }

    /// Computes the next rows; none when one of them cannot be, which the copy under the lock then explains.
    fn fill(&self, db: &Db, flow: &Flow<'_>, walk: &Walk, rows: u64) -> Result<Option<Range>> {
        db.execute_batch(&format!("DELETE FROM temp.{CHUNK}"))?;
        let piece = walk.next(db, flow.source, &flow.source_key, rows)?;
        let source = ident(flow.source);
        let (condition, params) = flow.source_key.within(&source, &piece, 1);
        flow.refuse_misfits(db, &condition, &params)?;
        let sql = format!("{} WHERE {condition} ORDER BY {}", self.fill, flow.source_key.order(&source));
        match db.prepare_cached(&sql)?.execute(params_from_iter(&params)) {
            Ok(_) => Ok(Some(piece)),
            Err(error) if errors::is_about_a_row(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves them into the shadow.
    fn pour(&self, db: &Db, flow: &Flow<'_>, piece: Range) -> Result<(Range, u64)> {
        match db.prepare_cached(&self.pour)?.execute([]) {
            Ok(copied) => Ok((piece, copied as u64)),
            Err(error) if errors::is_about_a_row(&error) => {
                let copied = flow.copy(db, &piece)?;
                Ok((piece, copied))
            }
            Err(error) => Err(error.into()),
        }
    }
}
