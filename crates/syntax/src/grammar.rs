//! The parser that pest derives from `grammar/*.pest`, the only definition of the syntax.
//!
//! Its `Rule` is also the vocabulary of the tree ([`SyntaxKind`](crate::SyntaxKind)): no second enum to keep in step.
//! The rules are documented where they are defined.
#![allow(missing_docs)]

#[derive(pest_derive::Parser)]
#[grammar = "../../grammar/lexical.pest"]
#[grammar = "../../grammar/keywords.pest"]
#[grammar = "../../grammar/expression.pest"]
#[grammar = "../../grammar/ddl.pest"]
#[grammar = "../../grammar/migrate.pest"]
#[grammar = "../../grammar/session.pest"]
pub(crate) struct Grammar;
