//! What hangs on a table and its columns and is not in the model, from one table to another that is to be called like
//! it: owner, grants, comments, storage, statistics targets, and the sequences that count for its columns.

use pql_schema::{ObjectName, Table};

use super::super::super::blockers::literal;
use super::super::super::link::Session;
use super::super::catalog::{self, regclass};
use super::super::statements::{alter_column, object};
use super::super::swap::carried;
use crate::backend::Connection as _;
use crate::{Result, Value};

/// The statements that give a table, by whatever name it has then, what another one has and it has not.
pub(super) fn between(
    session: &mut Session,
    from: &ObjectName,
    to: &ObjectName,
    called: &ObjectName,
) -> Result<Vec<String>> {
    let name = literal(&object(called));
    let found = session.query(
        &format!(
            "WITH a AS (SELECT * FROM pg_catalog.pg_class WHERE oid = {}), \
                  b AS (SELECT * FROM pg_catalog.pg_class WHERE oid = {}), \
                  columns AS (SELECT x.attname, x.attnum AS anum, y.attnum AS bnum, x.attacl AS aacl, y.attacl AS bacl, \
                          x.attstattarget AS atarget, y.attstattarget AS btarget, x.attstorage AS astorage, \
                          y.attstorage AS bstorage, x.attcompression AS acompression, y.attcompression AS bcompression, \
                          x.attoptions AS aoptions, y.attoptions AS boptions, t.typstorage, u.typstorage AS own \
                      FROM a CROSS JOIN b JOIN pg_catalog.pg_attribute x ON x.attrelid = a.oid AND x.attnum > 0 \
                          AND NOT x.attisdropped \
                      JOIN pg_catalog.pg_attribute y ON y.attrelid = b.oid AND y.attname = x.attname \
                      JOIN pg_catalog.pg_type t ON t.oid = y.atttypid \
                      JOIN pg_catalog.pg_type u ON u.oid = x.atttypid) \
             SELECT sql FROM ( \
             SELECT 1, pg_catalog.format('ALTER TABLE %s OWNER TO %I', {name}, pg_catalog.pg_get_userbyid(a.relowner)) \
                 FROM a CROSS JOIN b WHERE a.relowner <> b.relowner \
             UNION ALL SELECT 2, pg_catalog.format('ALTER TABLE %s RESET (%s)', {name}, o.option_name) \
                 FROM a CROSS JOIN b CROSS JOIN LATERAL pg_catalog.pg_options_to_table(b.reloptions) o \
                 WHERE a.reloptions IS DISTINCT FROM b.reloptions \
             UNION ALL SELECT 3, pg_catalog.format('ALTER TABLE %s SET (%s)', {name}, \
                     pg_catalog.array_to_string(a.reloptions, ', ')) \
                 FROM a CROSS JOIN b WHERE a.reloptions IS DISTINCT FROM b.reloptions AND a.reloptions IS NOT NULL \
             UNION ALL SELECT 4, pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY %s', {name}, \
                     CASE a.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END) \
                 FROM a CROSS JOIN b WHERE a.relreplident <> b.relreplident AND a.relreplident <> 'i' \
             UNION ALL SELECT 5, pg_catalog.format('COMMENT ON TABLE %s IS %L', {name}, \
                     pg_catalog.obj_description(a.oid, 'pg_class')) \
                 FROM a CROSS JOIN b WHERE pg_catalog.obj_description(a.oid, 'pg_class') \
                     IS DISTINCT FROM pg_catalog.obj_description(b.oid, 'pg_class') \
             UNION ALL SELECT 6, pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', {name}, c.attname, \
                     pg_catalog.col_description(a.oid, c.anum)) \
                 FROM a CROSS JOIN b CROSS JOIN columns c WHERE pg_catalog.col_description(a.oid, c.anum) \
                     IS DISTINCT FROM pg_catalog.col_description(b.oid, c.bnum) \
             UNION ALL SELECT 7, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I %s', {name}, c.attname, s.words) \
                 FROM columns c CROSS JOIN LATERAL (VALUES \
                     (CASE WHEN c.atarget IS DISTINCT FROM c.btarget \
                         THEN 'SET STATISTICS ' || coalesce(c.atarget, -1) END), \
                     (CASE WHEN c.astorage NOT IN (c.bstorage, c.own) AND c.typstorage <> 'p' THEN 'SET STORAGE ' || \
                         CASE c.astorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' \
                         ELSE 'EXTENDED' END END), \
                     (CASE WHEN c.acompression <> c.bcompression AND c.typstorage <> 'p' THEN 'SET COMPRESSION ' || \
                         CASE c.acompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END END), \
                     (CASE WHEN c.aoptions IS DISTINCT FROM c.boptions AND c.aoptions IS NOT NULL \
                         THEN 'SET (' || pg_catalog.array_to_string(c.aoptions, ', ') || ')' END)) s(words) \
                 WHERE s.words IS NOT NULL \
             UNION ALL SELECT 8, pg_catalog.format('REVOKE ALL (%I) ON %s FROM %s', c.attname, {name}, {grantee}) \
                 FROM columns c CROSS JOIN LATERAL pg_catalog.aclexplode(c.bacl) g \
                 WHERE c.aacl IS DISTINCT FROM c.bacl \
             UNION ALL SELECT 9, pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, c.attname, {name}, \
                     {grantee}, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END) \
                 FROM columns c CROSS JOIN LATERAL pg_catalog.aclexplode(c.aacl) g \
                 WHERE c.aacl IS DISTINCT FROM c.bacl \
             UNION ALL SELECT 10, pg_catalog.format('REVOKE ALL ON %s FROM %s', {name}, {grantee}) \
                 FROM a CROSS JOIN b CROSS JOIN LATERAL pg_catalog.aclexplode(b.relacl) g \
                 WHERE a.relacl::text IS DISTINCT FROM b.relacl::text \
             UNION ALL SELECT 11, pg_catalog.format('%s ON %s %s %I', CASE WHEN a.relacl IS NULL THEN 'GRANT ALL' \
                     ELSE 'REVOKE ALL' END, {name}, CASE WHEN a.relacl IS NULL THEN 'TO' ELSE 'FROM' END, \
                     pg_catalog.pg_get_userbyid(a.relowner)) \
                 FROM a CROSS JOIN b WHERE a.relacl::text IS DISTINCT FROM b.relacl::text \
             UNION ALL SELECT 12, pg_catalog.format('GRANT %s ON %s TO %s%s', g.privilege_type, {name}, {grantee}, \
                     CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END) \
                 FROM a CROSS JOIN b CROSS JOIN LATERAL pg_catalog.aclexplode(a.relacl) g \
                 WHERE a.relacl::text IS DISTINCT FROM b.relacl::text) s(at, sql) ORDER BY at, sql",
            regclass(from),
            regclass(to),
            grantee = GRANTEE
        ),
        &[],
    )?;
    Ok(catalog::texts(found.rows))
}

/// To whom a right was given.
const GRANTEE: &str = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' \
     ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END";

/// The sequences that count for columns of a table, as statements before another table is called like it and after:
/// those that belong to it would move away with it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

/// Reads them.
pub(super) fn counters(session: &mut Session, table: &Table) -> Result<Counters> {
    let mut counters = Counters::default();
    let found = session.query(
        &format!(
            "SELECT pg_catalog.format('ALTER SEQUENCE %I.%I OWNED BY ', n.nspname, c.relname), \
                 pg_catalog.format('%s.%I', {}, a.attname) \
             FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'a' AND d.refobjid = {}",
            literal(&object(&table.name)),
            regclass(&table.name)
        ),
        &[],
    )?;
    for row in found.rows {
        if let [Value::Text(alter), Value::Text(column)] = row.as_slice() {
            counters.before.push(format!("{alter}NONE"));
            counters.after.push(format!("{alter}{column}"));
        }
    }
    for column in table.columns.iter().filter(|column| column.identity.is_some()) {
        let Some(identity) = carried::counting(session, &table.name, &column.name)? else { continue };
        counters.before.push(alter_column(&table.name, &column.name, "DROP IDENTITY"));
        counters.after.extend(identity.again(&table.name, &column.name));
    }
    Ok(counters)
}
