//! A column gets another name; what names it follows.

use pql_schema::{MigrationOp, ObjectName};

use crate::{Action, Phase, PlanError, Severity, codes};

use super::hindrances;
use super::ladder::Ladder;

/// The plain statement, which touches no row.
pub(super) fn plain(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    from: &str,
    to: &str,
) -> Result<(), PlanError> {
    let before = ladder.table(table)?;
    let from = before.column(from, ladder.schema.names).map_or(from, |column| &column.name);
    hindrances::of_name(ladder, &before, from, "renamed")?;
    ladder.apply(op)?;
    ladder.warn(
        codes::RENAMES,
        Severity::Warning,
        format!("statements that name {}.{from} fail from then on", before.name),
    );
    let rename = |from: &str, to: &str| Action::RenameColumn {
        table: before.name.clone(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    ladder.short(Phase::Cutover, rename(from, to), vec![rename(to, from)]);
    Ok(())
}
