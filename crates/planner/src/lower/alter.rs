//! DDL as people write it: ALTER TABLE with its actions, and CREATE and DROP.

use pql_schema::MigrationOp;
use pql_syntax::ast::{self, AlterAction, AstNode as _};

use super::Lowering;

impl Lowering<'_> {
    pub(super) fn alter_table(&mut self, alter: &ast::AlterTable) {
        let Some(mut table) = alter.table().and_then(|name| self.table(&name)) else { return };
        if alter.is_if_exists() && self.schema.table(&table).is_none() {
            return;
        }
        for action in alter.actions() {
            // `None` was reported already.
            let _ = self.alter_action(&mut table, &action);
        }
    }

    fn alter_action(&mut self, table: &mut pql_schema::ObjectName, action: &AlterAction) -> Option<()> {
        let span = action.span();
        let owner = table.clone();
        match action {
            AlterAction::AddColumn(it) => self.add_column(owner, &it.column()?, it.is_if_not_exists(), span),
            AlterAction::AddConstraint(it) => {
                let node = it.constraint()?;
                let name = node.name().map(|name| self.fold(&name));
                self.add_constraint(owner, &node, name, span);
            }
            AlterAction::DropColumn(it) => {
                let column = self.fold(&it.name()?);
                self.drop_column(owner, &column, it.is_if_exists(), span);
            }
            AlterAction::DropConstraint(it) => {
                let name = self.fold(&it.name()?);
                self.drop_constraint(owner, name, it.is_if_exists(), span);
            }
            AlterAction::ColumnType(it) => {
                let column = self.fold(&it.name()?);
                self.change_type(
                    owner,
                    &column,
                    it.ty(),
                    it.collate(),
                    [it.using(), it.revert_using()],
                    span,
                );
            }
            AlterAction::SetNotNull(it) => {
                let column = self.fold(&it.name()?);
                self.set_not_null(owner, &column, it.backfill(), span);
            }
            AlterAction::DropNotNull(it) => {
                let column = self.column_of(table, &self.fold(&it.name()?));
                self.push(MigrationOp::DropNotNull { table: owner, column }, span);
            }
            AlterAction::SetDefault(it) => {
                let column = self.fold(&it.name()?);
                self.set_default(owner, &column, it.expr(), span);
            }
            AlterAction::DropDefault(it) => {
                let column = self.column_of(table, &self.fold(&it.name()?));
                self.push(MigrationOp::DropDefault { table: owner, column }, span);
            }
            AlterAction::RenameTable(it) => {
                let to = table.sibling(self.fold(&it.new_name()?));
                self.push(MigrationOp::RenameTable { from: owner, to: to.clone() }, span);
                *table = to;
            }
            AlterAction::RenameColumn(it) => {
                let from = self.column_of(table, &self.fold(&it.old_name()?));
                let to = self.fold(&it.new_name()?);
                self.push(MigrationOp::RenameColumn { table: owner, from, to }, span);
            }
            AlterAction::RenameConstraint(it) => {
                let from = self.fold(&it.old_name()?);
                let to = self.fold(&it.new_name()?);
                self.push(MigrationOp::RenameConstraint { table: owner, from, to }, span);
            }
        }
        Some(())
    }

    pub(super) fn create_table(&mut self, create: &ast::CreateTable) {
        let Some(name) = create.name().and_then(|name| self.object(&name)) else { return };
        if let Some(renamed) = create.renamed_from() {
            self.unsupported::<()>(
                renamed.span(),
                "RENAMED FROM belongs in a schema file",
                "to rename a table write ALTER TABLE old RENAME TO new",
            );
            return;
        }
        let Some(body) = create.body() else { return };
        if let Some(lowered) = self.table_definition(name, &body, create.options()) {
            self.add_table(lowered.table, create.is_if_not_exists(), create.span());
        }
    }

    /// Drops tables that refer to each other in an order in which each can go.
    pub(super) fn drop_tables(&mut self, drop: &ast::DropTable) {
        let mut names: Vec<ast::QualifiedName> = drop.names().collect();
        while !names.is_empty() {
            let free = names.iter().position(|name| {
                let parts: Vec<String> = name.parts().map(|part| self.fold(&part)).collect();
                let table = parts.last().map(|name| self.spelled(pql_schema::ObjectName::new(name)));
                table.is_some_and(|table| {
                    self.schema.clone().into_owned().apply(&MigrationOp::DropTable { table }).is_ok()
                })
            });
            // When none can go, the first one's error says why.
            let name = names.remove(free.unwrap_or(0));
            self.drop_table(&name, drop.is_if_exists(), name.span());
        }
    }

    pub(super) fn create_index(&mut self, create: &ast::CreateIndex) {
        self.add_index(create.definition(), create.is_unique(), create.is_if_not_exists(), create.span());
    }

    pub(super) fn drop_indexes(&mut self, drop: &ast::DropIndex) {
        for name in drop.names() {
            self.drop_index(&name, drop.is_if_exists(), name.span());
        }
    }

    pub(super) fn create_view(&mut self, create: &ast::CreateView) {
        if let Some(params) = create.storage_params() {
            self.unsupported::<()>(params.span(), "PQL does not carry WITH (…) of a view", "leave it out");
            return;
        }
        let Some(name) = create.name() else { return };
        let Some(view) =
            self.view(&name, create.columns().as_ref(), create.query(), create.is_materialized())
        else {
            return;
        };
        if create.is_if_not_exists() && self.schema.view(&view.name).is_some() {
            return;
        }
        self.add_view(view, create.is_or_replace(), create.span());
    }

    pub(super) fn drop_views(&mut self, drop: &ast::DropView) {
        for name in drop.names() {
            self.drop_view(&name, drop.is_if_exists(), drop.is_materialized(), name.span());
        }
    }
}
