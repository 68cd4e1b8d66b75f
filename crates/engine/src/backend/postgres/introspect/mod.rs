//! The schema as it is, from `pg_catalog`: which relations there are, then by set-based queries, sent together, what they
//! have; two round trips whatever the number of tables.
//!
//! Expressions are the server's own rendering under a pinned `search_path` (`public`: what lives there has no schema
//! in the model), so that the same definition always reads the same. Left out are the system's schemas, PQL's own,
//! what belongs to an extension, and partitions: those are how their table is stored. An index that is not valid is
//! none, until it is.

mod catalog;
mod constraints;
mod indexes;
mod tables;

use std::collections::{BTreeMap, HashMap};

use pql_schema::{Expr, NameRule, ObjectName, Schema, Trigger, View};

use self::catalog::{DETAILS, Fields, RELATIONS, USERS_SCHEMAS};
use super::blockers::{literal, qualified};
use super::link::Session;
use crate::Result;

/// A server's number for an object.
type Oid = u32;

/// What the rest of the rows refer to.
#[derive(Debug, Default)]
struct Relations {
    names: HashMap<Oid, ObjectName>,
    /// The columns' names, by relation and number.
    columns: HashMap<(Oid, i16), String>,
}

impl Relations {
    fn name(&self, oid: Oid) -> Option<&ObjectName> {
        self.names.get(&oid)
    }

    fn column(&self, relation: Oid, number: i16) -> Option<String> {
        self.columns.get(&(relation, number)).cloned()
    }

    /// The names of several columns; `None` when one is not known.
    fn columns(&self, relation: Oid, numbers: &[i16]) -> Option<Vec<String>> {
        numbers.iter().map(|number| self.column(relation, *number)).collect()
    }
}

/// Reads the schema. Runs inside a transaction with pinned settings.
pub(super) fn schema(session: &mut Session) -> Result<Schema> {
    read(session, &RELATIONS.replace("{which}", ""))
}

/// The same for these tables and views, and the tables that their foreign keys refer to.
pub(super) fn part(session: &mut Session, names: &[ObjectName]) -> Result<Schema> {
    let each: Vec<String> = names.iter().map(|name| literal(&qualified(name))).collect();
    let which = format!(
        " AND c.oid = ANY (ARRAY(WITH named AS (SELECT pg_catalog.to_regclass(name)::pg_catalog.oid AS oid \
             FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) AS name) \
         SELECT oid FROM named UNION ALL SELECT k.confrelid FROM named JOIN pg_catalog.pg_constraint k \
             ON k.conrelid = named.oid AND k.contype = 'f'))",
        each.join(", ")
    );
    read(session, &RELATIONS.replace("{which}", &which))
}

/// Reads what is in schemas of ours whose names start like this.
pub(super) fn scratch(session: &mut Session, prefix: &str) -> Result<Schema> {
    let wanted = format!("pg_catalog.starts_with(n.nspname, '{prefix}')");
    read(session, &RELATIONS.replace("{which}", "").replace(USERS_SCHEMAS, &wanted))
}

fn read(session: &mut Session, relations: &str) -> Result<Schema> {
    let mut schema = Schema::new(NameRule::Exact);
    let mut known = Relations::default();
    let mut tables = BTreeMap::new();
    for row in session.batch_rows(relations)?.into_iter().flatten() {
        relation(&mut Fields::new(&row), &mut known, &mut tables, &mut schema)?;
    }
    if known.names.is_empty() {
        return Ok(schema);
    }
    let mut these: Vec<Oid> = known.names.keys().copied().collect();
    these.sort_unstable();
    let these: Vec<String> = these.iter().map(Oid::to_string).collect();
    let these = format!("'{{{}}}'::pg_catalog.oid[]", these.join(","));
    let mut found = session.batch_rows(&DETAILS.join(";\n").replace("{these}", &these))?.into_iter();
    let mut next = || found.next().unwrap_or_default();
    for row in next() {
        tables::column(&mut Fields::new(&row), &mut known, &mut tables)?;
    }
    for row in next() {
        constraints::constraint(&mut Fields::new(&row), &known, &mut tables)?;
    }
    let mut indexes = BTreeMap::new();
    for row in next() {
        indexes::index(&mut Fields::new(&row), &known, &mut indexes)?;
    }
    for row in next() {
        indexes::part(&mut Fields::new(&row), &known, &mut indexes)?;
    }
    for row in next() {
        trigger(&mut Fields::new(&row), &known, &mut schema)?;
    }
    schema.tables.extend(tables.into_values().map(|table| (table.name.clone(), table)));
    schema.indexes.extend(indexes.into_values().map(|index| (index.name.clone(), index)));
    Ok(schema)
}

/// Whether a name is one of ours.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(pql_planner::HIDDEN_PREFIX)
}

/// A name in the model.
pub(super) fn object(schema: &str, name: String) -> ObjectName {
    ObjectName { schema: (schema != "public").then(|| schema.to_owned()), name }
}

fn relation(
    row: &mut Fields<'_>,
    relations: &mut Relations,
    tables: &mut BTreeMap<Oid, pql_schema::Table>,
    schema: &mut Schema,
) -> Result<()> {
    let (oid, kind) = (row.oid()?, row.text()?);
    let (within, own) = (row.text()?, row.text()?);
    let name = object(&within, own);
    relations.names.insert(oid, name.clone());
    match kind.as_str() {
        "v" | "m" => {
            let query = row.text()?;
            let view = View {
                name: name.clone(),
                columns: Vec::new(),
                query: Expr::statement(query.trim().trim_end_matches(';').trim_end()),
                materialized: kind == "m",
            };
            schema.views.insert(name, view);
        }
        _ => {
            row.opt_text()?;
            tables.insert(oid, tables::table(name, row)?);
        }
    }
    Ok(())
}

/// A trigger. Its name is unique for its table only, so it goes by both.
fn trigger(row: &mut Fields<'_>, relations: &Relations, schema: &mut Schema) -> Result<()> {
    let (table, name, definition) = (row.oid()?, row.text()?, row.text()?);
    let Some(table) = relations.name(table) else { return Ok(()) };
    let name = Trigger::name_within(name, table);
    let trigger =
        Trigger { name: name.clone(), table: table.clone(), definition: Expr::statement(definition) };
    schema.triggers.insert(name, trigger);
    Ok(())
}
