//! The queries, and the reading of their rows.

use postgres::SimpleQueryRow;

use super::Oid;
use crate::error::codes;
use crate::{Error, Result};

/// Which schemas are looked at.
macro_rules! users_schemas {
    () => {
        "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^(pg_(toast|temp)|_pql(_|$))'"
    };
}

/// The same, where it stands in the queries.
pub(super) const USERS_SCHEMAS: &str = users_schemas!();

/// The relations that are looked at: tables, views and materialised views of the user's.
macro_rules! relations {
    () => {
        concat!(
            "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND ",
            users_schemas!(),
            " AND c.relname !~ '^_pql_' AND NOT c.relispartition AND c.relpersistence <> 't' \
             AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass \
                             AND e.objid = c.oid AND e.deptype = 'e')"
        )
    };
}

/// Which of them; `{which}` narrows it.
pub(super) const RELATIONS: &str = concat!(
    "SELECT c.oid, c.relkind, n.nspname, c.relname, \
            CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END, \
            CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END, \
            CASE WHEN NOT c.relispartition THEN \
                (SELECT pg_catalog.string_agg(h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno) \
                 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid) END, \
            pg_catalog.array_to_string(c.reloptions, ', '), \
            (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace), \
            c.relpersistence = 'u' \
     FROM ",
    relations!(),
    " WHERE c.relkind IN ('r', 'p', 'v', 'm'){which}"
);

/// What they have, in the order in which the rows are read; `{these}` is their numbers. That they are given saves the
/// server most of its planning, which is what reading a small schema takes.
pub(super) const DETAILS: [&str; 5] = [
    // Columns. Those of views are needed for their indexes alone.
    "SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, \
            a.attidentity, a.attgenerated, \
            CASE WHEN a.atthasdef THEN (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) \
                FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END, \
            CASE WHEN a.attidentity <> '' THEN (SELECT pg_catalog.concat_ws(' ', s.seqstart, s.seqincrement, s.seqmin, \
                    s.seqmax, s.seqcache, s.seqcycle) \
                FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_sequence s ON s.seqrelid = e.objid \
                WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.refclassid = 'pg_catalog.pg_class'::regclass \
                  AND e.refobjid = a.attrelid AND e.refobjsubid = a.attnum AND e.deptype = 'i') END, \
            CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END \
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
     WHERE a.attrelid = ANY ({these}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum",
    // Constraints, in the order in which they were made.
    "SELECT k.conrelid, k.conname, k.contype, k.convalidated, k.condeferrable, k.condeferred, \
            pg_catalog.array_to_string(k.conkey, ' '), k.confrelid, pg_catalog.array_to_string(k.confkey, ' '), \
            k.confdeltype, k.confupdtype, k.confmatchtype, k.connoinherit, \
            CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END, \
            CASE WHEN k.contype IN ('x', 'u') OR k.connoinherit OR k.confdeltype IN ('n', 'd') \
                   OR k.contype = 'p' AND (k.condeferrable OR (SELECT i.indnatts <> i.indnkeyatts \
                       FROM pg_catalog.pg_index i WHERE i.indexrelid = k.conindid)) \
                 THEN pg_catalog.pg_get_constraintdef(k.oid) END \
     FROM pg_catalog.pg_constraint k \
     WHERE k.conrelid = ANY ({these}) AND k.contype IN ('p', 'u', 'f', 'c', 'x') \
       AND k.conname !~ '^_pql_' AND k.coninhcount = 0 AND k.conparentid = 0 ORDER BY k.conrelid, k.oid",
    // Indexes that belong to no constraint. They are in the schema of their table.
    "SELECT i.indexrelid, x.relname, i.indrelid, i.indisunique, m.amname, \
            pg_catalog.array_to_string(i.indkey::pg_catalog.int2[], ' '), i.indnkeyatts, \
            CASE WHEN i.indisunique THEN (pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct') = 'true' ELSE false END, \
            pg_catalog.pg_get_expr(i.indpred, i.indrelid), pg_catalog.array_to_string(x.reloptions, ', ') \
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relname !~ '^_pql_' \
      JOIN pg_catalog.pg_am m ON m.oid = x.relam \
      WHERE i.indrelid = ANY ({these}) AND i.indisvalid AND NOT EXISTS ( \
          SELECT 1 FROM pg_catalog.pg_constraint k \
          WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x'))",
    // Their parts. What few of them have is looked up for those alone.
    "SELECT i.indexrelid, p.number, i.indrelid, p.direction, \
            CASE WHEN p.number = 0 THEN pg_catalog.pg_get_indexdef(i.indexrelid, p.at::int, false) END, \
            CASE WHEN NOT o.opcdefault OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a \
                     WHERE a.attrelid = i.indexrelid AND a.attnum = p.at AND a.attoptions IS NOT NULL) \
                 THEN CASE WHEN s.nspname IN ('pg_catalog', 'public') THEN pg_catalog.quote_ident(o.opcname) \
                      ELSE pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(o.opcname) END \
                      || coalesce((SELECT '(' || pg_catalog.array_to_string(a.attoptions, ', ') || ')' \
                          FROM pg_catalog.pg_attribute a \
                          WHERE a.attrelid = i.indexrelid AND a.attnum = p.at), '') END, \
            CASE WHEN p.coll <> 0 AND p.coll IS DISTINCT FROM coalesce((SELECT b.attcollation \
                     FROM pg_catalog.pg_attribute b \
                     WHERE b.attrelid = i.indrelid AND b.attnum = p.number AND p.number <> 0), 100) \
                 THEN p.coll::regcollation::text END \
     FROM pg_catalog.pg_index i \
      CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::pg_catalog.int2[]), \
          pg_catalog.unnest(i.indclass::pg_catalog.oid[]), pg_catalog.unnest(i.indcollation::pg_catalog.oid[]), \
          pg_catalog.unnest(i.indoption::pg_catalog.int2[])) \
          WITH ORDINALITY AS p(number, opclass, coll, direction, at) \
      JOIN pg_catalog.pg_opclass o ON o.oid = p.opclass \
      JOIN pg_catalog.pg_namespace s ON s.oid = o.opcnamespace \
      WHERE i.indrelid = ANY ({these}) AND i.indisvalid AND p.at <= i.indnkeyatts AND NOT EXISTS ( \
          SELECT 1 FROM pg_catalog.pg_constraint k \
          WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')) \
      ORDER BY i.indexrelid, p.at",
    // Triggers.
    "SELECT g.tgrelid, g.tgname, pg_catalog.pg_get_triggerdef(g.oid, true) FROM pg_catalog.pg_trigger g \
     WHERE g.tgrelid = ANY ({these}) AND NOT g.tgisinternal AND g.tgname !~ '^(_|~)pql_'",
];

/// A row that is read from left to right.
pub(super) struct Fields<'r> {
    row: &'r SimpleQueryRow,
    at: usize,
}

impl<'r> Fields<'r> {
    pub(super) fn new(row: &'r SimpleQueryRow) -> Self {
        Self { row, at: 0 }
    }

    /// A text as it stands in the row.
    pub(super) fn opt_str(&mut self) -> Result<Option<&'r str>> {
        self.at += 1;
        Ok(self.row.try_get(self.at - 1)?)
    }

    pub(super) fn opt_text(&mut self) -> Result<Option<String>> {
        Ok(self.opt_str()?.map(str::to_owned))
    }

    pub(super) fn str(&mut self) -> Result<&'r str> {
        self.opt_str()?.ok_or_else(unreadable)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        Ok(self.str()?.to_owned())
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        Ok(self.str()? == "t")
    }

    pub(super) fn oid(&mut self) -> Result<Oid> {
        self.str()?.parse().map_err(|_| unreadable())
    }

    pub(super) fn number(&mut self) -> Result<i16> {
        self.str()?.parse().map_err(|_| unreadable())
    }

    /// Numbers with blanks between them.
    pub(super) fn numbers(&mut self) -> Result<Vec<i16>> {
        let text = self.opt_str()?.unwrap_or_default();
        text.split_whitespace().map(|number| number.parse().map_err(|_| unreadable())).collect()
    }
}

fn unreadable() -> Error {
    Error::new(codes::UNREADABLE, "the server's catalogue does not say what it should")
        .with_help("please report it, with the version of the server")
}
