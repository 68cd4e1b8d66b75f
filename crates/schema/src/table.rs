//! Tables.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::column::is_false;
use crate::{Column, Constraint, ConstraintKind, NameRule, ObjectName, PrimaryKey, Token, tokens};

/// A table with its columns and constraints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name.
    pub name: ObjectName,
    /// The columns in order, retained ones (see [`Column::retained`]) included.
    pub columns: Vec<Column>,
    /// The constraints in the order they were declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// What else the table is.
    #[serde(default, skip_serializing_if = "TableOptions::is_default")]
    pub options: TableOptions,
}

/// Options of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableOptions {
    /// SQLite's STRICT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// SQLite's WITHOUT ROWID.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_rowid: bool,
    /// PostgreSQL's UNLOGGED: the server's log knows nothing of its rows, which are gone after a crash.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlogged: bool,
    /// Whatever else follows the column list, as the database's own text (`PARTITION BY …`, `WITH (…)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
}

impl TableOptions {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Table {
    /// A table without columns.
    pub fn new(name: impl Into<ObjectName>) -> Self {
        Self {
            name: name.into(),
            columns: Vec::new(),
            constraints: Vec::new(),
            options: TableOptions::default(),
        }
    }

    /// The tables that it inherits from (PostgreSQL's INHERITS, in the database's own text).
    pub fn inherited(&self) -> Vec<ObjectName> {
        let text = self.options.native.as_deref().unwrap_or_default();
        let all: Vec<Token<'_>> = tokens(text).collect();
        let Some(start) = all.iter().position(|token| token.text.eq_ignore_ascii_case("INHERITS")) else {
            return Vec::new();
        };
        let listed: Vec<&Token<'_>> =
            all[start + 1..].iter().skip(1).take_while(|token| token.text != ")").collect();
        let mut found = Vec::new();
        for parent in listed.split(|token| token.text == ",") {
            let mut parts: Vec<String> = parent.iter().filter_map(|token| token.name()).collect();
            let name = parts.pop();
            let schema = parts.pop().filter(|schema| schema != "public");
            found.extend(name.map(|name| ObjectName { schema, name }));
        }
        found
    }

    /// The columns a user sees.
    pub fn visible(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.retained)
    }

    /// The column of that name, retained or not.
    pub fn column(&self, name: &str, rule: NameRule) -> Option<&Column> {
        self.columns.iter().find(|column| rule.same(&column.name, name))
    }

    /// The same, to change it.
    pub fn column_mut(&mut self, name: &str, rule: NameRule) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| rule.same(&column.name, name))
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&PrimaryKey> {
        self.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey(key) => Some(key),
            _ => None,
        })
    }

    /// The foreign keys.
    pub fn foreign_keys(&self) -> impl Iterator<Item = &crate::ForeignKey> {
        self.constraints.iter().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey(key) => Some(key),
            _ => None,
        })
    }

    /// The name of each constraint, under which it can be addressed: its own, or else its
    /// [effective name](Constraint::effective_name), numbered (`t_check1`, `t_check2`) where one before it has that.
    pub fn constraint_names(&self) -> Vec<String> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let own: Vec<Option<String>> = self
            .constraints
            .iter()
            .map(|constraint| constraint.name.clone().filter(|name| taken.insert(name.clone())))
            .collect();
        let numbered = |(own, constraint): (Option<String>, &Constraint)| {
            own.unwrap_or_else(|| {
                let base = constraint.effective_name(&self.name.name);
                let mut names =
                    std::iter::once(base.clone()).chain((1..).map(|number| format!("{base}{number}")));
                let free = names.find(|name| !taken.contains(name)).unwrap_or(base);
                taken.insert(free.clone());
                free
            })
        };
        own.into_iter().zip(&self.constraints).map(numbered).collect()
    }

    /// The constraint of that name; see [`Table::constraint_names`].
    pub fn constraint(&self, name: &str, rule: NameRule) -> Option<&Constraint> {
        self.constraint_at(name, rule).map(|(at, _)| &self.constraints[at])
    }

    /// Its position, and its name as it is spelled.
    pub(crate) fn constraint_at(&self, name: &str, rule: NameRule) -> Option<(usize, String)> {
        self.constraint_names().into_iter().enumerate().find(|(_, own)| rule.same(own, name))
    }
}
