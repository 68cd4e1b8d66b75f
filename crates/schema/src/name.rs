//! Names: of objects, with the schema they live in, and how a database compares them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a database compares names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameRule {
    /// ASCII letters compare without case, the spelling is kept (SQLite).
    #[default]
    AsciiInsensitive,
    /// Names compare byte for byte; unquoted ones were folded to lower case when they were read (PostgreSQL).
    Exact,
}

impl NameRule {
    /// Whether the two names denote the same thing.
    pub fn same(self, a: &str, b: &str) -> bool {
        match self {
            Self::AsciiInsensitive => a.eq_ignore_ascii_case(b),
            Self::Exact => a == b,
        }
    }

    /// The form under which equal names are equal strings.
    pub fn key(self, name: &str) -> String {
        match self {
            Self::AsciiInsensitive => name.to_ascii_lowercase(),
            Self::Exact => name.to_owned(),
        }
    }
}

/// The name of a table, index, view or trigger; `schema` is `None` for the database's default one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The schema, where the database has more than one and it is not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The object's own name, unquoted.
    pub name: String,
}

impl ObjectName {
    /// A name in the default schema.
    pub fn new(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// A name in the same schema as this one.
    pub fn sibling(&self, name: impl Into<String>) -> Self {
        Self { schema: self.schema.clone(), name: name.into() }
    }
}

impl From<&str> for ObjectName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quote_ident(schema))?;
        }
        f.write_str(&quote_ident(&self.name))
    }
}

/// The name as it can stand in PQL: bare when it is a plain word, in double quotes otherwise.
pub fn quote_ident(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
