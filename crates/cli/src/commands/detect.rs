//! `pql detect`: what separates the database from a schema file.

use std::path::Path;

use pql::Session;

use crate::commands::connect::{block_on, fail};
use crate::exit::Exit;
use crate::render::Ui;

/// Lists the operations; with `check`, anything at all is a difference to end with.
pub(crate) fn run(ui: &mut Ui, session: &mut Session, schema: &Path, check: bool) -> Exit {
    session.bind("schema_file", schema.display().to_string());
    let text = "MIGRATE DETECT TO application_schema = FILE @schema_file";
    let outputs = match block_on(session.execute(text)) {
        Ok(outputs) => outputs,
        Err(error) => return fail(ui, &error),
    };
    let mut differs = false;
    for output in &outputs {
        differs |= output.rows().is_some_and(|rows| !rows.is_empty());
        ui.output(output);
    }
    if differs && check { Exit::Differs } else { Exit::Done }
}
