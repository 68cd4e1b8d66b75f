//! Any other SQL: passed to the database as it is, with `@name` bound as a real parameter.

use std::ops::Range;

use pql_planner::Dialect;
use pql_schema::{TokenKind, tokens};
use pql_syntax::suggest::nearest;

use crate::{Engine, Error, Result, SqlOutcome, Value, codes};

impl Engine {
    /// Runs one statement. Every `@name` that stands where an expression may stand is bound; the text of a value never
    /// becomes part of the statement.
    pub fn run_sql(&mut self, sql: &str, params: &[(String, Value)]) -> Result<SqlOutcome> {
        let bound = bind(sql, params)?;
        let outcome = match self.capabilities().dialect {
            // SQLite reads `@name` itself, numbers the names as they come, and calls a column as it was written.
            Dialect::Sqlite => self.backend.connection().run(sql, &bound.values),
            Dialect::Postgres => self.backend.connection().run(&bound.numbered(sql), &bound.values),
        };
        outcome.map_err(|error| self.with_near_name(error))
    }

    /// Adds the name that was meant to an error of SQLite about one that does not exist.
    fn with_near_name(&mut self, error: Error) -> Error {
        let is_table = |message: &str| message.strip_prefix("no such table: ").map(str::to_owned);
        let is_column = |message: &str| message.strip_prefix("no such column: ").map(str::to_owned);
        let (table, column) = (is_table(error.message()), is_column(error.message()));
        let Some(wrong) = table.as_ref().or(column.as_ref()) else { return error };
        // The error itself is what counts; without a schema it goes without advice.
        let Ok(schema) = self.backend.introspect() else { return error };
        let last = wrong.rsplit('.').next().unwrap_or(wrong);
        let near = if table.is_some() {
            let names = schema.tables.keys().chain(schema.views.keys()).map(|name| name.name.as_str());
            nearest(last, names)
        } else {
            let columns = schema.tables.values().flat_map(pql_schema::Table::visible);
            nearest(last, columns.map(|column| column.name.as_str()))
        };
        match near {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}

/// The parameters of a statement.
struct Bound {
    /// The values in the order in which their names are first met.
    values: Vec<Value>,
    /// Where each name stands, and its number from 1.
    places: Vec<(Range<usize>, usize)>,
}

impl Bound {
    /// The statement with `$1` in place of the first name, and so on.
    fn numbered(&self, sql: &str) -> String {
        let mut text = String::with_capacity(sql.len());
        let mut at = 0;
        for (place, number) in &self.places {
            text.push_str(&sql[at..place.start]);
            text.push('$');
            text.push_str(&number.to_string());
            at = place.end;
        }
        text.push_str(&sql[at..]);
        text
    }
}

fn bind(sql: &str, params: &[(String, Value)]) -> Result<Bound> {
    let mut names: Vec<&str> = Vec::new();
    let mut bound = Bound { values: Vec::new(), places: Vec::new() };
    for (start, name) in placeholders(sql) {
        let number = if let Some(known) = names.iter().position(|known| *known == name) {
            known
        } else {
            let value =
                params.iter().find(|(known, _)| known == name).ok_or_else(|| unbound(name, params))?;
            names.push(name);
            bound.values.push(value.1.clone());
            names.len() - 1
        };
        bound.places.push((start..start + 1 + name.len(), number + 1));
    }
    Ok(bound)
}

/// Where the parameters stand: an `@` directly before a word, and not part of an operator (`@>`, `<@`, `@@`).
fn placeholders(sql: &str) -> Vec<(usize, &str)> {
    let tokens: Vec<_> = tokens(sql).collect();
    tokens
        .windows(2)
        .enumerate()
        .filter(|(at, pair)| {
            let operator = at.checked_sub(1).is_some_and(|before| {
                let before = tokens[before];
                before.start + before.text.len() == pair[0].start
                    && before.kind == TokenKind::Punctuation
                    && matches!(before.text, "<" | "@")
            });
            pair[0].text == "@"
                && pair[1].kind == TokenKind::Word
                && pair[1].start == pair[0].start + 1
                && !operator
        })
        .map(|(_, pair)| (pair[0].start, pair[1].text))
        .collect()
}

fn unbound(name: &str, params: &[(String, Value)]) -> Error {
    let error = Error::new(codes::UNBOUND, format!("no value is bound to @{name}"));
    let known: Vec<String> = params.iter().map(|(name, _)| format!("@{name}")).collect();
    error.with_help(if known.is_empty() {
        format!("bind one with -p {name}=VALUE, or \\bind {name} VALUE in the shell")
    } else {
        format!(
            "bound are {}; bind it with -p {name}=VALUE, or \\bind {name} VALUE in the shell",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(sql: &str, params: &[(&str, Value)]) -> Result<(String, Vec<Value>)> {
        let params: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        bind(sql, &params).map(|bound| (bound.numbered(sql), bound.values))
    }

    #[test]
    fn names_become_numbers_and_are_bound_once() {
        let (sql, values) = bound(
            "SELECT @b, @a, @b FROM t WHERE x = '@c' -- @d\n AND y=@a",
            &[("a", Value::Integer(1)), ("b", "two".into())],
        )
        .unwrap();
        assert_eq!(sql, "SELECT $1, $2, $1 FROM t WHERE x = '@c' -- @d\n AND y=$2");
        assert_eq!(values, ["two".into(), Value::Integer(1)]);
    }

    #[test]
    fn operators_are_not_parameters() {
        let text = "SELECT a @> b, a <@b, a @@ c, \"@d\" FROM t";
        assert_eq!(bound(text, &[]).unwrap(), (text.to_owned(), Vec::new()));
    }

    #[test]
    fn a_missing_value_is_named() {
        let error = bound("SELECT @nmae", &[("name", Value::Null)]).unwrap_err();
        assert_eq!(error.code(), codes::UNBOUND);
        assert!(error.message().contains("@nmae") && error.help().unwrap().contains("@name"));
    }
}
