//! What the old column is, and is to be still when the new one takes its place: a default, a NOT NULL, an index that others
//! gave it meanwhile would go out of sight with it.

use pql_planner::ColumnSwap;

use super::super::super::blockers::literal;
use super::super::super::link::Session;
use super::super::super::transaction::printed;
use super::super::catalog::regclass;
use super::functions;
use crate::error::codes;
use crate::{Error, Result};

/// Writes it down.
pub(super) fn remember(session: &mut Session, swap: &ColumnSwap) -> Result<()> {
    let now = now(session, swap)?;
    let function = functions::forward_name(swap);
    session.batch(&format!("COMMENT ON FUNCTION {function}() IS {}", literal(&now)))
}

/// Fails when it is something else by now. A column that is replaced at once has had no time for that.
pub(super) fn unchanged(session: &mut Session, swap: &ColumnSwap) -> Result<()> {
    let function = literal(&format!("{}()", functions::forward_name(swap)));
    let then = session.batch_value(&format!(
        "SELECT pg_catalog.obj_description(pg_catalog.to_regprocedure({function}), 'pg_proc')"
    ))?;
    let Some(then) = then else { return Ok(()) };
    let now = now(session, swap)?;
    if now == then {
        return Ok(());
    }
    let (table, column) = (&swap.before.name, &swap.old.name);
    Err(Error::new(
        codes::DRIFTED,
        format!(
            "column {table}.{column} was changed by others since another one is to take its place: it was {then} \
             and is {now}"
        ),
    )
    .with_help(
        "undo that by hand and go on; a migration that is cancelled and applied again is planned for the column as it is",
    ))
}

/// Its definition in words, with all that hangs on it and would not go along. Views do.
fn now(session: &mut Session, swap: &ColumnSwap) -> Result<String> {
    let sql = format!(
        "SELECT pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod), \
             CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::pg_catalog.regcollation::pg_catalog.text END, \
             CASE WHEN a.attnotnull THEN 'NOT NULL' END, \
             CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::pg_catalog.text END, \
             'DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), \
             (SELECT 'with ' || pg_catalog.string_agg(DISTINCT \
                      pg_catalog.pg_describe_object(o.classid, o.objid, o.objsubid), ', ') \
              FROM pg_catalog.pg_depend o \
              WHERE o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refobjid = a.attrelid \
                AND o.refobjsubid = a.attnum \
                AND o.classid NOT IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass, \
                    'pg_catalog.pg_attrdef'::pg_catalog.regclass) \
                AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g \
                    WHERE o.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND g.oid = o.objid \
                      AND g.tgname LIKE '~pql\\_%'))) \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = {} AND a.attname = {}",
        regclass(&swap.before.name),
        literal(&swap.old.name)
    );
    let found = printed(session, |session| session.batch_value(&sql))?;
    Ok(found.unwrap_or_else(|| "gone".to_owned()))
}
