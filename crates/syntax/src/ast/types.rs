//! Type names.

use super::{AstNode, Name, child, children, nodes, token, tokens};
use crate::{SyntaxKind, SyntaxNode, SyntaxToken};

nodes! {
    /// A type as written: `DOUBLE PRECISION`, `DECIMAL(10,2)`, `TEXT[]`, `TIMESTAMP(3) WITH TIME ZONE`.
    TypeName(type_name | cast_type);
    /// The arguments of a type.
    TypeArgs(type_args);
    /// One `[n]` of an array.
    ArrayDim(array_dim);
}

impl TypeName {
    /// The words of the type without what qualifies the first, quoted ones with their quotes.
    pub fn words(&self) -> impl Iterator<Item = SyntaxToken> + use<> {
        let qualifiers = tokens(self.syntax()).filter(|token| token.kind() == SyntaxKind::dot).count();
        self.all_words().skip(qualifiers)
    }

    /// The schema and database that qualify it, from the left.
    pub fn qualifiers(&self) -> Vec<Name> {
        let qualifiers = tokens(self.syntax()).filter(|token| token.kind() == SyntaxKind::dot).count();
        self.all_words().take(qualifiers).filter_map(Name::cast).collect()
    }

    fn all_words(&self) -> impl Iterator<Item = SyntaxToken> + use<> {
        // SQLite takes a string literal for a type.
        let is_word = |kind: SyntaxKind| {
            matches!(kind, SyntaxKind::type_word | SyntaxKind::string) || kind.is_keyword()
        };
        tokens(self.syntax()).filter(move |token| is_word(token.kind()))
    }

    /// The words in upper case with one space between them; a quoted name stays as it is, without its quotes.
    pub fn normalized(&self) -> String {
        let mut out = String::new();
        for token in self.words() {
            if !out.is_empty() {
                out.push(' ');
            }
            match Name::cast(token.clone()) {
                Some(name) if name.is_quoted() => out.push_str(&name.text()),
                _ => out.push_str(&token.text().to_uppercase()),
            }
        }
        out
    }

    /// The arguments as written: `10` and `2` of `DECIMAL(10, 2)`.
    pub fn args(&self) -> Vec<String> {
        child::<TypeArgs>(self.syntax()).map(|args| args.items()).unwrap_or_default()
    }

    /// The dimensions of an array, with their sizes where given; empty when it is not an array.
    pub fn array_dims(&self) -> Vec<Option<String>> {
        children::<ArrayDim>(self.syntax())
            .map(|dim| token(dim.syntax(), SyntaxKind::number).map(|size| size.text().to_owned()))
            .collect()
    }
}

impl TypeArgs {
    fn items(&self) -> Vec<String> {
        let mut items = vec![String::new()];
        for token in inner(self.syntax()) {
            match (token.kind(), items.last_mut()) {
                (SyntaxKind::comma, _) => items.push(String::new()),
                (_, Some(item)) => item.push_str(token.text()),
                (_, None) => {}
            }
        }
        items
    }
}

fn inner(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    tokens(node)
        .filter(|token| !token.kind().is_trivia())
        .filter(|token| !matches!(token.kind(), SyntaxKind::l_paren | SyntaxKind::r_paren))
}
