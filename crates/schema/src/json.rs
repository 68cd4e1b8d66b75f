//! Schemas as JSON: what `pql schema --output json` prints and an application schema may be given as.
//!
//! What is left out has its default, and a name may stand for what would be an object with only that name in it. What
//! is not known is an error that names it: a misspelt field must not be a silent difference.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::{ApplyError, ObjectName, ObjectRef, Objects, Schema};

/// Why a text is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaJsonError {
    /// It is not the JSON of a schema.
    #[error("{message}")]
    Malformed {
        /// What was expected, or is not known.
        message: String,
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
    },
    /// It contradicts itself.
    #[error("the schema is not consistent: {0}")]
    Inconsistent(#[source] Box<ApplyError>),
}

impl Schema {
    /// A schema from its JSON. Foreign keys into tables that are not listed are left to whoever uses them.
    ///
    /// ```
    /// use pql_schema::Schema;
    ///
    /// let schema = Schema::from_json(
    ///     r#"{ "tables": [{ "name": "users",
    ///                       "columns": [{ "name": "id", "data_type": "integer" },
    ///                                   { "name": "email", "data_type": "text", "not_null": true }],
    ///                       "constraints": [{ "constraint": "primary_key", "columns": ["id"] }] }],
    ///          "indexes": [{ "name": "users_email_idx", "table": "users", "parts": ["email"] }] }"#,
    /// )?;
    /// assert_eq!(Schema::from_json(&schema.to_json())?, schema);
    ///
    /// let error = Schema::from_json(r#"{ "tables": [{ "name": "users", "colums": [] }] }"#).unwrap_err();
    /// assert!(error.to_string().starts_with("unknown field `colums`"));
    /// # Ok::<(), pql_schema::SchemaJsonError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, SchemaJsonError> {
        let schema: Self = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // The place is given apart from the message.
            let place = format!(" at line {line} column {column}");
            let message = error.to_string();
            let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
            SchemaJsonError::Malformed { message, line, column }
        })?;
        schema.check_structure().map_err(|error| SchemaJsonError::Inconsistent(Box::new(error)))?;
        Ok(schema)
    }

    /// The schema as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a schema has string keys only")
    }

    /// What must hold of a schema wherever it came from.
    fn check_structure(&self) -> Result<(), ApplyError> {
        let table = |name: &ObjectName| ObjectRef::Table(name.clone());
        self.check_distinct(&self.tables, table)?;
        self.check_distinct(&self.indexes, |name| ObjectRef::Index(name.clone()))?;
        self.check_distinct(&self.views, |name| ObjectRef::View(name.clone()))?;
        self.check_distinct(&self.triggers, |name| ObjectRef::Trigger(name.clone()))?;
        for table in self.tables.values() {
            table.check_columns(self.names)?;
            for constraint in &table.constraints {
                self.check_own_columns(table, constraint)?;
            }
        }
        for index in self.indexes.values() {
            self.check_index(index)?;
        }
        for trigger in self.triggers.values() {
            if self.view(&trigger.table).is_none() {
                self.known_table(&trigger.table)?;
            }
        }
        Ok(())
    }

    fn check_distinct<T>(
        &self,
        map: &Objects<T>,
        what: impl Fn(&ObjectName) -> ObjectRef,
    ) -> Result<(), ApplyError> {
        // Names that may be the same stand side by side.
        match map.keys().zip(map.keys().skip(1)).find(|(a, b)| self.same(a, b)) {
            Some((_, twice)) => Err(ApplyError::AlreadyExists { what: what(twice) }),
            None => Ok(()),
        }
    }
}

/// Reads a value from its name alone, or from an object in the form of `O`.
pub(crate) fn name_or_object<'de, D, T, O>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
    O: Deserialize<'de> + TryInto<T, Error: fmt::Display>,
{
    struct Either<T, O>(PhantomData<(T, O)>);

    impl<'de, T, O> Visitor<'de> for Either<T, O>
    where
        T: for<'a> From<&'a str>,
        O: Deserialize<'de> + TryInto<T, Error: fmt::Display>,
    {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name or an object")
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
            Ok(T::from(name))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            O::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
        }
    }

    deserializer.deserialize_any(Either(PhantomData::<(T, O)>))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    fn error(text: &str) -> String {
        let error = Schema::from_json(text).unwrap_err();
        match &error {
            SchemaJsonError::Malformed { line, column, .. } => format!("{line}:{column} {error}"),
            SchemaJsonError::Inconsistent(_) => error.to_string(),
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let schema = Schema::from_json(
            r#"{"names": "exact", "tables": [
                {"name": {"schema": "app", "name": "t"},
                 "columns": [{"name": "a", "data_type": {"decimal": [10, 2]}}],
                 "constraints": [
                    {"constraint": "unique", "columns": [{"column": "a", "order": "desc"}], "name": "u"},
                    {"constraint": "check", "expr": "a > 0", "not_valid": true},
                    {"constraint": "foreign_key", "columns": ["a"], "table": "elsewhere"}]}],
                "indexes": [{"name": "i", "table": {"schema": "app", "name": "t"},
                             "parts": [{"column": "a"}, {"expr": "a + 1", "order": "desc"}]}]}"#,
        )
        .unwrap();
        let table = &schema.tables[&ObjectName { schema: Some("app".into()), name: "t".into() }];
        assert_eq!(table.columns, [Column::new("a", DataType::Decimal(Some(10), Some(2)))]);
        assert_eq!(table.constraint_names(), ["u", "t_check", "t_a_fkey"]);
        assert!(table.constraints[1].not_valid);
        assert_eq!(schema.indexes[&"i".into()].parts[0], IndexPart::column("a"));
        assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema));
        assert_eq!(Schema::from_json("{}"), Ok(Schema::default()));
    }

    #[test]
    fn unknown_fields_are_named_wherever_they_stand() {
        let table = |inside: &str| format!(r#"{{"tables": [{{"name": "t", "columns": [], {inside}}}]}}"#);
        let named = |text: &str, field: &str| {
            let error = error(text);
            assert!(error.contains(&format!("unknown field `{field}`")), "{text}: {error}");
        };
        named(r#"{"table": []}"#, "table");
        named(&table(r#""option": {}"#), "option");
        named(&table(r#""options": {"strikt": true}"#), "strikt");
        named(
            r#"{"tables": [{"name": "t", "columns": [{"name": "a", "data_type": "text", "notnull": true}]}]}"#,
            "notnull",
        );
        named(&table(r#""constraints": [{"constraint": "unique", "columns": ["a"], "nam": "u"}]"#), "nam");
        named(
            &table(r#""constraints": [{"constraint": "unique", "columns": [{"column": "a", "desc": 1}]}]"#),
            "desc",
        );
        named(&table(r#""constraints": [{"constraint": "check", "expr": "a", "colums": ["a"]}]"#), "colums");
        named(
            &table(r#""constraints": [{"constraint": "primary_key", "columns": ["a"], "auto": true}]"#),
            "auto",
        );
        named(
            &table(r#""constraints": [{"constraint": "foreign_key", "columns": [], "table": "u", "on": 1}]"#),
            "on",
        );
        named(r#"{"indexes": [{"name": "i", "table": "t", "parts": [{"column": "a", "asc": 1}]}]}"#, "asc");
        named(r#"{"indexes": [{"name": {"nam": "i"}, "table": "t", "parts": []}]}"#, "nam");
        named(r#"{"views": [{"name": "v", "query": "SELECT 1", "sql": ""}]}"#, "sql");
    }

    #[test]
    fn what_is_malformed_or_inconsistent_is_said() {
        assert_eq!(error("{\n \"tables\": 1}"), "2:12 invalid type: integer `1`, expected a sequence");
        assert!(error(r#"{"tables": [{"name": "t"}]}"#).contains("missing field `columns`"));
        assert!(
            error(r#"{"indexes": [{"name": "i", "table": "t", "parts": [{}]}]}"#)
                .contains("a part of an index needs `column` or `expr`")
        );
        let two = |a: &str, b: &str| {
            let table = |name: &str| {
                format!(r#"{{"name": "{name}", "columns": [{{"name": "a", "data_type": "text"}}]}}"#)
            };
            format!(r#"{{"tables": [{}, {}]}}"#, table(a), table(b))
        };
        assert!(error(&two("t", "t")).contains("t is listed twice"));
        assert_eq!(error(&two("t", "T")), "the schema is not consistent: table t exists already");
        let index = r#"{"indexes": [{"name": "i", "table": "t", "parts": ["a"]}]}"#;
        assert_eq!(error(index), "the schema is not consistent: there is no table t");
    }

    #[test]
    fn operations_survive_their_json() {
        let table = Table::new("t");
        let ops = [
            MigrationOp::CreateTable { table },
            MigrationOp::SetTableOptions { table: "t".into(), options: TableOptions::default() },
            MigrationOp::DropIndex { index: "i".into() },
        ];
        let json = serde_json::to_string(&ops).unwrap();
        assert_eq!(serde_json::from_str::<Vec<MigrationOp>>(&json).unwrap(), ops);
        let newer = r#"{"op": "drop_index", "index": "i", "cascade": true}"#;
        let error = serde_json::from_str::<MigrationOp>(newer).unwrap_err().to_string();
        assert!(error.contains("unknown field `cascade`"), "{error}");
    }
}
