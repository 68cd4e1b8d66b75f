//! Where the cases lie and what their place says about them.

use std::fs;
use std::path::{Path, PathBuf};

/// What the front end must do with a fixture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expectation {
    /// It parses without an error.
    Accepted,
    /// It is refused with at least one error.
    Refused,
}

/// One source file of the suite.
pub(crate) struct Fixture {
    path: PathBuf,
}

impl Fixture {
    /// Every fixture, in the order of their names.
    pub(crate) fn all() -> Vec<Self> {
        files("pql").into_iter().map(|path| Self { path }).collect()
    }

    /// The path below the suite's folder, as a failing test names it.
    pub(crate) fn name(&self) -> String {
        let below = self.path.strip_prefix(root()).expect("fixtures lie below the suite's folder");
        below.with_extension("").display().to_string()
    }

    /// The folder, where the snapshot belongs too.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().expect("a fixture lies in a folder")
    }

    /// The file's name without its extension.
    pub(crate) fn case(&self) -> String {
        self.path.file_stem().expect("a fixture has a name").to_string_lossy().into_owned()
    }

    /// The text, byte for byte.
    pub(crate) fn source(&self) -> String {
        fs::read_to_string(&self.path).expect("a fixture is readable UTF-8")
    }

    /// Decided by the top folder alone.
    pub(crate) fn expectation(&self) -> Expectation {
        if self.name().starts_with("err") { Expectation::Refused } else { Expectation::Accepted }
    }
}

/// All files with this extension below the suite's folder, sorted.
pub(crate) fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the suite's folders are readable") {
            let path = entry.expect("the suite's folders are readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/syntax")
}
