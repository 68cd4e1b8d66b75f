//! The operations, sorted into the order in which they can be applied.

use crate::MigrationOp;

/// One list for each phase; the fields stand in the order in which the phases run.
#[derive(Default)]
pub(super) struct Phases {
    /// Before anything is renamed: the texts are then still the old ones, on the way there and on the way back.
    pub(super) drop_triggers: Vec<MigrationOp>,
    pub(super) drop_views: Vec<MigrationOp>,
    pub(super) renames: Vec<MigrationOp>,
    pub(super) drop_foreign_keys: Vec<MigrationOp>,
    /// Before constraints go: a table that goes may refer to a key that goes, too.
    pub(super) drop_tables: Vec<MigrationOp>,
    pub(super) drop_indexes: Vec<MigrationOp>,
    /// Before columns come that a STRICT table cannot have, and before the key goes that WITHOUT ROWID needs.
    pub(super) leave_options: Vec<MigrationOp>,
    pub(super) drop_constraints: Vec<MigrationOp>,
    pub(super) rename_constraints: Vec<MigrationOp>,
    /// Before columns go: a table is never without one that is not generated.
    pub(super) add_columns: Vec<MigrationOp>,
    /// Before what they are computed from.
    pub(super) drop_generated_columns: Vec<MigrationOp>,
    /// Those that were generated before and keep the values that they had.
    pub(super) add_former_generated_columns: Vec<MigrationOp>,
    pub(super) drop_columns: Vec<MigrationOp>,
    /// After what they are computed from.
    pub(super) add_generated_columns: Vec<MigrationOp>,
    pub(super) create_tables: Vec<MigrationOp>,
    pub(super) change_columns: Vec<MigrationOp>,
    pub(super) add_constraints: Vec<MigrationOp>,
    pub(super) set_table_options: Vec<MigrationOp>,
    pub(super) rename_indexes: Vec<MigrationOp>,
    pub(super) add_indexes: Vec<MigrationOp>,
    /// After indexes: a foreign key may refer to what a unique index keeps unique.
    pub(super) add_foreign_keys: Vec<MigrationOp>,
    pub(super) create_views: Vec<MigrationOp>,
    pub(super) index_views: Vec<MigrationOp>,
    pub(super) create_triggers: Vec<MigrationOp>,
}

impl Phases {
    pub(super) fn into_ops(self) -> Vec<MigrationOp> {
        [
            self.drop_triggers,
            self.drop_views,
            self.renames,
            self.drop_foreign_keys,
            self.drop_tables,
            self.drop_indexes,
            self.leave_options,
            self.drop_constraints,
            self.rename_constraints,
            self.add_columns,
            self.drop_generated_columns,
            self.add_former_generated_columns,
            self.drop_columns,
            self.add_generated_columns,
            self.create_tables,
            self.change_columns,
            self.add_constraints,
            self.set_table_options,
            self.rename_indexes,
            self.add_indexes,
            self.add_foreign_keys,
            self.create_views,
            self.index_views,
            self.create_triggers,
        ]
        .concat()
    }
}
