//! The statements that create and drop triggers, told from other SQL by their first words.

use crate::{Expr, ObjectName, Token, Trigger, tokens};

/// A statement about a trigger.
pub(crate) enum TriggerStatement {
    Create(Trigger),
    Drop(ObjectName),
}

impl TriggerStatement {
    /// The statement, if the SQL is one of these and nothing else.
    pub(crate) fn parse(sql: &str) -> Option<Self> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let all: Vec<Token<'_>> = tokens(sql).collect();
        let mut at = 1;
        let skip = |at: &mut usize, words: &[&str]| {
            if words.iter().enumerate().all(|(i, word)| all.get(*at + i).is_some_and(|token| token.is(word)))
            {
                *at += words.len();
            }
        };
        let first = all.first()?;
        if first.is("CREATE") {
            skip(&mut at, &["OR", "REPLACE"]);
            skip(&mut at, &["CONSTRAINT"]);
        } else if !first.is("DROP") {
            return None;
        }
        if !all.get(at)?.is("TRIGGER") {
            return None;
        }
        at += 1;
        skip(&mut at, &["IF", "NOT", "EXISTS"]);
        skip(&mut at, &["IF", "EXISTS"]);
        let (name, after) = object_name(&all, at)?;
        if first.is("DROP") {
            return all[after..].iter().all(|token| token.text != ";").then_some(Self::Drop(name));
        }
        let on = after + all[after..].iter().position(|token| token.is("ON"))?;
        let (table, after) = object_name(&all, on + 1)?;
        // A body ends with its END; what follows a `;` elsewhere is another statement.
        let body = all[after..].iter().any(|token| token.is("BEGIN"));
        if !body && all[after..].iter().any(|token| token.text == ";") {
            return None;
        }
        if body && !all.last().is_some_and(|token| token.is("END")) {
            return None;
        }
        Some(Self::Create(Trigger { name, table, definition: Expr::statement(sql) }))
    }
}

fn object_name(all: &[Token<'_>], at: usize) -> Option<(ObjectName, usize)> {
    let first = all.get(at)?.name()?;
    if all.get(at + 1).is_some_and(|dot| dot.text == ".") {
        let name = all.get(at + 2)?.name()?;
        let default = first.eq_ignore_ascii_case("main");
        return Some((ObjectName { schema: (!default).then_some(first), name }, at + 3));
    }
    Some((ObjectName::new(first), at + 1))
}
