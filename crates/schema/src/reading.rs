//! What the text of a view or a trigger names, as far as its tokens tell.
//!
//! Relations are found by the clauses that introduce them (FROM, JOIN, INTO, UPDATE), columns by their qualifier or,
//! without one, by which relations the text names. Where tokens cannot decide, a use counts as *possible*: it stops a
//! DROP, and a rename follows it only when no other relation of the text has such a column. The database rewrites its
//! views and triggers itself; what is computed here is what the model shows until the database is read again.

use crate::expr::can_be_column;
use crate::{Expr, NameRule, ObjectName, Schema, Token, TokenKind, Trigger, View, tokens};

/// A text with the relations it names.
pub(crate) struct Reading<'a> {
    expr: &'a Expr,
    tokens: Vec<Token<'a>>,
    relations: Vec<Relation>,
    /// The table that NEW and OLD are rows of.
    watched: Option<&'a ObjectName>,
    rule: NameRule,
}

/// A relation where it is named in a FROM or its like.
struct Relation {
    /// The token that is its name.
    at: usize,
    name: ObjectName,
    alias: Option<(usize, String)>,
}

/// How sure it is that a token denotes a column of a certain table.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Certain,
    Possible,
}

/// Where in a statement the scan stands, per depth of parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Clause {
    /// The next name is a relation; `call`: unless it is called.
    Expect { call: bool },
    /// Behind one, where a comma introduces the next.
    Listed,
    /// Anywhere else.
    Other,
}

impl<'a> Reading<'a> {
    pub(crate) fn of_view(view: &'a View, rule: NameRule) -> Self {
        Self::new(&view.query, None, rule)
    }

    pub(crate) fn of_trigger(trigger: &'a Trigger, rule: NameRule) -> Self {
        Self::new(&trigger.definition, Some(&trigger.table), rule)
    }

    fn new(expr: &'a Expr, watched: Option<&'a ObjectName>, rule: NameRule) -> Self {
        let tokens: Vec<_> = tokens(expr.as_str()).collect();
        let relations = relations(&tokens);
        Self { expr, tokens, relations, watched, rule }
    }

    /// The relations it names, as they are written.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &ObjectName> {
        self.relations.iter().map(|relation| &relation.name)
    }

    /// Whether it names the table or view.
    pub(crate) fn reads(&self, table: &ObjectName) -> bool {
        self.relations.iter().any(|relation| denotes(self.rule, &relation.name, table))
    }

    /// Whether it may use the table's column.
    pub(crate) fn uses(&self, table: &ObjectName, column: &str) -> bool {
        self.concerns(table) && (0..self.tokens.len()).any(|at| self.use_at(at, table, column).is_some())
    }

    /// The text after a table got another name.
    pub(crate) fn with_table_renamed(&self, from: &ObjectName, to: &ObjectName) -> Option<Expr> {
        if !self.concerns(from) {
            return None;
        }
        let named: Vec<usize> = self
            .relations
            .iter()
            .filter(|relation| denotes(self.rule, &relation.name, from))
            .map(|relation| relation.at)
            .chain(self.header_table().filter(|_| self.watches(from)))
            .collect();
        let qualifies = |at: usize| {
            self.tokens[at].spells(self.rule, &from.name)
                && self.tokens.get(at + 1).is_some_and(|next| next.text == ".")
                && (at == 0 || self.tokens[at - 1].text != ".")
                && self.qualified_by(at).is_some_and(|found| found.iter().all(|r| r.alias.is_none()))
        };
        Some(self.expr.with_names(&self.tokens, &to.name, |at| named.contains(&at) || qualifies(at)))
    }

    /// The text after a column got another name.
    pub(crate) fn with_column_renamed(
        &self,
        schema: &Schema,
        table: &ObjectName,
        from: &str,
        to: &str,
    ) -> Option<Expr> {
        if !self.concerns(table) {
            return None;
        }
        let alone = !self.relations.iter().any(|other| {
            !denotes(self.rule, &other.name, table) && schema.may_have_column(&other.name, from)
        });
        let uses: Vec<usize> = (0..self.tokens.len())
            .filter(|&at| match self.use_at(at, table, from) {
                Some(Use::Certain) => true,
                Some(Use::Possible) => alone,
                None => false,
            })
            .collect();
        let label = |at: usize| self.labels(at).then_some(from);
        (!uses.is_empty())
            .then(|| self.expr.with_labels(&self.tokens, to, |at| uses.contains(&at).then(|| label(at))))
    }

    /// Whether the token alone gives a view's column its name, which PostgreSQL then keeps.
    fn labels(&self, at: usize) -> bool {
        if self.rule != NameRule::Exact || self.watched.is_some() {
            return false;
        }
        let depth = |depth: i32, token: &Token<'_>| match token.text {
            "(" => depth + 1,
            ")" => depth - 1,
            _ => depth,
        };
        let before = &self.tokens[..at];
        let listed = before.first().is_some_and(|token| token.is("SELECT"))
            && before.iter().fold(0, depth) == 0
            && !before.iter().any(|token| token.is("FROM"));
        let start =
            before.iter().rposition(|token| token.text == "," || token.is("SELECT") || token.is("DISTINCT"));
        let alone = start.is_some_and(|start| {
            before[start + 1..].chunks(2).all(|pair| matches!(pair, [_, dot] if dot.text == "."))
        });
        let ends = self.tokens.get(at + 1).is_none_or(|next| next.text == "," || next.is("FROM"));
        listed && alone && ends
    }

    fn watches(&self, table: &ObjectName) -> bool {
        self.watched.is_some_and(|watched| self.rule.same_object(watched, table))
    }

    fn concerns(&self, table: &ObjectName) -> bool {
        self.watches(table) || self.reads(table)
    }

    /// Of a trigger: the token that names the table it watches.
    fn header_table(&self) -> impl Iterator<Item = usize> {
        let on = self.watched.and_then(|_| self.tokens.iter().position(|token| token.is("ON")));
        on.map(|on| {
            let qualified = self.tokens.get(on + 2).is_some_and(|dot| dot.text == ".");
            if qualified { on + 3 } else { on + 1 }
        })
        .into_iter()
    }

    /// Whether the token denotes a column of that name, of that table.
    fn use_at(&self, at: usize, table: &ObjectName, column: &str) -> Option<Use> {
        self.tokens.get(at).filter(|token| token.spells(self.rule, column))?;
        let is_relation =
            |r: &Relation| r.at == at || r.alias.as_ref().is_some_and(|&(alias, _)| alias == at);
        if self.relations.iter().any(is_relation) {
            return None;
        }
        let header_end = self.header_table().next();
        if header_end.is_some_and(|end| at <= end) {
            let listed = self.tokens[..at].iter().any(|before| before.is("OF"));
            return (listed && Some(at) != header_end && self.watches(table)).then_some(Use::Certain);
        }
        // `INSERT INTO t (c)` lists a column where a call would have its argument; only what is called is no column.
        if !can_be_column(&self.tokens, at) {
            return None;
        }
        if at < 2 || self.tokens[at - 1].text != "." {
            return self.reads(table).then_some(Use::Possible);
        }
        let qualifier = &self.tokens[at - 2];
        if self.watched.is_some() && (qualifier.is("NEW") || qualifier.is("OLD")) {
            return self.watches(table).then_some(Use::Certain);
        }
        let Some(found) = self.qualified_by(at - 2) else {
            return self.reads(table).then_some(Use::Possible);
        };
        let ours = found.iter().filter(|relation| denotes(self.rule, &relation.name, table)).count();
        match ours {
            0 => None,
            ours if ours == found.len() => Some(Use::Certain),
            _ => Some(Use::Possible),
        }
    }

    /// The relations that a qualifier can stand for; `None` when none is known.
    fn qualified_by(&self, at: usize) -> Option<Vec<&Relation>> {
        let found: Vec<_> = self
            .relations
            .iter()
            .filter(|relation| {
                let shown = relation.alias.as_ref().map_or(&relation.name.name, |(_, alias)| alias);
                self.tokens[at].spells(self.rule, shown)
            })
            .collect();
        (!found.is_empty()).then_some(found)
    }
}

/// Whether a name as written in a text denotes the object; the default schema may be spelled out.
pub(crate) fn denotes(rule: NameRule, written: &ObjectName, object: &ObjectName) -> bool {
    rule.same(&written.name, &object.name)
        && match (&written.schema, &object.schema) {
            (None, _) => true,
            (Some(written), Some(schema)) => rule.same(written, schema),
            (Some(written), None) => rule.same(written, "main") || rule.same(written, "public"),
        }
}

fn relations(tokens: &[Token<'_>]) -> Vec<Relation> {
    let mut found = Vec::new();
    let mut depths = vec![Clause::Other];
    let mut at = 0;
    while at < tokens.len() {
        let clause = *depths.last().unwrap_or(&Clause::Other);
        if let Clause::Expect { call } = clause
            && let Some(relation) = relation(tokens, at, call)
        {
            at = relation.alias.as_ref().map_or(relation.at, |&(alias, _)| alias) + 1;
            found.push(relation);
            set(&mut depths, Clause::Listed);
            continue;
        }
        match tokens[at].text {
            "(" => depths.push(if clause == Clause::Other { Clause::Other } else { after_bracket(clause) }),
            ")" => {
                if depths.len() > 1 {
                    depths.pop();
                }
                if matches!(depths.last(), Some(Clause::Expect { .. })) {
                    set(&mut depths, Clause::Listed);
                }
            }
            "," if clause == Clause::Listed => set(&mut depths, Clause::Expect { call: true }),
            ";" => set(&mut depths, Clause::Other),
            _ => {
                if let Some(next) = introduced(tokens, at) {
                    set(&mut depths, next);
                } else if matches!(clause, Clause::Expect { .. }) && !is_filler(tokens, at) {
                    // A table function, VALUES or something else that is no relation of the schema.
                    set(&mut depths, Clause::Listed);
                }
            }
        }
        at += 1;
    }
    found
}

fn set(depths: &mut [Clause], clause: Clause) {
    if let Some(last) = depths.last_mut() {
        *last = clause;
    }
}

/// `FROM (a JOIN b)` lists relations inside its parentheses; `USING (…)` and `INTO t (…)` do not.
fn after_bracket(clause: Clause) -> Clause {
    if matches!(clause, Clause::Expect { .. }) { clause } else { Clause::Other }
}

/// The clause that a keyword starts.
fn introduced(tokens: &[Token<'_>], at: usize) -> Option<Clause> {
    const ENDS: &[&str] = &[
        "WHERE",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "SELECT",
        "SET",
        "VALUES",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "WINDOW",
        "RETURNING",
        "WHEN",
        "BEGIN",
        "DEFAULT",
        "END",
    ];
    let token = &tokens[at];
    if token.kind != TokenKind::Word {
        return None;
    }
    let next_is =
        |words: &[&str]| tokens.get(at + 1).is_some_and(|next| words.iter().any(|word| next.is(word)));
    if token.is("FROM") {
        // `IS DISTINCT FROM` compares.
        let compares = at > 0 && tokens[at - 1].is("DISTINCT");
        return (!compares).then_some(Clause::Expect { call: true });
    }
    if token.is("JOIN") {
        return Some(Clause::Expect { call: true });
    }
    if token.is("INTO") {
        return Some(Clause::Expect { call: false });
    }
    if token.is("UPDATE") {
        // `AFTER UPDATE OF c ON t`, `DO UPDATE SET`, `INSERT OR UPDATE OR DELETE` are no statements.
        let event = next_is(&["OF", "ON", "SET"])
            || (next_is(&["OR"])
                && tokens.get(at + 2).is_some_and(|word| word.is("INSERT") || word.is("DELETE")));
        return (!event).then_some(Clause::Expect { call: false });
    }
    ENDS.iter().any(|word| token.is(word)).then_some(Clause::Other)
}

/// Words between the keyword and the relation: `UPDATE OR IGNORE t`, `FROM ONLY t`, `, LATERAL (…)`.
fn is_filler(tokens: &[Token<'_>], at: usize) -> bool {
    let after_or = at > 0 && tokens[at - 1].is("OR");
    after_or || ["OR", "ONLY", "LATERAL", "TABLE"].iter().any(|word| tokens[at].is(word))
}

/// The relation that is named from this token on, with its alias.
fn relation(tokens: &[Token<'_>], at: usize, call: bool) -> Option<Relation> {
    if is_filler(tokens, at) || introduced(tokens, at).is_some() {
        return None;
    }
    let name_at = |at: usize| tokens.get(at).and_then(Token::name);
    let first = name_at(at)?;
    let dotted = tokens.get(at + 1).is_some_and(|dot| dot.text == ".");
    let (at, name) = match name_at(at + 2).filter(|_| dotted) {
        Some(second) => (at + 2, ObjectName { schema: Some(first), name: second }),
        None => (at, ObjectName::new(first)),
    };
    let next = tokens.get(at + 1);
    if call && next.is_some_and(|next| next.text == "(") && tokens[at].kind == TokenKind::Word {
        return None;
    }
    let alias_at = if next.is_some_and(|next| next.is("AS")) { at + 2 } else { at + 1 };
    let alias = name_at(alias_at).filter(|_| alias_at == at + 2 || !ends_relation(&tokens[alias_at]));
    Some(Relation { at, name, alias: alias.map(|alias| (alias_at, alias)) })
}

/// Whether a word behind a relation is not its alias.
fn ends_relation(token: &Token<'_>) -> bool {
    const WORDS: &[&str] = &[
        "WHERE",
        "ON",
        "USING",
        "JOIN",
        "LEFT",
        "RIGHT",
        "FULL",
        "INNER",
        "OUTER",
        "CROSS",
        "NATURAL",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "WINDOW",
        "SET",
        "VALUES",
        "SELECT",
        "INDEXED",
        "NOT",
        "DEFAULT",
        "RETURNING",
        "TABLESAMPLE",
        "FOR",
        "OFFSET",
        "FETCH",
        "DO",
        "WITH",
        "END",
        "WHEN",
    ];
    WORDS.iter().any(|word| token.is(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: NameRule = NameRule::AsciiInsensitive;

    fn view(query: &str) -> View {
        View { name: "v".into(), columns: Vec::new(), query: Expr::statement(query), materialized: false }
    }

    fn names(query: &str) -> Vec<String> {
        let view = view(query);
        Reading::of_view(&view, RULE).relations().map(ToString::to_string).collect()
    }

    #[test]
    fn relations_by_clause() {
        assert_eq!(
            names("SELECT a, b FROM t, main.u AS x JOIN (w NATURAL JOIN \"o o\") ON x.a IN (1, y), z"),
            ["t", "main.u", "w", "\"o o\"", "z"]
        );
        assert_eq!(
            names("SELECT * FROM (SELECT 1 FROM t) s, json_each(d) j WHERE a IS DISTINCT FROM b"),
            ["t"]
        );
        assert_eq!(
            names("INSERT INTO t (a, b) SELECT a, b FROM u ON CONFLICT DO UPDATE SET a = 1"),
            ["t", "u"]
        );
        assert_eq!(
            names("UPDATE OR IGNORE t SET a = (SELECT max(x) FROM u), b = 1 WHERE c; DELETE FROM w"),
            ["t", "u", "w"]
        );
    }

    #[test]
    fn which_columns_are_used() {
        let text = view("SELECT t.a, b AS c, x.d, lower(e), f.g FROM t JOIN u x ON x.h = t.h");
        let reading = Reading::of_view(&text, RULE);
        let uses = |table: &str, column| reading.uses(&table.into(), column);
        assert!(uses("t", "a") && !uses("u", "a"));
        assert!(uses("t", "b") && uses("u", "b"), "tokens cannot tell whose it is");
        assert!(!uses("t", "c"), "an alias");
        assert!(uses("u", "D") && !uses("t", "d"));
        assert!(!uses("t", "lower") && uses("t", "e"));
        assert!(uses("t", "g"), "qualified by something unknown");
        assert!(uses("t", "h") && uses("u", "h") && !uses("w", "h"));
        assert!(!uses("t", "x"), "a qualifier");
    }

    #[test]
    fn renames_follow() {
        let text = view("SELECT t.a, a, x.a FROM main.t, u AS x WHERE t.a = 't' AND \"T\".b");
        let reading = Reading::of_view(&text, RULE);
        assert_eq!(
            reading.with_table_renamed(&"t".into(), &"order".into()).map(|expr| expr.to_string()).as_deref(),
            Some(
                "SELECT \"order\".a, a, x.a FROM main.\"order\", u AS x WHERE \"order\".a = 't' AND \"order\".b"
            )
        );
        let schema = Schema::new(RULE);
        assert_eq!(
            reading
                .with_column_renamed(&schema, &"t".into(), "a", "z")
                .map(|expr| expr.to_string())
                .as_deref(),
            Some("SELECT t.z, z, x.a FROM main.t, u AS x WHERE t.z = 't' AND \"T\".b")
        );
    }

    #[test]
    fn a_trigger_names_its_table_and_rows() {
        let trigger = Trigger {
            name: "g".into(),
            table: "t".into(),
            definition: Expr::statement(
                "CREATE TRIGGER a AFTER UPDATE OF a, b ON t WHEN NEW.a > 0 BEGIN \
                 INSERT INTO log (a, n) VALUES (OLD.a, NEW.b); UPDATE u SET a = 1; END",
            ),
        };
        let reading = Reading::of_trigger(&trigger, RULE);
        assert!(reading.uses(&"t".into(), "a") && reading.uses(&"t".into(), "b"));
        assert!(!reading.uses(&"t".into(), "n") && reading.uses(&"log".into(), "n"));
        assert!(!reading.uses(&"log".into(), "b"));
        let schema = Schema::new(RULE);
        assert_eq!(
            reading
                .with_column_renamed(&schema, &"t".into(), "a", "z")
                .map(|expr| expr.to_string())
                .as_deref(),
            Some(
                "CREATE TRIGGER a AFTER UPDATE OF z, b ON t WHEN NEW.z > 0 BEGIN \
                 INSERT INTO log (a, n) VALUES (OLD.z, NEW.b); UPDATE u SET a = 1; END"
            )
        );
        assert_eq!(
            reading.with_table_renamed(&"t".into(), &"T2".into()).map(|expr| expr.to_string()).as_deref(),
            Some(
                "CREATE TRIGGER a AFTER UPDATE OF a, b ON \"T2\" WHEN NEW.a > 0 BEGIN \
                 INSERT INTO log (a, n) VALUES (OLD.a, NEW.b); UPDATE u SET a = 1; END"
            )
        );
    }
}
