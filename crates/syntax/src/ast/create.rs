//! CREATE and DROP of tables and views.

use super::{
    AstNode, ColumnDef, ColumnList, DropBehavior, Name, QualifiedName, Query, RenamedFrom, StorageParams,
    TableConstraint, Tablespace, child, children, choice, drop_behavior, has, nodes,
};
use crate::SyntaxKind;

nodes! {
    /// `CREATE TABLE …`.
    CreateTable(create_table);
    /// The brackets of a table's definition.
    TableBody(table_body);
    /// `DROP TABLE …`.
    DropTable(drop_table);
    /// `CREATE VIEW …`.
    CreateView(create_view);
    /// `DROP VIEW …`.
    DropView(drop_view);
    /// `UNLOGGED`.
    Unlogged(unlogged);
    /// `WITHOUT ROWID`.
    WithoutRowid(without_rowid);
    /// `WITHOUT OIDS`.
    WithoutOids(without_oids);
    /// `STRICT`.
    Strict(strict);
    /// `USING heap`.
    AccessMethod(access_method);
    /// `INHERITS (…)`.
    Inherits(inherits);
}

choice! {
    /// What follows a table's body.
    TableOption {
        /// `UNLOGGED`.
        Unlogged(Unlogged),
        /// `WITHOUT ROWID`.
        WithoutRowid(WithoutRowid),
        /// `STRICT`.
        Strict(Strict),
        /// `WITH (…)`.
        StorageParams(StorageParams),
        /// `WITHOUT OIDS`.
        WithoutOids(WithoutOids),
        /// `TABLESPACE t`.
        Tablespace(Tablespace),
        /// `USING method`.
        AccessMethod(AccessMethod),
        /// `INHERITS (…)`.
        Inherits(Inherits),
    }
}

choice! {
    /// What stands in a table's body.
    TableElement {
        /// A column.
        Column(ColumnDef),
        /// A constraint.
        Constraint(TableConstraint),
    }
}

impl CreateTable {
    /// IF NOT EXISTS.
    pub fn is_if_not_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_not_exists)
    }

    /// The table's name.
    pub fn name(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }

    /// `RENAMED FROM old`.
    pub fn renamed_from(&self) -> Option<RenamedFrom> {
        child(self.syntax())
    }

    /// Columns and constraints.
    pub fn body(&self) -> Option<TableBody> {
        child(self.syntax())
    }

    /// What follows the body.
    pub fn options(&self) -> impl Iterator<Item = TableOption> + use<> {
        children(self.syntax())
    }
}

impl TableBody {
    /// Columns and constraints as they stand.
    pub fn elements(&self) -> impl Iterator<Item = TableElement> + use<> {
        children(self.syntax())
    }

    /// The columns.
    pub fn columns(&self) -> impl Iterator<Item = ColumnDef> + use<> {
        children(self.syntax())
    }

    /// The constraints.
    pub fn constraints(&self) -> impl Iterator<Item = TableConstraint> + use<> {
        children(self.syntax())
    }
}

impl DropTable {
    /// IF EXISTS.
    pub fn is_if_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_exists)
    }

    /// The tables.
    pub fn names(&self) -> impl Iterator<Item = QualifiedName> + use<> {
        children(self.syntax())
    }

    /// CASCADE or RESTRICT.
    pub fn behavior(&self) -> Option<DropBehavior> {
        drop_behavior(self.syntax())
    }

    /// CONCURRENTLY.
    pub fn is_concurrently(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_concurrently)
    }
}

impl CreateView {
    /// MATERIALIZED.
    pub fn is_materialized(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_materialized)
    }

    /// OR REPLACE.
    pub fn is_or_replace(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_replace)
    }

    /// IF NOT EXISTS.
    pub fn is_if_not_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_not_exists)
    }

    /// The view's name.
    pub fn name(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }

    /// The names of its columns.
    pub fn columns(&self) -> Option<ColumnList> {
        child(self.syntax())
    }

    /// `WITH (…)`.
    pub fn storage_params(&self) -> Option<StorageParams> {
        child(self.syntax())
    }

    /// The query, `WITH CHECK OPTION` included.
    pub fn query(&self) -> Option<Query> {
        child(self.syntax())
    }
}

impl DropView {
    /// MATERIALIZED.
    pub fn is_materialized(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_materialized)
    }

    /// IF EXISTS.
    pub fn is_if_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_exists)
    }

    /// The views.
    pub fn names(&self) -> impl Iterator<Item = QualifiedName> + use<> {
        children(self.syntax())
    }

    /// CASCADE or RESTRICT.
    pub fn behavior(&self) -> Option<DropBehavior> {
        drop_behavior(self.syntax())
    }
}

impl AccessMethod {
    /// The method.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

impl Inherits {
    /// The parents.
    pub fn tables(&self) -> impl Iterator<Item = QualifiedName> + use<> {
        children(self.syntax())
    }
}
