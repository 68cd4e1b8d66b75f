//! What operations of MIGRATE GENERATE and statements of DDL have in common.

use std::ops::Range;

use pql_schema::{MigrationOp, ObjectName};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{self, ConstraintOptions};

use super::{Lowering, codes};

impl Lowering<'_> {
    pub(super) fn add_table(&mut self, table: pql_schema::Table, if_not_exists: bool, span: Range<usize>) {
        if if_not_exists && self.schema.table(&table.name).is_some() {
            return;
        }
        self.push(MigrationOp::CreateTable { table }, span);
    }

    pub(super) fn add_column(
        &mut self,
        table: ObjectName,
        def: &ast::ColumnDef,
        if_not_exists: bool,
        span: Range<usize>,
    ) {
        let options = self.schema.table(&table).map(|table| table.options.clone()).unwrap_or_default();
        let Some(parts) = self.column(def, &options) else { return };
        if if_not_exists && self.find_column(&table, &parts.column.name).is_some() {
            return;
        }
        if parts.former.is_some() {
            self.unsupported::<()>(
                span,
                "RENAMED FROM belongs in a schema file",
                "to rename a column write RENAME COLUMN table.old TO new",
            );
            return;
        }
        let op = MigrationOp::AddColumn {
            table,
            column: parts.column,
            constraints: parts.constraints,
            backfill: parts.backfill,
        };
        self.push(op, span);
    }

    pub(super) fn drop_column(
        &mut self,
        table: ObjectName,
        column: &str,
        if_exists: bool,
        span: Range<usize>,
    ) {
        if if_exists && self.find_column(&table, column).is_none() {
            return;
        }
        let column = self.column_of(&table, column);
        self.push(MigrationOp::DropColumn { table, column }, span);
    }

    pub(super) fn change_type(
        &mut self,
        table: ObjectName,
        column: &str,
        ty: Option<ast::TypeName>,
        collate: Option<ast::Collate>,
        [using, revert]: [Option<ast::Expr>; 2],
        span: Range<usize>,
    ) {
        let column = self.column_of(&table, column);
        let Some(mut to) = ty.and_then(|ty| self.data_type(&ty)) else { return };
        if let Some(known) = self.schema.table(&table) {
            let mut changed = pql_schema::Column::new(&column, to);
            self.settle_type(&mut changed, &known.constraints, &known.options);
            to = changed.data_type;
        }
        // Where no collation is said, the type changes, and nothing else.
        let kept = || self.find_column(&table, &column).and_then(|known| known.collation.clone());
        let collation = if let Some(collate) = collate {
            self.collation(&collate).filter(|name| name != "BINARY")
        } else {
            kept().filter(|_| to.has_collation(self.schema.names))
        };
        let Ok(using) = using.map(|using| self.expr(&using).ok_or(())).transpose() else { return };
        let Ok(revert_using) = revert.map(|revert| self.expr(&revert).ok_or(())).transpose() else { return };
        self.push(MigrationOp::ChangeColumnType { table, column, to, collation, using, revert_using }, span);
    }

    pub(super) fn set_not_null(
        &mut self,
        table: ObjectName,
        column: &str,
        backfill: Option<ast::Backfill>,
        span: Range<usize>,
    ) {
        let column = self.column_of(&table, column);
        let backfill = backfill.and_then(|backfill| backfill.expr());
        let Ok(backfill) = backfill.map(|expr| self.expr(&expr).ok_or(())).transpose() else { return };
        self.push(MigrationOp::SetNotNull { table, column, backfill }, span);
    }

    pub(super) fn set_default(
        &mut self,
        table: ObjectName,
        column: &str,
        expr: Option<ast::Expr>,
        span: Range<usize>,
    ) {
        let column = self.column_of(&table, column);
        let Some(default) = expr.and_then(|expr| self.default_value(&expr)) else { return };
        self.push(MigrationOp::SetDefault { table, column, default }, span);
    }

    pub(super) fn add_index(
        &mut self,
        def: Option<ast::IndexDef>,
        unique: bool,
        if_not_exists: bool,
        span: Range<usize>,
    ) {
        let Some(index) = def.and_then(|def| self.index(&def, unique)) else { return };
        if if_not_exists && self.schema.index(&index.name).is_some() {
            return;
        }
        self.push(MigrationOp::AddIndex { index }, span);
    }

    pub(super) fn drop_index(&mut self, name: &ast::QualifiedName, if_exists: bool, span: Range<usize>) {
        let Some(name) = self.object(name) else { return };
        match self.schema.index(&name).map(|index| index.name.clone()) {
            None if if_exists => {}
            found => self.push(MigrationOp::DropIndex { index: found.unwrap_or(name) }, span),
        }
    }

    pub(super) fn drop_table(&mut self, name: &ast::QualifiedName, if_exists: bool, span: Range<usize>) {
        let Some(table) = self.table(name) else { return };
        if if_exists && self.schema.table(&table).is_none() {
            return;
        }
        self.push(MigrationOp::DropTable { table }, span);
    }

    pub(super) fn drop_view(
        &mut self,
        name: &ast::QualifiedName,
        if_exists: bool,
        materialized: bool,
        span: Range<usize>,
    ) {
        let Some(name) = self.object(name) else { return };
        match self.schema.view(&name).map(|view| view.name.clone()) {
            None if if_exists => {}
            Some(_) if materialized && self.schema.view(&name).is_some_and(|view| !view.materialized) => {
                let message = format!("{name} is not a materialized view");
                self.report(Diagnostic::error(codes::UNKNOWN, span, message).with_help("write DROP VIEW"));
            }
            found => self.push(MigrationOp::DropView { view: found.unwrap_or(name) }, span),
        }
    }

    pub(super) fn add_view(&mut self, view: pql_schema::View, replace: bool, span: Range<usize>) {
        if let Some(old) = self.schema.view(&view.name).filter(|_| replace) {
            let view = old.name.clone();
            self.push(MigrationOp::DropView { view }, span.clone());
        }
        self.push(MigrationOp::CreateView { view }, span);
    }

    pub(super) fn add_constraint(
        &mut self,
        table: ObjectName,
        node: &impl ConstraintOptions,
        name: Option<String>,
        span: Range<usize>,
    ) {
        let Some(mut constraint) = self.constraint(node, name) else { return };
        self.respell(&table, &mut constraint);
        self.push(MigrationOp::AddConstraint { table, constraint }, span);
    }

    /// Spells the columns of a constraint as their table does.
    fn respell(&self, table: &ObjectName, constraint: &mut pql_schema::Constraint) {
        use pql_schema::ConstraintKind as Kind;
        let spell = |name: &mut String| *name = self.column_of(table, name);
        match &mut constraint.kind {
            Kind::PrimaryKey(key) => key.columns.iter_mut().for_each(|part| spell(&mut part.column)),
            Kind::Unique(unique) => unique.columns.iter_mut().for_each(|part| spell(&mut part.column)),
            Kind::ForeignKey(key) => key.columns.iter_mut().for_each(spell),
            Kind::Check { .. } | Kind::Native { .. } => {}
        }
    }

    pub(super) fn drop_constraint(
        &mut self,
        table: ObjectName,
        name: String,
        if_exists: bool,
        span: Range<usize>,
    ) {
        let known = |table| self.schema.table(table).and_then(|it| it.constraint(&name, self.schema.names));
        if if_exists && known(&table).is_none() {
            return;
        }
        self.push(MigrationOp::DropConstraint { table, name }, span);
    }
}
