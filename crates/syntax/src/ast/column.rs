//! Columns and their constraints; the same in CREATE TABLE, ALTER TABLE and MIGRATE GENERATE.

use super::{
    AstNode, Check, Conflict, ConstraintName, Deferrable, Expr, Name, NullsDistinct, QualifiedName,
    RawParens, References, TypeName, child, choice, has, nodes,
};
use crate::{SyntaxKind, SyntaxNode};

nodes! {
    /// A column: name, type, constraints.
    ColumnDef(column_def | field_def | typed_column);
    /// `NOT NULL`.
    NotNull(not_null);
    /// `NULL`.
    Null(null);
    /// `DEFAULT e`.
    Default(default);
    /// `PRIMARY KEY` of one column.
    ColumnPrimaryKey(column_primary_key);
    /// `UNIQUE` of one column.
    ColumnUnique(column_unique);
    /// `COLLATE name`.
    Collate(collate);
    /// `GENERATED … AS IDENTITY`.
    Identity(identity);
    /// `GENERATED ALWAYS AS (e) STORED`.
    Generated(generated);
    /// `BACKFILL e`: the value of the rows that exist already.
    Backfill(backfill);
    /// `RENAMED FROM old`: answers the question whether this is a rename.
    RenamedFrom(renamed_from);
    /// `STORAGE method`.
    Storage(storage);
    /// `COMPRESSION method`.
    Compression(compression);
}

choice! {
    /// What can follow a column's type.
    ColumnConstraint {
        /// `NOT NULL`.
        NotNull(NotNull),
        /// `NULL`.
        Null(Null),
        /// `DEFAULT e`.
        Default(Default),
        /// `PRIMARY KEY`.
        PrimaryKey(ColumnPrimaryKey),
        /// `UNIQUE`.
        Unique(ColumnUnique),
        /// `CHECK (e)`.
        Check(Check),
        /// `REFERENCES t (c) …`.
        References(References),
        /// `COLLATE name`.
        Collate(Collate),
        /// `GENERATED … AS IDENTITY`.
        Identity(Identity),
        /// `GENERATED ALWAYS AS (e)`.
        Generated(Generated),
        /// `BACKFILL e`.
        Backfill(Backfill),
        /// `RENAMED FROM old`.
        RenamedFrom(RenamedFrom),
        /// `DEFERRABLE …` standing apart from its REFERENCES.
        Deferrable(Deferrable),
        /// `STORAGE method`.
        Storage(Storage),
        /// `COMPRESSION method`.
        Compression(Compression),
    }
}

impl ColumnDef {
    /// The column's name.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }

    /// Its type; SQLite's columns may have none.
    pub fn ty(&self) -> Option<TypeName> {
        child(self.syntax())
    }

    /// What follows the type, each with the name that `CONSTRAINT name` gives it.
    pub fn constraints(&self) -> Vec<(Option<Name>, ColumnConstraint)> {
        let mut name = None;
        let mut constraints = Vec::new();
        for node in self.syntax().children() {
            if let Some(named) = ConstraintName::cast(node.clone()) {
                name = named.name();
            } else if let Some(constraint) = ColumnConstraint::cast(node) {
                constraints.push((name.take(), constraint));
            }
        }
        constraints
    }
}

fn expr(node: &SyntaxNode) -> Option<Expr> {
    child(node)
}

impl NotNull {
    /// SQLite's `ON CONFLICT`.
    pub fn conflict(&self) -> Option<Conflict> {
        child(self.syntax())
    }
}

impl Null {
    /// SQLite's `ON CONFLICT`.
    pub fn conflict(&self) -> Option<Conflict> {
        child(self.syntax())
    }
}

impl Default {
    /// The default.
    pub fn expr(&self) -> Option<Expr> {
        expr(self.syntax())
    }
}

impl Backfill {
    /// The value of existing rows.
    pub fn expr(&self) -> Option<Expr> {
        expr(self.syntax())
    }
}

/// ASC or DESC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// ASC.
    Ascending,
    /// DESC.
    Descending,
}

pub(super) fn direction(node: &SyntaxNode) -> Option<Direction> {
    if has(node, SyntaxKind::kw_asc) {
        Some(Direction::Ascending)
    } else {
        has(node, SyntaxKind::kw_desc).then_some(Direction::Descending)
    }
}

impl ColumnPrimaryKey {
    /// `ASC` or `DESC`, in SQLite.
    pub fn direction(&self) -> Option<Direction> {
        direction(self.syntax())
    }

    /// SQLite's `ON CONFLICT`.
    pub fn conflict(&self) -> Option<Conflict> {
        child(self.syntax())
    }

    /// SQLite's `AUTOINCREMENT`.
    pub fn is_autoincrement(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_autoincrement)
    }
}

impl ColumnUnique {
    /// `NULLS [NOT] DISTINCT`.
    pub fn nulls_distinct(&self) -> Option<NullsDistinct> {
        child(self.syntax())
    }

    /// SQLite's `ON CONFLICT`.
    pub fn conflict(&self) -> Option<Conflict> {
        child(self.syntax())
    }
}

impl Collate {
    /// The collation.
    pub fn name(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }
}

impl Identity {
    /// `GENERATED ALWAYS`; otherwise BY DEFAULT.
    pub fn is_always(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_always)
    }

    /// The sequence's options.
    pub fn options(&self) -> Option<RawParens> {
        child(self.syntax())
    }
}

impl Generated {
    /// The expression.
    pub fn expr(&self) -> Option<Expr> {
        expr(self.syntax())
    }

    /// STORED.
    pub fn is_stored(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_stored)
    }

    /// VIRTUAL, said or (in SQLite) by default.
    pub fn is_virtual(&self) -> bool {
        !self.is_stored()
    }
}

impl RenamedFrom {
    /// The former name.
    pub fn name(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }
}

impl Storage {
    /// The method.
    pub fn method(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

impl Compression {
    /// The method.
    pub fn method(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}
