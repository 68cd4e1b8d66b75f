//! Expressions, rewritten for another place and judged for how far they can be trusted.

use pql_planner::text::ident;
use pql_schema::{Expr, Table, Token, TokenKind, can_be_column, tokens};
use rusqlite::Connection as Db;
use rusqlite::config::DbConfig;

use super::errors::message;
use crate::Result;

/// The expression with every column of the table qualified: `a + 1` becomes `NEW.a + 1`.
pub(super) fn qualified(expr: &Expr, columns: &[String], by: &str) -> String {
    let text = expr.as_str();
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    let all: Vec<_> = tokens(text).collect();
    for (at, token) in all.iter().enumerate() {
        let qualified = at > 0 && all[at - 1].text == ".";
        let column = token.name().filter(|name| {
            !qualified
                && can_be_column(&all, at)
                && columns.iter().any(|column| column.eq_ignore_ascii_case(name))
                // Not a word that is reserved, such as CASE, beside a column of that name.
                && Expr::statement(token.text).mentions(name)
        });
        if let Some(column) = column {
            out.push_str(&text[copied..token.start]);
            out.extend([by, ".", &ident(&column)]);
            copied = token.start + token.text.len();
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Whether the expression gives the same value each time it is computed over the same row.
pub(super) fn is_stable(expr: &Expr) -> bool {
    const MOODY: [&str; 12] = [
        "random",
        "randomblob",
        "current_timestamp",
        "current_date",
        "current_time",
        "changes",
        "total_changes",
        "last_insert_rowid",
        "sqlite_offset",
        "select",
        "unixepoch",
        "localtime",
    ];
    /// Given so many arguments they are about these, and otherwise about the present.
    const DATES: [(&str, usize); 5] =
        [("date", 1), ("time", 1), ("datetime", 1), ("julianday", 1), ("strftime", 2)];
    let all: Vec<_> = tokens(expr.as_str()).collect();
    all.iter().enumerate().all(|(at, token)| match token.kind {
        TokenKind::Word => {
            let is = |word: &str| token.text.eq_ignore_ascii_case(word);
            let wanted = DATES.iter().find(|(name, _)| is(name)).map_or(0, |(_, wanted)| *wanted);
            !MOODY.into_iter().any(is) && arguments(&all[at + 1..]).is_none_or(|given| given >= wanted)
        }
        // What the second two give depends on where the program runs.
        TokenKind::String => {
            !["'now'", "'localtime'", "'utc'"].iter().any(|word| token.text.eq_ignore_ascii_case(word))
        }
        _ => true,
    })
}

/// How many arguments a function is given whose name stands before these tokens; none where it is no function.
fn arguments(rest: &[Token<'_>]) -> Option<usize> {
    let (open, rest) = rest.split_first()?;
    if open.text != "(" {
        return None;
    }
    let (mut depth, mut count, mut any) = (0, 1, false);
    for token in rest {
        match token.text {
            "(" => depth += 1,
            ")" if depth == 0 => break,
            ")" => depth -= 1,
            "," if depth == 0 => count += 1,
            _ => {}
        }
        any = true;
    }
    Some(if any { count } else { 0 })
}

/// What SQLite says of an expression that names a column which a row of the table does not have. It is only compiled;
/// a name in quotes counts as a name, and never as the text that SQLite makes of it where there is no such column.
pub(super) fn unknown_column(db: &Db, table: &Table, expr: &Expr) -> Result<Option<String>> {
    let own: Vec<&str> = table.visible().map(|column| column.name.as_str()).collect();
    let is_own = |name: &&str| own.iter().any(|own| own.eq_ignore_ascii_case(name));
    let number = ["rowid", "oid", "_rowid_"].into_iter().filter(|name| !is_own(name));
    let columns: Vec<String> =
        own.iter().copied().chain(number).map(|name| format!("NULL AS {}", ident(name))).collect();
    let sql = format!(
        "SELECT ({}\n) FROM (SELECT {}) AS {}",
        expr.as_str(),
        columns.join(", "),
        ident(&table.name.name)
    );
    let texts = db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).and_then(|_| db.prepare(&sql));
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, true)?;
    Ok(texts.err().map(|error| message(&error)).filter(|said| said.starts_with("no such column: ")))
}

/// Whether the expression is one column's name, and which.
pub(super) fn as_column(expr: &Expr) -> Option<String> {
    let mut all = tokens(expr.as_str());
    let name = all.next()?.name()?;
    all.next().is_none().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_qualified_and_nothing_else() {
        let columns = ["name".to_owned(), "order".to_owned()];
        let expr = Expr::new("lower(name) || t.name || 'name' || \"Order\" || name(1) || other");
        assert_eq!(
            qualified(&expr, &columns, "NEW"),
            "lower(NEW.name) || t.name || 'name' || NEW.\"Order\" || name(1) || other"
        );
    }

    #[test]
    fn stability() {
        for (text, stable) in [
            ("lower(a) || current", true),
            ("RANDOM()", false),
            ("datetime('now')", false),
            ("datetime()", false),
            ("datetime(a, '+1 day')", true),
            ("datetime(a, 'localtime')", false),
            ("strftime('%s')", false),
            ("strftime('%s', coalesce(a, b))", true),
            ("current_timestamp", false),
            ("(SELECT 1)", false),
            ("a + 1", true),
        ] {
            assert_eq!(is_stable(&Expr::new(text)), stable, "{text}");
        }
        assert_eq!(as_column(&Expr::new("\"a b\"")).as_deref(), Some("a b"));
        assert_eq!(as_column(&Expr::new("a + b")), None);
    }
}
