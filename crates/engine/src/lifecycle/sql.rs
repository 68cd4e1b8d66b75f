//! Any other SQL: passed to the database as it is, with `@name` bound as a real parameter.

use pql_schema::{TokenKind, tokens};

use crate::{Engine, Error, Result, SqlOutcome, Value, codes};

impl Engine {
    /// Runs one statement. Every `@name` that stands where an expression may stand is replaced by the database's own
    /// placeholder and bound; the text of a value never becomes part of the statement.
    pub fn run_sql(&mut self, sql: &str, params: &[(String, Value)]) -> Result<SqlOutcome> {
        let (sql, values) = bind(sql, params)?;
        let sql = match self.capabilities().dialect {
            pql_planner::Dialect::Sqlite => sql("?"),
            pql_planner::Dialect::Postgres => sql("$"),
        };
        self.backend.connection().run(&sql, &values)
    }
}

/// The statement, to be completed with the sign that placeholders start with, and the values in their order.
fn bind<'a>(
    sql: &'a str,
    params: &[(String, Value)],
) -> Result<(impl Fn(&str) -> String + use<'a>, Vec<Value>)> {
    let found = placeholders(sql);
    let mut names: Vec<&str> = Vec::new();
    let mut values = Vec::new();
    let mut places = Vec::new();
    for (start, name) in found {
        let number = if let Some(known) = names.iter().position(|known| *known == name) {
            known
        } else {
            let value =
                params.iter().find(|(known, _)| known == name).ok_or_else(|| unbound(name, params))?;
            names.push(name);
            values.push(value.1.clone());
            names.len() - 1
        };
        places.push((start, start + 1 + name.len(), number + 1));
    }
    let text = move |sign: &str| {
        let mut text = String::with_capacity(sql.len());
        let mut at = 0;
        for &(start, end, number) in &places {
            text.push_str(&sql[at..start]);
            text.push_str(sign);
            text.push_str(&number.to_string());
            at = end;
        }
        text.push_str(&sql[at..]);
        text
    };
    Ok((text, values))
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
        bind(sql, &params).map(|(text, values)| (text("?"), values))
    }

    #[test]
    fn names_become_numbers_and_are_bound_once() {
        let (sql, values) = bound(
            "SELECT @b, @a, @b FROM t WHERE x = '@c' -- @d\n AND y=@a",
            &[("a", Value::Integer(1)), ("b", "two".into())],
        )
        .unwrap();
        assert_eq!(sql, "SELECT ?1, ?2, ?1 FROM t WHERE x = '@c' -- @d\n AND y=?2");
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
