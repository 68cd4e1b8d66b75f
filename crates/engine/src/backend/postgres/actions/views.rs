//! Views over a column that changes: taken down in the transaction that changes it, and put back as they were.

use std::fmt::Write as _;

use pql_schema::ObjectName;

use super::super::blockers::literal;
use super::super::link::Session;
use super::super::transaction::printed;
use super::catalog;
use super::statements::{ident, object};
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result, Value};

/// Views that were taken down, in the order in which they are made again.
#[derive(Debug, Default)]
pub(super) struct Down {
    views: Vec<Taken>,
}

/// One of them.
#[derive(Debug)]
struct Taken {
    name: String,
    /// What stands before its text.
    head: String,
    text: String,
    /// What is said of it once it is there.
    rest: Vec<String>,
}

impl Down {
    /// Makes them again.
    pub(super) fn put_back(&self, session: &mut Session) -> Result<()> {
        let all = self.views.iter().flat_map(|view| {
            std::iter::once(format!("{}{}", view.head, view.text)).chain(view.rest.iter().cloned())
        });
        let all: Vec<String> = all.collect();
        if all.is_empty() { Ok(()) } else { session.batch(&all.join(";\n")) }
    }

    /// Notes what the views said before, and what the server makes of it now: over a column of another type it prints
    /// them otherwise, and would not find the way back by itself.
    pub(super) fn remember(&self, session: &mut Session, memory: &str) -> Result<()> {
        if self.views.is_empty() {
            return Ok(());
        }
        session.batch(&format!("CREATE TABLE {memory} (view text PRIMARY KEY, before text, after text)"))?;
        printed(session, |session| {
            for view in &self.views {
                session.execute(
                    &format!(
                        "INSERT INTO {memory} VALUES ($1, $2, pg_catalog.rtrim(pg_catalog.pg_get_viewdef( \
                         {}::pg_catalog.regclass), '; '))",
                        literal(&view.name)
                    ),
                    &[Value::from(view.name.clone()), Value::from(view.text.clone())],
                )?;
            }
            Ok(())
        })
    }

    /// Lets each view that is as it was remembered say again what it said before.
    pub(super) fn recall(&mut self, session: &mut Session, memory: &ObjectName) -> Result<()> {
        if self.views.is_empty() || !catalog::has_relation(session, memory)? {
            return Ok(());
        }
        let found = session.query(&format!("SELECT view, before, after FROM {}", object(memory)), &[])?;
        for row in found.rows {
            if let [Value::Text(name), Value::Text(before), Value::Text(after)] = row.as_slice() {
                let same = self.views.iter_mut().filter(|view| view.name == *name && view.text == *after);
                same.for_each(|view| view.text.clone_from(before));
            }
        }
        Ok(())
    }
}

/// A view over the columns.
struct View {
    oid: i64,
    name: String,
    materialized: bool,
    /// A migration has dropped it and keeps it out of sight.
    hidden: bool,
}

/// Takes down every view over the table, and those over these.
pub(super) fn take_all_down(session: &mut Session, table: &ObjectName) -> Result<Down> {
    let views = over(session, table, None)?;
    down(session, &views, &object(table))
}

/// Takes down every view over one of the columns, and those over these. `swap`: the column stays, under another name.
pub(super) fn take_down(
    session: &mut Session,
    table: &ObjectName,
    columns: &[&str],
    swap: bool,
) -> Result<Down> {
    let mut views = over(session, table, Some(columns))?;
    // One that nobody sees goes on reading the column that it was made over.
    views.retain(|view| !(swap && view.materialized && view.hidden));
    down(session, &views, &columns.join(", "))
}

fn down(session: &mut Session, views: &[View], read: &str) -> Result<Down> {
    let mut down = Down::default();
    for view in views {
        if view.materialized {
            let error =
                Error::new(codes::UNSUPPORTED, format!("materialised view {} reads {read}", view.name));
            return Err(error.with_help(if view.hidden {
                "a migration has dropped it and keeps it for its way back: MIGRATE PURGE that one first, or drop the \
                 view with retain = false"
            } else {
                "drop it before, in a migration of its own with retain = false, and make it again after"
            }));
        }
        down.views.push(printed(session, |session| definition(session, view))?);
    }
    if !views.is_empty() {
        let names: Vec<&str> = views.iter().rev().map(|view| view.name.as_str()).collect();
        session.batch(&format!("DROP VIEW {}", names.join(", ")))?;
    }
    Ok(down)
}

/// Fails when a view reads the column.
pub(super) fn none_over(session: &mut Session, table: &ObjectName, column: &str) -> Result<()> {
    let views = over(session, table, Some(&[column]))?;
    views.first().map_or(Ok(()), |view| Err(reading(view, table, column)))
}

/// The same for those that are not out of sight themselves.
pub(super) fn none_seen_over(session: &mut Session, table: &ObjectName, column: &str) -> Result<()> {
    let views = over(session, table, Some(&[column]))?;
    views.iter().find(|view| !view.hidden).map_or(Ok(()), |view| Err(reading(view, table, column)))
}

fn reading(view: &View, table: &ObjectName, column: &str) -> Error {
    Error::new(codes::UNSUPPORTED, format!("view {} reads {}.{}", view.name, object(table), ident(column)))
        .with_help(
            "drop that view first; one that is made anew with the names of its columns does not read it",
        )
}

/// The views over the columns, or over the table at all, and those over these, each after those it reads.
fn over(session: &mut Session, table: &ObjectName, columns: Option<&[&str]>) -> Result<Vec<View>> {
    let which = match columns {
        None => String::new(),
        Some([]) => return Ok(Vec::new()),
        Some(columns) => {
            let names: Vec<String> = columns.iter().map(|name| literal(name)).collect();
            format!(" AND a.attname IN ({})", names.join(", "))
        }
    };
    let found = session.query(
        &format!(
            "WITH RECURSIVE v(oid, depth) AS ( \
                 SELECT r.ev_class, 1 FROM pg_catalog.pg_depend d \
                 JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid \
                 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
                 WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
                   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                   AND d.refobjid = {}{which} AND r.ev_class <> d.refobjid \
                 UNION \
                 SELECT r.ev_class, v.depth + 1 FROM v \
                 JOIN pg_catalog.pg_depend d ON d.refobjid = v.oid \
                   AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
                   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                 JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> v.oid) \
             SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind = 'm', \
                 pg_catalog.starts_with(n.nspname, '{}') \
             FROM (SELECT oid, pg_catalog.max(depth) AS depth FROM v GROUP BY oid) x \
             JOIN pg_catalog.pg_class c ON c.oid = x.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             ORDER BY x.depth, x.oid",
            catalog::regclass(table),
            pql_planner::HIDDEN_PREFIX
        ),
        &[],
    )?;
    let view = |row: Vec<Value>| match row.as_slice() {
        [Value::Integer(oid), Value::Text(name), Value::Boolean(materialized), Value::Boolean(hidden)] => {
            Some(View { oid: *oid, name: name.clone(), materialized: *materialized, hidden: *hidden })
        }
        _ => None,
    };
    Ok(found.rows.into_iter().filter_map(view).collect())
}

/// The statements that make a view again: its text, owner, options, defaults, comments, grants, rules and triggers.
fn definition(session: &mut Session, view: &View) -> Result<Taken> {
    let View { oid, name, .. } = view;
    let mut column = |sql: &str| -> Result<Vec<String>> { Ok(catalog::texts(session.query(sql, &[])?.rows)) };
    let options = column(&format!(
        "SELECT pg_catalog.array_to_string(c.reloptions, ', ') FROM pg_catalog.pg_class c WHERE c.oid = {oid}"
    ))?;
    let columns = column(&format!(
        "SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute WHERE attrelid = {oid} AND attnum > 0 \
         AND NOT attisdropped ORDER BY attnum"
    ))?;
    let text = column(&format!("SELECT pg_catalog.pg_get_viewdef({oid}::pg_catalog.oid)"))?;
    let mut create = format!("CREATE VIEW {name} ({})", columns.join(", "));
    if let Some(options) = options.first() {
        let _ = write!(create, " WITH ({options})");
    }
    let text = text.first().map_or("", |text| text.trim_end_matches([';', ' ']));
    create.push_str(" AS ");
    let mut all = Vec::new();
    all.extend(column(&format!(
        "SELECT pg_catalog.format('ALTER VIEW {} OWNER TO %I', pg_catalog.pg_get_userbyid(relowner)) \
         FROM pg_catalog.pg_class WHERE oid = {oid}",
        escaped(name)
    ))?);
    all.extend(column(&format!(
        "SELECT pg_catalog.format('ALTER VIEW {} ALTER COLUMN %I SET DEFAULT %s', a.attname, \
         pg_catalog.pg_get_expr(d.adbin, d.adrelid)) FROM pg_catalog.pg_attrdef d \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {oid}",
        escaped(name)
    ))?);
    all.extend(column(&format!(
        "SELECT pg_catalog.pg_get_ruledef(oid) FROM pg_catalog.pg_rewrite WHERE ev_class = {oid} \
         AND rulename <> '_RETURN' ORDER BY rulename"
    ))?);
    all.extend(column(&format!(
        "SELECT pg_catalog.pg_get_triggerdef(oid) FROM pg_catalog.pg_trigger WHERE tgrelid = {oid} \
         AND NOT tgisinternal ORDER BY tgname"
    ))?);
    all.extend(column(&format!(
        "SELECT CASE WHEN d.objsubid = 0 THEN pg_catalog.format('COMMENT ON VIEW {name} IS %L', d.description) \
         ELSE pg_catalog.format('COMMENT ON COLUMN {name}.%I IS %L', a.attname, d.description) END \
         FROM pg_catalog.pg_description d LEFT JOIN pg_catalog.pg_attribute a \
           ON a.attrelid = d.objoid AND a.attnum = d.objsubid \
         WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = {oid} ORDER BY d.objsubid",
        name = escaped(name)
    ))?);
    all.extend(column(&granted(name, *oid))?);
    all.extend(column(&format!(
        "SELECT pg_catalog.format('GRANT %s (%I) ON {} TO %s%s', g.privilege_type, a.attname, \
             CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) \
             END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
         FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g \
         WHERE a.attrelid = {oid} AND a.attnum > 0 ORDER BY a.attnum",
        escaped(name)
    ))?);
    Ok(Taken { name: name.clone(), head: create, text: text.to_owned(), rest: all })
}

/// What was granted on a relation, as statements; `name` says what it is called, and its kind where that has to be said.
pub(super) fn grants(session: &mut Session, name: &str, oid: i64) -> Result<Vec<String>> {
    Ok(catalog::texts(session.query(&granted(name, oid), &[])?.rows))
}

/// What was granted on the view: all of it is said, since a new view has what its owner has by default.
fn granted(name: &str, oid: i64) -> String {
    format!(
        "SELECT s FROM ( \
             SELECT 0 AS at, pg_catalog.format('REVOKE ALL ON {name} FROM %I', pg_catalog.pg_get_userbyid(c.relowner)) \
                 AS s FROM pg_catalog.pg_class c WHERE c.oid = {oid} AND c.relacl IS NOT NULL \
             UNION ALL \
             SELECT 1, pg_catalog.format('GRANT %s ON {name} TO %s%s', g.privilege_type, \
                 CASE WHEN g.grantee = 0 THEN 'PUBLIC' \
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END, \
                 CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
             FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) g \
             WHERE c.oid = {oid}) x ORDER BY at",
        name = escaped(name)
    )
}

/// A name within the pattern of `format`, within a string.
fn escaped(name: &str) -> String {
    name.replace('\'', "''").replace('%', "%%")
}
