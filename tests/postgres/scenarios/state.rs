//! What a database holds, as text: its schema, rows and sequences, without what PQL keeps out of sight.

use std::fmt::Write as _;

use postgres::Client;

/// Everything but the order of columns, which an online change cannot keep.
pub(crate) fn of(client: &mut Client) -> String {
    let mut out = String::new();
    let found = client
        .query(
            "SELECT c.oid::regclass::text, array_agg(quote_ident(a.attname) ORDER BY a.attname)::text[] \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attname NOT LIKE '\\_pql\\_%' \
             GROUP BY c.oid ORDER BY c.oid::regclass::text",
            &[],
        )
        .unwrap();
    for row in found {
        let (table, columns): (String, Vec<String>) = (row.get(0), row.get(1));
        let _ = writeln!(out, "{table} ({})", columns.join(", "));
        let rows = client
            .query(&format!("SELECT ROW({})::text FROM {table} ORDER BY 1", columns.join(", ")), &[])
            .unwrap();
        for row in rows {
            let _ = writeln!(out, "  {}", row.get::<_, String>(0));
        }
    }
    for sql in [
        "SELECT format('%s.%s %s %s%s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), \
             CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE '' END, a.attidentity, \
             pg_get_expr(d.adbin, d.adrelid)) \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
           AND a.attname NOT LIKE '\\_pql\\_%' ORDER BY 1",
        "SELECT format('%s %s: %s %s', conrelid::regclass, conname, pg_get_constraintdef(k.oid), convalidated) \
         FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE n.nspname = 'public' ORDER BY 1",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '\\_pql\\_%' ORDER BY 1",
        "SELECT format('%s: %s', viewname, definition) FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
        "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid \
         JOIN pg_namespace f ON f.oid = p.pronamespace \
         WHERE n.nspname = 'public' AND f.nspname <> '_pql' AND NOT t.tgisinternal ORDER BY 1",
        "SELECT format('%s on %s.%s', description, objoid::regclass, objsubid > 0) FROM pg_description d \
         JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 \
         WHERE d.classoid = 'pg_class'::regclass AND n.nspname = 'public' AND c.relname NOT LIKE '\\_pql\\_%' \
           AND coalesce(a.attname, '') NOT LIKE '\\_pql\\_%' ORDER BY 1",
        "SELECT format('%s on %s', description, conname) FROM pg_description d \
         JOIN pg_constraint k ON k.oid = d.objoid JOIN pg_namespace n ON n.oid = k.connamespace \
         WHERE d.classoid = 'pg_constraint'::regclass AND n.nspname = 'public' ORDER BY 1",
        "SELECT format('%s %s %s', indexrelid::regclass, indisclustered, indisreplident) FROM pg_index i \
         JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND (indisclustered OR indisreplident) ORDER BY 1",
        "SELECT format('%s: %s', sequencename, last_value) FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1",
    ] {
        for row in client.query(sql, &[]).unwrap() {
            let _ = writeln!(out, "{};", row.get::<_, String>(0));
        }
    }
    out
}
