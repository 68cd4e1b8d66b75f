//! Completion: keywords by position, names of the database, settings, migrations and files.

use std::path::Path;

use pql::{Error, SETTINGS, Session};

/// Words that begin a statement.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE",
    "BEGIN",
    "COMMIT",
    "CREATE",
    "DELETE FROM",
    "DESCRIBE",
    "DROP",
    "EXPLAIN",
    "INSERT INTO",
    "MIGRATE",
    "RESET",
    "ROLLBACK",
    "SELECT",
    "SET",
    "SHOW",
    "UPDATE",
    "WITH",
];

/// What follows MIGRATE.
const VERBS: &[&str] = &[
    "APPLY", "BASELINE", "CANCEL", "DETECT", "GENERATE", "HISTORY", "PAUSE", "PLAN", "PURGE", "RESUME",
    "ROLLBACK", "STATUS", "VERIFY",
];

/// What begins an operation.
const OPERATIONS: &[&str] = &[
    "ADD COLUMN",
    "ADD CONSTRAINT",
    "ADD INDEX",
    "ADD TABLE",
    "ADD UNIQUE INDEX",
    "CHANGE COLUMN",
    "CREATE VIEW",
    "DROP COLUMN",
    "DROP CONSTRAINT",
    "DROP DEFAULT",
    "DROP INDEX",
    "DROP NOT NULL",
    "DROP TABLE",
    "DROP VIEW",
    "EXECUTE",
    "RENAME COLUMN",
    "RENAME CONSTRAINT",
    "RENAME INDEX",
    "RENAME TABLE",
    "SET DEFAULT",
    "SET NOT NULL",
    "TO application_schema =",
];

/// Words of SQL, for anywhere else.
pub(super) const SQL_WORDS: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BACKFILL",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASCADE",
    "CASE",
    "CHECK",
    "COLUMN",
    "COMMIT",
    "CONCURRENTLY",
    "CONSTRAINT",
    "COUNT",
    "CREATE",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXISTS",
    "FOREIGN",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "PRAGMA",
    "PRIMARY",
    "REFERENCES",
    "RENAME",
    "RESTRICT",
    "SELECT",
    "SET",
    "TABLE",
    "THEN",
    "TO",
    "TYPE",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The shell's own commands.
pub(super) const META: &[&str] =
    &["\\?", "\\bind", "\\c", "\\d", "\\dm", "\\e", "\\i", "\\o", "\\q", "\\timing", "\\x"];

/// What there is in the database.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names {
    tables: Vec<String>,
    columns: Vec<(String, String)>,
    indexes: Vec<String>,
    migrations: Vec<String>,
}

impl Names {
    /// Reads them.
    pub(super) async fn load(session: &mut Session) -> Result<Self, Error> {
        let schema = session.schema().await?;
        let mut names = Self::default();
        for table in schema.tables.values() {
            names.tables.push(table.name.to_string());
            names.columns.extend(table.visible().map(|it| (table.name.to_string(), it.name.clone())));
        }
        names.tables.extend(schema.views.values().map(|view| view.name.to_string()));
        names.indexes.extend(schema.indexes.values().map(|index| index.name.to_string()));
        let all = session.migrator().log().all().await?;
        names.migrations = all.iter().rev().map(|info| info.migration_id.to_string()).collect();
        Ok(names)
    }
}

/// Where the completed word starts, and what it may become.
pub(super) fn complete(names: &Names, line: &str, at: usize) -> (usize, Vec<String>) {
    let before = line.get(..at).unwrap_or(line);
    let trimmed = before.trim_start();
    if trimmed.starts_with('\\') && !trimmed.contains(char::is_whitespace) {
        return (before.len() - trimmed.len(), matching(META.iter().copied(), trimmed));
    }
    if let Some(path) = path_argument(before) {
        return (at - path.len(), files(path));
    }
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || "_$.-".contains(c)))
        .map_or(0, |place| place + before[place..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    (start, candidates(names, &before[..start], word))
}

fn candidates(names: &Names, before: &str, word: &str) -> Vec<String> {
    if let Some((table, column)) = word.rsplit_once('.') {
        let columns = names.columns.iter().filter(|(of, _)| of.eq_ignore_ascii_case(table));
        let matches = columns.filter(|(_, name)| starts_with(name, column));
        return matches.map(|(of, name)| format!("{of}.{name}")).collect();
    }
    let statement = before.rsplit(';').next().unwrap_or_default();
    let words: Vec<String> = statement.split_whitespace().map(str::to_uppercase).collect();
    let last = words.last().map(String::as_str).unwrap_or_default();
    let settings = || SETTINGS.iter().map(|setting| setting.name);
    let keywords: Vec<&str> = match (words.first().map(String::as_str), last) {
        (None, _) => STATEMENTS.to_vec(),
        (Some("MIGRATE"), "MIGRATE") => VERBS.to_vec(),
        (Some("MIGRATE"), "GENERATE") => OPERATIONS.to_vec(),
        (Some("MIGRATE"), end)
            if end.ends_with(',') && words.get(1).is_some_and(|verb| verb == "GENERATE") =>
        {
            OPERATIONS.to_vec()
        }
        (Some("MIGRATE" | "EXPLAIN"), "=" | "'" | "='")
            if statement.to_lowercase().contains("migration_id") =>
        {
            return matching(names.migrations.iter().map(String::as_str), word);
        }
        (
            Some("MIGRATE" | "EXPLAIN"),
            "APPLY" | "PAUSE" | "RESUME" | "CANCEL" | "ROLLBACK" | "STATUS" | "PURGE",
        ) => {
            vec!["migration_id ="]
        }
        (Some("SET" | "SHOW" | "RESET"), "SET" | "SHOW" | "RESET") => {
            return matching(settings().chain(["ALL"]), word);
        }
        (_, "WITH") => return matching(settings(), word),
        _ => SQL_WORDS.to_vec(),
    };
    let known = names.tables.iter().chain(&names.indexes).map(String::as_str);
    let columns = names.columns.iter().map(|(_, name)| name.as_str());
    let mut found = matching(keywords.into_iter().chain(known).chain(columns), word);
    found.sort();
    found.dedup();
    found
}

fn matching<'a>(words: impl Iterator<Item = &'a str>, start: &str) -> Vec<String> {
    words.filter(|word| starts_with(word, start)).map(ToOwned::to_owned).collect()
}

fn starts_with(word: &str, start: &str) -> bool {
    word.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// The path that is being typed, after `\i`, `\o` and `FILE '`.
fn path_argument(before: &str) -> Option<&str> {
    let trimmed = before.trim_start();
    for command in ["\\i ", "\\o "] {
        if let Some(path) = trimmed.strip_prefix(command) {
            return Some(path.trim_start());
        }
    }
    let quote = before.rfind('\'')?;
    let word = before[..quote].trim_end();
    let file = word.len() >= 4
        && word.is_char_boundary(word.len() - 4)
        && word[word.len() - 4..].eq_ignore_ascii_case("file");
    file.then(|| &before[quote + 1..])
}

fn files(path: &str) -> Vec<String> {
    let (directory, start) =
        path.rsplit_once('/').map_or(("", path), |(directory, start)| (directory, start));
    let prefix = if path.contains('/') { format!("{directory}/") } else { String::new() };
    let place = if prefix.is_empty() { Path::new(".") } else { Path::new(&prefix) };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !start.starts_with('.');
            let end = if entry.path().is_dir() { "/" } else { "" };
            (name.starts_with(start) && !hidden).then(|| format!("{prefix}{name}{end}"))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            tables: vec!["users".into()],
            columns: vec![("users".into(), "email".into()), ("users".into(), "id".into())],
            indexes: vec!["users_email_idx".into()],
            migrations: vec!["0190a1b2".into()],
        }
    }

    fn at_end(line: &str) -> Vec<String> {
        complete(&names(), line, line.len()).1
    }

    #[test]
    fn what_fits_the_position_is_offered() {
        assert_eq!(at_end("MIG"), ["MIGRATE"]);
        assert_eq!(at_end("migrate ap"), ["APPLY"]);
        assert_eq!(at_end("SELECT 1; SHOW lock"), ["lock_timeout"]);
        assert_eq!(at_end("MIGRATE GENERATE DROP COLUMN users.em"), ["users.email"]);
        assert_eq!(at_end("SELECT * FROM us"), ["USING", "users", "users_email_idx"]);
        assert_eq!(at_end("MIGRATE APPLY migration_id = "), ["0190a1b2"]);
        assert_eq!(at_end("\\ti"), ["\\timing"]);
    }
}
