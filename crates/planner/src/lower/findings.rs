//! What the schema refuses, as a finding at the place that asked for it.

use std::ops::Range;

use pql_schema::ApplyError;
use pql_syntax::Diagnostic;

use super::codes;

/// The finding for an operation that cannot be applied.
pub(crate) fn refused(error: &ApplyError, span: Range<usize>) -> Diagnostic {
    let finding = Diagnostic::error(code_of(error), span, error.to_string());
    match error.help() {
        Some(help) => finding.with_help(help),
        None => finding,
    }
}

/// The code under which `pql explain` tells more.
pub(crate) fn code_of(error: &ApplyError) -> &'static str {
    match error {
        ApplyError::UnknownTable { .. }
        | ApplyError::UnknownColumn { .. }
        | ApplyError::UnknownIndex { .. }
        | ApplyError::UnknownConstraint { .. }
        | ApplyError::UnknownView { .. }
        | ApplyError::UnknownTrigger { .. } => codes::UNKNOWN,
        ApplyError::AlreadyExists { .. } => codes::EXISTS,
        ApplyError::InUse { .. } => codes::IN_USE,
        _ => codes::IMPOSSIBLE,
    }
}
