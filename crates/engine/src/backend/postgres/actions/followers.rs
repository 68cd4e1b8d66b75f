//! The functions of ours that the triggers on a table call: they say its columns by name, and a column that is called
//! otherwise would make what the application writes fail. And those triggers themselves, where they say a column in
//! their condition: the server changes the type of none that a trigger says.

use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::by_place;
use super::catalog::{self, regclass};
use super::statements::{ident, object};
use crate::backend::Connection as _;
use crate::backend::Silenced;
use crate::error::codes;
use crate::{Error, Result, Value};

/// Lets them say another name.
pub(super) fn rename(session: &mut Session, table: &ObjectName, from: &str, to: &str) -> Result<()> {
    for function in functions(session, table)? {
        let renamed = ["NEW", "OLD"].into_iter().fold(function.clone(), |text, row| {
            text.replace(&format!("{row}.{}", ident(from)), &format!("{row}.{}", ident(to)))
        });
        if renamed != function {
            session.batch(&renamed)?;
        }
    }
    Ok(())
}

/// As statements that make them anew.
fn functions(session: &mut Session, table: &ObjectName) -> Result<Vec<String>> {
    let found = session.query(
        &format!(
            "SELECT DISTINCT pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_trigger g \
             JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = '{}' \
             WHERE g.tgrelid = {}",
            pql_planner::HIDDEN_SCHEMA,
            regclass(table)
        ),
        &[],
    )?;
    Ok(catalog::texts(found.rows))
}

/// Triggers of ours that say a column whose type changes: taken down in the transaction that changes it, and put up
/// again as they were.
pub(super) struct Down(Vec<String>);

/// Takes them down.
pub(super) fn take_down(session: &mut Session, table: &ObjectName, columns: &[&str]) -> Result<Down> {
    let names: Vec<String> = columns.iter().map(|name| literal(name)).collect();
    let found = session.query(
        &format!(
            "SELECT pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::pg_catalog.regclass), \
                 pg_catalog.pg_get_triggerdef(g.oid) || pg_catalog.format('; ALTER TABLE %s %s TRIGGER %I', \
                     g.tgrelid::pg_catalog.regclass, CASE g.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' \
                     WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, g.tgname) \
             FROM pg_catalog.pg_trigger g \
             JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = '{}' \
             WHERE g.tgrelid = {} AND NOT g.tgisinternal AND EXISTS ( \
                 SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a \
                   ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
                 WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objid = g.oid \
                   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = g.tgrelid \
                   AND a.attname::text = ANY (ARRAY[{}]::text[]))",
            pql_planner::HIDDEN_SCHEMA,
            regclass(table),
            names.join(", ")
        ),
        &[],
    )?;
    let (mut drop, mut create) = (Vec::new(), Vec::new());
    for row in found.rows {
        if let [Value::Text(down), Value::Text(up)] = row.as_slice() {
            drop.push(down.clone());
            create.push(up.clone());
        }
    }
    if !drop.is_empty() {
        session.batch(&drop.join("; "))?;
    }
    // A session that has called one of them goes by the type that the column had then, until it is made anew.
    create.extend(functions(session, table)?);
    Ok(Down(create))
}

impl Down {
    /// Puts them up again.
    pub(super) fn put_up(&self, session: &mut Session) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { session.batch(&self.0.join("; ")) }
    }
}

/// Whether all that a function of ours is called for is: `DISABLE TRIGGER ALL`, and `ENABLE` after it, leave its triggers
/// in another state than the one that they were made in.
pub(super) fn is_always_called(session: &mut Session, function: &str, triggers: usize) -> Result<bool> {
    catalog::is_true(
        session,
        &format!(
            "SELECT pg_catalog.count(*) = {triggers} FROM pg_catalog.pg_trigger g \
             WHERE g.tgfoid = pg_catalog.to_regproc({})::pg_catalog.oid AND g.tgenabled = 'A'",
            literal(function)
        ),
    )
}

/// The error of a table whose writes were not all followed, so that what is to take its place may lack some.
pub(super) fn unfollowed(table: &ObjectName) -> Error {
    Error::new(
        codes::VERIFY,
        format!(
            "triggers on {} were disabled for a while, and what was written then may be missing in what is to take its place",
            object(table)
        ),
    )
    .with_help("apply the migration again while no triggers are disabled")
}

/// Sees to it that it is, for each row or for whole tables.
pub(super) fn call_always(session: &mut Session, function: &str, each: bool) -> Result<()> {
    let found = session.query(
        &format!(
            "SELECT pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', g.tgrelid::pg_catalog.regclass, g.tgname) \
             FROM pg_catalog.pg_trigger g \
             WHERE g.tgfoid = pg_catalog.to_regproc({})::pg_catalog.oid AND (g.tgtype & 1 = 1) = {each}",
            literal(function)
        ),
        &[],
    )?;
    session.batch(&catalog::texts(found.rows).join("; "))
}

/// The triggers of ours that are not called when they are to be, each with its table, and with what it is to be and what
/// it is: those that guard a place are there for the application alone, all others for rows that are replicated in, too.
pub(in super::super) fn silenced(session: &mut Session) -> Result<Vec<Silenced>> {
    const STATE: &str = "WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' \
         ELSE 'ENABLE' END";
    let found = session.query(
        &format!(
            "SELECT pg_catalog.format('%I of %s', g.tgname, g.tgrelid::pg_catalog.regclass), CASE w.meant {STATE}, \
                 CASE g.tgenabled {STATE} \
             FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = '{}' \
             CROSS JOIN LATERAL (VALUES (CASE WHEN g.tgname LIKE '{}%' THEN 'O' ELSE 'A' END)) w(meant) \
             WHERE NOT g.tgisinternal AND g.tgenabled::pg_catalog.text <> w.meant AND g.tgtype & 3 <> 2 ORDER BY 1",
            pql_planner::HIDDEN_SCHEMA,
            by_place::GUARD.replace('_', "\\_")
        ),
        &[],
    )?;
    let silenced = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(trigger), Value::Text(meant), Value::Text(state)] => {
            Some(Silenced { trigger: trigger.clone(), meant: meant.clone(), state: state.clone() })
        }
        _ => None,
    };
    Ok(found.rows.into_iter().filter_map(silenced).collect())
}
