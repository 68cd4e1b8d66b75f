//! Columns: type, and the constraints that are written with them.

use pql_schema::{
    Column, Conflict, Constraint, ConstraintKind, Counting, DataType, Expr, Generated, Identity,
    IdentityKind, KeyPart, ObjectName, PrimaryKey, SortOrder, TableOptions, Unique,
};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{self, AstNode as _, ColumnConstraint};

use super::{Lowering, codes};
use crate::text;

/// A column definition taken apart.
pub(super) struct ColumnParts {
    pub(super) column: Column,
    pub(super) constraints: Vec<Constraint>,
    pub(super) backfill: Option<Expr>,
    /// `RENAMED FROM`.
    pub(super) former: Option<String>,
}

impl Lowering<'_> {
    pub(super) fn column(&mut self, def: &ast::ColumnDef, options: &TableOptions) -> Option<ColumnParts> {
        let name = self.fold(&def.name()?);
        let data_type = match def.ty() {
            Some(ty) => self.data_type(&ty)?,
            None => DataType::Untyped,
        };
        if data_type == DataType::Untyped && !self.is_sqlite() && !self.stored {
            self.report(Diagnostic::error(
                codes::UNSUPPORTED,
                def.span(),
                format!("the column {name} needs a type"),
            ));
            return None;
        }
        let mut parts = ColumnParts {
            column: Column::new(name, data_type),
            constraints: Vec::new(),
            backfill: None,
            former: None,
        };
        for (name, constraint) in def.constraints() {
            let name = name.map(|name| self.fold(&name));
            self.column_constraint(&constraint, name, &mut parts)?;
        }
        self.settle_type(&mut parts.column, &parts.constraints, options);
        Some(parts)
    }

    /// STRICT tables know few types: a column of one is what it will be stored as.
    pub(super) fn settle_type(
        &self,
        column: &mut Column,
        constraints: &[Constraint],
        options: &TableOptions,
    ) {
        if self.is_sqlite() && !self.stored && options.strict {
            let mut table = pql_schema::Table::new(ObjectName::new(""));
            table.options = options.clone();
            table.constraints = constraints.to_vec();
            if !matches!(column.data_type, DataType::Vector(_)) {
                column.data_type = text::sqlite_type(&(text::SQLITE.type_name)(column, &table));
            }
        }
    }

    pub(super) fn data_type(&mut self, ty: &ast::TypeName) -> Option<DataType> {
        let text = ty.text();
        if self.stored {
            return Some(text::sqlite_type(&text));
        }
        let data_type = text::neutral_type(&text);
        if self.is_sqlite() && matches!(data_type, DataType::Array(_)) {
            self.report(
                Diagnostic::error(codes::UNSUPPORTED, ty.span(), "SQLite has no arrays")
                    .with_help("use JSON, or a table of its own"),
            );
            return None;
        }
        if text.trim_start().to_ascii_lowercase().starts_with("vector")
            && !matches!(data_type, DataType::Vector(1..))
        {
            self.report(
                Diagnostic::error(codes::BAD_VALUE, ty.span(), "a vector needs its number of dimensions")
                    .with_help("for example VECTOR(768)"),
            );
            return None;
        }
        Some(data_type)
    }

    #[expect(clippy::too_many_lines, reason = "one arm per constraint, each of a few lines")]
    fn column_constraint(
        &mut self,
        constraint: &ColumnConstraint,
        name: Option<String>,
        parts: &mut ColumnParts,
    ) -> Option<()> {
        let own = || KeyPart::new(parts.column.name.clone());
        let kind = match constraint {
            ColumnConstraint::NotNull(it) => {
                parts.column.not_null = true;
                parts.column.not_null_conflict = it.conflict().and_then(|conflict| resolution(&conflict));
                return Some(());
            }
            ColumnConstraint::Null(_) => {
                parts.column.not_null = false;
                return Some(());
            }
            ColumnConstraint::Default(it) => {
                parts.column.default = Some(self.default_value(&it.expr()?)?);
                return Some(());
            }
            ColumnConstraint::Backfill(it) => {
                parts.backfill = Some(self.expr(&it.expr()?)?);
                return Some(());
            }
            ColumnConstraint::Collate(it) => {
                // Of a column it is what it would have anyway; of a key it may undo the column's own.
                parts.column.collation = self.collation(it).filter(|name| name != "BINARY");
                return Some(());
            }
            ColumnConstraint::Identity(it) => {
                parts.column.identity = Some(self.identity(it)?);
                parts.column.not_null = true;
                return Some(());
            }
            ColumnConstraint::Generated(it) => {
                parts.column.generated =
                    Some(Generated { expr: self.expr(&it.expr()?)?, stored: it.is_stored() });
                return Some(());
            }
            ColumnConstraint::RenamedFrom(it) => {
                parts.former = it.name()?.name().map(|name| self.fold(&name));
                return Some(());
            }
            ColumnConstraint::Deferrable(it) => {
                let deferrable = super::constraint::deferrable(it);
                match parts.constraints.last_mut().map(|constraint| &mut constraint.kind) {
                    Some(ConstraintKind::ForeignKey(key)) => key.deferrable = deferrable,
                    Some(ConstraintKind::Unique(unique)) => unique.deferrable = deferrable,
                    _ => {
                        return self.unsupported(
                            it.span(),
                            "only a foreign key or a unique constraint can be deferrable",
                            "write it after that constraint",
                        );
                    }
                }
                return Some(());
            }
            ColumnConstraint::Storage(it) => {
                return self.unsupported(
                    it.span(),
                    "PQL does not carry STORAGE",
                    "set it with ALTER TABLE afterwards",
                );
            }
            ColumnConstraint::Compression(it) => {
                return self.unsupported(
                    it.span(),
                    "PQL does not carry COMPRESSION",
                    "set it with ALTER TABLE afterwards",
                );
            }
            ColumnConstraint::PrimaryKey(it) => {
                let order = match it.direction() {
                    Some(ast::Direction::Descending) => SortOrder::Desc,
                    _ => SortOrder::Asc,
                };
                // PostgreSQL's keys are NOT NULL by themselves; SQLite's are not.
                parts.column.not_null |= !self.is_sqlite();
                ConstraintKind::PrimaryKey(PrimaryKey {
                    columns: vec![KeyPart { order, ..own() }],
                    autoincrement: it.is_autoincrement(),
                    on_conflict: it.conflict().and_then(|conflict| resolution(&conflict)),
                })
            }
            ColumnConstraint::Unique(it) => {
                let nulls_not_distinct = it.nulls_distinct().is_some_and(|nulls| nulls.is_not_distinct());
                if nulls_not_distinct && self.is_sqlite() {
                    return self.unsupported(
                        it.span(),
                        "SQLite has no NULLS NOT DISTINCT",
                        "use a unique index over coalesce(…) instead",
                    );
                }
                ConstraintKind::Unique(Unique {
                    columns: vec![own()],
                    nulls_not_distinct,
                    on_conflict: it.conflict().and_then(|conflict| resolution(&conflict)),
                    deferrable: None,
                })
            }
            ColumnConstraint::Check(it) => self.check(it)?,
            ColumnConstraint::References(it) => {
                ConstraintKind::ForeignKey(self.references(it, vec![parts.column.name.clone()])?)
            }
        };
        parts.constraints.push(Constraint { name, kind, not_valid: false });
        Some(())
    }

    pub(super) fn identity(&mut self, identity: &ast::Identity) -> Option<Identity> {
        if self.is_sqlite() {
            return self.unsupported(
                identity.span(),
                "SQLite has no identity columns",
                "an INTEGER PRIMARY KEY counts by itself; with AUTOINCREMENT it never gives a number out twice",
            );
        }
        let counting = match identity.options() {
            None => Counting::PLAIN,
            Some(options) => match super::counting::read(&options.text()) {
                Ok(counting) => counting,
                Err(words) => {
                    return self.unsupported(
                        options.span(),
                        format!("`{words}` says nothing of how an identity column counts"),
                        "its options are START WITH, INCREMENT BY, MINVALUE, MAXVALUE, CACHE and CYCLE",
                    );
                }
            },
        };
        let kind = if identity.is_always() { IdentityKind::Always } else { IdentityKind::ByDefault };
        Some(Identity { kind, counting })
    }

    /// The collation's name; SQLite's own ones in capitals, as its manual writes them.
    pub(super) fn collation(&mut self, collate: &ast::Collate) -> Option<String> {
        let name = collate.name()?.name()?;
        if !self.is_sqlite() {
            return Some(name.text());
        }
        let text = name.text();
        let upper = text.to_ascii_uppercase();
        match upper.as_str() {
            "BINARY" | "NOCASE" | "RTRIM" => Some(upper),
            _ => Some(text),
        }
    }

    /// Reports something that the database (or PQL) does not have.
    pub(super) fn unsupported<T>(
        &mut self,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.report(Diagnostic::error(codes::UNSUPPORTED, span, message).with_help(help));
        None
    }
}

pub(super) fn resolution(conflict: &ast::Conflict) -> Option<Conflict> {
    Some(match conflict.resolution()? {
        ast::Resolution::Rollback => Conflict::Rollback,
        ast::Resolution::Abort => Conflict::Abort,
        ast::Resolution::Fail => Conflict::Fail,
        ast::Resolution::Ignore => Conflict::Ignore,
        ast::Resolution::Replace => Conflict::Replace,
    })
}
