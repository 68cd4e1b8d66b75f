//! Where lines may start: the groups of a statement and the places within them, read off the tree.

use std::collections::{HashMap, HashSet};

use rowan::{NodeOrToken, TextSize};

use crate::{SyntaxKind as K, SyntaxNode};

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
        let mut after_meta_line = false;
        for element in root.children_with_tokens().filter(|element| !element.kind().is_trivia()) {
            // A command of psql's takes its whole line: not even a semicolon may join it.
            if element.as_node().is_some() || after_meta_line {
                layout.statements.insert(element.text_range().start());
            }
            after_meta_line = element.kind() == K::meta_line;
            for node in element.into_node().iter().flat_map(SyntaxNode::descendants) {
                layout.node(&node);
            }
        }
        layout
    }

    fn node(&mut self, node: &SyntaxNode) {
        match node.kind() {
            K::alter_table => self.actions(node),
            K::migrate_generate => self.operations(node),
            K::table_body => self.columns(node),
            K::create_view | K::op_create_view => self.query(node),
            K::with_options => self.options(node),
            K::migrate_detect
            | K::migrate_generate_to
            | K::migrate_plan
            | K::migrate_apply
            | K::migrate_rollback
            | K::column_def
            | K::field_def
            | K::typed_column
            | K::table_constraint
            | K::references
            | K::op_add_constraint
            | K::alter_column_type
            | K::modify_column
            | K::op_change_column
            | K::op_execute => self.clauses(node),
            K::index_def => self.index(node),
            _ => {}
        }
    }

    fn group(&mut self, start: TextSize, end: TextSize, hard: bool, list: bool) -> usize {
        let id = self.groups.len();
        self.groups.push(Group { id, start, end, hard, list });
        id
    }

    fn group_of(&mut self, node: &SyntaxNode, hard: bool, list: bool) -> usize {
        self.group(start_of(node), node.text_range().end(), hard, list)
    }

    fn line(&mut self, start: TextSize, group: usize, outdent: bool) {
        self.lines.insert(start, Line { group, outdent });
    }

    /// The actions of one ALTER, and what follows them.
    fn actions(&mut self, node: &SyntaxNode) {
        let actions = node.children().filter(|child| is_action(child.kind())).collect::<Vec<_>>();
        let group = self.group_of(node, actions.len() > 1, true);
        for action in &actions {
            self.line(start_of(action), group, false);
        }
        let concurrently = node.children_with_tokens().find(|element| element.kind() == K::kw_concurrently);
        if let Some(concurrently) = concurrently {
            self.line(concurrently.text_range().start(), group, false);
        }
    }

    /// The operations of one migration; its name and options stand below them, further out.
    fn operations(&mut self, node: &SyntaxNode) {
        let is_tail = |child: &SyntaxNode| matches!(child.kind(), K::as_name | K::with_options);
        let operations = node.children().filter(|child| !is_tail(child)).count();
        let group = self.group_of(node, operations > 1, true);
        for child in node.children() {
            self.line(start_of(&child), group, is_tail(&child));
        }
    }

    /// Columns and constraints between their brackets.
    fn columns(&mut self, node: &SyntaxNode) {
        let group = self.group_of(node, node.children().count() > 1, true);
        for child in node.children() {
            self.line(start_of(&child), group, false);
        }
        let close = node.last_token().filter(|token| matches!(token.kind(), K::r_paren | K::r_brace));
        if let Some(close) = close {
            self.line(close.text_range().start(), group, true);
        }
    }

    /// A query of more than one line starts on its own.
    fn query(&mut self, node: &SyntaxNode) {
        let is_query = |child: &SyntaxNode| matches!(child.kind(), K::query | K::op_query);
        let Some(query) = node.children().find(is_query) else { return };
        let group = self.group_of(node, query.text().contains_char('\n'), false);
        self.line(start_of(&query), group, true);
    }

    /// The options of WITH, when they do not fit.
    fn options(&mut self, node: &SyntaxNode) {
        let group = self.group_of(node, false, true);
        for option in node.children() {
            self.line(start_of(&option), group, false);
        }
    }

    /// The clauses of one definition, when they do not fit.
    fn clauses(&mut self, node: &SyntaxNode) {
        let start = start_of(node);
        self.clauses_from(node, start);
    }

    fn clauses_from(&mut self, node: &SyntaxNode, start: TextSize) {
        let mut named = false;
        let clauses = node.children().filter(|child| {
            // `CONSTRAINT name` and what it names stay on one line.
            let starts = is_clause(child.kind()) && !named && start_of(child) != start;
            named = child.kind() == K::constraint_name;
            starts
        });
        let clauses = clauses.collect::<Vec<_>>();
        if !clauses.is_empty() {
            let group = self.group(start, node.text_range().end(), false, false);
            for clause in clauses {
                self.line(start_of(&clause), group, false);
            }
        }
    }

    /// The keys of an index between their brackets, when they do not fit, then its clauses.
    fn index(&mut self, node: &SyntaxNode) {
        let bracket = |kind| node.children_with_tokens().find(|element| element.kind() == kind);
        let (Some(open), Some(close)) = (bracket(K::l_paren), bracket(K::r_paren)) else { return };
        let group = self.group(open.text_range().start(), close.text_range().end(), false, true);
        for element in node.children().filter(|child| child.kind() == K::index_element) {
            self.line(start_of(&element), group, false);
        }
        self.line(close.text_range().start(), group, true);
        self.clauses_from(node, close.text_range().start());
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
                | K::not_valid
                | K::not_enforced
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

/// Where the first token that is printed stands.
fn start_of(node: &SyntaxNode) -> TextSize {
    let mut tokens = node.descendants_with_tokens().filter_map(NodeOrToken::into_token);
    let first = tokens.find(|token| !token.kind().is_trivia());
    first.map_or(node.text_range().start(), |token| token.text_range().start())
}
