//! PostgreSQL: what a column that is kept out of sight does to statements that name no columns. It keeps its place among
//! the others, and nothing takes that from it but PURGE.

use pql_schema::{Column, DataType, Table};

use crate::{Severity, codes};

use super::ladder::Ladder;

/// Whether an INSERT that gives the dropped column a value by its place can be told: by its not asking for the default.
pub(super) fn is_guarded(ladder: &Ladder<'_>, table: &Table, column: &Column) -> bool {
    let other = column.identity.is_some() || column.generated.is_some();
    ladder.options.retain && !other && ladder.without_triggers(&table.name).is_none()
}

/// Of a column that is dropped.
pub(super) fn warn_of_dropped(ladder: &mut Ladder<'_>, table: &Table, column: &Column, guarded: bool) {
    let (name, column_name) = (&table.name, &column.name);
    if !ladder.options.retain {
        let message = format!(
            "until the migration is over, SELECT * and INSERT without columns still see {name}.{column_name}"
        );
        return ladder.warn(codes::HIDDEN_COLUMN, Severity::Note, message);
    }
    // The database itself lets nobody write a generated column.
    let message = if guarded || column.generated.is_some() {
        format!(
            "until it is purged, SELECT * still sees {name}.{column_name}, and INSERT and COPY that give it a value by its \
             place fail: name the columns"
        )
    } else {
        format!(
            "until it is purged, SELECT * still sees {name}.{column_name}, and INSERT without columns gives it a value that \
             is meant for the next one; COPY fails: name the columns"
        )
    };
    ladder.warn(codes::HIDDEN_COLUMN, Severity::Warning, message);
}

/// Of a column that another one has replaced: what the old one is given goes on to the new one.
pub(super) fn warn_of_replaced(ladder: &mut Ladder<'_>, table: &Table, old: &Column, new: &Column) {
    let (name, column) = (&table.name, &old.name);
    if !ladder.options.retain {
        let message = format!(
            "until the migration is over, SELECT * and INSERT without columns still see the old {name}.{column}"
        );
        return ladder.warn(codes::HIDDEN_COLUMN, Severity::Note, message);
    }
    // What is true is no number that can be assigned.
    let refused = new.data_type == DataType::Boolean && !DataType::Text.fits_into(&old.data_type);
    if new.data_type.fits_into(&old.data_type) && (!refused || old.data_type == DataType::Boolean) {
        let message = format!(
            "until it is purged, SELECT * and INSERT without columns still see the old {name}.{column}, and COPY without \
             columns fails"
        );
        return ladder.warn(codes::HIDDEN_COLUMN, Severity::Note, message);
    }
    let message = format!(
        "until it is purged, SELECT * still sees the old {name}.{column}; INSERT without columns gives the new one what \
         {} makes of its value, or fails, and COPY fails: name the columns",
        old.data_type
    );
    ladder.warn(codes::HIDDEN_COLUMN, Severity::Warning, message);
}
