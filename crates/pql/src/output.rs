//! What statements answer.

use std::fmt::Write as _;

use pql_engine::Value;
use pql_schema::MigrationId;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number};

use crate::codes;
use crate::error::Error;

/// The answer to one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Which kind of statement: `migrate_generate`, `select`, … in lower case with underscores.
    pub statement: String,
    /// What it answers.
    pub answer: Answer,
    /// What the author should know.
    pub warnings: Vec<String>,
}

/// The forms of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Rows.
    Rows(ResultSet),
    /// A migration was generated; the rows say what it is.
    Migration(MigrationId, ResultSet),
    /// This many rows were changed.
    Changed(u64),
    /// It is done, and there is nothing to say.
    Done,
}

impl Output {
    pub(crate) fn new(statement: impl Into<String>, answer: Answer) -> Self {
        Self { statement: statement.into(), answer, warnings: Vec::new() }
    }

    /// The rows, when it has some.
    pub fn rows(&self) -> Option<&ResultSet> {
        match &self.answer {
            Answer::Rows(rows) | Answer::Migration(_, rows) => Some(rows),
            Answer::Changed(_) | Answer::Done => None,
        }
    }

    /// The migration that it generated.
    pub fn migration_id(&self) -> Option<MigrationId> {
        match &self.answer {
            Answer::Migration(id, _) => Some(*id),
            _ => None,
        }
    }

    /// How many rows it changed.
    pub fn changed(&self) -> Option<u64> {
        match &self.answer {
            Answer::Changed(count) => Some(*count),
            _ => None,
        }
    }

    /// The answer as one JSON object, as `--output json` prints it.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = Map::new();
        object.insert("statement".into(), self.statement.clone().into());
        match &self.answer {
            Answer::Rows(rows) | Answer::Migration(_, rows) => {
                object.insert("columns".into(), rows.columns.clone().into());
                object.insert("rows".into(), rows.to_json());
            }
            Answer::Changed(count) => {
                object.insert("changed".into(), (*count).into());
            }
            Answer::Done => {}
        }
        if !self.warnings.is_empty() {
            object.insert("warnings".into(), self.warnings.clone().into());
        }
        object.into()
    }
}

/// Rows under named columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultSet {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl ResultSet {
    /// No rows yet under these columns.
    pub(crate) fn with_columns(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&column| column.to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a value for each column");
        self.rows.push(row);
    }

    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Vec<Value>> {
        self.rows.iter()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A value by row and column name.
    pub fn get(&self, row: usize, column: &str) -> Option<&Value> {
        let column = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(column)
    }

    /// The rows as values of a type, by the columns' names.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        serde_json::from_value(self.to_json()).map_err(|error| {
            Error::new(codes::CONVERSION, format!("the rows do not have the form asked for: {error}"))
                .with_help(format!("the columns are {}", self.columns.join(", ")))
        })
    }

    /// The rows as JSON objects; a name that occurs again gets a number.
    pub fn to_json(&self) -> serde_json::Value {
        let mut names: Vec<String> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let mut name = column.clone();
            let mut number = 2;
            while names.contains(&name) {
                name = format!("{column}_{number}");
                number += 1;
            }
            names.push(name);
        }
        self.rows
            .iter()
            .map(|row| {
                let fields = names.iter().cloned().zip(row.iter().map(value_json));
                serde_json::Value::Object(fields.collect())
            })
            .collect()
    }
}

impl<'a> IntoIterator for &'a ResultSet {
    type Item = &'a Vec<Value>;
    type IntoIter = std::slice::Iter<'a, Vec<Value>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<pql_engine::ResultSet> for ResultSet {
    fn from(rows: pql_engine::ResultSet) -> Self {
        Self { columns: rows.columns, rows: rows.rows }
    }
}

/// A value in JSON; bytes are hexadecimal text, and numbers that JSON does not have are text.
pub fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Real(value) => {
            Number::from_f64(*value).map_or_else(|| value.to_string().into(), serde_json::Value::Number)
        }
        Value::Text(text) => text.clone().into(),
        Value::Blob(bytes) => hexadecimal(bytes).into(),
    }
}

/// A value as text; NULL is the empty text, so who must tell the two apart looks at the value.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        // Debug keeps the point of a whole number and stays short for large ones.
        Value::Real(value) => format!("{value:?}"),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => hexadecimal(bytes),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn two_rows() -> ResultSet {
        let mut rows = ResultSet::with_columns(&["id", "name", "name"]);
        rows.push(vec![Value::Integer(1), "a".into(), Value::Null]);
        rows.push(vec![Value::Integer(2), "b".into(), Value::Blob(vec![0, 255])]);
        rows
    }

    #[test]
    fn rows_become_objects_without_losing_a_column() {
        let json = two_rows().to_json();
        assert_eq!(json[0], serde_json::json!({"id": 1, "name": "a", "name_2": null}));
        assert_eq!(json[1]["name_2"], "0x00ff");
    }

    #[test]
    fn rows_become_structs() {
        #[derive(Deserialize, PartialEq, Debug)]
        struct Row {
            id: i64,
            name: String,
        }
        let rows: Vec<Row> = two_rows().deserialize().expect("the columns fit");
        assert_eq!(rows[1], Row { id: 2, name: "b".into() });

        let error = two_rows().deserialize::<(String, String)>().expect_err("the columns do not fit");
        assert_eq!(error.code(), codes::CONVERSION);
    }
}
