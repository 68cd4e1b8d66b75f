//! Columns and what follows their types.

use pql_syntax::ast::{ColumnConstraint, ColumnDef, Identity};

use super::constraint;
use super::out::Out;

pub(super) fn definition(out: &mut Out, column: &ColumnDef) {
    out.name("name", column.name());
    out.ty(column.ty());
    for (name, it) in column.constraints() {
        constraint_of(out, &it, |out| out.name("name", name));
    }
}

fn constraint_of(out: &mut Out, it: &ColumnConstraint, name: impl FnOnce(&mut Out)) {
    match it {
        ColumnConstraint::NotNull(it) => out.node("NotNull", |out| {
            name(out);
            constraint::conflict(out, it.conflict());
        }),
        ColumnConstraint::Null(it) => out.node("Null", |out| {
            name(out);
            constraint::conflict(out, it.conflict());
        }),
        ColumnConstraint::Default(it) => out.node("Default", |out| {
            name(out);
            out.expr("expr", it.expr());
        }),
        ColumnConstraint::PrimaryKey(it) => out.node("PrimaryKey", |out| {
            name(out);
            out.debug("direction", it.direction());
            constraint::conflict(out, it.conflict());
            out.flag("autoincrement", it.is_autoincrement());
        }),
        ColumnConstraint::Unique(it) => out.node("Unique", |out| {
            name(out);
            constraint::nulls(out, it.nulls_distinct());
            constraint::conflict(out, it.conflict());
        }),
        ColumnConstraint::Check(it) => out.node("Check", |out| {
            name(out);
            constraint::check(out, it);
        }),
        ColumnConstraint::References(it) => out.node("References", |out| {
            name(out);
            constraint::references(out, it);
        }),
        ColumnConstraint::Collate(it) => out.node("Collate", |out| {
            name(out);
            out.qualified("collation", it.name());
        }),
        ColumnConstraint::Identity(it) => out.node("Identity", |out| {
            name(out);
            identity(out, it);
        }),
        ColumnConstraint::Generated(it) => out.node("Generated", |out| {
            name(out);
            out.expr("expr", it.expr());
            assert_ne!(it.is_stored(), it.is_virtual());
            out.flag("stored", it.is_stored());
            out.flag("virtual", it.is_virtual());
        }),
        ColumnConstraint::Backfill(it) => out.node("Backfill", |out| {
            name(out);
            out.expr("expr", it.expr());
        }),
        ColumnConstraint::RenamedFrom(it) => out.node("RenamedFrom", |out| {
            name(out);
            out.qualified("old name", it.name());
        }),
        ColumnConstraint::Deferrable(it) => out.node("Deferrable", |out| {
            name(out);
            constraint::deferrable(out, it);
        }),
        ColumnConstraint::Storage(it) => out.node("Storage", |out| {
            name(out);
            out.name("method", it.method());
        }),
        ColumnConstraint::Compression(it) => out.node("Compression", |out| {
            name(out);
            out.name("method", it.method());
        }),
    }
}

pub(super) fn identity(out: &mut Out, it: &Identity) {
    out.flag("always", it.is_always());
    out.raw("options", it.options());
}
