//! Why no plan can be made.

use pql_schema::ApplyError;

use crate::codes;

/// Why an operation cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// Its stable code; see [`codes`].
    pub code: &'static str,
    /// The position of the operation it is about; `None`: the migration as a whole.
    pub op: Option<usize>,
    /// What is wrong, in the user's words.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

impl PlanError {
    /// An error of the operation that is being planned; its position is added by [`plan`](crate::plan()).
    pub(crate) fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, op: None, message: message.into(), help: Some(help.into()) }
    }

    /// The same for the operation at this position.
    pub(crate) fn at(mut self, op: usize) -> Self {
        self.op = Some(op);
        self
    }

    /// The same, unless the position is known already.
    pub(crate) fn or_at(mut self, op: usize) -> Self {
        self.op = self.op.or(Some(op));
        self
    }
}

impl From<ApplyError> for PlanError {
    fn from(error: ApplyError) -> Self {
        Self { code: codes::of_apply(&error), op: None, message: error.to_string(), help: error.help() }
    }
}
