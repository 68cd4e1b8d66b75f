//! What is kept out of sight in a table of the user's: found by its own name, which no other has, since the table may be
//! called otherwise by now, or be elsewhere.

use pql_planner::Action;
use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::catalog::regclass;
use super::statements::{ident, object};
use super::{by_place, views};
use crate::Result;

/// The table that has the column; none when it is gone.
pub(super) fn table_of(session: &mut Session, column: &str) -> Result<Option<ObjectName>> {
    named(
        session,
        &format!(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f') \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE a.attname = {} AND a.attinhcount = 0 AND NOT a.attisdropped",
            literal(column)
        ),
    )
}

/// The index, wherever its table is; none when it is gone.
pub(super) fn index(session: &mut Session, name: &str) -> Result<Option<ObjectName>> {
    named(
        session,
        &format!(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = {} AND c.relkind IN ('i', 'I')",
            literal(name)
        ),
    )
}

fn named(session: &mut Session, sql: &str) -> Result<Option<ObjectName>> {
    let found = session.batch_rows(sql)?.into_iter().flatten().next();
    Ok(found.and_then(|row| {
        Some(ObjectName { schema: row.get(0).map(str::to_owned), name: row.get(1)?.to_owned() })
    }))
}

/// Removes the column, unless it is gone. What keeps an older one true by it ends: there is no way back to that any
/// more, since there is none to this.
pub(super) fn drop_column(session: &mut Session, column: &str) -> Result<()> {
    let Some(table) = table_of(session, column)? else { return by_place::forget(session, column) };
    views::none_over(session, &table, column)?;
    let mut all = Vec::new();
    let readers = format!(
        "SELECT DISTINCT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_trigger g \
         JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = '{}' \
         WHERE g.tgrelid = {} AND (p.proname = {name} OR pg_catalog.strpos(p.prosrc, {}) > 0 OR EXISTS ( \
             SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a \
               ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attname = {name} \
             WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objid = g.oid \
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = g.tgrelid))",
        pql_planner::HIDDEN_SCHEMA,
        regclass(&table),
        literal(&ident(column)),
        name = literal(column)
    );
    for row in session.batch_rows(&readers)?.into_iter().flatten() {
        all.extend(row.get(0).map(|function| format!("DROP FUNCTION {function} CASCADE")));
    }
    all.push(format!("ALTER TABLE {} DROP COLUMN {}", object(&table), ident(column)));
    session.batch(&all.join("; "))
}

/// What an action of a rollback would have removed beside a table that is gone.
pub(in super::super) fn forget(session: &mut Session, action: &Action) -> Result<()> {
    match action {
        Action::UnhideColumn { hidden, .. } => by_place::forget(session, hidden),
        _ => Ok(()),
    }
}
