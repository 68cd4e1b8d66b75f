//! What hangs on tables and is not part of the schema model: read for the tables of a plan, in one round trip
//! whatever their number, so that a plan carries it over or is refused with its name.

use std::collections::BTreeMap;

use pql_planner::{Capabilities, Flavour, Held, Hold};
use pql_schema::ObjectName;

use super::blockers::{literal, qualified};
use super::link::Session;
use crate::Result;

/// By table.
pub(super) fn of(
    session: &mut Session,
    tables: &[ObjectName],
    capabilities: &Capabilities,
) -> Result<BTreeMap<String, Vec<Held>>> {
    read(session, tables, capabilities.flavour == Flavour::Citus)
}

/// Of one table, which is on this server.
pub(super) fn of_one(session: &mut Session, table: &ObjectName) -> Result<Vec<Held>> {
    let mut all = read(session, std::slice::from_ref(table), false)?;
    Ok(all.remove(&table.to_string()).unwrap_or_default())
}

fn read(
    session: &mut Session,
    tables: &[ObjectName],
    distributed: bool,
) -> Result<BTreeMap<String, Vec<Held>>> {
    let mut holds: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    if tables.is_empty() {
        return Ok(holds);
    }
    let names: Vec<String> = tables.iter().map(|table| literal(&qualified(table))).collect();
    let mut queries = vec![QUERIES.join(" UNION ALL "), BOUND.join(" UNION ALL ")];
    if distributed {
        queries.push(CITUS.to_owned());
    }
    // The joins are written in the order in which they are to be made; to look for a better one takes longer than they do.
    let sql = format!(
        "SET LOCAL join_collapse_limit = 1; SET LOCAL from_collapse_limit = 1; \
         WITH t(at, oid) AS MATERIALIZED ( \
             SELECT n.at, pg_catalog.to_regclass(n.name)::pg_catalog.oid \
             FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) WITH ORDINALITY AS n(name, at) \
             WHERE pg_catalog.to_regclass(n.name) IS NOT NULL) \
         SELECT at, kind, name, columns, definition FROM ({}) AS held(at, kind, name, columns, definition) \
         ORDER BY at, kind, name, columns",
        names.join(", "),
        queries.join(" UNION ALL ")
    );
    for row in session.batch_rows(&sql)?.into_iter().flatten() {
        let at: Option<usize> = row.get(0).and_then(|at| at.parse().ok());
        let Some(table) = at.and_then(|at: usize| tables.get(at - 1)) else { continue };
        let Some(hold) = row.get(1).and_then(kind) else { continue };
        holds.entry(table.to_string()).or_default().push(Held {
            hold,
            name: row.get(2).unwrap_or_default().to_owned(),
            columns: row.get(3).map(columns).unwrap_or_default(),
            definition: row.get(4).map(str::to_owned),
        });
    }
    Ok(holds)
}

/// Names that the server has put one under the other.
fn columns(text: &str) -> Vec<String> {
    text.split('\n').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn kind(word: &str) -> Option<Hold> {
    Some(match word {
        "view" => Hold::View,
        "rule" => Hold::Rule,
        "function" => Hold::Function,
        "policy" => Hold::Policy,
        "row security" => Hold::RowSecurity,
        "partitioned" => Hold::Partitioned,
        "partition" => Hold::Partition,
        "parent" => Hold::Parent,
        "child" => Hold::Child,
        "publication" => Hold::Publication,
        "statistics" => Hold::ExtendedStatistics,
        "target" => Hold::StatisticsTarget,
        "storage" => Hold::Storage,
        "grant" => Hold::Grant,
        "comment" => Hold::Comment,
        "constraint comment" => Hold::ConstraintComment,
        "index comment" => Hold::IndexComment,
        "clustered" => Hold::Clustered,
        "identity index" => Hold::IdentityIndex,
        "identity" => Hold::ReplicaIdentity,
        "sequence" => Hold::Sequence,
        "foreign key" => Hold::ForeignKey,
        "trigger" => Hold::Trigger,
        "trigger function" => Hold::TriggerFunction,
        "domain" => Hold::Domain,
        "owner" => Hold::Owner,
        "distributed" => Hold::Distributed,
        "extension" => Hold::Extension,
        "foreign" => Hold::Foreign,
        "other" => Hold::Other,
        "bound" => Hold::Bound,
        _ => return None,
    })
}

/// The names of the columns whose numbers are in an array, one under the other.
macro_rules! names_of {
    ($relation:literal, $numbers:literal) => {
        concat!(
            "(SELECT pg_catalog.string_agg(a.attname, E'\\n' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a \
              WHERE a.attrelid = ",
            $relation,
            " AND a.attnum > 0 AND a.attnum = ANY (",
            $numbers,
            "))"
        )
    };
}

const CITUS: &str = "SELECT t.at, 'distributed', coalesce(pg_catalog.column_to_column_name(p.logicalrelid, p.partkey), \
         'reference table'), NULL, p.partmethod::text \
     FROM t JOIN pg_catalog.pg_dist_partition p ON p.logicalrelid = t.oid";

/// What hangs on the indexes and constraints of a table, by the name of the one it hangs on: the statement that hangs it
/// there.
pub(super) fn attached(session: &mut Session, table: &ObjectName) -> Result<Vec<(String, String)>> {
    let sql = format!(
        "WITH c AS (SELECT c.oid, c.relreplident, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, n.nspname \
                    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                    WHERE c.oid = pg_catalog.to_regclass({})) \
         SELECT k.conname, pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, c.name, d.description) \
         FROM c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid \
         JOIN pg_catalog.pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid \
         UNION ALL \
         SELECT x.relname, s.sql \
         FROM c JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
         LEFT JOIN pg_catalog.pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = x.oid \
         CROSS JOIN LATERAL (VALUES \
             (CASE WHEN d.description IS NOT NULL \
                   THEN pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', c.nspname, x.relname, d.description) END), \
             (CASE WHEN i.indisclustered THEN pg_catalog.format('ALTER TABLE %s CLUSTER ON %I', c.name, x.relname) END), \
             (CASE WHEN i.indisreplident AND c.relreplident = 'i' \
                   THEN pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', c.name, x.relname) \
              END)) s(sql) \
         WHERE s.sql IS NOT NULL",
        literal(&qualified(table))
    );
    let rows = session.batch_rows(&sql)?.into_iter().flatten();
    Ok(rows.filter_map(|row| Some((row.get(0)?.to_owned(), row.get(1)?.to_owned()))).collect())
}

const QUERIES: [&str; 26] = [
    "SELECT t.at, 'constraint comment', k.conname::text, NULL, d.description \
     FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid \
     JOIN pg_catalog.pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid",
    "SELECT t.at, 'index comment', x.relname::text, NULL, d.description \
     FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
     JOIN pg_catalog.pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = x.oid",
    // Views read a table's columns, through their rule.
    "SELECT t.at, 'view', v.oid::regclass::text, \
            pg_catalog.string_agg(DISTINCT a.attname, E'\\n'), pg_catalog.pg_get_viewdef(v.oid) \
     FROM t JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid \
          AND d.classid = 'pg_rewrite'::regclass \
     JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN' \
     JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.oid <> t.oid \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0 \
     GROUP BY t.at, v.oid",
    "SELECT t.at, 'rule', r.rulename, NULL, pg_catalog.pg_get_ruledef(r.oid) \
     FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid AND r.rulename <> '_RETURN'",
    // A rule of another table that writes into this one.
    "SELECT DISTINCT t.at, 'rule', r.rulename || ' on ' || r.ev_class::regclass::text, NULL, \
            pg_catalog.pg_get_ruledef(r.oid) \
     FROM t JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid \
          AND d.classid = 'pg_rewrite'::regclass \
     JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.rulename <> '_RETURN' AND r.ev_class <> t.oid",
    // Functions with a body that is parsed, and those with the row type in their signature.
    "SELECT t.at, 'function', d.objid::regprocedure::text, pg_catalog.string_agg(DISTINCT a.attname, E'\\n'), NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid \
     JOIN pg_catalog.pg_depend d ON d.classid = 'pg_proc'::regclass AND d.deptype IN ('n', 'a') \
          AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid \
               OR d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype) \
     LEFT JOIN pg_catalog.pg_attribute a ON d.refclassid = 'pg_class'::regclass AND a.attrelid = t.oid \
          AND a.attnum = d.refobjsubid AND d.refobjsubid > 0 \
     GROUP BY t.at, d.objid",
    concat!(
        "SELECT t.at, 'policy', p.polname, ",
        "(SELECT pg_catalog.string_agg(DISTINCT a.attname, E'\\n') FROM pg_catalog.pg_depend d \
          JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid \
          WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = t.oid AND d.refobjsubid > 0)",
        ", pg_catalog.pg_get_expr(p.polqual, p.polrelid) \
         FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid"
    ),
    "SELECT t.at, 'row security', CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'ENABLE' END, NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relrowsecurity",
    concat!(
        "SELECT t.at, 'partitioned', pg_catalog.pg_get_partkeydef(t.oid), ",
        names_of!("t.oid", "p.partattrs::pg_catalog.int2[]"),
        ", NULL FROM t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.oid"
    ),
    "SELECT t.at, CASE WHEN c.relispartition THEN 'partition' ELSE 'child' END, c.oid::regclass::text, NULL, \
            pg_catalog.pg_get_expr(c.relpartbound, c.oid) \
     FROM t JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid",
    "SELECT t.at, CASE WHEN c.relispartition THEN 'partition' ELSE 'parent' END, h.inhparent::regclass::text, NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_inherits h ON h.inhrelid = t.oid",
    concat!(
        "SELECT t.at, 'publication', p.pubname, ",
        names_of!(
            "t.oid",
            // As JSON, because PostgreSQL 14 has no such column: an array there, as text `[1, 2]`.
            "pg_catalog.translate(pg_catalog.to_jsonb(r) ->> 'prattrs', '[],', '{},')::pg_catalog.int2[]"
        ),
        ", NULL FROM t JOIN pg_catalog.pg_publication_rel r ON r.prrelid = t.oid \
         JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
    ),
    concat!(
        "SELECT t.at, 'statistics', s.stxname, ",
        names_of!("t.oid", "s.stxkeys::pg_catalog.int2[]"),
        ", pg_catalog.pg_get_statisticsobjdef(s.oid) \
         FROM t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid"
    ),
    "SELECT t.at, 'target', a.attname, a.attname, a.attstattarget::text \
     FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
          AND a.attstattarget >= 0",
    "SELECT t.at, 'storage', a.attname, a.attname, \
            CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END \
            || CASE a.attcompression WHEN 'p' THEN ' pglz' WHEN 'l' THEN ' lz4' ELSE '' END \
     FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_catalog.pg_type y ON y.oid = a.atttypid AND (y.typstorage <> a.attstorage OR a.attcompression <> '')",
    // Grants on the table and its columns, to others than the owner.
    "SELECT t.at, 'grant', coalesce(x.grantee::regrole::text, 'PUBLIC'), x.attname, \
            pg_catalog.string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, \
                                  ', ' ORDER BY x.privilege_type) \
     FROM (SELECT t.at, NULLIF(g.grantee, 0) AS grantee, NULL AS attname, g.privilege_type, g.is_grantable, c.relowner \
           FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) g \
           WHERE g.grantee <> c.relowner \
           UNION ALL \
           SELECT t.at, NULLIF(g.grantee, 0), a.attname::text, g.privilege_type, g.is_grantable, 0 \
           FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped \
           CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g) x \
     JOIN t ON t.at = x.at GROUP BY t.at, x.grantee, x.attname",
    "SELECT t.at, 'comment', coalesce(a.attname::text, ''), a.attname, d.description \
     FROM t JOIN pg_catalog.pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = t.oid \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.objsubid AND d.objsubid > 0",
    concat!(
        "SELECT t.at, s.kind, x.relname::text, ",
        names_of!("t.oid", "i.indkey::pg_catalog.int2[]"),
        ", NULL FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_index i ON i.indrelid = t.oid \
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
         CROSS JOIN LATERAL (VALUES (CASE WHEN i.indisclustered THEN 'clustered' END), \
             (CASE WHEN i.indisreplident AND c.relreplident = 'i' THEN 'identity index' END)) s(kind) \
         WHERE s.kind IS NOT NULL"
    ),
    "SELECT t.at, 'identity', CASE c.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END, NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relreplident IN ('f', 'n')",
    "SELECT t.at, 'sequence', s.oid::regclass::text, a.attname, \
            CASE WHEN d.deptype = 'i' THEN 'identity' ELSE 'owned' END \
     FROM t JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid \
          AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 \
     JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid",
    // Those of tables that the model has are its own to know.
    concat!(
        "SELECT t.at, 'foreign key', k.conname || ' of partition ' || k.conrelid::regclass::text, ",
        names_of!("t.oid", "k.confkey"),
        ", pg_catalog.pg_get_constraintdef(k.oid) \
         FROM t JOIN pg_catalog.pg_constraint k ON k.confrelid = t.oid AND k.contype = 'f' AND k.conparentid = 0 \
         JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND c.relispartition"
    ),
    concat!(
        "SELECT t.at, 'trigger', g.tgname, ",
        names_of!("t.oid", "g.tgattr::pg_catalog.int2[]"),
        ", pg_catalog.pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'D' THEN ' (disabled)' \
           WHEN 'R' THEN ' (replica)' WHEN 'A' THEN ' (always)' ELSE '' END \
         FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgname !~ '^(_|~)pql_'"
    ),
    "SELECT t.at, 'domain', a.atttypid::regtype::text, a.attname, x.beneath \
     FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_catalog.pg_type y ON y.oid = a.atttypid AND y.typtype = 'd' \
     CROSS JOIN LATERAL (WITH RECURSIVE d(oid, base, typmod, strict) AS ( \
             SELECT y.oid, y.typbasetype, y.typtypmod, y.typnotnull \
             UNION ALL SELECT n.oid, n.typbasetype, n.typtypmod, n.typnotnull \
                 FROM d JOIN pg_catalog.pg_type n ON n.oid = d.base AND n.typtype = 'd') \
         SELECT pg_catalog.bool_or(d.strict OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k \
                 WHERE k.contypid = d.oid AND pg_catalog.pg_get_constraintdef(k.oid) ~* 'is\\s+not\\s+null')), \
             pg_catalog.max(pg_catalog.format_type(d.base, d.typmod)) FILTER (WHERE b.typtype <> 'd') \
         FROM d JOIN pg_catalog.pg_type b ON b.oid = d.base) x(strict, beneath) \
     WHERE x.strict",
    // The server does not know what a body says; the words tell which fields of the row it reads.
    "SELECT t.at, 'trigger function', g.tgname, x.names, p.oid::regprocedure::text \
     FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgname !~ '^(_|~)pql_' \
          AND g.tgtype & 1 = 1 \
     JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
     JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal') \
     CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(a.attname, E'\\n' ORDER BY a.attnum) \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
              AND p.prosrc ~* ('\\m(new|old)\\s*\\.\\s*\"?' \
                  || pg_catalog.regexp_replace(a.attname, '(\\W)', '\\\\\\1', 'g') || '(?!\\w)')) x(names) \
     WHERE x.names IS NOT NULL",
    "SELECT t.at, 'owner', c.relowner::regrole::text, NULL, \
            CASE WHEN pg_catalog.pg_has_role(c.relowner, 'USAGE') THEN 'member' END \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relowner::regrole::text <> pg_catalog.quote_ident(current_user)",
    "SELECT t.at, CASE WHEN c.relkind = 'f' THEN 'foreign' ELSE 'other' END, c.oid::regclass::text, NULL, \
            CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid AND (c.relkind = 'f' OR c.relpersistence = 'u')",
];

/// What ties a table to being this very one: another could not take its place.
const BOUND: [&str; 8] = [
    "SELECT t.at, 'bound', 'rights that are missing', NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid \
     WHERE NOT (pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') \
                AND pg_catalog.has_schema_privilege(c.relnamespace, 'CREATE') \
                AND (pg_catalog.current_setting('is_superuser') = 'on' \
                     OR pg_catalog.pg_get_userbyid(c.relowner) = current_user))",
    "SELECT t.at, 'bound', 'foreign key ' || k.conname, NULL, NULL \
     FROM t JOIN pg_catalog.pg_constraint k ON k.contype = 'f' AND (k.conrelid = t.oid OR k.confrelid = t.oid)",
    // What a migration keeps out of sight on it.
    "SELECT t.at, 'bound', x.name, NULL, NULL \
     FROM t CROSS JOIN LATERAL ( \
         SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND NOT a.attisdropped \
         UNION ALL SELECT g.tgname FROM pg_catalog.pg_trigger g WHERE g.tgrelid = t.oid \
         UNION ALL SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.conrelid = t.oid \
         UNION ALL SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = t.oid) x(name) \
     WHERE x.name ~ '^(_|~)pql_'",
    // Ways to be stored that the words of a definition do not say.
    "SELECT t.at, 'bound', c.relname, NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam \
     WHERE c.reloftype <> 0 OR m.amname IS DISTINCT FROM 'heap' OR EXISTS (SELECT 1 FROM pg_catalog.pg_seclabel l \
         WHERE l.classoid = 'pg_class'::regclass AND l.objoid = t.oid)",
    "SELECT t.at, 'bound', 'index ' || c.relname, NULL, NULL \
     FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
     WHERE NOT i.indisvalid OR c.reltablespace <> 0 \
        OR c.reloptions IS NOT NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid) \
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)",
    // One over a view over it, too.
    "SELECT t.at, 'bound', 'materialised view ' || c.relname, NULL, NULL \
     FROM t CROSS JOIN LATERAL (WITH RECURSIVE v(oid) AS (SELECT t.oid UNION \
         SELECT r.ev_class FROM v JOIN pg_catalog.pg_depend d ON d.refobjid = v.oid \
             AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_rewrite'::regclass \
         JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid) SELECT oid FROM v) v \
     JOIN pg_catalog.pg_class c ON c.oid = v.oid AND c.relkind = 'm'",
    // A publication of all tables, or of all in a schema, would send the rows of a new one a second time.
    "SELECT t.at, 'bound', 'publication ' || p.pubname, NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_catalog.pg_publication_tables p ON p.schemaname = n.nspname AND p.tablename = c.relname",
    // Whatever else names it, or the type of its rows.
    "SELECT DISTINCT t.at, 'bound', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), NULL, NULL \
     FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_type y ON y.oid = c.reltype \
     JOIN pg_catalog.pg_depend d ON d.deptype IN ('n', 'a') \
          AND (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray) \
               OR d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.classid NOT IN ( \
                   'pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass, 'pg_attrdef'::regclass, \
                   'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_statistic_ext'::regclass, \
                   'pg_publication_rel'::regclass, 'pg_proc'::regclass))",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_has_a_known_kind() {
        for query in QUERIES.iter().chain(&BOUND).chain([&CITUS]) {
            let words: Vec<&str> = query.split('\'').skip(1).step_by(2).collect();
            assert!(words.iter().any(|word| kind(word).is_some()), "{query}");
        }
    }

    #[test]
    fn columns_one_under_the_other() {
        assert_eq!(columns("a\nb c"), ["a", "b c"]);
        assert!(columns("").is_empty());
    }
}
