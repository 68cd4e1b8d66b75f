//! Table constraints, and what they share with those of columns.

use pql_syntax::ast::{
    Check, Conflict, ConstraintBody, ConstraintOptions, Deferrable, Exclude, KeyColumns, NullsDistinct,
    PrimaryKey, References, TableConstraint, Unique,
};

use super::index;
use super::out::Out;

pub(super) fn table(out: &mut Out, constraint: &TableConstraint) {
    out.name("name", constraint.name());
    body_and_options(out, constraint);
}

pub(super) fn body_and_options(out: &mut Out, constraint: &impl ConstraintOptions) {
    match constraint.body() {
        Some(ConstraintBody::PrimaryKey(it)) => out.node("PrimaryKey", |out| primary_key(out, &it)),
        Some(ConstraintBody::Unique(it)) => out.node("Unique", |out| unique(out, &it)),
        Some(ConstraintBody::Check(it)) => out.node("Check", |out| check(out, &it)),
        Some(ConstraintBody::ForeignKey(it)) => out.node("ForeignKey", |out| {
            out.columns("columns", it.columns());
            out.maybe("References", it.references(), |out, it| references(out, &it));
        }),
        Some(ConstraintBody::Exclude(it)) => out.node("Exclude", |out| exclude(out, &it)),
        None => out.flag("(no body)", true),
    }
    if let Some(it) = constraint.deferrable() {
        deferrable(out, &it);
    }
    out.flag("not valid", constraint.is_not_valid());
    out.flag("not enforced", constraint.is_not_enforced());
}

fn primary_key(out: &mut Out, key: &PrimaryKey) {
    columns(out, key.columns());
    out.name("using index", key.using_index().and_then(|index| index.name()));
    out.columns("include", key.include().and_then(|include| include.columns()));
    out.raw("with", key.storage_params().and_then(|params| params.params()));
    out.name("tablespace", key.index_tablespace().and_then(|tablespace| tablespace.name()));
    conflict(out, key.conflict());
}

fn unique(out: &mut Out, key: &Unique) {
    nulls(out, key.nulls_distinct());
    columns(out, key.columns());
    out.name("using index", key.using_index().and_then(|index| index.name()));
    out.columns("include", key.include().and_then(|include| include.columns()));
    out.raw("with", key.storage_params().and_then(|params| params.params()));
    out.name("tablespace", key.index_tablespace().and_then(|tablespace| tablespace.name()));
    conflict(out, key.conflict());
}

fn columns(out: &mut Out, columns: Option<KeyColumns>) {
    let Some(columns) = columns else { return };
    for element in columns.elements() {
        index::element(out, &element);
    }
    out.flag("autoincrement", columns.is_autoincrement());
}

fn exclude(out: &mut Out, exclude: &Exclude) {
    out.name("method", exclude.method().and_then(|method| method.name()));
    out.raw("elements", exclude.elements());
    out.columns("include", exclude.include().and_then(|include| include.columns()));
    out.raw("with", exclude.storage_params().and_then(|params| params.params()));
    out.name("tablespace", exclude.index_tablespace().and_then(|tablespace| tablespace.name()));
    out.expr("where", exclude.condition());
}

pub(super) fn check(out: &mut Out, check: &Check) {
    out.expr("expr", check.expr());
    out.flag("no inherit", check.is_no_inherit());
    conflict(out, check.conflict());
}

pub(super) fn references(out: &mut Out, references: &References) {
    out.qualified("table", references.table());
    out.columns("columns", references.columns());
    for action in references.actions() {
        let event = if action.is_on_delete() { "on delete" } else { "on update" };
        out.debug(event, action.action());
        out.columns("  of", action.columns());
    }
    out.name("match", references.match_kind());
    if let Some(it) = references.deferrable() {
        deferrable(out, &it);
    }
}

pub(super) fn deferrable(out: &mut Out, deferrable: &Deferrable) {
    let first = if deferrable.is_not_deferrable() { "not deferrable" } else { "deferrable" };
    let second = if deferrable.is_initially_deferred() { "deferred" } else { "immediate" };
    out.flag(&format!("{first}, initially {second}"), true);
}

pub(super) fn conflict(out: &mut Out, conflict: Option<Conflict>) {
    out.debug("on conflict", conflict.and_then(|conflict| conflict.resolution()));
}

pub(super) fn nulls(out: &mut Out, nulls: Option<NullsDistinct>) {
    if let Some(nulls) = nulls {
        out.flag(if nulls.is_not_distinct() { "nulls not distinct" } else { "nulls distinct" }, true);
    }
}
