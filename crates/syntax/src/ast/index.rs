//! Indexes: CREATE INDEX, DROP INDEX, and the definition they share with MIGRATE GENERATE.

use super::{
    AstNode, Collate, ColumnList, Direction, DropBehavior, Expr, Name, NullsDistinct, QualifiedName,
    RawParens, child, children, direction, drop_behavior, has, nodes, tokens,
};
use crate::SyntaxKind;

nodes! {
    /// `CREATE [UNIQUE] INDEX …`.
    CreateIndex(create_index);
    /// `DROP INDEX …`.
    DropIndex(drop_index);
    /// From the index's name to its WHERE.
    IndexDef(index_def);
    /// One key of an index.
    IndexElement(index_element);
    /// `USING btree`.
    IndexMethod(index_method);
    /// `INCLUDE (…)`.
    Include(include);
    /// `NULLS FIRST`.
    NullsOrder(nulls_order);
    /// An operator class.
    Opclass(opclass);
    /// `WITH (…)`.
    StorageParams(storage_params);
    /// `TABLESPACE t`.
    Tablespace(tablespace);
    /// `WHERE e`.
    WhereClause(where_clause);
}

impl CreateIndex {
    /// UNIQUE.
    pub fn is_unique(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_unique)
    }

    /// CONCURRENTLY, in either place.
    pub fn is_concurrently(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_concurrently)
    }

    /// IF NOT EXISTS.
    pub fn is_if_not_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_not_exists)
    }

    /// The definition.
    pub fn definition(&self) -> Option<IndexDef> {
        child(self.syntax())
    }
}

impl DropIndex {
    /// CONCURRENTLY, in either place.
    pub fn is_concurrently(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_concurrently)
    }

    /// IF EXISTS.
    pub fn is_if_exists(&self) -> bool {
        has(self.syntax(), SyntaxKind::if_exists)
    }

    /// The indexes.
    pub fn names(&self) -> impl Iterator<Item = QualifiedName> + use<> {
        children(self.syntax())
    }

    /// CASCADE or RESTRICT.
    pub fn behavior(&self) -> Option<DropBehavior> {
        drop_behavior(self.syntax())
    }
}

impl IndexDef {
    /// The index's name; PostgreSQL makes one up when there is none.
    pub fn name(&self) -> Option<QualifiedName> {
        self.syntax()
            .children_with_tokens()
            .take_while(|element| element.kind() != SyntaxKind::kw_on)
            .find_map(|element| element.into_node().and_then(QualifiedName::cast))
    }

    /// The table.
    pub fn table(&self) -> Option<QualifiedName> {
        self.syntax()
            .children_with_tokens()
            .skip_while(|element| element.kind() != SyntaxKind::kw_on)
            .find_map(|element| element.into_node().and_then(QualifiedName::cast))
    }

    /// `ON ONLY t`: without the partitions.
    pub fn is_only(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_only)
    }

    /// `USING method`.
    pub fn method(&self) -> Option<IndexMethod> {
        child(self.syntax())
    }

    /// The keys in order.
    pub fn elements(&self) -> impl Iterator<Item = IndexElement> + use<> {
        children(self.syntax())
    }

    /// `INCLUDE (…)`.
    pub fn include(&self) -> Option<Include> {
        child(self.syntax())
    }

    /// `NULLS [NOT] DISTINCT`.
    pub fn nulls_distinct(&self) -> Option<NullsDistinct> {
        child(self.syntax())
    }

    /// `WITH (…)`.
    pub fn storage_params(&self) -> Option<StorageParams> {
        child(self.syntax())
    }

    /// `TABLESPACE t`.
    pub fn tablespace(&self) -> Option<Tablespace> {
        child(self.syntax())
    }

    /// The condition of a partial index.
    pub fn condition(&self) -> Option<Expr> {
        child::<WhereClause>(self.syntax()).and_then(|clause| child(clause.syntax()))
    }
}

impl IndexMethod {
    /// The method.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

impl IndexElement {
    /// The column, if the key is a plain one.
    pub fn column(&self) -> Option<Name> {
        Name::of(self.syntax())
    }

    /// The expression, if it is not.
    pub fn expr(&self) -> Option<Expr> {
        child(self.syntax())
    }

    /// `COLLATE name`.
    pub fn collate(&self) -> Option<Collate> {
        child(self.syntax())
    }

    /// The operator class.
    pub fn opclass(&self) -> Option<Opclass> {
        child(self.syntax())
    }

    /// ASC or DESC.
    pub fn direction(&self) -> Option<Direction> {
        direction(self.syntax())
    }

    /// `NULLS FIRST` (true) or `NULLS LAST` (false).
    pub fn nulls_first(&self) -> Option<bool> {
        let order: NullsOrder = child(self.syntax())?;
        tokens(order.syntax()).find_map(|token| match token.kind() {
            SyntaxKind::kw_first => Some(true),
            SyntaxKind::kw_last => Some(false),
            _ => None,
        })
    }
}

impl Opclass {
    /// Its name.
    pub fn name(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }

    /// Its parameters.
    pub fn params(&self) -> Option<RawParens> {
        child(self.syntax())
    }
}

impl Include {
    /// The columns.
    pub fn columns(&self) -> Option<ColumnList> {
        child(self.syntax())
    }
}

impl StorageParams {
    /// The parameters with their brackets.
    pub fn params(&self) -> Option<RawParens> {
        child(self.syntax())
    }
}

impl Tablespace {
    /// Its name.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}
