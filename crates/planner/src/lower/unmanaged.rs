//! Definitions that PQL's grammar leaves to the database, and that a schema file may hold because the model carries
//! them: partitioned tables and materialised views.

use pql_schema::{Expr, ObjectName, Token, TokenKind, View, tokens};

/// `CREATE TABLE … (…) PARTITION BY …` as the part that is like any other table, and the rest.
pub(super) fn partitioned(sql: &str) -> Option<(&str, &str)> {
    let all: Vec<Token<'_>> = tokens(sql).collect();
    let word = |at: usize, text: &str| is_word(all.get(at), text);
    if !word(0, "create") || !word(1, "table") {
        return None;
    }
    let mut depth = 0u32;
    for (at, token) in all.iter().enumerate() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && word(at, "partition") && word(at + 1, "by") => {
                let tail = sql[token.start..].trim_end().trim_end_matches(';').trim_end();
                return Some((&sql[..token.start], tail));
            }
            _ => {}
        }
    }
    None
}

/// `CREATE MATERIALIZED VIEW name AS query`.
pub(super) fn materialized(sql: &str) -> Option<View> {
    let all: Vec<Token<'_>> = tokens(sql).collect();
    let word = |at: usize, text: &str| is_word(all.get(at), text);
    if !(word(0, "create") && word(1, "materialized") && word(2, "view")) {
        return None;
    }
    let mut at = if word(3, "if") { 6 } else { 3 };
    let mut name = ObjectName::new(folded(all.get(at)?)?);
    if all.get(at + 1)?.text == "." {
        let own = folded(all.get(at + 2)?)?;
        name = ObjectName { schema: Some(name.name).filter(|schema| schema != "public"), name: own };
        at += 2;
    }
    // A list of columns or options would be lost.
    let query = word(at + 1, "as").then(|| all.get(at + 2))??;
    let text = sql[query.start..].trim_end().trim_end_matches(';').trim_end();
    Some(View { name, columns: Vec::new(), query: Expr::statement(text), materialized: true })
}

fn is_word(token: Option<&Token<'_>>, text: &str) -> bool {
    token.is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(text))
}

fn folded(token: &Token<'_>) -> Option<String> {
    let name = token.name()?;
    Some(if token.kind == TokenKind::Word { name.to_lowercase() } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partitioned_table_is_taken_apart() {
        let sql = "CREATE TABLE t (a int CHECK (a > 0), \"partition\" int) PARTITION BY RANGE (a);";
        let (head, tail) = partitioned(sql).unwrap();
        assert_eq!((head.trim(), tail), (sql[..54].trim(), "PARTITION BY RANGE (a)"));
        assert_eq!(partitioned("CREATE TABLE t (a int)"), None);
        assert_eq!(partitioned("CREATE VIEW v AS SELECT sum(a) OVER (PARTITION BY b) FROM t"), None);
    }

    #[test]
    fn a_materialised_view_has_its_query() {
        let view = materialized("create materialized view public.\"V\" as select 1;").unwrap();
        assert_eq!((view.name, view.query.as_str()), ("V".into(), "select 1"));
        assert!(view.materialized);
        assert_eq!(materialized("CREATE MATERIALIZED VIEW v (a) AS SELECT 1"), None);
        assert_eq!(materialized("CREATE VIEW v AS SELECT 1"), None);
    }
}
