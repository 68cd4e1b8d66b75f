//! The operations of MIGRATE GENERATE.

use pql_syntax::ast::Operation;

use super::out::Out;
use super::{column, constraint, create, index};

#[expect(clippy::too_many_lines, reason = "one arm per operation, each of a few lines")]
pub(super) fn operation(out: &mut Out, operation: &Operation) {
    match operation {
        Operation::AddTable(it) => out.node("AddTable", |out| {
            out.flag("if not exists", it.is_if_not_exists());
            out.qualified("target", it.target());
            create::body(out, it.body());
            for option in it.options() {
                create::option(out, &option);
            }
        }),
        Operation::DropTable(it) => out.node("DropTable", |out| {
            out.flag("if exists", it.is_if_exists());
            out.qualified("target", it.target());
        }),
        Operation::RenameTable(it) => out.node("RenameTable", |out| {
            out.qualified("target", it.target());
            out.name("to", it.new_name());
        }),
        Operation::AddColumn(it) => out.node("AddColumn", |out| {
            out.flag("if not exists", it.is_if_not_exists());
            out.qualified("table", it.table());
            out.maybe("Column", it.column(), |out, it| column::definition(out, &it));
        }),
        Operation::DropColumn(it) => out.node("DropColumn", |out| {
            out.flag("if exists", it.is_if_exists());
            out.qualified("target", it.target());
        }),
        Operation::RenameColumn(it) => out.node("RenameColumn", |out| {
            out.qualified("target", it.target());
            out.name("to", it.new_name());
        }),
        Operation::ChangeColumn(it) => out.node("ChangeColumn", |out| {
            out.qualified("target", it.target());
            out.ty(it.ty());
            out.qualified("collate", it.collate().and_then(|collate| collate.name()));
            out.expr("using", it.using());
            out.expr("revert using", it.revert_using());
        }),
        Operation::SetNotNull(it) => out.node("SetNotNull", |out| {
            out.qualified("target", it.target());
            out.expr("backfill", it.backfill().and_then(|backfill| backfill.expr()));
        }),
        Operation::DropNotNull(it) => out.node("DropNotNull", |out| out.qualified("target", it.target())),
        Operation::SetDefault(it) => out.node("SetDefault", |out| {
            out.qualified("target", it.target());
            out.expr("default", it.expr());
        }),
        Operation::DropDefault(it) => out.node("DropDefault", |out| out.qualified("target", it.target())),
        Operation::SetTableOptions(it) => out.node("SetTableOptions", |out| {
            out.qualified("target", it.target());
            for option in it.options() {
                create::option(out, &option);
            }
        }),
        Operation::SetColumnOptions(it) => out.node("SetColumnOptions", |out| {
            out.qualified("target", it.target());
            if let Some(identity) = it.identity() {
                out.node("Identity", |out| column::identity(out, &identity));
            }
            constraint::conflict(out, it.conflict());
        }),
        Operation::AddIndex(it) => out.node("AddIndex", |out| {
            out.flag("unique", it.is_unique());
            out.flag("if not exists", it.is_if_not_exists());
            index::definition(out, it.definition());
        }),
        Operation::DropIndex(it) => out.node("DropIndex", |out| {
            out.flag("if exists", it.is_if_exists());
            out.qualified("target", it.target());
        }),
        Operation::RenameIndex(it) => out.node("RenameIndex", |out| {
            out.qualified("target", it.target());
            out.name("to", it.new_name());
        }),
        Operation::AddConstraint(it) => out.node("AddConstraint", |out| {
            out.qualified("target", it.target());
            out.flag("unnamed", it.is_unnamed());
            constraint::body_and_options(out, it);
        }),
        Operation::DropConstraint(it) => out.node("DropConstraint", |out| {
            out.flag("if exists", it.is_if_exists());
            out.qualified("target", it.target());
        }),
        Operation::RenameConstraint(it) => out.node("RenameConstraint", |out| {
            out.qualified("target", it.target());
            out.name("to", it.new_name());
        }),
        Operation::CreateView(it) => out.node("CreateView", |out| {
            out.flag("or replace", it.is_or_replace());
            out.flag("materialized", it.is_materialized());
            out.qualified("target", it.target());
            out.columns("columns", it.columns());
            create::query(out, it.query());
        }),
        Operation::DropView(it) => out.node("DropView", |out| {
            out.flag("materialized", it.is_materialized());
            out.flag("if exists", it.is_if_exists());
            out.qualified("target", it.target());
        }),
        Operation::Execute(it) => out.node("Execute", |out| {
            out.operand("sql", it.sql());
            if it.revert().is_some() {
                out.operand("revert", it.revert());
            }
            out.flag("outside transaction", it.is_outside_transaction());
        }),
    }
}
