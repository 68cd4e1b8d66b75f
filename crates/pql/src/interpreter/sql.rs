//! SQL that goes to the database as it is, and DESCRIBE.

use pql_engine::{ResultSet, Value};
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
        self.run_sql(&statement.text(), &params)
    }

    pub(super) fn run_sql(&mut self, sql: &str, params: &[(String, Value)]) -> Result<Answer, Error> {
        let outcome = self.engine()?.run_sql(sql, params)?;
        Ok(match outcome.rows {
            Some(rows) => {
                Answer::Rows(if sql.contains(HIDDEN_PREFIX) { rows } else { without_retained(rows) }.into())
            }
            None => Answer::Changed(outcome.changed),
        })
    }

    pub(super) fn describe(&mut self, describe: &Describe) -> Result<Answer, Error> {
        let name =
            describe.name().map(|name| name.parts().map(|part| part.text()).collect::<Vec<_>>().join("."));
        let rows = self.engine()?.describe(name.as_deref())?;
        Ok(Answer::Rows(rows.into()))
    }
}
