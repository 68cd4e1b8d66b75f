//! Names: of objects, with the schema they live in, and how a database compares them.

use std::cmp::Ordering;
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::name_or_object;

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
    /// What a database that compares names like this calls the collation that a column has when none is said.
    pub fn usual_collation(self) -> &'static str {
        match self {
            Self::AsciiInsensitive => "BINARY",
            Self::Exact => "default",
        }
    }

    /// Whether the two names denote the same thing.
    pub fn same(self, a: &str, b: &str) -> bool {
        match self {
            Self::AsciiInsensitive => a.eq_ignore_ascii_case(b),
            Self::Exact => a == b,
        }
    }

    /// Whether the two names denote the same object.
    pub fn same_object(self, a: &ObjectName, b: &ObjectName) -> bool {
        self.same(&a.name, &b.name)
            && match (&a.schema, &b.schema) {
                (Some(a), Some(b)) => self.same(a, b),
                (None, None) => true,
                _ => false,
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
///
/// Names that differ in the case of ASCII letters alone stand beside each other in the order, so that a map ordered by
/// name finds one under either [`NameRule`] without looking at the others. In JSON a name in the default schema is a
/// plain string.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The schema, where the database has more than one and it is not the default.
    pub schema: Option<String>,
    /// The object's own name, unquoted.
    pub name: String,
}

impl ObjectName {
    /// A name in the default schema.
    pub fn new(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// The first of all names that differ from this one in the case of ASCII letters alone.
    pub(crate) fn first_spelling(&self) -> Self {
        Self {
            schema: self.schema.as_deref().map(str::to_ascii_uppercase),
            name: self.name.to_ascii_uppercase(),
        }
    }

    /// A name in the same schema as this one.
    pub fn sibling(&self, name: impl Into<String>) -> Self {
        Self { schema: self.schema.clone(), name: name.into() }
    }
}

impl Ord for ObjectName {
    fn cmp(&self, other: &Self) -> Ordering {
        fn folded(a: &str, b: &str) -> Ordering {
            a.bytes()
                .map(|byte| byte.to_ascii_lowercase())
                .cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
        }
        let schemas = match (&self.schema, &other.schema) {
            (Some(a), Some(b)) => folded(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        schemas
            .then_with(|| folded(&self.name, &other.name))
            .then_with(|| self.schema.cmp(&other.schema))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for ObjectName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for ObjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(schema) = &self.schema else {
            return self.name.serialize(serializer);
        };
        let mut object = serializer.serialize_struct("ObjectName", 2)?;
        object.serialize_field("schema", schema)?;
        object.serialize_field("name", &self.name)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for ObjectName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            #[serde(default)]
            schema: Option<String>,
            name: String,
        }
        impl From<Object> for ObjectName {
            fn from(Object { schema, name }: Object) -> Self {
                Self { schema, name }
            }
        }
        name_or_object::<_, _, Object>(deserializer)
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
