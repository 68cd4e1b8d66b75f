//! What each token is printed as, and whether a blank stands before it.
//!
//! A blank is only left out where leaving it out cannot join two tokens into another: beside brackets,
//! dots, commas and `::`, and after an operator that touched its operand in the source.

use rowan::{Direction, NodeOrToken, TextSize};

use super::atoms::{Atom, Collector, Comment};
use super::with_plain_line_ends;
use crate::{SyntaxKind as K, SyntaxNode, SyntaxToken};

/// All atoms of the tree, and the comments after the last.
pub(super) fn collect(root: &SyntaxNode) -> (Vec<Atom>, Vec<Comment>) {
    let mut walk = Walk { collector: Collector::default(), previous: None, apart: false };
    walk.node(root);
    walk.collector.finish()
}

/// What matters about the token before.
#[derive(Clone, Copy)]
struct Previous {
    kind: K,
    /// An operator in front of its operand, as in `-1`.
    prefix: bool,
}

struct Walk {
    collector: Collector,
    previous: Option<Previous>,
    /// Trivia stood between the token before and this one.
    apart: bool,
}

impl Walk {
    fn node(&mut self, node: &SyntaxNode) {
        if keeps_its_text(node.kind()) {
            return self.verbatim(node);
        }
        let lacks = |kind| node.kind() == K::modify_column && !has(node, kind);
        let mut lacks_column = lacks(K::kw_column);
        for element in node.children_with_tokens() {
            match element {
                NodeOrToken::Node(child) => {
                    if child.kind() == K::type_name && lacks(K::kw_type) {
                        self.keyword(child.text_range().start(), "TYPE", K::kw_type);
                    }
                    self.node(&child);
                }
                NodeOrToken::Token(token) if token.kind().is_trivia() => self.trivia(&token),
                NodeOrToken::Token(token) => {
                    if lacks_column && token.kind() == K::name {
                        self.keyword(token.text_range().start(), "COLUMN", K::kw_column);
                        lacks_column = false;
                    }
                    self.token(&token, node);
                }
            }
        }
    }

    fn trivia(&mut self, token: &SyntaxToken) {
        self.apart = true;
        if token.kind() == K::comment {
            self.collector.comment(token.text());
        } else {
            self.collector.blank(token.text());
        }
    }

    /// A keyword that the standard form has and the source has not.
    fn keyword(&mut self, start: TextSize, text: &str, kind: K) {
        self.emit(start, text.to_owned(), true, kind);
    }

    fn token(&mut self, token: &SyntaxToken, parent: &SyntaxNode) {
        let kind = token.kind();
        if is_sugar(token, parent) {
            return;
        }
        let space = self.wants_space(kind, parent.kind());
        self.emit(token.text_range().start(), printed(token, parent), space, kind);
    }

    fn emit(&mut self, start: TextSize, text: String, space: bool, kind: K) {
        let prefix = kind == K::operator && self.previous.is_none_or(|previous| !ends_operand(previous.kind));
        self.collector.atom(start, text, space);
        self.previous = Some(Previous { kind, prefix });
        self.apart = false;
    }

    fn wants_space(&self, kind: K, parent: K) -> bool {
        let Some(previous) = self.previous else { return false };
        if opens(previous.kind) || closes(kind) || kind == K::l_bracket {
            return false;
        }
        match (previous.kind, kind) {
            (K::comma, _) => parent != K::type_args,
            (_, K::l_paren) if parent == K::type_args => false,
            (K::name | K::markup, K::l_paren) => !matches!(parent, K::expr | K::b_expr | K::index_expr),
            (K::markup | K::kw_operator, K::raw_parens) => false,
            (K::colon, _) | (_, K::colon) => self.apart,
            _ => !previous.prefix || self.apart,
        }
    }

    /// A node printed as it stands, from its first token to its last.
    fn verbatim(&mut self, node: &SyntaxNode) {
        let tokens = node.descendants_with_tokens().filter_map(NodeOrToken::into_token).collect::<Vec<_>>();
        let is_text = |token: &SyntaxToken| !token.kind().is_trivia();
        let Some(first) = tokens.iter().position(is_text) else {
            return tokens.iter().for_each(|token| self.trivia(token));
        };
        let after = tokens.iter().rposition(is_text).map_or(tokens.len(), |last| last + 1);
        tokens[..first].iter().for_each(|token| self.trivia(token));
        let text = tokens[first..after].iter().map(verbatim_text).collect::<String>();
        let space = self.wants_space(node.kind(), node.kind());
        self.emit(tokens[first].text_range().start(), text, space, node.kind());
        tokens[after..].iter().for_each(|token| self.trivia(token));
    }
}

/// Whatever follows touches it.
fn opens(kind: K) -> bool {
    matches!(kind, K::l_paren | K::l_brace | K::l_bracket | K::dot | K::cast_sign | K::plus | K::minus)
}

/// It touches what stands before it.
fn closes(kind: K) -> bool {
    matches!(kind, K::r_paren | K::r_brace | K::r_bracket | K::comma | K::semicolon | K::dot | K::cast_sign)
}

/// Nodes of tokens that only the database understands.
fn keeps_its_text(kind: K) -> bool {
    matches!(kind, K::pass_through | K::error | K::raw_parens | K::inner_query | K::query | K::op_query)
}

/// Line ends within strings belong to the string; between tokens they are the formatter's.
fn verbatim_text(token: &SyntaxToken) -> String {
    if token.kind().is_trivia() { with_plain_line_ends(token.text()) } else { token.text().to_owned() }
}

fn has(node: &SyntaxNode, kind: K) -> bool {
    node.children_with_tokens().any(|element| element.kind() == kind)
}

/// Tokens of the brace form that the standard form has not.
fn is_sugar(token: &SyntaxToken, parent: &SyntaxNode) -> bool {
    match token.kind() {
        K::colon => parent.kind() == K::field_def,
        K::comma => {
            let mut next = token.siblings_with_tokens(Direction::Next).skip(1);
            next.find(|element| !element.kind().is_trivia()).is_some_and(|it| it.kind() == K::r_brace)
        }
        _ => false,
    }
}

fn printed(token: &SyntaxToken, parent: &SyntaxNode) -> String {
    match token.kind() {
        K::type_word if is_type_word(token.text(), parent) => token.text().to_ascii_uppercase(),
        K::kw_collection => "TABLE".to_owned(),
        K::kw_modify => "ALTER".to_owned(),
        K::l_brace => "(".to_owned(),
        K::r_brace => ")".to_owned(),
        // What a clause is about rather than what it does: written small, like the names of settings.
        K::kw_migration_id | K::kw_application_schema | K::kw_schema_version => {
            token.text().to_ascii_lowercase()
        }
        kind if kind.is_keyword() => token.text().to_ascii_uppercase(),
        _ => token.text().to_owned(),
    }
}

/// The words of the built-in types and their aliases: keywords of the language, unlike the names of other types.
const TYPE_WORDS: &[&str] = &[
    "BIGINT",
    "BIGSERIAL",
    "BINARY",
    "BLOB",
    "BOOL",
    "BOOLEAN",
    "BYTEA",
    "BYTES",
    "CHAR",
    "CHARACTER",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "FLOAT4",
    "FLOAT8",
    "INT",
    "INT2",
    "INT4",
    "INT8",
    "INTEGER",
    "INTERVAL",
    "JSON",
    "JSONB",
    "NUMERIC",
    "PRECISION",
    "REAL",
    "SERIAL",
    "SMALLINT",
    "SMALLSERIAL",
    "STRING",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "TIMETZ",
    "UUID",
    "VARCHAR",
    "VARYING",
    "VECTOR",
];

fn is_type_word(text: &str, ty: &SyntaxNode) -> bool {
    TYPE_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) && !has(ty, K::dot)
}

/// Whether an operator after this stands between two operands.
fn ends_operand(kind: K) -> bool {
    match kind {
        K::operator | K::eq | K::assign | K::l_paren | K::l_bracket | K::comma | K::colon | K::cast_sign => {
            false
        }
        kind => !kind.is_keyword() || ENDING_KEYWORDS.contains(&kind),
    }
}

/// Keywords at the end of an operand or of a type.
const ENDING_KEYWORDS: [K; 16] = [
    K::kw_null,
    K::kw_true,
    K::kw_false,
    K::kw_end,
    K::kw_isnull,
    K::kw_notnull,
    K::kw_local,
    K::kw_zone,
    K::kw_precision,
    K::kw_varying,
    K::kw_year,
    K::kw_month,
    K::kw_day,
    K::kw_hour,
    K::kw_minute,
    K::kw_second,
];
