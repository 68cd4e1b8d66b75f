//! What an index keeps of each row: asked of SQLite, with the table and the index made in memory.

use pql_planner::text::{SQLITE, ident};
use pql_planner::{IndexBuild, RowKey};
use pql_schema::{Expr, Index, Table, TokenKind, tokens};
use rusqlite::Connection as Db;

use super::super::keys::qualified;
use super::super::{exprs, keys, model, vector};
use crate::Result;

/// The columns of an index's entries, in their order.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
    /// How the table's rows are told apart.
    pub(super) key: RowKey,
    /// The rows that the index holds.
    pub(super) predicate: Option<Expr>,
    /// No two entries have the same key.
    pub(super) unique: bool,
    names: Vec<String>,
}

/// One column of the entries.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name in the tables that stand in for the real one while the index is built.
    pub(super) name: String,
    /// Its value, over the table's row.
    value: Value,
    /// What it is declared as, so that it is stored as the index would store it.
    pub(super) declared: String,
    pub(super) collation: String,
    pub(super) descending: bool,
    /// Part of the index's key; otherwise of what leads to the row.
    pub(super) key: bool,
}

#[derive(Debug)]
enum Value {
    Column(String),
    Expr(Expr),
}

/// Reads the layout; `None` when this index cannot be built beside the application.
pub(super) fn layout(db: &Db, index: &Index) -> Result<Option<Layout>> {
    if !(index.parts.iter().map(|part| &part.expr).chain(&index.predicate)).all(never_fails) {
        return Ok(None);
    }
    let table = model::table_of(db, &index.table.name)?;
    let Ok(key) = keys::of_table(db, &index.table.name) else { return Ok(None) };
    let scratch = Db::open_in_memory()?;
    vector::register(&scratch)?;
    let made =
        scratch.execute_batch(&format!("{};\n{}", SQLITE.create_table(&table), SQLITE.create_index(index)));
    if made.is_err() {
        // A function or collation of the application's own: only its connections know it.
        return Ok(None);
    }
    let columns = columns(&scratch, index, &table, &key)?;
    let names = table.columns.into_iter().map(|column| column.name).collect();
    Ok(Some(Layout { columns, key, predicate: index.predicate.clone(), unique: index.unique, names }))
}

fn columns(scratch: &Db, index: &Index, table: &Table, key: &RowKey) -> Result<Vec<Column>> {
    let mut statement = scratch
        .prepare("SELECT cid, name, \"desc\", coll, \"key\" FROM pragma_index_xinfo(?1) ORDER BY seqno")?;
    let rows = statement.query_map([&index.name.name], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, Option<String>>(1)?,
            row.get::<_, bool>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, bool>(4)?,
        ))
    })?;
    let mut columns = Vec::new();
    for (position, row) in rows.enumerate() {
        let (cid, name, descending, collation, is_key) = row?;
        let (name, value, declared) = match (cid, name, key) {
            (-1, _, RowKey::Rowid(rowid)) => {
                (rowid.clone(), Value::Column(rowid.clone()), "INTEGER".to_owned())
            }
            (_, Some(name), _) => {
                let declared = table
                    .columns
                    .iter()
                    .find(|column| column.name == name)
                    .map(|column| keys::beside(&(SQLITE.type_name)(column, table), table))
                    .unwrap_or_default();
                (name.clone(), Value::Column(name), declared)
            }
            (_, None, _) => {
                let expr = index.parts.get(position).map(|part| part.expr.clone());
                (
                    format!("_pql_e{position}"),
                    Value::Expr(expr.unwrap_or_else(|| Expr::new("NULL"))),
                    String::new(),
                )
            }
        };
        columns.push(Column { name, value, declared, collation, descending, key: is_key });
    }
    Ok(columns)
}

impl Column {
    /// As it is written in the index.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Column(name) => ident(name),
            Value::Expr(expr) => expr.to_string(),
        }
    }

    /// Its value is not a column of the table.
    pub(super) fn is_expression(&self) -> bool {
        matches!(self.value, Value::Expr(_))
    }
}

impl Layout {
    /// The table whose b-tree is that of the index.
    pub(super) fn as_table(&self, name: &str) -> String {
        let places = place_names(self.columns.len());
        let declared = self.columns.iter().zip(&places).map(|(column, name)| declaration(name, column));
        let key = (self.columns.iter().zip(&places))
            .filter(|(column, _)| column.key || !self.unique)
            .map(|(column, name)| format!("{name}{}", if column.descending { " DESC" } else { "" }));
        format!(
            "CREATE TABLE {} ({}, PRIMARY KEY ({})) WITHOUT ROWID",
            ident(name),
            list(declared),
            list(key)
        )
    }

    /// The entry of a row, its columns qualified.
    pub(super) fn values(&self, of: &str) -> Vec<String> {
        (self.columns.iter())
            .map(|column| match &column.value {
                Value::Column(name) => qualified(of, name),
                Value::Expr(expr) => format!("({})", exprs::qualified(expr, &self.names, of)),
            })
            .collect()
    }

    /// The columns whose update changes an entry: those of the key and those of the expressions.
    pub(super) fn watched(&self) -> Vec<String> {
        let mentioned =
            |expr: &Expr| self.names.iter().filter(|name| expr.mentions(name)).cloned().collect::<Vec<_>>();
        let mut watched: Vec<String> = (self.columns.iter())
            .flat_map(|column| match &column.value {
                Value::Column(name) if self.names.contains(name) => vec![name.clone()],
                Value::Column(_) => Vec::new(),
                Value::Expr(expr) => mentioned(expr),
            })
            .chain(self.predicate.iter().flat_map(mentioned))
            .collect();
        watched.sort();
        watched.dedup();
        watched
    }

    /// The position of each column of the row's key in the entry.
    pub(super) fn key_positions(&self) -> Vec<usize> {
        let names: Vec<&str> = match &self.key {
            RowKey::Rowid(name) => vec![name],
            RowKey::Columns(parts) => parts.iter().map(|part| part.column.as_str()).collect(),
        };
        // What leads to the row stands last, so the last column of that name is it.
        (names.into_iter())
            .filter_map(|name| self.columns.iter().rposition(|column| column.name.eq_ignore_ascii_case(name)))
            .collect()
    }

    /// The condition that a row has an entry.
    pub(super) fn holds(&self, of: &str) -> String {
        self.predicate.as_ref().map_or_else(
            || "1".to_owned(),
            |predicate| format!("({})", exprs::qualified(predicate, &self.names, of)),
        )
    }
}

/// Whether computing the expression never raises an error: it is computed in triggers on the application's writes.
fn never_fails(expr: &Expr) -> bool {
    const SAFE: [&str; 22] = [
        "lower",
        "upper",
        "trim",
        "ltrim",
        "rtrim",
        "length",
        "substr",
        "substring",
        "coalesce",
        "ifnull",
        "nullif",
        "iif",
        "typeof",
        "round",
        "instr",
        "hex",
        "in",
        "and",
        "or",
        "not",
        "cast",
        "between",
    ];
    let mut all = tokens(expr.as_str()).peekable();
    let mut safe = exprs::is_stable(expr);
    while let Some(token) = all.next() {
        let called = token.kind == TokenKind::Word && all.peek().is_some_and(|next| next.text == "(");
        safe &= !called || SAFE.iter().any(|name| token.text.eq_ignore_ascii_case(name));
        // `->` and `->>` read JSON, which may be malformed; MATCH and REGEXP call functions.
        safe &= !(token.text == "-"
            && all.peek().is_some_and(|next| next.text == ">" && next.start == token.start + 1));
        safe &= !["match", "regexp", "glob", "like"].iter().any(|word| token.text.eq_ignore_ascii_case(word));
    }
    safe
}

/// The names that a build uses.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The table that is built.
    pub(super) table: String,
    /// The index's name when it is done.
    pub(super) index: String,
    /// The b-tree that becomes the index.
    pub(super) fill: String,
    /// The rows whose entries have a NULL in their key, which no table's key can have.
    pub(super) nulls: String,
    /// The table whose index the b-tree is while those entries are added.
    pub(super) stand_in: String,
    /// The log of changed entries, where somebody else writes the table.
    pub(super) log: Option<String>,
}

impl Names {
    /// Of a planned build.
    pub(super) fn planned(build: &IndexBuild) -> Self {
        Self { log: Some(build.capture.log.name.clone()), ..Self::hidden(&build.index, &build.helper.name) }
    }

    /// Of a build on a table that only we write.
    pub(super) fn hidden(index: &Index, helper: &str) -> Self {
        Self {
            table: index.table.name.clone(),
            index: index.name.name.clone(),
            fill: helper.to_owned(),
            nulls: format!("{helper}_nulls"),
            stand_in: format!("{helper}_of"),
            log: None,
        }
    }
}

/// `a, b, c`.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// The names of the entries' columns as a list.
pub(super) fn place_names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("_pql_c{at}")).collect()
}

/// A declared column of a table that stands in.
pub(super) fn declaration(name: &str, column: &Column) -> String {
    format!("{} {} COLLATE {}", ident(name), column.declared, ident(&column.collation))
}
