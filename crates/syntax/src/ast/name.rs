//! Names, bare and quoted.

use std::fmt;
use std::ops::Range;

use super::{AstNode, nodes, span, tokens};
use crate::{SyntaxKind, SyntaxNode, SyntaxToken, ast::Literal};

/// One part of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(SyntaxToken);

impl Name {
    /// The token as a name. SQLite takes a string literal for one in places.
    pub fn cast(token: SyntaxToken) -> Option<Self> {
        use SyntaxKind::{name, string, type_word, word};
        matches!(token.kind(), name | word | type_word | string).then(|| Self(token))
    }

    /// The first name among a node's own tokens.
    pub(super) fn of(node: &SyntaxNode) -> Option<Self> {
        Self::all(node).next()
    }

    /// The names among a node's own tokens.
    pub(super) fn all(node: &SyntaxNode) -> impl Iterator<Item = Self> + use<> {
        tokens(node).filter_map(Self::cast)
    }

    /// What the name says: without quotes, doubled quotes as one. A bare name keeps the author's case.
    pub fn text(&self) -> String {
        let raw = self.0.text();
        let inner = |raw: &str| raw.get(1..raw.len() - 1).unwrap_or_default().to_owned();
        match raw.as_bytes() {
            [b'"', ..] => inner(raw).replace("\"\"", "\""),
            [b'`', ..] => inner(raw).replace("``", "`"),
            [b'[', ..] => inner(raw),
            [b'u' | b'U', b'&', b'"', ..] => inner(&raw[2..]).replace("\"\"", "\""),
            _ if self.0.kind() == SyntaxKind::string => match Literal::from_token(&self.0) {
                Some(Literal::String(text)) => text,
                _ => raw.to_owned(),
            },
            _ => raw.to_owned(),
        }
    }

    /// The name as written.
    pub fn raw(&self) -> &str {
        self.0.text()
    }

    /// Is it quoted in any way? A bare name does not distinguish case.
    pub fn is_quoted(&self) -> bool {
        self.0.kind() == SyntaxKind::string
            || matches!(self.0.text().as_bytes(), [b'"' | b'`' | b'[', ..] | [_, b'&', ..])
    }

    /// Byte range in the source.
    pub fn span(&self) -> Range<usize> {
        span(self.0.text_range())
    }

    /// The token itself.
    pub fn token(&self) -> &SyntaxToken {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

nodes! {
    /// A name with the names of what it lies in: `schema.table.column`.
    QualifiedName(qualified_name | column_path | owner);
}

impl QualifiedName {
    /// The parts from the left.
    pub fn parts(&self) -> impl Iterator<Item = Name> + use<> {
        Name::all(self.syntax())
    }

    /// The last part: the thing itself.
    pub fn name(&self) -> Option<Name> {
        self.parts().last()
    }

    /// The parts before the last.
    pub fn qualifiers(&self) -> Vec<Name> {
        let mut parts: Vec<Name> = self.parts().collect();
        parts.pop();
        parts
    }
}
