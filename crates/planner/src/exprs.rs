//! What the rules need to know of expressions, told from their tokens.

use pql_schema::{Expr, Table, Token, TokenKind, can_be_column, tokens};

/// Whether SQLite takes it for a constant default, which rows that were written before the column have, too: a
/// literal or a signed number.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    let all: Vec<_> = tokens(expr.as_str()).collect();
    match all.as_slice() {
        [one] => !is_clock(one),
        [sign, number] => matches!(sign.text, "-" | "+") && number.kind == TokenKind::Number,
        _ => false,
    }
}

fn is_clock(token: &Token<'_>) -> bool {
    let clocks = ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];
    token.kind == TokenKind::Word && clocks.iter().any(|clock| token.text.eq_ignore_ascii_case(clock))
}

/// What a row that was written before the column was added reads, given the column's default: the constant, or NULL.
pub(crate) fn short_value(default: Option<&Expr>) -> Option<&Expr> {
    default.filter(|default| is_constant(default) && !default.as_str().eq_ignore_ascii_case("null"))
}

/// Whether it may give another value when it is computed again for the same row.
pub(crate) fn is_unstable(expr: &Expr) -> bool {
    const UNSTABLE: [&str; 9] = [
        "random",
        "randomblob",
        "changes",
        "total_changes",
        "last_insert_rowid",
        "now",
        "gen_random_uuid",
        "clock_timestamp",
        "nextval",
    ];
    // The date functions read the clock when they are given 'now' or nothing.
    const CLOCKS: [&str; 7] = ["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"];
    let all: Vec<_> = tokens(expr.as_str()).collect();
    all.iter().enumerate().any(|(at, token)| {
        let is = |names: &[&str]| names.iter().any(|name| token.text.eq_ignore_ascii_case(name));
        let called = all.get(at + 1).is_some_and(|next| next.text == "(");
        let empty = called && all.get(at + 2).is_some_and(|next| next.text == ")");
        is_clock(token)
            || (called && is(&UNSTABLE))
            || (empty && is(&CLOCKS))
            || token.text.eq_ignore_ascii_case("'now'")
    })
}

/// The columns of the table that it names, in the table's order.
pub(crate) fn columns_in(expr: &Expr, table: &Table) -> Vec<String> {
    table
        .columns
        .iter()
        .filter(|column| expr.mentions(&column.name))
        .map(|column| column.name.clone())
        .collect()
}

/// The expression with some of its columns replaced by expressions. A qualifier goes with its column.
pub(crate) fn substitute(expr: &Expr, value: impl Fn(&str) -> Option<Expr>) -> Expr {
    let text = expr.as_str();
    let all: Vec<_> = tokens(text).collect();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, token) in all.iter().enumerate() {
        let Some(name) = token.name() else { continue };
        if !can_be_column(&all, at) || !Expr::statement(token.text).mentions(&name) {
            continue;
        }
        let word_before = at.checked_sub(1).map_or("", |before| all[before].text);
        let Some(value) = value(&name) else { continue };
        let qualified = word_before == "." && at >= 2;
        let start = if qualified { all[at - 2].start } else { token.start };
        out.push_str(&text[copied..start]);
        out.push_str(&operand(&value));
        copied = token.start + token.text.len();
    }
    out.push_str(&text[copied..]);
    Expr::new(out)
}

/// The text as one operand: in parentheses unless it is a single token or a call.
pub(crate) fn operand(expr: &Expr) -> String {
    let all: Vec<_> = tokens(expr.as_str()).collect();
    let single = all.len() == 1 || (is_call(&all) && !all[0].text.eq_ignore_ascii_case("not"));
    if single { expr.to_string() } else { format!("({expr})") }
}

/// Whether the tokens are one word and what it has in parentheses, and nothing after that.
pub(crate) fn is_call(all: &[Token<'_>]) -> bool {
    let [name, open, rest @ ..] = all else { return false };
    if name.kind != TokenKind::Word || open.text != "(" {
        return false;
    }
    let mut depth = 1usize;
    for (at, token) in rest.iter().enumerate() {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1 == rest.len();
        }
    }
    false
}

/// All of them together.
pub(crate) fn all_of(conditions: &[Expr]) -> Option<Expr> {
    match conditions {
        [] => None,
        [one] => Some(one.clone()),
        more => {
            let parts: Vec<String> = more.iter().map(|condition| format!("({condition})")).collect();
            Some(Expr::statement(parts.join(" AND ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants() {
        for text in ["1", "-1", "'a'", "NULL", "TRUE", "x'ff'"] {
            assert!(is_constant(&Expr::new(text)), "{text}");
        }
        for text in ["current_timestamp", "1 + 1", "lower('a')", "-a"] {
            assert!(!is_constant(&Expr::new(text)), "{text}");
        }
        assert_eq!(short_value(Some(&Expr::new("null"))), None);
        assert_eq!(short_value(Some(&Expr::new("random()"))), None);
    }

    #[test]
    fn the_clock_and_chance() {
        for text in
            ["CURRENT_TIMESTAMP", "random() % 5", "datetime('now')", "strftime('%s', 'NOW')", "date()"]
        {
            assert!(is_unstable(&Expr::new(text)), "{text}");
        }
        for text in ["date(a)", "now", "lower(random)", "'it is now'"] {
            assert!(!is_unstable(&Expr::new(text)), "{text}");
        }
    }

    #[test]
    fn columns_become_expressions() {
        let value = |name: &str| match name {
            "a" => Some(Expr::new("x + 1")),
            "b" => Some(Expr::new("y")),
            _ => None,
        };
        let expr = substitute(&Expr::new("t.a * B || b(a) || 'a' || CAST(a AS a)"), value);
        assert_eq!(expr.as_str(), "(x + 1) * B || b((x + 1)) || 'a' || CAST((x + 1) AS a)");
        let value = |name: &str| (name == "end").then(|| Expr::new("x"));
        let expr = substitute(&Expr::new("CASE WHEN \"end\" THEN 0 ELSE t.\"end\" END"), value);
        assert_eq!(expr.as_str(), "CASE WHEN x THEN 0 ELSE x END");
    }
}
