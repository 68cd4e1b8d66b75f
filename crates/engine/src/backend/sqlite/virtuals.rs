//! Virtual tables that read the rows of an ordinary one by its name, as those of FTS5 with `content=` do. SQLite does
//! not know of it, so that a table which gets another name leaves them reading nothing.

use pql_planner::{Held, Hold};
use pql_schema::tokens;
use rusqlite::Connection as Db;

use super::catalog;
use crate::Result;

/// Those that read a table, with the words of their definitions, among which the names of its columns are.
pub(super) fn reading(db: &Db, table: &str) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for entry in catalog::all(db)? {
        let Some(sql) = entry.sql.filter(|_| entry.kind == "table") else { continue };
        let words: Vec<String> = tokens(&sql).map(|token| unquoted(token.text)).collect();
        let is_virtual = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("virtual"));
        let reads = |at: &[String]| {
            at[0].eq_ignore_ascii_case("content") && at[1] == "=" && at[2].eq_ignore_ascii_case(table)
        };
        if is_virtual && words.windows(3).any(reads) {
            found.push(Held { hold: Hold::Virtual, name: entry.name, columns: words, definition: Some(sql) });
        }
    }
    Ok(found)
}

/// Options may be in any of the quotes.
fn unquoted(text: &str) -> String {
    let inner =
        text.strip_prefix(['\'', '"', '`', '[']).and_then(|rest| rest.strip_suffix(['\'', '"', '`', ']']));
    inner.unwrap_or(text).to_owned()
}
