//! Names and strings as they stand in a statement.

/// Words that cannot stand for a name everywhere in SQLite, PostgreSQL or PQL. Quoting one too many is harmless.
const RESERVED: &[&str] = &[
    "abort",
    "add",
    "all",
    "alter",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "autoincrement",
    "backfill",
    "begin",
    "between",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "commit",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "delete",
    "desc",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exists",
    "false",
    "fetch",
    "filter",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "generated",
    "glob",
    "grant",
    "group",
    "having",
    "if",
    "ilike",
    "in",
    "index",
    "indexed",
    "initially",
    "inner",
    "insert",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "match",
    "natural",
    "not",
    "nothing",
    "notnull",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "over",
    "overlaps",
    "placing",
    "primary",
    "raise",
    "references",
    "regexp",
    "returning",
    "revert",
    "right",
    "rollback",
    "row",
    "select",
    "session_user",
    "set",
    "similar",
    "some",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "transaction",
    "trigger",
    "true",
    "union",
    "unique",
    "update",
    "user",
    "using",
    "values",
    "variadic",
    "verbose",
    "view",
    "when",
    "where",
    "window",
    "with",
    "without",
];

/// The name, in double quotes unless it is a plain word that is reserved nowhere.
pub fn ident(name: &str) -> String {
    let quoted = pql_schema::quote_ident(name);
    if quoted == name && RESERVED.binary_search(&name.to_ascii_lowercase().as_str()).is_ok() {
        return format!("\"{name}\"");
    }
    quoted
}

/// The same where names that are not quoted are read in lower case.
pub(super) fn folded_ident(name: &str) -> String {
    let text = ident(name);
    if text == name && name.to_lowercase() != name { format!("\"{name}\"") } else { text }
}

/// The text as a string literal.
pub fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_searched() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn quotes_where_needed() {
        for (name, expected) in [
            ("users", "users"),
            ("Order", "\"Order\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("_x1", "_x1"),
        ] {
            assert_eq!(ident(name), expected);
        }
        assert_eq!(string("it's"), "'it''s'");
        for (name, expected) in
            [("users", "users"), ("userName", "\"userName\""), ("Ü", "\"Ü\""), ("A\"", "\"A\"\"\"")]
        {
            assert_eq!(folded_ident(name), expected);
        }
    }
}
