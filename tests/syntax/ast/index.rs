//! Indexes.

use pql_syntax::ast::{CreateIndex, DropIndex, IndexDef, IndexElement};

use super::constraint;
use super::out::Out;

pub(super) fn create(out: &mut Out, create: &CreateIndex) {
    out.node("CreateIndex", |out| {
        out.flag("unique", create.is_unique());
        out.flag("concurrently", create.is_concurrently());
        out.flag("if not exists", create.is_if_not_exists());
        definition(out, create.definition());
    });
}

pub(super) fn definition(out: &mut Out, index: Option<IndexDef>) {
    let Some(index) = index else { return };
    out.qualified("name", index.name());
    out.flag("only", index.is_only());
    out.qualified("table", index.table());
    out.name("method", index.method().and_then(|method| method.name()));
    for it in index.elements() {
        element(out, &it);
    }
    out.columns("include", index.include().and_then(|include| include.columns()));
    constraint::nulls(out, index.nulls_distinct());
    out.raw("with", index.storage_params().and_then(|params| params.params()));
    out.name("tablespace", index.tablespace().and_then(|tablespace| tablespace.name()));
    out.expr("where", index.condition());
}

pub(super) fn element(out: &mut Out, element: &IndexElement) {
    out.node("Key", |out| {
        out.name("column", element.column());
        out.expr("expr", element.expr());
        out.qualified("collate", element.collate().and_then(|collate| collate.name()));
        if let Some(class) = element.opclass() {
            out.qualified("class", class.name());
            out.raw("  with", class.params());
        }
        out.debug("direction", element.direction());
        out.debug("nulls first", element.nulls_first());
    });
}

pub(super) fn drop(out: &mut Out, drop: &DropIndex) {
    out.node("DropIndex", |out| {
        out.flag("concurrently", drop.is_concurrently());
        out.flag("if exists", drop.is_if_exists());
        for name in drop.names() {
            out.qualified("name", Some(name));
        }
        out.debug("behavior", drop.behavior());
    });
}
