//! `pql detect`: what separates the database from a schema file.

use std::fmt::Write as _;
use std::path::Path;

use pql::Session;

use crate::args::Format;
use crate::commands::connect::{block_on, fail_asking};
use crate::exit::Exit;
use crate::render::Ui;

/// Lists the operations; with `check`, anything at all is a difference to end with.
pub(crate) fn run(
    ui: &mut Ui,
    session: &mut Session,
    schema: &Path,
    answers: &[(String, bool)],
    check: bool,
) -> Exit {
    session.bind("schema_file", schema.display().to_string());
    let mut text = "MIGRATE DETECT TO application_schema = FILE @schema_file".to_owned();
    for (at, (id, answer)) in answers.iter().enumerate() {
        let _ = write!(text, " {} {id} = {answer}", if at == 0 { "WITH" } else { "," });
    }
    let outputs = match block_on(session.execute(&text)) {
        Ok(outputs) => outputs,
        Err(error) => return fail_asking(ui, &error),
    };
    let mut differs = false;
    for output in &outputs {
        differs |= output.rows().is_some_and(|rows| !rows.is_empty());
        if differs || ui.format != Format::Table {
            ui.output(output);
        }
    }
    if !differs {
        ui.note("nothing separates the database from the schema file");
    }
    if differs && check { Exit::Differs } else { Exit::Done }
}
