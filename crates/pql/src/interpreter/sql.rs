//! SQL that goes to the database as it is, and DESCRIBE.

use pql_engine::{ResultSet, SqlOutcome, Value};
use pql_planner::HIDDEN_PREFIX;
use pql_syntax::ast::{AstNode, Describe, PassThrough};

use super::Interpreter;
use crate::codes;
use crate::error::Error;
use crate::output::Answer;
use crate::params::Param;

/// `SELECT *` gives the columns, too, that were dropped and are only kept for a rollback; who does not name them does
/// not mean them.
fn without_retained(mut rows: ResultSet) -> ResultSet {
    let shown: Vec<bool> = rows.columns.iter().map(|name| !name.starts_with(HIDDEN_PREFIX)).collect();
    if shown.contains(&false) {
        let keep = |at: usize| shown.get(at).copied().unwrap_or(true);
        let mut at = 0..;
        rows.columns.retain(|_| at.next().is_none_or(keep));
        for row in &mut rows.rows {
            let mut at = 0..;
            row.retain(|_| at.next().is_none_or(keep));
        }
    }
    rows
}

fn answer(sql: &str, outcome: SqlOutcome) -> Answer {
    match outcome.rows {
        Some(rows) => {
            Answer::Rows(if sql.contains(HIDDEN_PREFIX) { rows } else { without_retained(rows) }.into())
        }
        None => Answer::Changed(outcome.changed),
    }
}

/// How long the word is that a text starts with; anything else counts as one character.
fn word(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$' | '.'));
    let first = text.chars().next().map_or(0, char::len_utf8);
    end.unwrap_or(text.len()).max(first)
}

impl Interpreter {
    /// Any other SQL, with its parameters bound.
    pub(super) fn pass_through(&mut self, statement: &PassThrough) -> Result<Answer, Error> {
        let mut params: Vec<(String, Value)> = Vec::new();
        for param in statement.params() {
            if params.iter().any(|(name, _)| name == param.name()) {
                continue;
            }
            let value = match self.param(param.name(), param.span())? {
                Param::Value(value) => value,
                Param::Schema(_) => {
                    let message = format!("`@{}` is a schema, not a value", param.name());
                    return Err(Error::new(codes::PARAMETER_VALUE, message).at(param.span()));
                }
            };
            params.push((param.name().to_owned(), value));
        }
        let begins = ["BEGIN", "START", "SAVEPOINT"];
        self.began |= statement.keywords().first().is_some_and(|word| begins.contains(&word.as_str()));
        let text = statement.text();
        let outcome = self.engine()?.run_sql(&text, &params).map_err(|error| {
            let place = error.place().and_then(|at| Some(at..at + word(text.get(at..)?)));
            let error = Error::from(error);
            match place {
                Some(place) => {
                    let start = statement.span().start;
                    error.at(start + place.start..start + place.end)
                }
                None => error,
            }
        })?;
        Ok(answer(&text, outcome))
    }

    pub(super) fn run_sql(&mut self, sql: &str, params: &[(String, Value)]) -> Result<Answer, Error> {
        let outcome = self.engine()?.run_sql(sql, params)?;
        Ok(answer(sql, outcome))
    }

    pub(super) fn describe(&mut self, describe: &Describe) -> Result<Answer, Error> {
        let name =
            describe.name().map(|name| name.parts().map(|part| part.text()).collect::<Vec<_>>().join("."));
        let rows = self.engine()?.describe(name.as_deref())?;
        Ok(Answer::Rows(rows.into()))
    }
}
