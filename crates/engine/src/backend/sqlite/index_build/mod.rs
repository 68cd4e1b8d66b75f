//! Building an index.

use pql_planner::text::SQLITE;
use pql_schema::Index;

use super::run::Run;
use crate::Result;
use crate::backend::Progress;

/// Builds an index on a table that only we write.
pub(super) fn on_hidden_table(run: &mut Run<'_>, index: &Index) -> Result<()> {
    run.write(|db| {
        db.execute_batch(&SQLITE.create_index(index))?;
        Ok(((), Progress::default()))
    })
}
