//! What a row of the original gets back as it was: columns that the new table has nothing for, and values whose
//! conversion there and back would change them although nobody has. `'10.50'` became `10.5`; as long as it still is
//! `10.5`, it was `'10.50'`.

use pql_planner::Rebuild;
use pql_planner::text::ident;
use pql_schema::{Expr, Table};

use super::super::cell::Cell;
use super::super::exprs;
use super::super::keys::qualified;

/// What is asked of a row of the original before it gives way to the one that comes back.
#[derive(Debug, Default)]
pub(super) struct Restore {
    /// Columns that nothing is mapped to: a row that was there keeps what it had.
    unmapped: Vec<String>,
    /// Columns that keep what they had while nothing has changed that they are computed from.
    unchanged: Vec<Unchanged>,
}

/// A column, and the new table's columns that it comes back from, each with what it was made of.
#[derive(Debug)]
struct Unchanged {
    column: String,
    from: Vec<(String, Expr)>,
}

/// What a row had.
pub(super) type Kept = Vec<Cell>;

impl Restore {
    /// On the way back of a rebuild.
    pub(super) fn of(rebuild: &Rebuild, is_key: impl Fn(&str) -> bool) -> Self {
        let mapped =
            |name: &str| rebuild.mapping_back.iter().find(|map| map.column.eq_ignore_ascii_case(name));
        let stored = rebuild.before.columns.iter().filter(|column| column.generated.is_none());
        let mut restore = Self::default();
        for column in stored {
            let Some(map) = mapped(&column.name) else {
                restore.unmapped.push(column.name.clone());
                continue;
            };
            if is_key(&column.name) {
                continue;
            }
            // Nothing was made of it, and nothing is made of that.
            let copied = exprs::as_column(&map.from)
                .and_then(|name| find(&rebuild.after, &name))
                .is_some_and(|new| new.data_type == column.data_type && is_copy(rebuild, new, column));
            if let Some(from) = origins(rebuild, &map.from).filter(|from| !copied && !from.is_empty()) {
                restore.unchanged.push(Unchanged { column: column.name.clone(), from });
            }
        }
        restore
    }

    /// Whether there is nothing to ask.
    pub(super) fn is_empty(&self) -> bool {
        self.unmapped.is_empty() && self.unchanged.is_empty()
    }

    /// What is asked, over the original's row; its answers are [`Kept`].
    pub(super) fn questions(&self) -> Vec<String> {
        let unchanged = self.unchanged.iter().flat_map(|unchanged| {
            let made = unchanged.from.iter().map(|(_, from)| format!("({from})"));
            std::iter::once(ident(&unchanged.column)).chain(made)
        });
        self.unmapped.iter().map(|name| ident(name)).chain(unchanged).collect()
    }

    /// The columns that nothing is mapped to, with the parameters that hold what they had.
    pub(super) fn unmapped(&self, first: usize) -> impl Iterator<Item = (&str, String)> {
        self.unmapped.iter().enumerate().map(move |(at, name)| (name.as_str(), format!("?{}", first + at)))
    }

    /// The value of a mapped column, over the row that comes back.
    pub(super) fn value(&self, column: &str, from: &Expr, source: &str, first: usize) -> String {
        match self.same(column, source, first) {
            Some((same, had)) => format!("CASE WHEN {same} THEN {had} ELSE ({from}) END"),
            None => from.to_string(),
        }
    }

    /// The condition over the row that comes back that nothing has changed which a column comes back from, and the
    /// parameter that holds what it had.
    pub(super) fn same(&self, column: &str, source: &str, first: usize) -> Option<(String, String)> {
        let mut at = first + self.unmapped.len();
        for unchanged in &self.unchanged {
            if unchanged.column.eq_ignore_ascii_case(column) {
                // The column's side decides how the two compare: as the new table stored what was made.
                let same: Vec<String> = (unchanged.from.iter().enumerate())
                    .map(|(nth, (name, _))| {
                        format!("{} COLLATE BINARY IS ?{}", qualified(source, name), at + 1 + nth)
                    })
                    .collect();
                return Some((same.join(" AND "), format!("?{at}")));
            }
            at += 1 + unchanged.from.len();
        }
        None
    }

    /// The same condition over both rows at once, in a query within whose tables the original's is the innermost.
    pub(super) fn made_of(&self, column: &str, source: &str) -> Option<String> {
        let unchanged =
            self.unchanged.iter().find(|unchanged| unchanged.column.eq_ignore_ascii_case(column))?;
        let same: Vec<String> = (unchanged.from.iter())
            // The sign takes the expression's affinity away, as a parameter has none.
            .map(|(name, from)| format!("{} COLLATE BINARY IS (+({from}))", qualified(source, name)))
            .collect();
        Some(same.join(" AND "))
    }
}

/// Whether the new table's column is the original's as it is.
fn is_copy(rebuild: &Rebuild, new: &pql_schema::Column, old: &pql_schema::Column) -> bool {
    let map = rebuild.mapping.iter().find(|map| map.column.eq_ignore_ascii_case(&new.name));
    map.and_then(|map| exprs::as_column(&map.from)).is_some_and(|from| from.eq_ignore_ascii_case(&old.name))
}

fn find<'t>(table: &'t Table, name: &str) -> Option<&'t pql_schema::Column> {
    table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

/// The new table's columns that an expression reads, each with what it is made of; none when one of them cannot be made
/// again.
fn origins(rebuild: &Rebuild, expr: &Expr) -> Option<Vec<(String, Expr)>> {
    let read = rebuild.after.columns.iter().filter(|column| expr.mentions(&column.name));
    read.map(|column| {
        let map = rebuild.mapping.iter().find(|map| map.column.eq_ignore_ascii_case(&column.name))?;
        (!map.unstable && exprs::is_stable(&map.from)).then(|| (column.name.clone(), map.from.clone()))
    })
    .collect()
}
