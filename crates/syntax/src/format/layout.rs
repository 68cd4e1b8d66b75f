//! Where lines may start: the groups of a statement and the places within them, read off the tree.

use std::collections::{HashMap, HashSet};

use rowan::{NodeOrToken, TextSize};

use crate::{SyntaxKind as K, SyntaxNode, SyntaxToken};

/// A stretch of the text that is either on one line or has all its lines started.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: usize,
    pub(super) start: TextSize,
    pub(super) end: TextSize,
    /// Broken whatever its width: a list of more than one.
    pub(super) hard: bool,
    /// A list, which a comment within breaks; the clauses of one definition stay together.
    pub(super) list: bool,
}

/// A place where a line starts if its group is broken.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) group: usize,
    /// One level further out than the group's content.
    pub(super) outdent: bool,
}

/// The layout of a whole source, by the places of tokens.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// In the order of their starts, outer ones first.
    pub(super) groups: Vec<Group>,
    pub(super) lines: HashMap<TextSize, Line>,
    pub(super) statements: HashSet<TextSize>,
}

impl Layout {
    /// Reads the layout of every statement.
    pub(super) fn of(root: &SyntaxNode) -> Self {
        let mut layout = Self::default();
        for statement in root.children() {
            if let Some(first) = first_token(&statement) {
                layout.statements.insert(first.text_range().start());
            }
            for node in statement.descendants() {
                layout.node(&node);
            }
        }
        layout
    }

    fn node(&mut self, node: &SyntaxNode) {
        match node.kind() {
            K::alter_table => self.actions(node, |child| is_action(child.kind()), &[K::kw_concurrently]),
            K::migrate_generate => self.operations(node),
            K::table_body => self.list(node),
            K::create_view | K::op_create_view => self.query(node),
            K::with_options => self.options(node),
            K::migrate_detect
            | K::migrate_generate_to
            | K::migrate_plan
            | K::migrate_apply
            | K::migrate_rollback
            | K::column_def
            | K::field_def
            | K::table_constraint
            | K::foreign_key
            | K::references
            | K::op_add_constraint
            | K::alter_column_type
            | K::modify_column
            | K::op_change_column
            | K::op_execute
            | K::index_def => self.clauses(node),
            _ => {}
        }
    }

    fn group(&mut self, node: &SyntaxNode, hard: bool, list: bool) -> usize {
        let range = node.text_range();
        let start = first_token(node).map_or(range.start(), |token| token.text_range().start());
        let id = self.groups.len();
        self.groups.push(Group { id, start, end: range.end(), hard, list });
        id
    }

    fn line(&mut self, element: &NodeOrToken<SyntaxNode, SyntaxToken>, group: usize, outdent: bool) {
        let start = match element {
            NodeOrToken::Node(node) => first_token(node).map(|token| token.text_range().start()),
            NodeOrToken::Token(token) => Some(token.text_range().start()),
        };
        if let Some(start) = start {
            self.lines.insert(start, Line { group, outdent });
        }
    }

    /// The actions of one ALTER, and what follows them.
    fn actions(&mut self, node: &SyntaxNode, is_item: impl Fn(&SyntaxNode) -> bool, after: &[K]) {
        let group = self.group(node, node.children().filter(&is_item).count() > 1, true);
        for element in node.children_with_tokens() {
            if after.contains(&element.kind()) || element.as_node().is_some_and(&is_item) {
                self.line(&element, group, false);
            }
        }
    }

    /// The operations of one migration; its name and options stand below them, further out.
    fn operations(&mut self, node: &SyntaxNode) {
        let is_tail = |kind| matches!(kind, K::as_name | K::with_options);
        let operations = node.children().filter(|child| !is_tail(child.kind())).count();
        let group = self.group(node, operations > 1, true);
        for child in node.children() {
            let outdent = is_tail(child.kind());
            self.line(&NodeOrToken::Node(child), group, outdent);
        }
    }

    /// Columns and constraints between their brackets.
    fn list(&mut self, node: &SyntaxNode) {
        let group = self.group(node, node.children().count() > 1, true);
        for element in node.children_with_tokens() {
            match element.kind() {
                K::r_paren | K::r_brace => self.line(&element, group, true),
                _ if element.as_node().is_some() => self.line(&element, group, false),
                _ => {}
            }
        }
    }

    /// A query of more than one line starts on its own.
    fn query(&mut self, node: &SyntaxNode) {
        let is_query = |child: &SyntaxNode| matches!(child.kind(), K::query | K::op_query);
        let Some(query) = node.children().find(is_query) else { return };
        let group = self.group(node, query.text().contains_char('\n'), false);
        self.line(&NodeOrToken::Node(query), group, true);
    }

    /// The options of WITH, when they do not fit.
    fn options(&mut self, node: &SyntaxNode) {
        let group = self.group(node, false, true);
        for option in node.children() {
            self.line(&NodeOrToken::Node(option), group, false);
        }
    }

    /// The clauses of one definition, when they do not fit.
    fn clauses(&mut self, node: &SyntaxNode) {
        let group = self.group(node, false, false);
        let mut named = false;
        let mut first = true;
        for child in node.children() {
            // `CONSTRAINT name` and what it names stay on one line.
            let starts = is_clause(child.kind()) && !named && !(first && starts_with(node, &child));
            named = child.kind() == K::constraint_name;
            first = false;
            if starts {
                self.line(&NodeOrToken::Node(child), group, false);
            }
        }
    }
}

fn is_action(kind: K) -> bool {
    matches!(
        kind,
        K::alter_add_column
            | K::alter_add_constraint
            | K::alter_drop_column
            | K::alter_drop_constraint
            | K::alter_column_type
            | K::modify_column
            | K::alter_set_not_null
            | K::alter_drop_not_null
            | K::alter_set_default
            | K::alter_drop_default
            | K::alter_rename_table
            | K::alter_rename_column
            | K::alter_rename_constraint
    )
}

/// Nodes that may start a line within a definition too long for one.
fn is_clause(kind: K) -> bool {
    is_column_clause(kind)
        || matches!(
            kind,
            K::primary_key
                | K::foreign_key
                | K::unique
                | K::exclude
                | K::reference_action
                | K::reference_match
                | K::using
                | K::revert_using
                | K::revert
                | K::include
                | K::where_clause
                | K::storage_params
                | K::tablespace
                | K::nulls_distinct
                | K::from_version
                | K::to_schema
                | K::as_name
                | K::with_options
        )
}

fn is_column_clause(kind: K) -> bool {
    matches!(
        kind,
        K::constraint_name
            | K::not_null
            | K::null
            | K::default
            | K::column_primary_key
            | K::references
            | K::column_unique
            | K::check
            | K::collate
            | K::identity
            | K::generated
            | K::backfill
            | K::renamed_from
            | K::deferrable
            | K::storage
            | K::compression
    )
}

fn starts_with(node: &SyntaxNode, child: &SyntaxNode) -> bool {
    first_token(node) == first_token(child)
}

/// The first token that is printed.
fn first_token(node: &SyntaxNode) -> Option<SyntaxToken> {
    let tokens = node.descendants_with_tokens().filter_map(NodeOrToken::into_token);
    tokens.into_iter().find(|token| !super::is_trivia(token.kind()))
}
