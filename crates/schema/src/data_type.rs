//! The neutral set of column types.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::NameRule;

/// A column's type. What a database calls it is the backend's concern; a native type that the neutral set does not
/// cover is carried by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 16-bit integer.
    SmallInt,
    /// 32-bit integer (64-bit where the database stores all integers alike).
    Integer,
    /// 64-bit integer.
    BigInt,
    /// 32-bit float.
    Real,
    /// 64-bit float.
    Double,
    /// Exact number with optional precision and scale, in decimal digits.
    Decimal(Option<u32>, Option<u32>),
    /// Text without a limit.
    Text,
    /// Text of at most n characters.
    Varchar(Option<u32>),
    /// Text of n characters.
    Char(Option<u32>),
    /// Bytes.
    Bytes,
    /// A calendar date.
    Date,
    /// A time of day.
    Time,
    /// A date and time without a time zone.
    Timestamp,
    /// An instant.
    TimestampTz,
    /// A span of time.
    Interval,
    /// A UUID.
    Uuid,
    /// A JSON document.
    Json,
    /// n 32-bit floats, searchable by distance.
    Vector(u32),
    /// An array of another type.
    Array(Box<DataType>),
    /// A type of the database itself, as it is written there, upper case where it is not quoted.
    Native(String),
    /// No declared type (SQLite).
    Untyped,
}

impl DataType {
    /// Whether a column of the type can have a collation: on SQLite any can, on PostgreSQL those of texts.
    pub fn has_collation(&self, names: NameRule) -> bool {
        match self {
            Self::Array(inner) => inner.has_collation(names),
            Self::Text | Self::Varchar(_) | Self::Char(_) => true,
            _ => names == NameRule::AsciiInsensitive,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = match self {
            Self::Boolean => "BOOLEAN",
            Self::SmallInt => "SMALLINT",
            Self::Integer => "INTEGER",
            Self::BigInt => "BIGINT",
            Self::Real => "REAL",
            Self::Double => "DOUBLE",
            Self::Text => "TEXT",
            Self::Bytes => "BYTES",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
            Self::TimestampTz => "TIMESTAMPTZ",
            Self::Interval => "INTERVAL",
            Self::Uuid => "UUID",
            Self::Json => "JSON",
            Self::Untyped => "",
            Self::Decimal(None, _) => "DECIMAL",
            Self::Varchar(None) => "VARCHAR",
            Self::Char(None) => "CHAR",
            Self::Decimal(Some(p), None) => return write!(f, "DECIMAL({p})"),
            Self::Decimal(Some(p), Some(s)) => return write!(f, "DECIMAL({p},{s})"),
            Self::Varchar(Some(n)) => return write!(f, "VARCHAR({n})"),
            Self::Char(Some(n)) => return write!(f, "CHAR({n})"),
            Self::Vector(n) => return write!(f, "VECTOR({n})"),
            Self::Array(inner) => return write!(f, "{inner}[]"),
            Self::Native(name) => name,
        };
        f.write_str(plain)
    }
}
