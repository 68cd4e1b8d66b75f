//! Keeping the user's triggers from firing for rows that we touch.

use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::catalog;
use super::statements::{ident, object};
use crate::error::codes;
use crate::{Error, Result};

/// What keeps the user's triggers from firing for our touches. Fails where there are such triggers and they cannot be
/// kept from it.
///
/// Foreign keys are watched by triggers, too: where one names a column that is written, all have to fire.
pub(super) fn of(session: &mut Session, table: &ObjectName, columns: &[String]) -> Result<String> {
    let quiet = if may_silence(session)? && !is_watched(session, table, columns)? {
        "SET LOCAL session_replication_role = replica; "
    } else {
        let trigger = session.batch_value(&format!(
            "SELECT t.tgname FROM pg_catalog.pg_trigger t \
             JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
             WHERE t.tgrelid = {} AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 16 <> 0 \
               AND n.nspname <> '_pql' LIMIT 1",
            catalog::regclass(table)
        ))?;
        if let Some(trigger) = trigger {
            return Err(unsilenced(table, &trigger));
        }
        ""
    };
    Ok(format!("{quiet}SET LOCAL synchronous_commit = off"))
}

/// Whether our role may keep triggers from firing in its own transactions.
fn may_silence(session: &mut Session) -> Result<bool> {
    let found = session.batch_value(
        "SELECT pg_catalog.current_setting('is_superuser') || pg_catalog.current_setting('server_version_num')",
    )?;
    let found = found.unwrap_or_default();
    if found.starts_with("on") {
        return Ok(true);
    }
    let version = found.trim_start_matches("off").parse().unwrap_or(0);
    let granted = "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')";
    Ok(version >= 150_000 && catalog::is_true(session, granted)?)
}

/// Whether a foreign key names one of the columns, on either side.
fn is_watched(session: &mut Session, table: &ObjectName, columns: &[String]) -> Result<bool> {
    let names: Vec<String> = columns.iter().map(|name| literal(name)).collect();
    catalog::is_true(
        session,
        &format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_attribute a \
               ON (a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) \
               OR (a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)) \
             WHERE k.contype = 'f' AND a.attrelid = {} AND a.attname::text = ANY (ARRAY[{}]::text[]))",
            catalog::regclass(table),
            names.join(", ")
        ),
    )
}

fn unsilenced(table: &ObjectName, trigger: &str) -> Error {
    Error::new(
        codes::UNSUPPORTED,
        format!("trigger {} of {} would fire for every row that is filled", ident(trigger), object(table)),
    )
    .with_help(
        "GRANT SET ON PARAMETER session_replication_role to the role that PQL connects as (a superuser needs no \
         grant), so that it can keep triggers from firing in its own transactions; where a foreign key names the \
         column that is filled, fill it by hand before",
    )
}
