//! A case as it lies on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A case.
pub(crate) struct Case {
    /// Operation and case.
    pub(crate) name: String,
    /// SQLite's SQL that makes the database.
    pub(crate) schema: String,
    /// The statement.
    pub(crate) statement: String,
    /// What is written between APPLY and ROLLBACK.
    pub(crate) since: Option<String>,
    /// What PostgreSQL gets instead: sections `schema postgres`, `statement postgres`, `since postgres`; or, in
    /// `skip postgres`, why the case is none of its.
    #[allow(dead_code, reason = "read by the tests of PostgreSQL alone")]
    pub(crate) postgres: BTreeMap<String, String>,
}

impl Case {
    /// Reads one.
    pub(crate) fn read(path: &Path, root: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a readable case");
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        let mut current = None;
        for line in text.lines() {
            let words = line.strip_prefix("-- ").map(|rest| rest.strip_suffix(" postgres").unwrap_or(rest));
            if let Some("schema" | "statement" | "since" | "skip") = words
                && let Some(name) = line.strip_prefix("-- ")
            {
                sections.insert(name, String::new());
                current = Some(name);
                continue;
            }
            let name = current.expect("a case starts with a section");
            let section = sections.get_mut(name).expect("it was opened");
            section.push_str(line);
            section.push('\n');
        }
        let base = || fs::read_to_string(root.join("base.sql")).expect("the base is part of the project");
        let folder = path.parent().and_then(Path::file_name).expect("a folder").to_string_lossy();
        let file = path.file_stem().expect("a file").to_string_lossy();
        Self {
            name: format!("{folder}/{file}"),
            schema: sections.remove("schema").unwrap_or_else(base),
            statement: sections.remove("statement").expect("a case has a statement"),
            since: sections.remove("since"),
            postgres: sections
                .into_iter()
                .filter_map(|(name, text)| Some((name.strip_suffix(" postgres")?.to_owned(), text)))
                .collect(),
        }
    }
}
