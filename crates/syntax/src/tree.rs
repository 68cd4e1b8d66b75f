//! The rowan tree's types: pest's rules are its kinds.

use crate::SyntaxKind;

/// The language of the tree, for rowan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PqlLanguage {}

/// An inner node of the tree.
pub type SyntaxNode = rowan::SyntaxNode<PqlLanguage>;
/// A token of the tree.
pub type SyntaxToken = rowan::SyntaxToken<PqlLanguage>;
/// A node or a token.
pub type SyntaxElement = rowan::SyntaxElement<PqlLanguage>;

impl rowan::Language for PqlLanguage {
    type Kind = SyntaxKind;

    fn kind_from_raw(raw: rowan::SyntaxKind) -> SyntaxKind {
        // `EOI` comes first in the enumeration and is missing from the list; see the test below.
        match raw.0 {
            0 => SyntaxKind::EOI,
            n => SyntaxKind::all_rules()[usize::from(n) - 1],
        }
    }

    fn kind_to_raw(kind: SyntaxKind) -> rowan::SyntaxKind {
        rowan::SyntaxKind(kind as u16)
    }
}

impl SyntaxKind {
    /// Blanks and comments: what a statement means does not depend on them.
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::whitespace | Self::comment)
    }

    /// A word that the grammar knows at this place, as opposed to a name.
    pub fn is_keyword(self) -> bool {
        self.keyword().is_some()
    }

    /// The keyword's spelling in lower case.
    pub fn keyword(self) -> Option<&'static str> {
        KEYWORDS[self as usize].as_deref()
    }

    /// Every keyword's spelling in lower case.
    pub fn keywords() -> impl Iterator<Item = &'static str> {
        KEYWORDS.iter().filter_map(Option::as_deref)
    }
}

static KEYWORDS: std::sync::LazyLock<Vec<Option<String>>> = std::sync::LazyLock::new(|| {
    let spelling = |kind: &SyntaxKind| format!("{kind:?}").strip_prefix("kw_").map(str::to_owned);
    std::iter::once(None).chain(SyntaxKind::all_rules().iter().map(spelling)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use rowan::Language;

    #[test]
    fn kinds_survive_the_way_through_raw_numbers() {
        for kind in SyntaxKind::all_rules().iter().copied().chain([SyntaxKind::EOI]) {
            assert_eq!(PqlLanguage::kind_from_raw(PqlLanguage::kind_to_raw(kind)), kind);
        }
        assert_eq!(SyntaxKind::kw_migrate.keyword(), Some("migrate"));
        assert_eq!(SyntaxKind::name.keyword(), None);
    }
}
