//! A case as it lies on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A case.
pub struct Case {
    /// Operation and case.
    pub name: String,
    /// SQLite's SQL that makes the database.
    pub schema: String,
    /// The statement.
    pub statement: String,
    /// What is written between APPLY and ROLLBACK.
    pub since: Option<String>,
}

impl Case {
    /// Reads one.
    pub fn read(path: &Path, root: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a readable case");
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        let mut current = None;
        for line in text.lines() {
            match line.strip_prefix("-- ") {
                Some(name @ ("schema" | "statement" | "since")) => {
                    sections.insert(name, String::new());
                    current = Some(name);
                }
                _ => {
                    let name = current.expect("a case starts with a section");
                    let section = sections.get_mut(name).expect("it was opened");
                    section.push_str(line);
                    section.push('\n');
                }
            }
        }
        let base = || fs::read_to_string(root.join("base.sql")).expect("the base is part of the project");
        let folder = path.parent().and_then(Path::file_name).expect("a folder").to_string_lossy();
        let file = path.file_stem().expect("a file").to_string_lossy();
        Self {
            name: format!("{folder}/{file}"),
            schema: sections.remove("schema").unwrap_or_else(base),
            statement: sections.remove("statement").expect("a case has a statement"),
            since: sections.remove("since"),
        }
    }
}
