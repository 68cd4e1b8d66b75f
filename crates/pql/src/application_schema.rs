//! The schema that an application wants, in whichever form it is given.

use std::path::PathBuf;

use pql_planner::Dialect;
use pql_schema::Schema;

/// A desired schema, not yet lowered for a database: what its names and expressions mean is decided when it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplicationSchema(Source);

#[derive(Debug, Clone, PartialEq)]
enum Source {
    /// PQL DDL, or the JSON form.
    Text(String),
    /// A file with such text, read when it is used.
    File(PathBuf),
    /// Rust types, whose text depends on the family of the database.
    Types {
        /// For SQLite.
        sqlite: String,
        /// For PostgreSQL.
        postgres: String,
    },
    /// A schema as data.
    Model(Box<Schema>),
}

/// A Rust type, or a tuple of them, that stands for tables. Derived by `#[derive(Table)]`.
pub trait Tables {
    /// The tables and indexes as PQL statements.
    fn ddl(dialect: Dialect) -> String;
}

/// `Schema::of::<(User, Product)>()`: the schema that Rust types stand for.
pub trait SchemaOf {
    /// The application schema of the types.
    fn of<T: Tables>() -> ApplicationSchema {
        ApplicationSchema(Source::Types {
            sqlite: T::ddl(Dialect::Sqlite),
            postgres: T::ddl(Dialect::Postgres),
        })
    }
}

impl SchemaOf for Schema {}

macro_rules! tuples {
    ($($first:ident $($rest:ident)*;)*) => {
        $(impl<$first: Tables, $($rest: Tables),*> Tables for ($first, $($rest,)*) {
            fn ddl(dialect: Dialect) -> String {
                [$first::ddl(dialect), $($rest::ddl(dialect)),*].concat()
            }
        })*
    };
}
tuples! {
    A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; A B C D E F G H I;
    A B C D E F G H I J; A B C D E F G H I J K; A B C D E F G H I J K L;
}

impl ApplicationSchema {
    /// From PQL DDL, or the JSON form of a schema.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Source::Text(text.into()))
    }

    /// From a file with such text; it is read when the schema is used.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// What to call it, and its text for a family of databases; an error comes with the path of the file.
    pub(crate) fn source_text(&self, dialect: Dialect) -> Result<(String, String), (String, std::io::Error)> {
        let named = |text: &str| ("the application schema".to_owned(), text.to_owned());
        Ok(match &self.0 {
            Source::Text(text) => named(text),
            Source::File(path) => {
                let name = path.display().to_string();
                match std::fs::read_to_string(path) {
                    Ok(text) => (name, text),
                    Err(error) => return Err((name, error)),
                }
            }
            Source::Types { sqlite, postgres } => match dialect {
                Dialect::Sqlite => named(sqlite),
                Dialect::Postgres => named(postgres),
            },
            Source::Model(schema) => {
                named(&serde_json::to_string(schema).expect("a schema has string keys only"))
            }
        })
    }

    /// What SHOW prints.
    pub(crate) fn describe(&self) -> String {
        match &self.0 {
            Source::Text(text) => text.clone(),
            Source::File(path) => format!("FILE '{}'", path.display().to_string().replace('\'', "''")),
            Source::Types { .. } => "derived from Rust types".to_owned(),
            Source::Model(schema) => format!("{} tables", schema.tables.len()),
        }
    }
}

impl From<Schema> for ApplicationSchema {
    fn from(schema: Schema) -> Self {
        Self(Source::Model(Box::new(schema)))
    }
}

impl From<&str> for ApplicationSchema {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for ApplicationSchema {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}
