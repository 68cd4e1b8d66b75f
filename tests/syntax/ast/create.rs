//! CREATE and DROP of tables and views.

use pql_syntax::ast::{
    AstNode, CreateTable, CreateView, DropTable, DropView, Query, TableBody, TableElement, TableOption,
};

use super::out::{Out, joined};
use super::{column, constraint};

pub(super) fn table(out: &mut Out, create: &CreateTable) {
    out.node("CreateTable", |out| {
        out.flag("if not exists", create.is_if_not_exists());
        out.qualified("name", create.name());
        out.qualified("renamed from", create.renamed_from().and_then(|renamed| renamed.name()));
        body(out, create.body());
        for it in create.options() {
            option(out, &it);
        }
    });
}

pub(super) fn body(out: &mut Out, body: Option<TableBody>) {
    let Some(body) = body else { return };
    assert_eq!(body.elements().count(), body.columns().count() + body.constraints().count());
    for element in body.elements() {
        match element {
            TableElement::Column(it) => out.node("Column", |out| column::definition(out, &it)),
            TableElement::Constraint(it) => out.node("Constraint", |out| constraint::table(out, &it)),
        }
    }
}

pub(super) fn option(out: &mut Out, option: &TableOption) {
    match option {
        TableOption::Unlogged(_) => out.flag("unlogged", true),
        TableOption::WithoutRowid(_) => out.flag("without rowid", true),
        TableOption::Strict(_) => out.flag("strict", true),
        TableOption::WithoutOids(_) => out.flag("without oids", true),
        TableOption::StorageParams(it) => out.raw("with", it.params()),
        TableOption::Tablespace(it) => out.name("tablespace", it.name()),
        TableOption::AccessMethod(it) => out.name("using", it.name()),
        TableOption::Inherits(it) => out.node("Inherits", |out| {
            for table in it.tables() {
                out.qualified("table", Some(table));
            }
        }),
    }
}

pub(super) fn drop_table(out: &mut Out, drop: &DropTable) {
    out.node("DropTable", |out| {
        out.flag("if exists", drop.is_if_exists());
        for name in drop.names() {
            out.qualified("name", Some(name));
        }
        out.debug("behavior", drop.behavior());
        out.flag("concurrently", drop.is_concurrently());
    });
}

pub(super) fn view(out: &mut Out, create: &CreateView) {
    out.node("CreateView", |out| {
        out.flag("or replace", create.is_or_replace());
        out.flag("if not exists", create.is_if_not_exists());
        out.flag("materialized", create.is_materialized());
        out.qualified("name", create.name());
        out.columns("columns", create.columns());
        out.raw("with", create.storage_params().and_then(|params| params.params()));
        query(out, create.query());
    });
}

pub(super) fn query(out: &mut Out, query: Option<Query>) {
    let Some(query) = query else { return };
    assert!(!query.text().is_empty());
    out.value("query", joined(query.tokens()));
    for param in query.params() {
        out.value("  parameter", param.name());
    }
}

pub(super) fn drop_view(out: &mut Out, drop: &DropView) {
    out.node("DropView", |out| {
        out.flag("materialized", drop.is_materialized());
        out.flag("if exists", drop.is_if_exists());
        for name in drop.names() {
            out.qualified("name", Some(name));
        }
        out.debug("behavior", drop.behavior());
    });
}
