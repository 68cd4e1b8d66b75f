//! What a database holds, as text: everything a user can see of it.

use std::fmt::Write as _;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// Everything: how the database is defined, every row with its rowid, and the sequences; without what is PQL's own.
pub(crate) fn of(db: &Connection) -> String {
    of_but_numbers(db, &[])
}

/// The same without the rowids of some tables: one that gets its rowids anew numbers its rows as they come.
pub(crate) fn of_but_numbers(db: &Connection, numbered_anew: &[String]) -> String {
    let (mut out, mut tables) = definitions(db);
    tables.sort();
    for table in tables {
        rows_of(db, &table, !numbered_anew.contains(&table), &mut out);
    }
    let sequences =
        "SELECT name, seq FROM sqlite_sequence WHERE name NOT LIKE '\\_pql%' ESCAPE '\\' ORDER BY name";
    if let Ok(mut query) = db.prepare(sequences) {
        let mut rows = query.query([]).expect("sequences");
        while let Some(row) = rows.next().expect("sequences") {
            let (name, last): (String, i64) = (row.get(0).expect("a name"), row.get(1).expect("a number"));
            let _ = writeln!(out, "sequence {name}: {last}");
        }
    }
    out
}

/// The schema texts in their order, and the names of the tables.
pub(crate) fn definitions(db: &Connection) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut tables = Vec::new();
    let mut query = db
        .prepare(
            "SELECT type, name, sql FROM sqlite_schema \
             WHERE name NOT LIKE '\\_pql\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
        )
        .expect("a database");
    let mut rows = query.query([]).expect("a schema");
    while let Some(row) = rows.next().expect("a schema") {
        let (kind, name, sql): (String, String, Option<String>) =
            (row.get(0).expect("a type"), row.get(1).expect("a name"), row.get(2).expect("a text"));
        let _ = writeln!(out, "{};", visible(&sql.unwrap_or_default()));
        if kind == "table" {
            tables.push(name);
        }
    }
    (out, tables)
}

/// A definition in which the hidden names are the same in every run.
fn visible(sql: &str) -> String {
    let mut out = String::new();
    let mut parts = sql.split("_pql_");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let hidden = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        let hidden = hidden.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit());
        out.push_str("_pql_TAG_");
        out.push_str(hidden);
    }
    out
}

fn rows_of(db: &Connection, table: &str, numbers: bool, out: &mut String) {
    let quoted = format!("\"{}\"", table.replace('"', "\"\""));
    let columns: Vec<String> = db
        .prepare(&format!(
            "SELECT name FROM pragma_table_xinfo({quoted}) WHERE name NOT LIKE '\\_pql%' ESCAPE '\\'"
        ))
        .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
        .expect("columns");
    let list: Vec<String> = columns.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
    let list = list.join(", ");
    let with_rowid = format!("SELECT rowid, {list} FROM {quoted} ORDER BY rowid");
    let without = format!("SELECT 0, {list} FROM {quoted} ORDER BY {list}");
    let mut query = if numbers { db.prepare(&with_rowid) } else { db.prepare(&without) }
        .or_else(|_| db.prepare(&format!("SELECT 0, {list} FROM {quoted}")))
        .expect("rows");
    let width = query.column_count();
    let mut rows = query.query([]).expect("rows");
    let _ = writeln!(out, "{table} ({})", columns.join(", "));
    while let Some(row) = rows.next().expect("rows") {
        let values: Vec<String> = (0..width).map(|at| text(row.get_ref(at).expect("a value"))).collect();
        let _ = writeln!(out, "  {}", values.join(" | "));
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => {
            let mut hex = String::new();
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            format!("x'{hex}'")
        }
    }
}
