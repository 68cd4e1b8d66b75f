//! The AST in words: every accessor's answer, so that what an accessor cannot reach is missed in a snapshot.

mod alter;
mod column;
mod constraint;
mod create;
mod index;
mod migrate;
mod operation;
mod out;

use pql_syntax::Parse;
use pql_syntax::ast::{AstNode, Statement};

use out::Out;

/// All statements of a source.
pub(crate) fn dump(parse: &Parse) -> String {
    let mut out = Out::default();
    for statement in parse.statements() {
        one(&mut out, &statement);
    }
    out.finish()
}

fn one(out: &mut Out, statement: &Statement) {
    match statement {
        Statement::Set(set) => out.node("Set", |out| {
            out.name("name", set.name());
            out.setting("value", set.value());
        }),
        Statement::Reset(reset) => out.node("Reset", |out| {
            out.name("name", reset.name());
            out.flag("all", reset.is_all());
        }),
        Statement::Show(show) => out.node("Show", |out| {
            out.name("name", show.name());
            out.flag("all", show.is_all());
        }),
        Statement::Describe(describe) => out.node("Describe", |out| out.qualified("name", describe.name())),
        Statement::AlterTable(alter) => alter::table(out, alter),
        Statement::CreateTable(create) => create::table(out, create),
        Statement::DropTable(drop) => create::drop_table(out, drop),
        Statement::CreateIndex(create) => index::create(out, create),
        Statement::DropIndex(drop) => index::drop(out, drop),
        Statement::CreateView(create) => create::view(out, create),
        Statement::DropView(drop) => create::drop_view(out, drop),
        Statement::PassThrough(other) => out.node("PassThrough", |out| {
            out.value("keywords", other.keywords().join(" "));
            out.value("tokens", out::joined(other.tokens()));
            for param in other.params() {
                out.value("param", param.name());
            }
        }),
        Statement::Meta(line) => out.node("Meta", |out| out.value("text", line.text())),
        Statement::Error(error) => out.node("Error", |out| out.value("text", format!("{:?}", error.text()))),
        migrate => migrate::statement(out, migrate),
    }
}
