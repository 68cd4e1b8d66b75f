//! What hangs on a column and is not in the model: comment, grants, statistics target, storage, and the sequence that
//! counts for it.

use pql_schema::{Column, DataType, IdentityKind, ObjectName};

use super::super::super::blockers::literal;
use super::super::super::link::Session;
use super::super::catalog::{self, regclass};
use super::super::statements::{alter_column, ident, object};
use super::super::views;
use crate::backend::Connection as _;
use crate::{Result, Value};

/// All of it, as statements for another column.
#[derive(Debug, Default)]
pub(super) struct Carried {
    comment: Option<String>,
    grants: Vec<(String, String)>,
    settings: Vec<String>,
    owned: Vec<Owned>,
    identity: Option<Counting>,
}

/// A sequence that belongs to the column.
#[derive(Debug)]
struct Owned {
    name: String,
    /// Its numbers are of the column's own type.
    of_type: bool,
    last: i64,
}

/// An identity, with where it is.
#[derive(Debug)]
pub(in super::super) struct Counting {
    kind: IdentityKind,
    sequence: String,
    options: String,
    last: String,
    /// What hangs on the sequence itself, as statements.
    rest: Vec<String>,
}

impl Counting {
    /// The statements that give it to a column without one.
    pub(in super::super) fn again(&self, table: &ObjectName, column: &str) -> Vec<String> {
        let kind = match self.kind {
            IdentityKind::Always => "ALWAYS",
            IdentityKind::ByDefault => "BY DEFAULT",
        };
        let words =
            format!("ADD GENERATED {kind} AS IDENTITY (SEQUENCE NAME {} {})", self.sequence, self.options);
        let mut all = vec![
            alter_column(table, column, &words),
            format!("SELECT pg_catalog.setval({}, {})", literal(&self.sequence), self.last),
        ];
        all.extend(self.rest.iter().cloned());
        all
    }
}

/// Reads what hangs on a column.
pub(super) fn read(session: &mut Session, table: &ObjectName, column: &str) -> Result<Carried> {
    let of = format!("a.attrelid = {} AND a.attname = {}", regclass(table), literal(column));
    let comment = session.batch_value(&format!(
        "SELECT pg_catalog.quote_literal(pg_catalog.col_description(a.attrelid, a.attnum)) \
         FROM pg_catalog.pg_attribute a WHERE {of}"
    ))?;
    let grants = session.query(
        &format!(
            "SELECT g.privilege_type::text, \
                 CASE WHEN g.grantee = 0 THEN 'PUBLIC' \
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END \
                 || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END \
             FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g WHERE {of}"
        ),
        &[],
    )?;
    let pair = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(right), Value::Text(to)] => Some((right.clone(), to.clone())),
        _ => None,
    };
    let settings = session.query(
        &format!(
            "SELECT s FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             CROSS JOIN LATERAL (VALUES \
                 (CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget END), \
                 (CASE WHEN a.attstorage <> t.typstorage THEN 'SET STORAGE ' || CASE a.attstorage \
                     WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END), \
                 (CASE a.attcompression WHEN 'p' THEN 'SET COMPRESSION pglz' WHEN 'l' THEN 'SET COMPRESSION lz4' END), \
                 (CASE WHEN a.attoptions IS NOT NULL \
                     THEN 'SET (' || pg_catalog.array_to_string(a.attoptions, ', ') || ')' END)) v(s) \
             WHERE {of} AND s IS NOT NULL"
        ),
        &[],
    )?;
    let owned = session.query(
        &format!(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), s.seqtypid = a.atttypid, \
                 coalesce(pg_catalog.pg_sequence_last_value(c.oid), s.seqstart) \
             FROM pg_catalog.pg_depend d \
             JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
             JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'a' AND {of}"
        ),
        &[],
    )?;
    let of_row = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(name), Value::Boolean(of_type), Value::Integer(last)] => {
            Some(Owned { name: name.clone(), of_type: *of_type, last: *last })
        }
        _ => None,
    };
    Ok(Carried {
        comment,
        grants: grants.rows.into_iter().filter_map(pair).collect(),
        settings: catalog::texts(settings.rows),
        owned: owned.rows.into_iter().filter_map(of_row).collect(),
        identity: counting(session, table, column)?,
    })
}

/// Reads a column's identity.
pub(in super::super) fn counting(
    session: &mut Session,
    table: &ObjectName,
    column: &str,
) -> Result<Option<Counting>> {
    let found = session.query(
        &format!(
            "SELECT c.oid::int8, a.attidentity::text, pg_catalog.format('%I.%I', n.nspname, c.relname), \
                 pg_catalog.format('START WITH %s INCREMENT BY %s %s %s CACHE %s %s', s.seqstart, s.seqincrement, \
                     CASE WHEN s.seqmin = CASE WHEN s.seqincrement > 0 THEN 1 ELSE -y.most - 1 END \
                         THEN 'NO MINVALUE' ELSE 'MINVALUE ' || s.seqmin END, \
                     CASE WHEN s.seqmax = CASE WHEN s.seqincrement > 0 THEN y.most ELSE -1 END \
                         THEN 'NO MAXVALUE' ELSE 'MAXVALUE ' || s.seqmax END, \
                     s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) \
             FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'i' \
               AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid \
             CROSS JOIN LATERAL (VALUES (CASE s.seqtypid WHEN 'pg_catalog.int2'::pg_catalog.regtype THEN 32767::int8 \
                 WHEN 'pg_catalog.int4'::pg_catalog.regtype THEN 2147483647 \
                 ELSE 9223372036854775807 END)) y(most) \
             WHERE a.attidentity <> '' AND a.attrelid = {} AND a.attname = {}",
            regclass(table),
            literal(column)
        ),
        &[],
    )?;
    let Some(row) = found.rows.into_iter().next() else { return Ok(None) };
    let [Value::Integer(oid), Value::Text(kind), Value::Text(sequence), Value::Text(options)] =
        row.as_slice()
    else {
        return Ok(None);
    };
    let last = session
        .batch_value(&format!("SELECT pg_catalog.format('%s, %L', last_value, is_called) FROM {sequence}"))?;
    let comment = session.batch_value(&format!(
        "SELECT pg_catalog.quote_literal(pg_catalog.obj_description({oid}, 'pg_class'))"
    ))?;
    let mut rest: Vec<String> =
        comment.map(|text| format!("COMMENT ON SEQUENCE {sequence} IS {text}")).into_iter().collect();
    rest.extend(views::grants(session, &format!("SEQUENCE {sequence}"), *oid)?);
    Ok(Some(Counting {
        rest,
        kind: if kind == "a" { IdentityKind::Always } else { IdentityKind::ByDefault },
        sequence: sequence.clone(),
        options: options.clone(),
        last: last.unwrap_or_default(),
    }))
}

impl Carried {
    /// The statements that hang it on the column that has taken the place; `former` is the other one's name.
    pub(super) fn onto(&self, table: &ObjectName, column: &Column, former: &str) -> Vec<String> {
        let most = most(&column.data_type);
        let column = &column.name;
        let (relation, name) = (object(table), ident(column));
        let mut all = Vec::new();
        if let Some(comment) = &self.comment {
            all.push(format!("COMMENT ON COLUMN {relation}.{name} IS {comment}"));
        }
        for (right, to) in &self.grants {
            all.push(format!("GRANT {right} ({name}) ON {relation} TO {to}"));
        }
        all.extend(self.settings.iter().map(|words| alter_column(table, column, words)));
        for Owned { name: sequence, of_type, last } in &self.owned {
            all.push(format!("ALTER SEQUENCE {sequence} OWNED BY {relation}.{name}"));
            // Numbers that end where those of the former type ended would be what the change was meant to get rid of.
            if let Some((words, _)) = most.filter(|(_, most)| *of_type && last <= most) {
                all.push(format!("ALTER SEQUENCE {sequence} AS {words}"));
            }
        }
        if let Some(counting) = &self.identity {
            all.push(alter_column(table, former, "DROP IDENTITY"));
            all.push(alter_column(table, former, "DROP NOT NULL"));
            all.extend(counting.again(table, column));
        }
        all
    }
}

/// What a sequence of numbers of this type is called, and how far it counts.
fn most(data_type: &DataType) -> Option<(&'static str, i64)> {
    match data_type {
        DataType::SmallInt => Some(("smallint", i64::from(i16::MAX))),
        DataType::Integer => Some(("integer", i64::from(i32::MAX))),
        DataType::BigInt => Some(("bigint", i64::MAX)),
        _ => None,
    }
}
