//! `pql schema`: the database's schema as a schema file or as a diagram.

use pql::{SchemaForm, Session};

use crate::args::Format;
use crate::commands::connect::{block_on, fail};
use crate::exit::Exit;
use crate::render::Ui;

/// Prints the schema in the form that was asked for.
pub(crate) fn run(ui: &mut Ui, session: &mut Session, format: Option<Format>) -> Exit {
    let form = match format {
        None | Some(Format::Pql) => SchemaForm::Pql,
        Some(Format::Json) => SchemaForm::Json,
        Some(Format::Sql) => SchemaForm::Sql,
        Some(Format::Mermaid) => SchemaForm::Mermaid,
        Some(Format::Table | Format::Csv) => {
            return ui.usage("a schema is printed as pql, json, sql or mermaid", None);
        }
    };
    match block_on(session.schema_as(form)) {
        Ok(text) => {
            ui.print(&text);
            Exit::Done
        }
        Err(error) => fail(ui, &error),
    }
}
