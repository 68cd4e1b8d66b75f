//! The rows that a REPLACE is about to delete, which fires no trigger of theirs: found by every unique key before the
//! row comes.
//!
//! To find too many does no harm, since a row that is logged is looked at again. To find one too few does: a BEFORE
//! trigger sees the row as it was given, and what SQLite still makes of it is done here as well.

use std::collections::BTreeMap;
use std::rc::Rc;

use pql_planner::substitute;
use pql_planner::text::ident;
use pql_schema::{Column, ConstraintKind, Expr, Generated, KeyPart, Table, Token, TokenKind, tokens};
use rusqlite::Connection as Db;

use super::keys::{self, Key, qualified};
use super::{exprs, model};
use crate::Result;

/// A unique key, by which a REPLACE finds rows to delete.
pub(super) struct Unique {
    parts: Vec<Part>,
    predicate: Option<Expr>,
    columns: Rc<Columns>,
}

struct Part {
    /// A column, or an expression.
    value: std::result::Result<String, Expr>,
    collation: Option<String>,
}

/// The unique keys of a table, its primary key included.
pub(super) fn keys(db: &Db, table: &str) -> Result<Vec<Unique>> {
    let model = model::table_of(db, table)?;
    let columns = Rc::new(Columns::of(&model));
    let mut found = Vec::new();
    if let Ok(Some(name)) = keys::row_number(db, table) {
        // The number that a row is given counts as well, though no column is it.
        let parts = vec![Part { value: Ok(name), collation: None }];
        found.push(Unique { parts, predicate: None, columns: Rc::clone(&columns) });
    }
    for constraint in &model.constraints {
        let parts: &[KeyPart] = match &constraint.kind {
            ConstraintKind::PrimaryKey(primary) => &primary.columns,
            ConstraintKind::Unique(unique) => &unique.columns,
            _ => continue,
        };
        let parts = parts
            .iter()
            .map(|part| Part { value: Ok(part.column.clone()), collation: part.collation.clone() })
            .collect();
        found.push(Unique { parts, predicate: None, columns: Rc::clone(&columns) });
    }
    for index in model::indexes_of(db, table)?.into_iter().filter(|index| index.unique) {
        let parts = (index.parts.into_iter())
            .map(|part| Part { value: part.column.ok_or(part.expr), collation: part.collation })
            .collect();
        found.push(Unique { parts, predicate: index.predicate, columns: Rc::clone(&columns) });
    }
    Ok(found)
}

impl Unique {
    /// Whether it is this key.
    pub(super) fn is(&self, key: &Key) -> bool {
        let same = |(part, name): (&Part, &str)| {
            part.value.as_ref().is_ok_and(|column| column.eq_ignore_ascii_case(name))
        };
        self.predicate.is_none()
            && self.parts.len() == key.len()
            && self.parts.iter().zip(key.names()).all(same)
    }

    /// The condition that a row of the table goes when NEW takes its place; `update`: only when the update moves NEW
    /// there.
    pub(super) fn condition(&self, of: &str, update: bool) -> String {
        let columns = &self.columns;
        let mut terms: Vec<String> = self
            .parts
            .iter()
            .map(|part| format!("{} = {}", part.over(of, columns), part.settled(columns)))
            .collect();
        if let Some(predicate) = &self.predicate {
            terms.push(format!("({})", exprs::qualified(predicate, &columns.names, of)));
        } else if update {
            // A partial index may take a row in although its key stays the same. A column's own collation may take for
            // equal what the key does not.
            let changed: Vec<String> = (self.parts.iter())
                .map(|part| {
                    format!("{} COLLATE BINARY IS NOT {}", part.plain("OLD", columns), part.settled(columns))
                })
                .collect();
            terms.push(format!("({})", changed.join(" OR ")));
        }
        terms.join(" AND ")
    }
}

impl Part {
    fn plain(&self, of: &str, columns: &Columns) -> String {
        match &self.value {
            Ok(column) => qualified(of, column),
            Err(expr) => format!("({})", exprs::qualified(expr, &columns.names, of)),
        }
    }

    fn over(&self, of: &str, columns: &Columns) -> String {
        match &self.collation {
            Some(collation) => format!("{} COLLATE {}", self.plain(of, columns), ident(collation)),
            None => self.plain(of, columns),
        }
    }

    /// Of the NEW row.
    fn settled(&self, columns: &Columns) -> String {
        match &self.value {
            Ok(column) => columns.value(column).map_or_else(|| qualified("NEW", column), ToString::to_string),
            Err(expr) => format!("({})", columns.over_new(expr)),
        }
    }
}

/// A table's columns.
struct Columns {
    names: Vec<String>,
    /// What SQLite makes of a NEW row's value, where that is not what a BEFORE trigger sees, by the column's name in
    /// lower case: a REPLACE puts the default in the place of a NULL that is not accepted, and generated columns follow.
    settled: BTreeMap<String, Expr>,
}

impl Columns {
    fn of(table: &Table) -> Self {
        let names = table.columns.iter().map(|column| column.name.clone()).collect();
        let mut columns = Self { names, settled: BTreeMap::new() };
        for column in table.columns.iter().filter(|column| refuses_null(column, table)) {
            if let Some(default) = column.default.as_ref().and_then(constant) {
                columns.settle(column, &format!("coalesce({}, {default})", qualified("NEW", &column.name)));
            }
        }
        // One that is generated may read another that comes after it.
        while !columns.settled.is_empty() {
            let next = table.columns.iter().find_map(|column| {
                let generated =
                    column.generated.as_ref().filter(|_| columns.value(&column.name).is_none())?;
                columns.concern(generated).then_some((column, generated))
            });
            let Some((column, generated)) = next else { break };
            let value = columns.over_new(&generated.expr);
            columns.settle(column, &value);
        }
        columns
    }

    fn settle(&mut self, column: &Column, value: &str) {
        self.settled.insert(column.name.to_ascii_lowercase(), Expr::new(format!("({value})")));
    }

    fn value(&self, name: &str) -> Option<&Expr> {
        self.settled.get(&name.to_ascii_lowercase())
    }

    fn concern(&self, generated: &Generated) -> bool {
        self.names.iter().any(|name| self.value(name).is_some() && generated.expr.mentions(name))
    }

    /// The expression over the NEW row.
    fn over_new(&self, expr: &Expr) -> String {
        if self.settled.is_empty() {
            return exprs::qualified(expr, &self.names, "NEW");
        }
        let plain = |name: &str| {
            let known = self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
            known.then(|| Expr::new(qualified("NEW", name)))
        };
        substitute(expr, |name| self.value(name).cloned().or_else(|| plain(name))).to_string()
    }
}

fn refuses_null(column: &Column, table: &Table) -> bool {
    let key = table.primary_key().filter(|_| table.options.without_rowid);
    column.not_null
        || key.is_some_and(|key| key.columns.iter().any(|it| it.column.eq_ignore_ascii_case(&column.name)))
}

/// A default that is one literal, as SQL that says the same wherever it stands. Whatever is computed stays out: it may
/// call what only the application's own connections know.
fn constant(default: &Expr) -> Option<String> {
    let all: Vec<Token<'_>> =
        tokens(default.as_str()).filter(|token| !matches!(token.text, "(" | ")")).collect();
    let spelled = |token: &Token<'_>| token.name().map(|name| format!("'{}'", name.replace('\'', "''")));
    match all.as_slice() {
        [sign, number] if matches!(sign.text, "-" | "+") && number.kind == TokenKind::Number => {
            Some(format!("{}{}", sign.text, number.text))
        }
        [one] => match one.kind {
            TokenKind::Number | TokenKind::String => Some(one.text.to_owned()),
            // SQLite takes a name there for a text.
            TokenKind::QuotedName => spelled(one),
            TokenKind::Word => match one.text.to_ascii_lowercase().as_str() {
                "null" => None,
                "true" | "false" | "current_timestamp" | "current_date" | "current_time" => {
                    Some(one.text.to_owned())
                }
                _ => spelled(one),
            },
            TokenKind::Punctuation => None,
        },
        _ => None,
    }
}
