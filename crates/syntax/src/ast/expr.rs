//! Expressions and queries: where they are and which tokens they have.

use super::{AstNode, Literal, Param, all_tokens, nodes};
use crate::{SyntaxKind, SyntaxToken};

nodes! {
    /// An expression. PQL leaves its meaning to the database.
    Expr(expr | b_expr | index_expr);
    /// The query of a view.
    Query(query | op_query);
    /// Brackets whose content PQL carries as it is, such as storage parameters.
    RawParens(raw_parens);
}

impl Expr {
    /// Its tokens without blanks and comments.
    pub fn tokens(&self) -> impl Iterator<Item = SyntaxToken> + use<> {
        all_tokens(self.syntax())
    }

    /// Its parameters.
    pub fn params(&self) -> impl Iterator<Item = Param> + use<> {
        self.tokens().filter_map(Param::cast)
    }

    /// The value, if the expression is nothing but a literal, possibly with a sign.
    pub fn as_literal(&self) -> Option<Literal> {
        let tokens: Vec<SyntaxToken> = self.tokens().collect();
        match tokens.as_slice() {
            [literal] => Literal::from_token(literal),
            [sign, number] if sign.kind() == SyntaxKind::operator => {
                match (sign.text(), Literal::from_token(number)?) {
                    ("-", Literal::Number(digits)) => Some(Literal::Number(format!("-{digits}"))),
                    ("+", number @ Literal::Number(_)) => Some(number),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The parameter, if the expression is nothing else.
    pub fn as_param(&self) -> Option<Param> {
        let mut tokens = self.tokens();
        let only = tokens.next()?;
        if tokens.next().is_some() { None } else { Param::cast(only) }
    }
}

impl Query {
    /// Its tokens without blanks and comments.
    pub fn tokens(&self) -> impl Iterator<Item = SyntaxToken> + use<> {
        all_tokens(self.syntax())
    }

    /// Its parameters.
    pub fn params(&self) -> impl Iterator<Item = Param> + use<> {
        self.tokens().filter_map(Param::cast)
    }
}

impl RawParens {
    /// The tokens between the brackets, without blanks and comments.
    pub fn tokens(&self) -> Vec<SyntaxToken> {
        let mut tokens: Vec<SyntaxToken> = all_tokens(self.syntax()).skip(1).collect();
        tokens.pop();
        tokens
    }
}
