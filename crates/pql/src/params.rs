//! Parameters: what `@name` stands for.

use pql_engine::Value;
use pql_schema::{MigrationId, Schema};

use crate::ApplicationSchema;

/// A parameter's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// A value of the database.
    Value(Value),
    /// A schema.
    Schema(ApplicationSchema),
}

impl From<Value> for Param {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<ApplicationSchema> for Param {
    fn from(schema: ApplicationSchema) -> Self {
        Self::Schema(schema)
    }
}

impl From<Schema> for Param {
    fn from(schema: Schema) -> Self {
        Self::Schema(schema.into())
    }
}

impl From<MigrationId> for Param {
    fn from(id: MigrationId) -> Self {
        Self::Value(Value::Text(id.to_string()))
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Value(text.into())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Value(text.into())
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Self::Value(Value::Boolean(value))
    }
}

impl From<Vec<u8>> for Param {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Value(Value::Blob(bytes))
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Value(Value::Null), Into::into)
    }
}

macro_rules! numbers {
    ($variant:ident: $($ty:ty),*) => {
        $(impl From<$ty> for Param {
            fn from(number: $ty) -> Self {
                Self::Value(Value::$variant(number.into()))
            }
        })*
    };
}
numbers!(Integer: i64, i32, i16, i8, u32, u16, u8);
numbers!(Real: f64, f32);
