//! SQL that PQL does not model.

use pql_schema::MigrationOp;

use crate::{Action, Phase, PlanError, Severity, codes};

use super::ladder::Ladder;

/// Run as it is; the way back is the author's, or there is none.
pub(super) fn plain(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    sql: &str,
    revert: Option<&str>,
    outside_transaction: bool,
) -> Result<(), PlanError> {
    ladder.apply(op)?;
    ladder.warn(codes::RAW_SQL, Severity::Note, "this statement is run as it is; its locks are not known");
    let execute = |sql: &str| Action::Execute { sql: sql.to_owned(), outside_transaction };
    ladder.short(Phase::Cutover, execute(sql), revert.map(execute).into_iter().collect());
    if revert.is_none() {
        ladder.irreversible("EXECUTE has no REVERT");
    }
    Ok(())
}
