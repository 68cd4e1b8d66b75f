//! ALTER TABLE.

use pql_syntax::ast::{AlterAction, AlterTable};

use super::out::Out;
use super::{column, constraint};

pub(super) fn table(out: &mut Out, alter: &AlterTable) {
    out.node("AlterTable", |out| {
        out.flag("if exists", alter.is_if_exists());
        out.flag("only", alter.is_only());
        out.flag("concurrently", alter.is_concurrently());
        out.qualified("table", alter.table());
        for one in alter.actions() {
            action(out, &one);
        }
    });
}

fn action(out: &mut Out, action: &AlterAction) {
    match action {
        AlterAction::AddColumn(it) => out.node("AddColumn", |out| {
            out.flag("if not exists", it.is_if_not_exists());
            out.maybe("Column", it.column(), |out, it| column::definition(out, &it));
        }),
        AlterAction::AddConstraint(it) => out.node("AddConstraint", |out| {
            out.maybe("Constraint", it.constraint(), |out, it| constraint::table(out, &it));
        }),
        AlterAction::DropColumn(it) => out.node("DropColumn", |out| {
            out.flag("if exists", it.is_if_exists());
            out.name("name", it.name());
            out.debug("behavior", it.behavior());
        }),
        AlterAction::DropConstraint(it) => out.node("DropConstraint", |out| {
            out.flag("if exists", it.is_if_exists());
            out.name("name", it.name());
            out.debug("behavior", it.behavior());
        }),
        AlterAction::ColumnType(it) => out.node("ColumnType", |out| {
            out.name("name", it.name());
            out.ty(it.ty());
            out.qualified("collate", it.collate().and_then(|collate| collate.name()));
            out.expr("using", it.using());
            out.expr("revert using", it.revert_using());
        }),
        AlterAction::SetNotNull(it) => out.node("SetNotNull", |out| {
            out.name("name", it.name());
            out.expr("backfill", it.backfill().and_then(|backfill| backfill.expr()));
        }),
        AlterAction::DropNotNull(it) => out.node("DropNotNull", |out| out.name("name", it.name())),
        AlterAction::SetDefault(it) => out.node("SetDefault", |out| {
            out.name("name", it.name());
            out.expr("default", it.expr());
        }),
        AlterAction::DropDefault(it) => out.node("DropDefault", |out| out.name("name", it.name())),
        AlterAction::RenameTable(it) => out.node("RenameTable", |out| out.name("to", it.new_name())),
        AlterAction::RenameColumn(it) => out.node("RenameColumn", |out| {
            out.name("from", it.old_name());
            out.name("to", it.new_name());
        }),
        AlterAction::RenameConstraint(it) => out.node("RenameConstraint", |out| {
            out.name("from", it.old_name());
            out.name("to", it.new_name());
        }),
    }
}
