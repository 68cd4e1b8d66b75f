//! One readable text out of everything that the front end makes of a source.

use std::fmt::Write;

use miette::{GraphicalReportHandler, GraphicalTheme};
use pql_syntax::{Parse, SyntaxNode};
use rowan::NodeOrToken;

use crate::ast;
use crate::fixture::Fixture;

/// Source, tree, AST, diagnostics, and the formatted text where it differs from the source.
pub(crate) fn everything(fixture: &Fixture, source: &str, parse: &Parse) -> String {
    let mut out = String::new();
    section(&mut out, "source", source);
    section(&mut out, "tree", &tree(&parse.syntax()));
    section(&mut out, "ast", &ast::dump(parse));
    let diagnostics = diagnostics(fixture, source, parse);
    if !diagnostics.is_empty() {
        section(&mut out, "diagnostics", &diagnostics);
    }
    match pql_syntax::format(source) {
        Ok(formatted) if formatted != source => section(&mut out, "formatted", &formatted),
        Ok(_) | Err(_) => {}
    }
    out
}

fn section(out: &mut String, title: &str, text: &str) {
    writeln!(out, "──── {title}\n{}", text.trim_end_matches('\n')).expect("a string takes any text");
}

/// The tree, one node or token a line; whitespace is left out, as the source above shows it.
fn tree(root: &SyntaxNode) -> String {
    let mut out = String::new();
    for element in root.descendants_with_tokens() {
        let depth = match &element {
            NodeOrToken::Node(node) => node.ancestors().count() - 1,
            NodeOrToken::Token(token) => token.parent_ancestors().count(),
        };
        let indent = "  ".repeat(depth);
        match &element {
            NodeOrToken::Node(node) => writeln!(out, "{indent}{:?}", node.kind()),
            NodeOrToken::Token(token) if token.text().trim().is_empty() => Ok(()),
            NodeOrToken::Token(token) => writeln!(out, "{indent}{:?} {:?}", token.kind(), token.text()),
        }
        .expect("a string takes any text");
    }
    out
}

/// The diagnostics as a terminal without colour shows them.
fn diagnostics(fixture: &Fixture, source: &str, parse: &Parse) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
    let name = format!("{}.pql", fixture.case());
    let mut out = String::new();
    for diagnostic in parse.diagnostics() {
        let report = diagnostic.clone().with_source(&name, source);
        handler.render_report(&mut out, &report).expect("a string takes any text");
    }
    out
}
