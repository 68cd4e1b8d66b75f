//! A value on its way from one table to another: exactly the bytes that SQLite has, text that is not UTF-8 included.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection as Db, params_from_iter};
use serde::{Deserialize, Serialize};

use crate::Result;

/// The value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cell {
    Null,
    Integer(i64),
    /// Written down by its bits, because JSON has no infinity.
    #[serde(with = "bits")]
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Cell {
    /// What SQLite gives.
    pub(super) fn read(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(text.to_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }

    /// The value as it would be written, cut when it is long.
    pub(super) fn literal(&self) -> String {
        const SHOWN: usize = 60;
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => format!("{number:?}"),
            Self::Text(bytes) => {
                let text = String::from_utf8_lossy(bytes).replace('\'', "''");
                match text.char_indices().nth(SHOWN) {
                    Some((end, _)) => format!("'{}…'", &text[..end]),
                    None => format!("'{text}'"),
                }
            }
            Self::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
        }
    }
}

/// The first values of a row.
pub(super) fn row(row: &rusqlite::Row<'_>, width: usize) -> rusqlite::Result<Vec<Cell>> {
    (0..width).map(|at| row.get_ref(at).map(Cell::read)).collect()
}

/// The rows that a query gives.
pub(super) fn rows(db: &Db, sql: &str, params: &[Cell], width: usize) -> Result<Vec<Vec<Cell>>> {
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(params_from_iter(params), |found| row(found, width))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde's `with` asks for")]
    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        number.to_bits().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_can_be_written_down() {
        for cell in [
            Cell::Null,
            Cell::Integer(i64::MIN),
            Cell::Real(f64::NEG_INFINITY),
            Cell::Text(vec![0xff, 0]),
            Cell::Blob(vec![]),
        ] {
            let text = serde_json::to_string(&cell).unwrap();
            assert_eq!(serde_json::from_str::<Cell>(&text).unwrap(), cell, "{text}");
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(Cell::from("it's".to_owned()).literal(), "'it''s'");
        assert_eq!(Cell::from("ä".repeat(100)).literal().chars().count(), 63);
    }
}
