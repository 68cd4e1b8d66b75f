//! Expressions and queries: parameters filled in, comments left out, in the words of the database.

use pql_schema::Expr;
use pql_syntax::ast::{self, AstNode as _};
use pql_syntax::{Diagnostic, SyntaxNode};

use super::{Lowering, codes, literal_sql};
use crate::text;

impl Lowering<'_> {
    /// An expression of a definition. A parameter becomes the literal it is bound to: definitions have no parameters
    /// of their own in any database.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let text = self.flat(expr.syntax())?;
        if self.stored || !self.is_sqlite() {
            return Some(Expr::new(text));
        }
        match text::sqlite_expr(&text) {
            Ok(text) => Some(Expr::new(text)),
            Err(error) => {
                self.report(
                    Diagnostic::error(codes::UNSUPPORTED, expr.span(), error.message).with_help(error.help),
                );
                None
            }
        }
    }

    /// A default. No column can be meant there, so SQLite takes a lone name, quoted or not, for a string.
    pub(super) fn default_value(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let value = self.expr(expr)?;
        if !self.is_sqlite() {
            return Some(value);
        }
        let mut all = pql_schema::tokens(value.as_str());
        let name = match (all.next(), all.next()) {
            (Some(only), None) if !VALUES.iter().any(|word| only.text.eq_ignore_ascii_case(word)) => {
                only.name()
            }
            _ => None,
        };
        Some(name.map_or_else(|| value.clone(), |name| Expr::new(text::string(&name))))
    }

    /// The query of a view.
    pub(super) fn query(&mut self, query: &ast::Query) -> Option<Expr> {
        if self.stored {
            return Some(Expr::statement(query.text().trim()));
        }
        self.flat(query.syntax()).map(Expr::statement)
    }

    /// The text of a node on one line. What a person wrote with comments in between is stored without them: a
    /// definition that PQL writes may put the expression anywhere, and a `--` would swallow what follows.
    fn flat(&mut self, node: &SyntaxNode) -> Option<String> {
        let mut out = String::new();
        let mut blank = false;
        let mut complete = true;
        for token in node.descendants_with_tokens().filter_map(rowan_token) {
            if token.kind().is_trivia() {
                blank = !out.is_empty();
                continue;
            }
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            match ast::Param::cast(token.clone()) {
                Some(param) if !self.stored => match self.param(&param) {
                    Some(literal) => out.push_str(&literal_sql(&literal)),
                    None => complete = false,
                },
                _ => out.push_str(token.text()),
            }
        }
        complete.then_some(out)
    }
}

/// Words that are values by themselves.
const VALUES: [&str; 6] = ["NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"];

fn rowan_token(element: pql_syntax::SyntaxElement) -> Option<pql_syntax::SyntaxToken> {
    element.into_token()
}
