//! The new table: made like the old one, with a column of another type, and then given its keys, indexes and checks as
//! the server itself says them.

use pql_planner::text::{POSTGRES, postgres_literal, postgres_type_name};
use pql_planner::{Change, Check, Rebuild};
use pql_schema::{Column, Index, KeyPart, ObjectName};

use super::super::super::blockers::literal;
use super::super::super::link::Session;
use super::super::super::transaction::printed;
use super::super::super::{holds, introspect};
use super::super::catalog::{self, regclass};
use super::super::examine;
use super::super::rows::Key;
use super::super::statements::{self, alter_column, ident, object};
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result, Value};

/// The statements that make the new table, but for what only the server knows of the old one.
pub(super) fn create(rebuild: &Rebuild) -> Vec<String> {
    let shadow = &rebuild.shadow;
    let name = object(shadow);
    let mut all = vec![
        format!("CREATE SCHEMA IF NOT EXISTS {}", schema_of(shadow)),
        format!(
            "CREATE TABLE {name} (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE \
             INCLUDING COMPRESSION)",
            object(&rebuild.before.name)
        ),
    ];
    for (old, new) in changed(rebuild) {
        let collate =
            new.collation.as_ref().map(|name| format!(" COLLATE {}", ident(name))).unwrap_or_default();
        let kind = postgres_type_name(&new.data_type);
        all.push(alter_column(shadow, &old.name, "DROP DEFAULT"));
        all.push(alter_column(shadow, &old.name, &format!("TYPE {kind}{collate} USING NULL::{kind}")));
        if let Some(default) = &new.default {
            let default = POSTGRES.default_value(&postgres_literal(default));
            all.push(alter_column(shadow, &old.name, &format!("SET DEFAULT {default}")));
        }
    }
    all
}

/// The columns that become other ones.
fn changed(rebuild: &Rebuild) -> impl Iterator<Item = (&Column, &Column)> {
    rebuild.before.columns.iter().zip(&rebuild.after.columns).filter(|(old, new)| old != new)
}

/// How the old table is stored, for the new one. That is left alone by whoever cleans up until it is in use: it would
/// be in the way of its indexes. A little room in each page lets the rows that change meanwhile stay where they are.
pub(super) fn storage(session: &mut Session, rebuild: &Rebuild) -> Result<Vec<String>> {
    let found = session.query(
        &format!(
            "SELECT s.sql FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid \
             LEFT JOIN pg_catalog.pg_tablespace p ON p.oid = c.reltablespace \
             CROSS JOIN LATERAL (VALUES \
                 ('SET TABLESPACE ' || pg_catalog.quote_ident(p.spcname)), \
                 ('SET (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')'), \
                 ('SET (toast.' || pg_catalog.array_to_string(t.reloptions, ', toast.') || ')'), \
                 ('SET (autovacuum_enabled = false' || CASE \
                     WHEN pg_catalog.array_to_string(c.reloptions, ',') ~ 'fillfactor' THEN ')' \
                     ELSE ', fillfactor = 90)' END)) s(sql) \
             WHERE c.oid = {} AND s.sql IS NOT NULL",
            regclass(&rebuild.before.name)
        ),
        &[],
    )?;
    let alter = |words: String| format!("ALTER TABLE {} {words}", object(&rebuild.shadow));
    Ok(catalog::texts(found.rows).into_iter().map(alter).collect())
}

/// Writes down what the table is, and is to be still when the other one takes its place.
pub(super) fn remember(session: &mut Session, rebuild: &Rebuild, other: &ObjectName) -> Result<()> {
    examine(session, rebuild)?;
    let now = fingerprint(session, rebuild)?;
    session.batch(&format!("COMMENT ON SCHEMA {} IS {}", schema_of(other), literal(&now)))
}

/// Fails when the table is no longer what it was then, or something hangs on it that would be lost.
pub(super) fn unchanged(session: &mut Session, rebuild: &Rebuild, other: &ObjectName) -> Result<()> {
    examine(session, rebuild)?;
    let then = session.batch_value(&format!(
        "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = {}",
        literal(other.schema.as_deref().unwrap_or_default())
    ))?;
    if then == Some(fingerprint(session, rebuild)?) {
        return Ok(());
    }
    Err(moved(rebuild, "its definition was changed"))
}

fn fingerprint(session: &mut Session, rebuild: &Rebuild) -> Result<String> {
    let names = std::slice::from_ref(&rebuild.before.name);
    Ok(printed(session, |session| introspect::part(session, names))?.fingerprint_of(names).0)
}

/// Fails when something hangs on the table that another one could not have. What hangs on it because of us is known.
pub(super) fn examine(session: &mut Session, rebuild: &Rebuild) -> Result<()> {
    let own = format!("{}{}", pql_planner::HIDDEN_PREFIX, tag(&rebuild.forward.log));
    let all = holds::of_one(session, &rebuild.before.name)?;
    let other = all.iter().find(|held| !held.hold.is_carried() && !held.name.starts_with(&own));
    other
        .map_or(Ok(()), |held| Err(moved(rebuild, &format!("there is {} {}", held.hold.as_str(), held.name))))
}

/// What the names of a plan have in common.
fn tag(log: &ObjectName) -> &str {
    let rest = log.name.strip_prefix(pql_planner::HIDDEN_PREFIX).unwrap_or(&log.name);
    rest.split('_').next().unwrap_or(rest)
}

fn moved(rebuild: &Rebuild, what: &str) -> Error {
    Error::new(
        codes::DRIFTED,
        format!(
            "table {} was changed by others since another one is to take its place: {what}",
            object(&rebuild.before.name)
        ),
    )
    .with_help(
        "undo that by hand and go on; a migration that is cancelled and applied again is planned for the table as it is",
    )
}

/// A key, index or check of the old table, for the new one.
pub(super) struct Part {
    name: String,
    is_index: bool,
    /// Rows can be in each other's way in it.
    pub(super) is_unique: bool,
    /// The columns it is over, when it is over nothing else.
    columns: Option<String>,
    pub(super) sql: String,
}

impl Part {
    /// Whether rows are found by this key in it.
    pub(super) fn finds(&self, key: &Key) -> bool {
        self.is_unique && self.columns.as_deref() == Some(&key.list(""))
    }

    /// Whether the new table has it.
    pub(super) fn is_there(&self, session: &mut Session, rebuild: &Rebuild) -> Result<bool> {
        if self.is_index {
            catalog::has_relation(session, &rebuild.shadow.sibling(self.name.clone()))
        } else {
            catalog::has_constraint(session, &rebuild.shadow, &self.name, false)
        }
    }
}

/// All of them, in the server's own words.
pub(super) fn parts(session: &mut Session, rebuild: &Rebuild) -> Result<Vec<Part>> {
    let (table, shadow) = (regclass(&rebuild.before.name), literal(&object(&rebuild.shadow)));
    // What `pg_get_indexdef` says before the method is the same for every index.
    let found = session.query(
        &format!(
            "SELECT k.conname::text, false, k.contype <> 'c', {columns_of_constraint}, \
                 pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', {shadow}, k.conname, \
                     pg_catalog.pg_get_constraintdef(k.oid)) \
             FROM pg_catalog.pg_constraint k WHERE k.conrelid = {table} AND k.contype IN ('p', 'u', 'c') \
             UNION ALL \
             SELECT x.relname::text, true, i.indisunique, \
                 CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL THEN {columns_of_index} END, \
                 pg_catalog.format('CREATE %sINDEX %I ON %s%s', CASE WHEN i.indisunique THEN 'UNIQUE ' END, x.relname, \
                     {shadow}, pg_catalog.substr(pg_catalog.pg_get_indexdef(x.oid), 1 + pg_catalog.length( \
                         pg_catalog.format('CREATE %sINDEX %I ON %I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' END, \
                             x.relname, n.nspname, c.relname)))) \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
             JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE i.indrelid = {table} AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k \
                 WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')) \
             ORDER BY 2, 1",
            columns_of_constraint = names_of("k.conkey", "k.conrelid"),
            columns_of_index = names_of("(i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]", "i.indrelid"),
        ),
        &[],
    )?;
    let part = |row: Vec<Value>| match row.as_slice() {
        [
            Value::Text(name),
            Value::Boolean(is_index),
            Value::Boolean(is_unique),
            columns,
            Value::Text(sql),
        ] => Some(Part {
            name: name.clone(),
            is_index: *is_index,
            is_unique: *is_unique,
            columns: catalog::text(columns.clone()),
            sql: sql.clone(),
        }),
        _ => None,
    };
    Ok(found.rows.into_iter().filter_map(part).collect())
}

/// The same from the plan, for showing.
pub(super) fn planned(rebuild: &Rebuild) -> Vec<String> {
    let shadow = &rebuild.shadow;
    let all = rebuild.after.constraints.iter();
    let mut shown: Vec<String> = all
        .map(|constraint| {
            statements::change(shadow, &Change::AddConstraint { constraint: constraint.clone() })
        })
        .collect();
    let moved = |index: &Index| Index { table: shadow.clone(), ..index.clone() };
    shown.extend(rebuild.indexes.iter().map(|index| POSTGRES.create_index(&moved(index))));
    shown.push(format!("ANALYZE {}", object(shadow)));
    shown
}

/// The error of a key, index or check that the rows do not fulfil: with those rows, where they can be found.
pub(super) fn explained(session: &mut Session, rebuild: &Rebuild, error: Error) -> Error {
    let shadow = &rebuild.shadow;
    let changes: Vec<Change> = rebuild
        .after
        .constraints
        .iter()
        .map(|constraint| Change::AddConstraint { constraint: constraint.clone() })
        .collect();
    let error = examine::after_roll_back(session, shadow, &changes, error);
    let unique = rebuild.indexes.iter().filter(|index| index.unique && index.predicate.is_none());
    unique.fold(error, |error, index| {
        let columns: Option<Vec<KeyPart>> =
            index.parts.iter().map(|part| part.column.as_ref().map(KeyPart::new)).collect();
        let Some(columns) = columns else { return error };
        let check = Check::Distinct { name: index.name.name.clone(), columns };
        examine::explained(session, shadow, &check, error)
    })
}

/// The names of columns by their numbers, each in quotes, as our own lists of them are.
fn names_of(numbers: &str, relation: &str) -> String {
    format!(
        "(SELECT pg_catalog.string_agg('\"' || pg_catalog.replace(a.attname, '\"', '\"\"') || '\"', ', ' ORDER BY p.at) \
          FROM pg_catalog.unnest({numbers}) WITH ORDINALITY AS p(number, at) \
          JOIN pg_catalog.pg_attribute a ON a.attrelid = {relation} AND a.attnum = p.number)"
    )
}

fn schema_of(name: &ObjectName) -> String {
    ident(name.schema.as_deref().unwrap_or_default())
}
