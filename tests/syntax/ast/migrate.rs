//! MIGRATE statements.

use pql_syntax::ast::{
    AsName, FromVersion, MigrationId, RollbackTarget, SchemaSource, Statement, WithOption,
};

use super::operation;
use super::out::Out;

pub(super) fn statement(out: &mut Out, statement: &Statement) {
    match statement {
        Statement::Detect(it) => out.node("Detect", |out| {
            from(out, it.from_version());
            schema(out, it.schema());
            options(out, it.options());
        }),
        Statement::Generate(it) => out.node("Generate", |out| {
            for one in it.operations() {
                operation::operation(out, &one);
            }
            as_name(out, it.as_name());
            options(out, it.options());
        }),
        Statement::GenerateTo(it) => out.node("GenerateTo", |out| {
            from(out, it.from_version());
            schema(out, it.schema());
            as_name(out, it.as_name());
            options(out, it.options());
        }),
        Statement::Plan(it) => out.node("Plan", |out| {
            out.flag("explain", it.is_explain());
            migration(out, it.migration_id());
            options(out, it.options());
        }),
        Statement::Apply(it) => out.node("Apply", |out| {
            migration(out, it.migration_id());
            options(out, it.options());
        }),
        Statement::Rollback(it) => out.node("Rollback", |out| {
            match it.target() {
                Some(RollbackTarget::Migration(id)) => migration(out, Some(id)),
                Some(RollbackTarget::Last(last)) => out.operand("last", last.value()),
                Some(RollbackTarget::Version(version)) => out.operand("to version", version.value()),
                None => out.flag("(no target)", true),
            }
            options(out, it.options());
        }),
        Statement::Status(it) => out.node("Status", |out| migration(out, it.migration_id())),
        Statement::History(it) => out.node("History", |out| migration(out, it.migration_id())),
        Statement::Pause(it) => out.node("Pause", |out| migration(out, it.migration_id())),
        Statement::Resume(it) => out.node("Resume", |out| {
            migration(out, it.migration_id());
            options(out, it.options());
        }),
        Statement::Cancel(it) => out.node("Cancel", |out| migration(out, it.migration_id())),
        Statement::Purge(it) => out.node("Purge", |out| {
            migration(out, it.migration_id());
            if let Some(age) = it.older_than() {
                out.operand("older than", age.value());
            }
            options(out, it.options());
        }),
        Statement::Baseline(it) => out.node("Baseline", |out| {
            as_name(out, it.as_name());
            options(out, it.options());
        }),
        Statement::Verify(it) => out.node("Verify", |out| options(out, it.options())),
        other => panic!("not shown: {other:?}"),
    }
}

fn migration(out: &mut Out, id: Option<MigrationId>) {
    if let Some(id) = id {
        out.operand("migration", id.value());
    }
}

fn from(out: &mut Out, version: Option<FromVersion>) {
    if let Some(version) = version {
        out.operand("from version", version.value());
    }
}

fn schema(out: &mut Out, schema: Option<SchemaSource>) {
    if let Some(schema) = schema {
        out.operand(if schema.is_file() { "to schema of file" } else { "to schema" }, schema.value());
    }
}

fn as_name(out: &mut Out, name: Option<AsName>) {
    if let Some(name) = name {
        out.operand("as", name.value());
    }
}

fn options(out: &mut Out, options: Vec<WithOption>) {
    for option in options {
        out.node("Option", |out| {
            out.name("name", option.name());
            out.setting("value", option.value());
        });
    }
}
