//! Values: of parameters, and as SQL.

use pql_syntax::Diagnostic;
use pql_syntax::ast::{Literal, Operand, Param};

use super::{Lowering, codes};
use crate::text;

/// A literal as SQL that both databases read as the same value.
pub fn literal_sql(literal: &Literal) -> String {
    use std::fmt::Write as _;
    match literal {
        Literal::String(value) => text::string(value),
        Literal::Number(digits) => digits.clone(),
        Literal::Boolean(true) => "TRUE".to_owned(),
        Literal::Boolean(false) => "FALSE".to_owned(),
        Literal::Null => "NULL".to_owned(),
        Literal::Bits(bits) => format!("B'{bits}'"),
        Literal::Bytes(bytes) => {
            let mut hex = String::with_capacity(bytes.len() * 2 + 3);
            hex.push_str("x'");
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            hex.push('\'');
            hex
        }
    }
}

impl Lowering<'_> {
    /// The value bound to a parameter.
    pub(super) fn param(&mut self, param: &Param) -> Option<Literal> {
        let value = (self.params)(param.name());
        if value.is_none() {
            self.report(
                Diagnostic::error(codes::UNBOUND, param.span(), format!("@{} has no value", param.name()))
                    .with_help(format!(
                        "bind it: `-p {0}=…` on the command line, `\\bind {0} …` in the shell",
                        param.name()
                    )),
            );
        }
        value
    }

    /// A text given as a literal or a parameter.
    pub(super) fn text_of(&mut self, operand: &Operand, span: std::ops::Range<usize>) -> Option<String> {
        let literal = match operand {
            Operand::Literal(literal) => literal.clone(),
            Operand::Param(param) => self.param(param)?,
        };
        if let Literal::String(text) = literal {
            return Some(text);
        }
        self.report(Diagnostic::error(codes::BAD_VALUE, span, "this has to be a text"));
        None
    }
}
