//! The operations of MIGRATE GENERATE, one arm each.

use std::ops::Range;

use pql_schema::{MigrationOp, ObjectName, TableOptions};
use pql_syntax::ast::{self, AstNode as _, Operation};

use super::Lowering;
use super::column::resolution;

impl Lowering<'_> {
    /// Lowers one operation. What the grammar requires is there: a part that is missing belongs to a statement that
    /// did not parse and never comes here, so `None` from an accessor just ends the arm.
    pub(super) fn operation(&mut self, operation: &Operation) {
        // Nothing to do on `None`: either it was reported, or the statement did not parse.
        let _ = self.try_operation(operation);
    }

    #[expect(clippy::too_many_lines, reason = "one arm per operation, each of a few lines")]
    fn try_operation(&mut self, operation: &Operation) -> Option<()> {
        let span = operation.span();
        match operation {
            Operation::AddTable(op) => {
                let name = self.object(&op.target()?)?;
                let lowered = self.table_definition(name, &op.body()?, op.options())?;
                self.add_table(lowered.table, op.is_if_not_exists(), span);
            }
            Operation::DropTable(op) => self.drop_table(&op.target()?, op.is_if_exists(), span),
            Operation::RenameTable(op) => {
                let from = self.table(&op.target()?)?;
                let to = from.sibling(self.fold(&op.new_name()?));
                self.push(MigrationOp::RenameTable { from, to }, span);
            }
            Operation::AddColumn(op) => {
                let table = self.table(&op.table()?)?;
                self.add_column(table, &op.column()?, op.is_if_not_exists(), span);
            }
            Operation::DropColumn(op) => {
                let (table, column) = self.path(&op.target()?)?;
                self.drop_column(table, &column, op.is_if_exists(), span);
            }
            Operation::RenameColumn(op) => {
                let (table, from) = self.path(&op.target()?)?;
                let from = self.column_of(&table, &from);
                let to = self.fold(&op.new_name()?);
                self.push(MigrationOp::RenameColumn { table, from, to }, span);
            }
            Operation::ChangeColumn(op) => {
                let (table, column) = self.path(&op.target()?)?;
                self.change_type(
                    table,
                    &column,
                    op.ty(),
                    op.collate(),
                    [op.using(), op.revert_using()],
                    span,
                );
            }
            Operation::SetNotNull(op) => {
                let (table, column) = self.path(&op.target()?)?;
                self.set_not_null(table, &column, op.backfill(), span);
            }
            Operation::DropNotNull(op) => {
                let (table, column) = self.path(&op.target()?)?;
                let column = self.column_of(&table, &column);
                self.push(MigrationOp::DropNotNull { table, column }, span);
            }
            Operation::SetDefault(op) => {
                let (table, column) = self.path(&op.target()?)?;
                self.set_default(table, &column, op.expr(), span);
            }
            Operation::DropDefault(op) => {
                let (table, column) = self.path(&op.target()?)?;
                let column = self.column_of(&table, &column);
                self.push(MigrationOp::DropDefault { table, column }, span);
            }
            Operation::SetTableOptions(op) => {
                let table = self.table(&op.target()?)?;
                let options = self.table_options(op.options())?;
                self.settle_columns(&table, &options, &span);
                self.push(MigrationOp::SetTableOptions { table, options }, span);
            }
            Operation::SetColumnOptions(op) => {
                let (table, column) = self.path(&op.target()?)?;
                let column = self.column_of(&table, &column);
                let identity = match op.identity() {
                    Some(identity) => Some(self.identity(&identity)?),
                    None => None,
                };
                let not_null_conflict = op.conflict().and_then(|conflict| resolution(&conflict));
                let op = MigrationOp::SetColumnOptions { table, column, identity, not_null_conflict };
                self.push(op, span);
            }
            Operation::AddIndex(op) => {
                self.add_index(op.definition(), op.is_unique(), op.is_if_not_exists(), span);
            }
            Operation::DropIndex(op) => self.drop_index(&op.target()?, op.is_if_exists(), span),
            Operation::RenameIndex(op) => {
                let from = self.object(&op.target()?)?;
                let from = self.schema.index(&from).map_or(from, |index| index.name.clone());
                let to = from.sibling(self.fold(&op.new_name()?));
                self.push(MigrationOp::RenameIndex { from, to }, span);
            }
            Operation::AddConstraint(op) => {
                let target = op.target()?;
                let (table, name) = if op.is_unnamed() {
                    (self.table(&target)?, None)
                } else {
                    let (table, name) = self.path(&target)?;
                    (table, Some(name))
                };
                self.add_constraint(table, op, name, span);
            }
            Operation::DropConstraint(op) => {
                let (table, name) = self.path(&op.target()?)?;
                self.drop_constraint(table, name, op.is_if_exists(), span);
            }
            Operation::RenameConstraint(op) => {
                let (table, from) = self.path(&op.target()?)?;
                let to = self.fold(&op.new_name()?);
                self.push(MigrationOp::RenameConstraint { table, from, to }, span);
            }
            Operation::CreateView(op) => {
                let view =
                    self.view(&op.target()?, op.columns().as_ref(), op.query(), op.is_materialized())?;
                self.add_view(view, op.is_or_replace(), span);
            }
            Operation::DropView(op) => {
                self.drop_view(&op.target()?, op.is_if_exists(), op.is_materialized(), span);
            }
            Operation::Execute(op) => self.execute(op)?,
        }
        Some(())
    }

    /// STRICT tables know few types: the columns of one that becomes strict get the nearest of those before.
    fn settle_columns(&mut self, table: &ObjectName, options: &TableOptions, span: &Range<usize>) {
        let Some(known) = self.schema.table(table).cloned() else { return };
        for column in known.visible() {
            let mut settled = column.clone();
            self.settle_type(&mut settled, &known.constraints, options);
            if settled.data_type != column.data_type {
                let op = MigrationOp::ChangeColumnType {
                    table: known.name.clone(),
                    column: column.name.clone(),
                    to: settled.data_type,
                    collation: column.collation.clone(),
                    using: None,
                    revert_using: None,
                };
                self.push(op, span.clone());
            }
        }
    }

    fn execute(&mut self, op: &ast::Execute) -> Option<()> {
        let sql = self.text_of(&op.sql()?, op.span())?;
        let revert = match op.revert() {
            Some(revert) => Some(self.text_of(&revert, op.span())?),
            None => None,
        };
        let by_itself = pql_schema::tokens(&sql).next().is_some_and(|first| {
            ["VACUUM", "PRAGMA", "ATTACH", "DETACH"].contains(&&*first.text.to_uppercase())
        });
        let outside_transaction = op.is_outside_transaction() || by_itself;
        self.push(MigrationOp::Execute { sql, revert, outside_transaction }, op.span());
        Some(())
    }
}
