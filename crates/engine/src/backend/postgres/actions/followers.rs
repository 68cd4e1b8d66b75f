//! The functions of ours that the triggers on a table call: they say its columns by name, and a column that is called
//! otherwise would make what the application writes fail.

use pql_schema::ObjectName;

use super::super::link::Session;
use super::catalog::{self, regclass};
use super::statements::ident;
use crate::Result;
use crate::backend::Connection as _;

/// Lets them say another name.
pub(super) fn rename(session: &mut Session, table: &ObjectName, from: &str, to: &str) -> Result<()> {
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
    for function in catalog::texts(found.rows) {
        let renamed = ["NEW", "OLD"].into_iter().fold(function.clone(), |text, row| {
            text.replace(&format!("{row}.{}", ident(from)), &format!("{row}.{}", ident(to)))
        });
        if renamed != function {
            session.batch(&renamed)?;
        }
    }
    Ok(())
}
