//! Table constraints and what column constraints share with them.

use super::{
    AstNode, Expr, Include, IndexElement, IndexMethod, Name, QualifiedName, RawParens, StorageParams, child,
    children, choice, has, nodes, tokens,
};
use crate::{SyntaxKind, SyntaxNode};

nodes! {
    /// A constraint of a table, with or without a name.
    TableConstraint(table_constraint);
    /// `CONSTRAINT name` in front of a column's constraint.
    ConstraintName(constraint_name);
    /// `PRIMARY KEY (…)`.
    PrimaryKey(primary_key);
    /// `UNIQUE (…)`.
    Unique(unique);
    /// `CHECK (e)`.
    Check(check);
    /// `FOREIGN KEY (…) REFERENCES …`.
    ForeignKey(foreign_key);
    /// `EXCLUDE …`.
    Exclude(exclude);
    /// `REFERENCES t (…) …`.
    References(references);
    /// `ON DELETE …` or `ON UPDATE …`.
    ReferenceAction(reference_action);
    /// `MATCH FULL`.
    ReferenceMatch(reference_match);
    /// `[NOT] DEFERRABLE [INITIALLY …]`.
    Deferrable(deferrable);
    /// SQLite's `ON CONFLICT …`.
    Conflict(conflict);
    /// `NULLS [NOT] DISTINCT`.
    NullsDistinct(nulls_distinct);
    /// `USING INDEX i`.
    UsingIndex(using_index);
    /// `USING INDEX TABLESPACE t`.
    IndexTablespace(index_tablespace);
    /// The columns of a key.
    KeyColumns(key_columns);
    /// `(a, b)`.
    ColumnList(column_list);
    /// `NOT VALID`.
    NotValid(not_valid);
    /// `NOT ENFORCED`.
    NotEnforced(not_enforced);
    /// `WHERE (e)` of EXCLUDE.
    ExcludeWhere(exclude_where);
}

choice! {
    /// What a table constraint demands.
    ConstraintBody {
        /// `PRIMARY KEY (…)`.
        PrimaryKey(PrimaryKey),
        /// `UNIQUE (…)`.
        Unique(Unique),
        /// `CHECK (e)`.
        Check(Check),
        /// `FOREIGN KEY (…) REFERENCES …`.
        ForeignKey(ForeignKey),
        /// `EXCLUDE …`.
        Exclude(Exclude),
    }
}

/// What may follow the body of a table constraint, wherever one may stand.
pub trait ConstraintOptions: AstNode {
    /// What it demands.
    fn body(&self) -> Option<ConstraintBody> {
        child(self.syntax())
    }

    /// `DEFERRABLE` behind the constraint. That of a foreign key may also be in its [`References`].
    fn deferrable(&self) -> Option<Deferrable> {
        child(self.syntax())
    }

    /// `NOT VALID`: existing rows are not checked.
    fn is_not_valid(&self) -> bool {
        has(self.syntax(), SyntaxKind::not_valid)
    }

    /// `NOT ENFORCED`.
    fn is_not_enforced(&self) -> bool {
        has(self.syntax(), SyntaxKind::not_enforced)
    }
}

impl ConstraintOptions for TableConstraint {}

impl TableConstraint {
    /// The name, if it has one.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

impl ConstraintName {
    /// The name.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

macro_rules! keys {
    ($($type:ident),*) => {$(
        impl $type {
            /// The columns.
            pub fn columns(&self) -> Option<KeyColumns> {
                child(self.syntax())
            }

            /// `USING INDEX i` in the columns' place.
            pub fn using_index(&self) -> Option<UsingIndex> {
                child(self.syntax())
            }

            /// `INCLUDE (…)`.
            pub fn include(&self) -> Option<Include> {
                child(self.syntax())
            }

            /// `WITH (…)`.
            pub fn storage_params(&self) -> Option<StorageParams> {
                child(self.syntax())
            }

            /// `USING INDEX TABLESPACE t`.
            pub fn index_tablespace(&self) -> Option<IndexTablespace> {
                child(self.syntax())
            }

            /// SQLite's `ON CONFLICT`.
            pub fn conflict(&self) -> Option<Conflict> {
                child(self.syntax())
            }
        }
    )*};
}

keys!(PrimaryKey, Unique);

impl Unique {
    /// `NULLS [NOT] DISTINCT`.
    pub fn nulls_distinct(&self) -> Option<NullsDistinct> {
        child(self.syntax())
    }
}

impl KeyColumns {
    /// The columns in order.
    pub fn elements(&self) -> impl Iterator<Item = IndexElement> + use<> {
        children(self.syntax())
    }

    /// SQLite's `(id AUTOINCREMENT)`.
    pub fn is_autoincrement(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_autoincrement)
    }
}

impl ColumnList {
    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = Name> + use<> {
        Name::all(self.syntax())
    }
}

impl Check {
    /// The condition.
    pub fn expr(&self) -> Option<Expr> {
        child(self.syntax())
    }

    /// `NO INHERIT`.
    pub fn is_no_inherit(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_inherit)
    }

    /// SQLite's `ON CONFLICT`, which it accepts here and ignores.
    pub fn conflict(&self) -> Option<Conflict> {
        child(self.syntax())
    }
}

impl ForeignKey {
    /// The referencing columns.
    pub fn columns(&self) -> Option<ColumnList> {
        child(self.syntax())
    }

    /// What they refer to.
    pub fn references(&self) -> Option<References> {
        child(self.syntax())
    }
}

impl Exclude {
    /// `USING gist`.
    pub fn method(&self) -> Option<IndexMethod> {
        child(self.syntax())
    }

    /// The elements and their operators.
    pub fn elements(&self) -> Option<RawParens> {
        child(self.syntax())
    }

    /// `INCLUDE (…)`.
    pub fn include(&self) -> Option<Include> {
        child(self.syntax())
    }

    /// `WITH (…)`.
    pub fn storage_params(&self) -> Option<StorageParams> {
        child(self.syntax())
    }

    /// `USING INDEX TABLESPACE t`.
    pub fn index_tablespace(&self) -> Option<IndexTablespace> {
        child(self.syntax())
    }

    /// `WHERE (e)`.
    pub fn condition(&self) -> Option<Expr> {
        child::<ExcludeWhere>(self.syntax()).and_then(|condition| child(condition.syntax()))
    }
}

impl References {
    /// The table referred to.
    pub fn table(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }

    /// The columns referred to; its primary key, if not given.
    pub fn columns(&self) -> Option<ColumnList> {
        child(self.syntax())
    }

    /// The actions in order.
    pub fn actions(&self) -> impl Iterator<Item = ReferenceAction> + use<> {
        children(self.syntax())
    }

    /// `MATCH …`.
    pub fn match_kind(&self) -> Option<Name> {
        child::<ReferenceMatch>(self.syntax()).and_then(|kind| Name::of(kind.syntax()))
    }

    /// `DEFERRABLE …`.
    pub fn deferrable(&self) -> Option<Deferrable> {
        child(self.syntax())
    }
}

/// What happens to the referencing rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `NO ACTION`.
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `SET DEFAULT`.
    SetDefault,
}

impl ReferenceAction {
    /// `ON DELETE`; otherwise ON UPDATE.
    pub fn is_on_delete(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_delete)
    }

    /// What happens.
    pub fn action(&self) -> Option<Action> {
        tokens(self.syntax()).find_map(|token| match token.kind() {
            SyntaxKind::kw_action => Some(Action::NoAction),
            SyntaxKind::kw_restrict => Some(Action::Restrict),
            SyntaxKind::kw_cascade => Some(Action::Cascade),
            SyntaxKind::kw_null => Some(Action::SetNull),
            SyntaxKind::kw_default => Some(Action::SetDefault),
            _ => None,
        })
    }

    /// `SET NULL (a, b)`: the columns it is limited to.
    pub fn columns(&self) -> Option<ColumnList> {
        child(self.syntax())
    }
}

impl Deferrable {
    /// `NOT DEFERRABLE`.
    pub fn is_not_deferrable(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_not)
    }

    /// `INITIALLY DEFERRED`; otherwise immediate.
    pub fn is_initially_deferred(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_deferred)
    }
}

/// SQLite's way to resolve a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// ROLLBACK.
    Rollback,
    /// ABORT.
    Abort,
    /// FAIL.
    Fail,
    /// IGNORE.
    Ignore,
    /// REPLACE.
    Replace,
}

impl Conflict {
    /// How.
    pub fn resolution(&self) -> Option<Resolution> {
        tokens(self.syntax()).find_map(|token| match token.kind() {
            SyntaxKind::kw_rollback => Some(Resolution::Rollback),
            SyntaxKind::kw_abort => Some(Resolution::Abort),
            SyntaxKind::kw_fail => Some(Resolution::Fail),
            SyntaxKind::kw_ignore => Some(Resolution::Ignore),
            SyntaxKind::kw_replace => Some(Resolution::Replace),
            _ => None,
        })
    }
}

impl NullsDistinct {
    /// `NULLS NOT DISTINCT`.
    pub fn is_not_distinct(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_not)
    }
}

impl UsingIndex {
    /// The index.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

impl IndexTablespace {
    /// The tablespace.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }
}

/// `CASCADE` or `RESTRICT` of a DROP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropBehavior {
    /// CASCADE.
    Cascade,
    /// RESTRICT.
    Restrict,
}

pub(super) fn drop_behavior(node: &SyntaxNode) -> Option<DropBehavior> {
    let behavior = node.children().find(|child| child.kind() == SyntaxKind::drop_behavior)?;
    Some(if has(&behavior, SyntaxKind::kw_cascade) { DropBehavior::Cascade } else { DropBehavior::Restrict })
}
