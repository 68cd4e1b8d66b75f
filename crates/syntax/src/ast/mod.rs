//! Typed access to the tree.
//!
//! Each type is a node or a token of the tree with a name. An accessor returns `Option` or an iterator because the
//! tree of a broken statement may lack the part; in a statement that parsed, what the grammar requires is there.
//! A statement's accessors together reach every part that the grammar accepts.

mod alter;
mod column;
mod constraint;
mod create;
mod expr;
mod index;
mod literal;
mod migrate;
mod name;
mod operation;
mod session;
mod statement;
mod types;

pub use alter::*;
pub use column::*;
pub use constraint::*;
pub use create::*;
pub use expr::*;
pub use index::*;
pub use literal::*;
pub use migrate::*;
pub use name::*;
pub use operation::*;
pub use session::*;
pub use statement::*;
pub use types::*;

use std::ops::Range;

use rowan::NodeOrToken;

use crate::{SyntaxElement, SyntaxKind, SyntaxNode, SyntaxToken};

/// A node with a type.
pub trait AstNode: Sized {
    /// The node, if it is of this type's kind.
    fn cast(node: SyntaxNode) -> Option<Self>;

    /// The node itself.
    fn syntax(&self) -> &SyntaxNode;

    /// Byte range in the source.
    fn span(&self) -> Range<usize> {
        span(self.syntax().text_range())
    }

    /// The text as written.
    fn text(&self) -> String {
        self.syntax().text().to_string()
    }
}

/// Declares types over nodes of the given kinds.
macro_rules! nodes {
    ($($(#[$doc:meta])* $name:ident($($kind:ident)|+);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(crate::SyntaxNode);

        impl crate::ast::AstNode for $name {
            fn cast(node: crate::SyntaxNode) -> Option<Self> {
                matches!(node.kind(), $(crate::SyntaxKind::$kind)|+).then(|| Self(node))
            }

            fn syntax(&self) -> &crate::SyntaxNode {
                &self.0
            }
        }
    )*};
}
pub(crate) use nodes;

/// Declares an enumeration of node types.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident($type:ident),)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($type),)*
        }

        impl crate::ast::AstNode for $name {
            fn cast(node: crate::SyntaxNode) -> Option<Self> {
                $(if let Some(it) = <$type as crate::ast::AstNode>::cast(node.clone()) {
                    return Some(Self::$variant(it));
                })*
                None
            }

            fn syntax(&self) -> &crate::SyntaxNode {
                match self { $(Self::$variant(it) => crate::ast::AstNode::syntax(it),)* }
            }
        }
    };
}
pub(crate) use choice;

fn span(range: rowan::TextRange) -> Range<usize> {
    usize::from(range.start())..usize::from(range.end())
}

fn child<N: AstNode>(node: &SyntaxNode) -> Option<N> {
    node.children().find_map(N::cast)
}

fn children<N: AstNode>(node: &SyntaxNode) -> impl Iterator<Item = N> + use<N> {
    node.children().filter_map(N::cast)
}

fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    node.children_with_tokens().filter_map(NodeOrToken::into_token)
}

fn token(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxToken> {
    tokens(node).find(|token| token.kind() == kind)
}

fn has(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children_with_tokens().any(|element: SyntaxElement| element.kind() == kind)
}

/// Every token under a node, without blanks and comments.
fn all_tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    node.descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
        .filter(|token| !token.kind().is_trivia())
}
