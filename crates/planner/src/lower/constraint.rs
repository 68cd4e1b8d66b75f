//! Table constraints, and what column constraints share with them.

use pql_schema::{
    Action, Constraint, ConstraintKind, Deferrable, ForeignKey, KeyPart, PrimaryKey, SortOrder, Unique,
};
use pql_syntax::ast::{self, AstNode as _, ConstraintBody, ConstraintOptions};

use super::Lowering;
use super::column::resolution;

impl Lowering<'_> {
    /// A constraint by what it demands and what is said about it; `name` was read by the caller.
    pub(super) fn constraint(
        &mut self,
        node: &impl ConstraintOptions,
        name: Option<String>,
    ) -> Option<Constraint> {
        if node.is_not_enforced() {
            return self.unsupported(
                node.span(),
                "PQL does not carry NOT ENFORCED",
                "leave the constraint out, or let it be enforced",
            );
        }
        let deferred = node.deferrable().map(|it| deferrable(&it));
        let native = |body: &str| ConstraintKind::Native {
            definition: match deferred.flatten() {
                Some(Deferrable::Immediate) => format!("{body} DEFERRABLE"),
                Some(Deferrable::Deferred) => format!("{body} DEFERRABLE INITIALLY DEFERRED"),
                _ => body.to_owned(),
            },
        };
        let kind = match node.body()? {
            ConstraintBody::PrimaryKey(key)
                if !self.is_sqlite()
                    && key.using_index().is_none()
                    && (key.include().is_some() || deferred.flatten().is_some()) =>
            {
                native(&key.text())
            }
            ConstraintBody::PrimaryKey(key) => {
                if key.using_index().is_some() || key.include().is_some() {
                    return self.unsupported(
                        key.span(),
                        "PQL does not carry USING INDEX or INCLUDE of a primary key",
                        "name the columns; PQL builds the index online by itself",
                    );
                }
                let keys = key.columns()?;
                ConstraintKind::PrimaryKey(PrimaryKey {
                    columns: self.key_parts(&keys)?,
                    autoincrement: keys.is_autoincrement(),
                    on_conflict: key.conflict().and_then(|conflict| resolution(&conflict)),
                })
            }
            ConstraintBody::Unique(unique)
                if !self.is_sqlite() && unique.using_index().is_none() && unique.include().is_some() =>
            {
                native(&unique.text())
            }
            ConstraintBody::Unique(unique) => {
                if unique.using_index().is_some() || unique.include().is_some() {
                    return self.unsupported(
                        unique.span(),
                        "PQL does not carry USING INDEX or INCLUDE of a unique constraint",
                        "name the columns; PQL builds the index online by itself",
                    );
                }
                let nulls_not_distinct = unique.nulls_distinct().is_some_and(|nulls| nulls.is_not_distinct());
                if nulls_not_distinct && self.is_sqlite() {
                    return self.unsupported(
                        unique.span(),
                        "SQLite has no NULLS NOT DISTINCT",
                        "use a unique index over coalesce(…) instead",
                    );
                }
                ConstraintKind::Unique(Unique {
                    columns: self.key_parts(&unique.columns()?)?,
                    nulls_not_distinct,
                    on_conflict: unique.conflict().and_then(|conflict| resolution(&conflict)),
                    deferrable: deferred.flatten(),
                })
            }
            ConstraintBody::Check(check) => self.check(&check)?,
            ConstraintBody::ForeignKey(key) => {
                let columns = key.columns()?.names().map(|name| self.fold(&name)).collect();
                let mut key = self.references(&key.references()?, columns)?;
                if let Some(deferred) = deferred {
                    key.deferrable = deferred;
                }
                ConstraintKind::ForeignKey(key)
            }
            ConstraintBody::Exclude(exclude) => {
                if self.is_sqlite() {
                    return self.unsupported(
                        exclude.span(),
                        "SQLite has no exclusion constraints",
                        "use a unique index, or a trigger that raises",
                    );
                }
                native(&exclude.text())
            }
        };
        // On SQLite every row is always checked: NOT VALID only says how a constraint is added, and that is online.
        let not_valid = node.is_not_valid() && !self.is_sqlite();
        Some(Constraint { name, kind, not_valid })
    }

    pub(super) fn check(&mut self, check: &ast::Check) -> Option<ConstraintKind> {
        if check.is_no_inherit() && !self.is_sqlite() {
            return Some(ConstraintKind::Native { definition: check.text() });
        }
        if check.is_no_inherit() {
            return self.unsupported(check.span(), "PQL does not carry NO INHERIT", "leave it out");
        }
        Some(ConstraintKind::Check { expr: self.expr(&check.expr()?)? })
    }

    fn key_parts(&mut self, keys: &ast::KeyColumns) -> Option<Vec<KeyPart>> {
        let mut parts = Vec::new();
        for element in keys.elements() {
            // An index key may be an expression; a constraint's is a column, which SQLite also takes in quotes.
            let column = match (element.column(), element.expr()) {
                (Some(name), _) => self.fold(&name),
                (None, Some(expr)) => match expr.as_literal() {
                    Some(ast::Literal::String(name)) => name,
                    _ => {
                        return self.unsupported(
                            expr.span(),
                            "a key consists of columns",
                            "for an expression use a unique index",
                        );
                    }
                },
                (None, None) => return None,
            };
            let collation = element.collate().and_then(|collate| self.collation(&collate));
            let order = match element.direction() {
                Some(ast::Direction::Descending) => SortOrder::Desc,
                _ => SortOrder::Asc,
            };
            parts.push(KeyPart { column, collation, order });
        }
        Some(parts)
    }

    pub(super) fn references(&mut self, node: &ast::References, columns: Vec<String>) -> Option<ForeignKey> {
        let table = self.table(&node.table()?)?;
        let referenced = node
            .columns()
            .map(|list| list.names().map(|name| self.fold(&name)).collect::<Vec<_>>())
            .unwrap_or_default();
        let mut key = ForeignKey {
            columns,
            table,
            referenced,
            on_delete: Action::NoAction,
            on_update: Action::NoAction,
            matching: node
                .match_kind()
                .map(|kind| kind.text().to_ascii_uppercase())
                // What every foreign key is anyway.
                .filter(|kind| kind != "SIMPLE"),
            deferrable: node.deferrable().and_then(|it| deferrable(&it)),
        };
        for action in node.actions() {
            let columns: Vec<String> = action
                .columns()
                .map(|list| list.names().map(|name| self.fold(&name)).collect())
                .unwrap_or_default();
            let what = match action.action()? {
                ast::Action::NoAction => Action::NoAction,
                ast::Action::Restrict => Action::Restrict,
                ast::Action::Cascade => Action::Cascade,
                ast::Action::SetNull => Action::SetNull(columns),
                ast::Action::SetDefault => Action::SetDefault(columns),
            };
            if action.is_on_delete() {
                key.on_delete = what;
            } else {
                key.on_update = what;
            }
        }
        Some(key)
    }
}

/// What is said about when a constraint is checked; the default is not worth saying.
pub(super) fn deferrable(node: &ast::Deferrable) -> Option<Deferrable> {
    if node.is_not_deferrable() {
        None
    } else if node.is_initially_deferred() {
        Some(Deferrable::Deferred)
    } else {
        Some(Deferrable::Immediate)
    }
}
