//! The statements that create and drop triggers, told from other SQL by their first words.

use crate::{Expr, NameRule, ObjectName, Token, TokenKind, Trigger, tokens};

/// A statement about a trigger.
pub(crate) enum TriggerStatement {
    Create(Trigger),
    Drop(ObjectName),
}

impl TriggerStatement {
    /// The statement, if the SQL is one of these and nothing else.
    pub(crate) fn parse(sql: &str, rule: NameRule) -> Option<Self> {
        let object_name = |all: &[Token<'_>], at| object_name(all, at, rule);
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
        let on = all[after..].iter().position(|token| token.is("ON")).map(|on| after + on);
        if first.is("DROP") {
            let name = match rule {
                NameRule::AsciiInsensitive => name,
                NameRule::Exact => of_table(name, &object_name(&all, on? + 1)?.0),
            };
            return all[after..].iter().all(|token| token.text != ";").then_some(Self::Drop(name));
        }
        let (table, after) = object_name(&all, on? + 1)?;
        let name = match rule {
            NameRule::AsciiInsensitive => name,
            NameRule::Exact => of_table(name, &table),
        };
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

impl Trigger {
    /// The trigger that a CREATE TRIGGER makes; `None` when the SQL is not one such statement. Where names are exact
    /// (PostgreSQL) two tables may each have a trigger of one name: there it is qualified by its table.
    pub fn parse(sql: &str, rule: NameRule) -> Option<Self> {
        match TriggerStatement::parse(sql, rule)? {
            TriggerStatement::Create(trigger) => Some(trigger),
            TriggerStatement::Drop(_) => None,
        }
    }

    /// The name under which a schema keeps a trigger whose name is its table's affair.
    pub fn name_within(name: impl Into<String>, table: &ObjectName) -> ObjectName {
        ObjectName { schema: Some(table.to_string()), name: name.into() }
    }
}

fn of_table(name: ObjectName, table: &ObjectName) -> ObjectName {
    Trigger::name_within(name.name, table)
}

fn object_name(all: &[Token<'_>], at: usize, rule: NameRule) -> Option<(ObjectName, usize)> {
    let name = |at: usize| {
        let token = all.get(at)?;
        let name = token.name()?;
        let folds = rule == NameRule::Exact && token.kind == TokenKind::Word;
        Some(if folds { name.to_lowercase() } else { name })
    };
    let first = name(at)?;
    if all.get(at + 1).is_some_and(|dot| dot.text == ".") {
        let own = name(at + 2)?;
        let default = match rule {
            NameRule::AsciiInsensitive => first.eq_ignore_ascii_case("main"),
            NameRule::Exact => first == "public",
        };
        return Some((ObjectName { schema: (!default).then_some(first), name: own }, at + 3));
    }
    Some((ObjectName::new(first), at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_the_database() {
        let sql =
            "CREATE TRIGGER Touch BEFORE UPDATE OF a, b ON public.\"T\" FOR EACH ROW EXECUTE FUNCTION f()";
        let trigger = Trigger::parse(sql, NameRule::Exact).unwrap();
        assert_eq!(trigger.name, Trigger::name_within("touch", &"T".into()));
        assert_eq!(trigger.table, "T".into());
        let other = Trigger::parse(&sql.replace("public", "app"), NameRule::Exact).unwrap();
        assert_eq!(other.table.schema.as_deref(), Some("app"));
        let plain =
            Trigger::parse("CREATE TRIGGER Touch AFTER INSERT ON t BEGIN SELECT 1; END", NameRule::default());
        assert_eq!(plain.unwrap().name, "Touch".into());
        let Some(TriggerStatement::Drop(name)) =
            TriggerStatement::parse("DROP TRIGGER touch ON \"T\"", NameRule::Exact)
        else {
            panic!("a DROP TRIGGER")
        };
        assert_eq!(name, trigger.name);
    }
}
