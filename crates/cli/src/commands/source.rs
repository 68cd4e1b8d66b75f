//! Reading the files that a command names; `-` is standard input.

use std::io::Read;
use std::path::Path;

use pql::Places;
use pql_syntax::Diagnostic;

use crate::render::Problem;

/// A source that was read.
pub(crate) struct Source {
    /// What messages call it.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// Reads a file or standard input.
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let name = name_of(path);
        let bytes = if is_stdin(path) {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(path)
        };
        let bytes =
            bytes.map_err(|error| Problem::file(&format!("cannot read {name}: {error}")).in_file(&name))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => Err(not_utf8(&name, error.as_bytes())),
        }
    }
}

/// Whether the path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn name_of(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn not_utf8(name: &str, bytes: &[u8]) -> Problem {
    let text = String::from_utf8_lossy(bytes);
    let diagnostic = pql_syntax::parse_bytes(bytes)
        .err()
        .unwrap_or_else(|| Diagnostic::error(pql_syntax::codes::NOT_UTF8, 0..0, "the text is not UTF-8"));
    Problem::of_diagnostic(&diagnostic, name, &mut Places::new(&text)).in_file(name)
}
