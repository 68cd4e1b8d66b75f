//! Reading a row of the journal column by column, without trusting it.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::{Error, Result, Value, codes};

/// A row that is being read from left to right.
pub(crate) struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter() }
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>> {
        match self.values.next() {
            Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            other => Err(damaged(&format!("text was expected, not {other:?}"))),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.opt_text()?.ok_or_else(|| damaged("text was expected, not NULL"))
    }

    pub(crate) fn opt_number(&mut self) -> Result<Option<u64>> {
        match self.values.next() {
            Some(Value::Null) => Ok(None),
            Some(Value::Integer(number)) => {
                u64::try_from(number).map(Some).map_err(|_| damaged("a negative number"))
            }
            other => Err(damaged(&format!("a number was expected, not {other:?}"))),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        self.opt_number()?.ok_or_else(|| damaged("a number was expected, not NULL"))
    }

    pub(crate) fn opt_parse<T: FromStr<Err: std::fmt::Display>>(&mut self) -> Result<Option<T>> {
        self.opt_text()?
            .map(|text| text.parse().map_err(|error| damaged(&format!("{text:?}: {error}"))))
            .transpose()
    }

    pub(crate) fn parse<T: FromStr<Err: std::fmt::Display>>(&mut self) -> Result<T> {
        self.opt_parse()?.ok_or_else(|| damaged("text was expected, not NULL"))
    }

    pub(crate) fn opt_time(&mut self) -> Result<Option<DateTime<Utc>>> {
        self.opt_parse()
    }

    pub(crate) fn time(&mut self) -> Result<DateTime<Utc>> {
        self.parse()
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        self.opt_text()?
            .map(|text| serde_json::from_str(&text).map_err(|error| damaged("JSON").with_source(error)))
            .transpose()
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.opt_json()?.ok_or_else(|| damaged("JSON was expected, not NULL"))
    }
}

/// The error for a journal that does not hold what it should.
pub(super) fn damaged(detail: &str) -> Error {
    Error::new(codes::JOURNAL_DAMAGED, format!("the journal cannot be read: {detail}"))
        .with_help("restore the tables whose names start with _pql_ from a backup")
}

/// JSON for a column of the journal.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Value {
    Value::Text(serde_json::to_string(value).expect("what the journal keeps has string keys only"))
}

/// A number for a column of the journal.
pub(super) fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}
