//! The operations of MIGRATE GENERATE.

use super::{
    AstNode, Backfill, Collate, ColumnDef, ColumnList, Conflict, ConstraintOptions, Expr, Identity, IndexDef,
    Name, Operand, QualifiedName, Query, RevertUsing, TableBody, TableOption, TypeName, Using, child,
    children, choice, has, nodes, operand,
};
use crate::SyntaxKind;

nodes! {
    /// `ADD TABLE t (…)`.
    AddTable(op_add_table);
    /// `DROP TABLE t`.
    OpDropTable(op_drop_table);
    /// `RENAME TABLE t TO u`.
    RenameTable(op_rename_table);
    /// `ADD COLUMN t.c …`.
    AddColumn(op_add_column);
    /// `DROP COLUMN t.c`.
    DropColumn(op_drop_column);
    /// `RENAME COLUMN t.c TO d`.
    RenameColumn(op_rename_column);
    /// `CHANGE COLUMN t.c TYPE x`.
    ChangeColumn(op_change_column);
    /// `SET NOT NULL t.c`.
    SetNotNull(op_set_not_null);
    /// `DROP NOT NULL t.c`.
    DropNotNull(op_drop_not_null);
    /// `SET DEFAULT t.c = e`.
    SetDefault(op_set_default);
    /// `DROP DEFAULT t.c`.
    DropDefault(op_drop_default);
    /// `SET TABLE OPTIONS t = (…)`.
    SetTableOptions(op_set_table_options);
    /// `SET COLUMN OPTIONS t.c = (…)`.
    SetColumnOptions(op_set_column_options);
    /// `ADD INDEX i ON t (…)`.
    AddIndex(op_add_index);
    /// `DROP INDEX i`.
    OpDropIndex(op_drop_index);
    /// `RENAME INDEX i TO j`.
    RenameIndex(op_rename_index);
    /// `ADD CONSTRAINT t.k …` or `ADD CONSTRAINT ON t …`.
    AddConstraint(op_add_constraint);
    /// `DROP CONSTRAINT t.k`.
    DropConstraint(op_drop_constraint);
    /// `RENAME CONSTRAINT t.k TO l`.
    RenameConstraint(op_rename_constraint);
    /// `CREATE VIEW v AS …`.
    OpCreateView(op_create_view);
    /// `DROP VIEW v`.
    OpDropView(op_drop_view);
    /// `EXECUTE 'sql' [REVERT 'sql']`.
    Execute(op_execute);
    /// `REVERT 'sql'`.
    Revert(revert);
}

choice! {
    /// One operation of MIGRATE GENERATE.
    Operation {
        /// `ADD TABLE`.
        AddTable(AddTable),
        /// `DROP TABLE`.
        DropTable(OpDropTable),
        /// `RENAME TABLE`.
        RenameTable(RenameTable),
        /// `ADD COLUMN`.
        AddColumn(AddColumn),
        /// `DROP COLUMN`.
        DropColumn(DropColumn),
        /// `RENAME COLUMN`.
        RenameColumn(RenameColumn),
        /// `CHANGE COLUMN`.
        ChangeColumn(ChangeColumn),
        /// `SET NOT NULL`.
        SetNotNull(SetNotNull),
        /// `DROP NOT NULL`.
        DropNotNull(DropNotNull),
        /// `SET DEFAULT`.
        SetDefault(SetDefault),
        /// `DROP DEFAULT`.
        DropDefault(DropDefault),
        /// `SET TABLE OPTIONS`.
        SetTableOptions(SetTableOptions),
        /// `SET COLUMN OPTIONS`.
        SetColumnOptions(SetColumnOptions),
        /// `ADD INDEX`.
        AddIndex(AddIndex),
        /// `DROP INDEX`.
        DropIndex(OpDropIndex),
        /// `RENAME INDEX`.
        RenameIndex(RenameIndex),
        /// `ADD CONSTRAINT`.
        AddConstraint(AddConstraint),
        /// `DROP CONSTRAINT`.
        DropConstraint(DropConstraint),
        /// `RENAME CONSTRAINT`.
        RenameConstraint(RenameConstraint),
        /// `CREATE VIEW`.
        CreateView(OpCreateView),
        /// `DROP VIEW`.
        DropView(OpDropView),
        /// `EXECUTE`.
        Execute(Execute),
    }
}

/// Accessors that several operations have.
macro_rules! accessors {
    ($($type:ident { $($accessor:ident),* })*) => {$(impl $type { $(accessors!(@$accessor);)* })*};
    (@target) => {
        /// What it is about, qualified: `t`, `t.c`, `t.k` or an index.
        pub fn target(&self) -> Option<QualifiedName> {
            child(self.syntax())
        }
    };
    (@new_name) => {
        /// The new name.
        pub fn new_name(&self) -> Option<Name> {
            Name::of(self.syntax())
        }
    };
    (@if_exists) => {
        /// IF EXISTS.
        pub fn is_if_exists(&self) -> bool {
            has(self.syntax(), SyntaxKind::if_exists)
        }
    };
    (@if_not_exists) => {
        /// IF NOT EXISTS.
        pub fn is_if_not_exists(&self) -> bool {
            has(self.syntax(), SyntaxKind::if_not_exists)
        }
    };
}

accessors! {
    AddTable { target, if_not_exists }
    OpDropTable { target, if_exists }
    RenameTable { target, new_name }
    AddColumn { if_not_exists }
    DropColumn { target, if_exists }
    RenameColumn { target, new_name }
    ChangeColumn { target }
    SetNotNull { target }
    DropNotNull { target }
    SetDefault { target }
    DropDefault { target }
    SetTableOptions { target }
    SetColumnOptions { target }
    AddIndex { if_not_exists }
    OpDropIndex { target, if_exists }
    RenameIndex { target, new_name }
    AddConstraint { target }
    DropConstraint { target, if_exists }
    RenameConstraint { target, new_name }
    OpCreateView { target }
    OpDropView { target, if_exists }
}

impl AddTable {
    /// Columns and constraints.
    pub fn body(&self) -> Option<TableBody> {
        child(self.syntax())
    }

    /// What follows the body.
    pub fn options(&self) -> impl Iterator<Item = TableOption> + use<> {
        children(self.syntax())
    }
}

impl AddColumn {
    /// The table, with its schema if given.
    pub fn table(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }

    /// The column.
    pub fn column(&self) -> Option<ColumnDef> {
        child(self.syntax())
    }
}

impl ChangeColumn {
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

impl SetNotNull {
    /// `BACKFILL e`: the value of rows that are NULL.
    pub fn backfill(&self) -> Option<Backfill> {
        child(self.syntax())
    }
}

impl SetDefault {
    /// The default.
    pub fn expr(&self) -> Option<Expr> {
        child(self.syntax())
    }
}

impl SetTableOptions {
    /// All that the table has from now on.
    pub fn options(&self) -> impl Iterator<Item = TableOption> + use<> {
        children(self.syntax())
    }
}

impl SetColumnOptions {
    /// `GENERATED … AS IDENTITY`.
    pub fn identity(&self) -> Option<Identity> {
        child(self.syntax())
    }

    /// `ON CONFLICT …` of the column's NOT NULL.
    pub fn conflict(&self) -> Option<Conflict> {
        child(self.syntax())
    }
}

impl AddIndex {
    /// UNIQUE.
    pub fn is_unique(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_unique)
    }

    /// The definition.
    pub fn definition(&self) -> Option<IndexDef> {
        child(self.syntax())
    }
}

impl ConstraintOptions for AddConstraint {}

impl AddConstraint {
    /// `ON t`: the target is the table alone, and the database names the constraint.
    pub fn is_unnamed(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_on)
    }
}

impl OpCreateView {
    /// MATERIALIZED.
    pub fn is_materialized(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_materialized)
    }

    /// OR REPLACE.
    pub fn is_or_replace(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_replace)
    }

    /// The names of its columns.
    pub fn columns(&self) -> Option<ColumnList> {
        child(self.syntax())
    }

    /// The query.
    pub fn query(&self) -> Option<Query> {
        child(self.syntax())
    }
}

impl OpDropView {
    /// MATERIALIZED.
    pub fn is_materialized(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_materialized)
    }
}

impl Execute {
    /// The SQL to run.
    pub fn sql(&self) -> Option<Operand> {
        operand(self.syntax())
    }

    /// The SQL that undoes it.
    pub fn revert(&self) -> Option<Operand> {
        child::<Revert>(self.syntax()).and_then(|revert| operand(revert.syntax()))
    }

    /// `OUTSIDE TRANSACTION`.
    pub fn is_outside_transaction(&self) -> bool {
        has(self.syntax(), SyntaxKind::outside)
    }
}
