//! ALTER TABLE and its actions.

use super::{
    AstNode, Backfill, Collate, ColumnDef, DropBehavior, Expr, Name, QualifiedName, TableConstraint,
    TypeName, child, children, choice, drop_behavior, has, nodes,
};
use crate::SyntaxKind;

nodes! {
    /// `ALTER TABLE …`.
    AlterTable(alter_table);
    /// `ADD [COLUMN] …`.
    AlterAddColumn(alter_add_column);
    /// `ADD CONSTRAINT …`.
    AlterAddConstraint(alter_add_constraint);
    /// `DROP [COLUMN] …`.
    AlterDropColumn(alter_drop_column);
    /// `DROP CONSTRAINT …`.
    AlterDropConstraint(alter_drop_constraint);
    /// `ALTER COLUMN c TYPE …`, `MODIFY COLUMN c …`.
    AlterColumnType(alter_column_type | modify_column);
    /// `ALTER COLUMN c SET NOT NULL`.
    AlterSetNotNull(alter_set_not_null);
    /// `ALTER COLUMN c DROP NOT NULL`.
    AlterDropNotNull(alter_drop_not_null);
    /// `ALTER COLUMN c SET DEFAULT e`.
    AlterSetDefault(alter_set_default);
    /// `ALTER COLUMN c DROP DEFAULT`.
    AlterDropDefault(alter_drop_default);
    /// `RENAME TO t`.
    AlterRenameTable(alter_rename_table);
    /// `RENAME [COLUMN] a TO b`.
    AlterRenameColumn(alter_rename_column);
    /// `RENAME CONSTRAINT a TO b`.
    AlterRenameConstraint(alter_rename_constraint);
    /// `USING e`.
    Using(using);
    /// `REVERT USING e`.
    RevertUsing(revert_using);
}

choice! {
    /// One action of ALTER TABLE.
    AlterAction {
        /// `ADD [COLUMN] …`.
        AddColumn(AlterAddColumn),
        /// `ADD CONSTRAINT …`.
        AddConstraint(AlterAddConstraint),
        /// `DROP [COLUMN] …`.
        DropColumn(AlterDropColumn),
        /// `DROP CONSTRAINT …`.
        DropConstraint(AlterDropConstraint),
        /// `ALTER COLUMN c TYPE …`.
        ColumnType(AlterColumnType),
        /// `ALTER COLUMN c SET NOT NULL`.
        SetNotNull(AlterSetNotNull),
        /// `ALTER COLUMN c DROP NOT NULL`.
        DropNotNull(AlterDropNotNull),
        /// `ALTER COLUMN c SET DEFAULT e`.
        SetDefault(AlterSetDefault),
        /// `ALTER COLUMN c DROP DEFAULT`.
        DropDefault(AlterDropDefault),
        /// `RENAME TO t`.
        RenameTable(AlterRenameTable),
        /// `RENAME [COLUMN] a TO b`.
        RenameColumn(AlterRenameColumn),
        /// `RENAME CONSTRAINT a TO b`.
        RenameConstraint(AlterRenameConstraint),
    }
}

impl AlterTable {
    /// IF EXISTS.
    pub fn is_if_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_exists)
    }

    /// ONLY: without what inherits from it.
    pub fn is_only(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_only)
    }

    /// The table.
    pub fn table(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }

    /// The actions in order.
    pub fn actions(&self) -> impl Iterator<Item = AlterAction> + use<> {
        children(self.syntax())
    }

    /// CONCURRENTLY.
    pub fn is_concurrently(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_concurrently)
    }
}

impl AlterAddColumn {
    /// IF NOT EXISTS.
    pub fn is_if_not_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_not_exists)
    }

    /// The column.
    pub fn column(&self) -> Option<ColumnDef> {
        child(self.syntax())
    }
}

impl AlterAddConstraint {
    /// The constraint.
    pub fn constraint(&self) -> Option<TableConstraint> {
        child(self.syntax())
    }
}

/// The accessor of an action that names one column or constraint.
macro_rules! named {
    ($($type:ident),*) => {$(
        impl $type {
            /// The column or constraint.
            pub fn name(&self) -> Option<Name> {
                Name::of(self.syntax())
            }
        }
    )*};
}

named!(
    AlterDropColumn,
    AlterDropConstraint,
    AlterColumnType,
    AlterSetNotNull,
    AlterDropNotNull,
    AlterSetDefault,
    AlterDropDefault
);

/// The accessors of an action that drops.
macro_rules! drops {
    ($($type:ident),*) => {$(
        impl $type {
            /// IF EXISTS.
            pub fn is_if_exists(&self) -> bool {
                has(self.syntax(), SyntaxKind::if_exists)
            }

            /// CASCADE or RESTRICT.
            pub fn behavior(&self) -> Option<DropBehavior> {
                drop_behavior(self.syntax())
            }
        }
    )*};
}

drops!(AlterDropColumn, AlterDropConstraint);

impl AlterColumnType {
    /// The new type.
    pub fn ty(&self) -> Option<TypeName> {
        child(self.syntax())
    }

    /// `COLLATE name`.
    pub fn collate(&self) -> Option<Collate> {
        child(self.syntax())
    }

    /// `USING e`: the new value from the old row.
    pub fn using(&self) -> Option<Expr> {
        child::<Using>(self.syntax()).and_then(|using| using.expr())
    }

    /// `REVERT USING e`: the old value from the new row.
    pub fn revert_using(&self) -> Option<Expr> {
        child::<RevertUsing>(self.syntax()).and_then(|using| using.expr())
    }
}

impl Using {
    /// The expression.
    pub fn expr(&self) -> Option<Expr> {
        child(self.syntax())
    }
}

impl RevertUsing {
    /// The expression.
    pub fn expr(&self) -> Option<Expr> {
        child(self.syntax())
    }
}

impl AlterSetNotNull {
    /// `BACKFILL e`: the value of rows that are NULL.
    pub fn backfill(&self) -> Option<Backfill> {
        child(self.syntax())
    }
}

impl AlterSetDefault {
    /// The default.
    pub fn expr(&self) -> Option<Expr> {
        child(self.syntax())
    }
}

impl AlterRenameTable {
    /// The new name.
    pub fn new_name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

/// The accessors of an action that renames a part of the table.
macro_rules! renames {
    ($($type:ident),*) => {$(
        impl $type {
            /// The old name.
            pub fn old_name(&self) -> Option<Name> {
                Name::of(self.syntax())
            }

            /// The new name.
            pub fn new_name(&self) -> Option<Name> {
                Name::all(self.syntax()).nth(1)
            }
        }
    )*};
}

renames!(AlterRenameColumn, AlterRenameConstraint);
