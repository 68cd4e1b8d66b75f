//! Rows as comma-separated values (RFC 4180): NULL is nothing, an empty text is `""`.

use pql::{ResultSet, Value, value_text};

/// A header line and a line per row.
pub(crate) fn text(rows: &ResultSet) -> String {
    let mut out = String::new();
    line(&mut out, rows.columns().iter().map(|name| quoted(name)));
    for row in rows {
        line(&mut out, row.iter().map(field));
    }
    out
}

fn line(out: &mut String, fields: impl Iterator<Item = String>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&field);
    }
    out.push('\n');
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => quoted(&value_text(value)),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
