//! References that lead nowhere: a rebuild must not make new ones.

use std::collections::BTreeMap;

use pql_planner::text::ident;
use pql_planner::{Backfill, Rebuild};
use pql_schema::{ForeignKey, NameRule, Table};
use rusqlite::Connection as Db;

use super::checks::{leads_nowhere, referenced_columns};
use super::keys::Key;
use super::report::{NAMED, Rows};
use super::{catalog, cell, exprs, model, rates, record, texts};
use crate::error::codes;
use crate::{Error, Result};

/// How many rows of which table refer to a missing row of which other one.
pub(super) type Violations = BTreeMap<(String, String), i64>;

/// Those of the table and of the tables that refer to it.
pub(super) fn violations(db: &Db, table: &str) -> Result<Violations> {
    let mut found = Violations::new();
    for entry in catalog::all(db)?.into_iter().filter(|entry| entry.kind == "table") {
        let refers = |sql: &str| texts::has_word(sql, "references");
        if catalog::is_ours(&entry.name) || !entry.sql.as_deref().is_some_and(refers) {
            continue;
        }
        let own = entry.name.eq_ignore_ascii_case(table);
        let mut parents = db.prepare_cached(
            "SELECT 1 FROM pragma_foreign_key_list(?1) WHERE \"table\" = ?2 COLLATE NOCASE",
        )?;
        if !own && !parents.exists([entry.name.as_str(), table])? {
            continue;
        }
        let mut check =
            db.prepare("SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check(?1) GROUP BY 1, 2")?;
        let mut rows = check.query([&entry.name])?;
        while let Some(row) = rows.next()? {
            found.insert((row.get(0)?, row.get(1)?), row.get(2)?);
        }
    }
    Ok(found)
}

/// Fails when there are more than there were.
pub(super) fn no_new(db: &Db, table: &str, before: &Violations) -> Result<()> {
    for ((child, parent), count) in violations(db, table)? {
        let known = before.get(&(child.clone(), parent.clone())).copied().unwrap_or(0);
        if count > known {
            return Err(new_ones((count - known).unsigned_abs(), &child, &parent));
        }
    }
    Ok(())
}

fn new_ones(count: u64, child: &str, parent: &str) -> Error {
    Error::new(
        codes::ROWS,
        format!(
            "{count} rows of {} would refer to rows of {} that do not exist",
            ident(child),
            ident(parent)
        ),
    )
    .with_help("nothing was changed; change those rows, or what the new values are computed from")
}

/// Fails when values that a rebuild computes lead nowhere, in the new table or in those that refer to it, where the old
/// ones did lead somewhere. References of which nothing is computed are left as they are.
pub(super) fn none_lost(db: &Db, rebuild: &Rebuild) -> Result<()> {
    let table = &rebuild.before.name.name;
    for key in rebuild.after.foreign_keys() {
        let to_itself = key.table.name.eq_ignore_ascii_case(table);
        let computed = |column: &String| is_computed(rebuild, column);
        let touched = key.columns.iter().any(computed) || to_itself && key.referenced.iter().any(computed);
        if !touched {
            continue;
        }
        let parent = if to_itself { &rebuild.shadow.name } else { &key.table.name };
        let now = Reference { child: &rebuild.shadow.name, parent, key };
        let then =
            rebuild.before.foreign_keys().find(|old| old.table == key.table && old.columns == key.columns);
        let then = then.map(|key| Reference { child: table, parent: &key.table.name, key });
        now.leads_where(db, then.as_ref(), rebuild, table)?;
    }
    for entry in catalog::all(db)?.into_iter().filter(|entry| entry.kind == "table") {
        let refers = entry.sql.as_deref().is_some_and(|sql| texts::has_word(sql, "references"));
        if !refers || catalog::is_ours(&entry.name) || entry.name.eq_ignore_ascii_case(table) {
            continue;
        }
        let child = model::table_of(db, &entry.name)?;
        for key in child.foreign_keys().filter(|key| key.table.name.eq_ignore_ascii_case(table)) {
            let then = Reference { child: &entry.name, parent: table, key };
            if referenced_columns(db, key)?.iter().any(|column| is_computed(rebuild, column)) {
                let now = Reference { parent: &rebuild.shadow.name, ..then };
                now.leads_where(db, Some(&then), rebuild, &entry.name)?;
            }
        }
    }
    Ok(())
}

/// Fails when a value that a backfill gave rows leads nowhere.
pub(super) fn none_filled(db: &Db, backfill: &Backfill, key: &Key) -> Result<()> {
    let Some(record) = &backfill.record else { return Ok(()) };
    let child = &backfill.table.name;
    let table = model::table_of(db, child)?;
    for foreign in table.foreign_keys() {
        let filled: Vec<String> = (backfill.assignments.iter().enumerate())
            .filter(|(_, (column, _))| foreign.columns.iter().any(|own| own.eq_ignore_ascii_case(column)))
            .map(|(at, (column, _))| {
                format!("{}.{} IS _pql_r.{}", ident(child), ident(column), record::value_column(at))
            })
            .collect();
        if filled.is_empty() {
            continue;
        }
        let parent = &foreign.table.name;
        let sql = format!(
            "SELECT {} FROM main.{} AS _pql_r CROSS JOIN main.{} ON {} WHERE {} AND {} LIMIT {}",
            key.columns(&ident(child)),
            ident(&record.name),
            ident(child),
            key.is_logged(&ident(child), "_pql_r"),
            filled.join(" AND "),
            Reference { child, parent, key: foreign }.is_lost(db)?,
            NAMED + 1,
        );
        let mut bad = Rows::default();
        cell::rows(db, &sql, &[], key.len())?.iter().for_each(|row| bad.push(key, row, None));
        if !bad.is_empty() {
            let what =
                format!("{} would refer to rows of {} that do not exist, in", ident(child), ident(parent));
            return Err(bad.error(codes::ROWS, &what).with_help("fill them with a key that is there"));
        }
    }
    Ok(())
}

/// Whether a column of the new table is more than a copy of the old one's.
fn is_computed(rebuild: &Rebuild, column: &str) -> bool {
    let Some(map) = rebuild.mapping.iter().find(|map| map.column.eq_ignore_ascii_case(column)) else {
        return false;
    };
    let find = |table: &Table, name: &str| table.column(name, NameRule::AsciiInsensitive).cloned();
    let from = exprs::as_column(&map.from).and_then(|name| find(&rebuild.before, &name));
    from.map(|from| from.data_type) != find(&rebuild.after, column).map(|column| column.data_type)
}

/// A foreign key of a table, as if it referred to that one.
#[derive(Clone, Copy)]
struct Reference<'a> {
    child: &'a str,
    parent: &'a str,
    key: &'a ForeignKey,
}

impl Reference<'_> {
    /// The number of rows that refer to none.
    fn lost(&self, db: &Db) -> Result<u64> {
        rates::count(
            db,
            &format!("SELECT count(*) FROM main.{} WHERE {}", ident(self.child), self.is_lost(db)?),
        )
    }

    /// The condition that a row refers to none.
    fn is_lost(&self, db: &Db) -> Result<String> {
        leads_nowhere(db, self.key, self.child, self.parent)
    }

    fn leads_where(&self, db: &Db, then: Option<&Self>, rebuild: &Rebuild, child: &str) -> Result<()> {
        let before = then.map_or(Ok(0), |then| then.lost(db))?;
        let now = self.lost(db)?;
        if now <= before {
            return Ok(());
        }
        let to_itself = self.parent == rebuild.shadow.name;
        Err(new_ones(now - before, child, if to_itself { &rebuild.after.name.name } else { self.parent }))
    }
}
