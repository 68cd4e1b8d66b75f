//! `pql explain`: the long form of an error code.

use serde_json::json;

use crate::exit::Exit;
use crate::render::Ui;

/// The width that explanations are set to where nothing else is known.
const WIDTH: usize = 80;

/// One code, or the list of all.
pub(crate) fn run(ui: &mut Ui, code: Option<&str>) -> Exit {
    let Some(code) = code else {
        for entry in pql::codes::all() {
            let line = if ui.is_json() {
                json!({"code": entry.code, "title": entry.title}).to_string()
            } else {
                format!("{}  {}", entry.code, entry.title)
            };
            ui.line(&line);
        }
        return Exit::Done;
    };
    let Some(entry) = pql::codes::explain(code) else {
        return ui
            .usage(&format!("there is no code {code}"), Some("`pql explain` without a code lists them all"));
    };
    if ui.is_json() {
        ui.line(&json!({"code": entry.code, "title": entry.title, "explanation": entry.text}).to_string());
    } else {
        let width = ui.terminal.width.filter(|_| ui.terminal.stdout).unwrap_or(WIDTH).clamp(20, WIDTH);
        ui.line(&format!("{}: {}\n\n{}", entry.code, entry.title, wrap(entry.text, width)));
    }
    Exit::Done
}

fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}
