//! Small changes of stored definitions, token by token, so that what is not meant to change stays as it was written.

use pql_planner::text::ident;
use pql_schema::{Expr, Token, TokenKind, tokens};

/// Whether two definitions differ in spacing, comments, letter case and needless quotes only.
pub(super) fn same_meaning(a: &str, b: &str) -> bool {
    a == b || Expr::statement(a) == Expr::statement(b) || same_index(a, b)
}

/// Whether two index definitions differ only in how they spell their own name and their table's.
fn same_index(a: &str, b: &str) -> bool {
    let parts = |sql: &str| {
        let (all, name) = head(sql)?;
        let at = all.iter().position(|token| token.start == name.start)?;
        let [on, table, rest] = all.get(at + 1..at + 4)? else { return None };
        let names = [name.name()?.to_ascii_lowercase(), table.name()?.to_ascii_lowercase()];
        let before = Expr::statement(&sql[..name.start]);
        on.text.eq_ignore_ascii_case("on").then(|| (before, names, Expr::statement(&sql[rest.start..])))
    };
    parts(a).is_some_and(|a| Some(a) == parts(b))
}

/// The definition under another name.
pub(super) fn renamed(sql: &str, name: &str) -> Option<String> {
    let (_, at) = head(sql)?;
    Some(replaced(sql, &[(at, ident(name))]))
}

/// An index's definition under another name and on another table.
pub(super) fn index_moved(sql: &str, name: &str, table: &str) -> Option<String> {
    let (all, at) = head(sql)?;
    let position = all.iter().position(|token| token.start == at.start)?;
    let on = all.get(position + 1).filter(|token| token.text.eq_ignore_ascii_case("on"));
    on?;
    let target = *all.get(position + 2)?;
    Some(replaced(sql, &[(at, ident(name)), (target, ident(table))]))
}

/// An index's definition without UNIQUE.
pub(super) fn not_unique(sql: &str) -> Option<String> {
    let (all, _) = head(sql)?;
    match all.get(1).filter(|token| token.text.eq_ignore_ascii_case("unique")) {
        Some(unique) => {
            let next = all.get(2)?;
            Some(format!("{}{}", &sql[..unique.start], &sql[next.start..]))
        }
        None => Some(sql.to_owned()),
    }
}

/// A definition in which columns got other names, with the words for the rowid as they were; none when it has them.
pub(super) fn with_rowid_words(was: &str, now: &str) -> Option<String> {
    let is_rowid = |token: &Token<'_>| {
        let word = token.name().unwrap_or_default().to_ascii_lowercase();
        ["rowid", "_rowid_", "oid"].contains(&word.as_str())
    };
    let (old, new): (Vec<_>, Vec<_>) = (tokens(was).collect(), tokens(now).collect());
    if was == now || old.len() != new.len() {
        return None;
    }
    let kept: Vec<_> = (old.iter().zip(&new))
        .filter(|(old, new)| is_rowid(old) && old.text != new.text)
        .map(|(old, new)| (*new, old.text.to_owned()))
        .collect();
    (!kept.is_empty()).then(|| replaced(now, &kept))
}

/// Whether a word stands in the definition.
pub(super) fn has_word(sql: &str, word: &str) -> bool {
    tokens(sql).any(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
}

/// The tokens of a CREATE statement, and the one that is the object's name.
fn head(sql: &str) -> Option<(Vec<Token<'_>>, Token<'_>)> {
    let all: Vec<Token<'_>> = tokens(sql).collect();
    let kind = all.iter().position(|token| {
        ["table", "index", "view", "trigger"].iter().any(|word| token.text.eq_ignore_ascii_case(word))
    })?;
    let word = |at: usize, text: &str| all.get(at).is_some_and(|token| token.text.eq_ignore_ascii_case(text));
    let mut at = kind + 1;
    if word(at, "if") && word(at + 1, "not") && word(at + 2, "exists") {
        at += 3;
    }
    if word(at + 1, ".") {
        at += 2;
    }
    let name = *all.get(at)?;
    Some((all, name))
}

fn replaced(sql: &str, changes: &[(Token<'_>, String)]) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for (token, new) in changes {
        text.push_str(&sql[copied..token.start]);
        text.push_str(new);
        copied = token.start + token.text.len();
    }
    text.push_str(&sql[copied..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_changes() {
        let sql = "CREATE TABLE  \"old one\" ( a, -- first\n b)";
        assert_eq!(renamed(sql, "new").unwrap(), "CREATE TABLE  new ( a, -- first\n b)");
        let sql = "CREATE UNIQUE INDEX [i] ON t(a COLLATE NOCASE) WHERE t.a > 1";
        assert_eq!(
            index_moved(sql, "_pql_i", "my t").unwrap(),
            "CREATE UNIQUE INDEX _pql_i ON \"my t\"(a COLLATE NOCASE) WHERE t.a > 1"
        );
        assert_eq!(not_unique(sql).unwrap(), "CREATE INDEX [i] ON t(a COLLATE NOCASE) WHERE t.a > 1");
        assert_eq!(renamed("nonsense", "x"), None);
    }

    #[test]
    fn meaning() {
        assert!(same_meaning("CREATE TABLE \"w\" (a)", "create table w(a) -- here"));
        assert!(!same_meaning("CREATE TABLE w(a)", "CREATE TABLE w(b)"));
    }
}
