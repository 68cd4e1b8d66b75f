//! Definitions created beside the real ones, read as the server prints them, and given up again.

use pql_planner::text::{POSTGRES, postgres_ident, postgres_object};
use pql_schema::{
    Column, ConstraintKind, Expr, Index, ObjectName, Schema, Table, TableOptions, Token, TokenKind, Trigger,
    View, tokens,
};

use super::super::introspect;
use super::super::link::Session;
use super::super::transaction::printed;
use crate::Result;

/// How the schemas that stand for the real ones are called, by number.
const PREFIX: &str = "_pql_scratch_";

/// How a constraint without a name is called, by number.
pub(super) const UNNAMED: &str = "pqlscratch_";

/// What the definitions of a schema become when the server has stored them; those that it does not accept as they
/// stand are missing. Runs inside a transaction and leaves nothing in it.
pub(super) fn read_back(session: &mut Session, part: &Schema) -> Result<Schema> {
    let names = Names::of(part);
    let definitions = names.definitions(part);
    session.batch("SAVEPOINT scratch")?;
    let all: Vec<&str> = definitions.iter().map(String::as_str).collect();
    if session.batch(&format!("{}; {}", names.begin(), all.join("; "))).is_err() {
        session.batch("ROLLBACK TO SAVEPOINT scratch")?;
        session.batch(&names.begin())?;
        one_by_one(session, all)?;
    }
    let mut found = printed(session, |session| introspect::scratch(session, PREFIX))?;
    session.batch("ROLLBACK TO SAVEPOINT scratch; RELEASE SAVEPOINT scratch")?;
    found.for_each_expr(&mut |expr| *expr = names.real_text(expr));
    for table in found.tables.values_mut() {
        for constraint in &mut table.constraints {
            if let ConstraintKind::Native { definition } = &mut constraint.kind {
                names.real_text(&Expr::statement(definition.clone())).as_str().clone_into(definition);
            }
        }
    }
    Ok(names.real_schema(found))
}

/// Each by itself, again and again as long as that leads on: a view may come before one that it reads.
fn one_by_one(session: &mut Session, mut open: Vec<&str>) -> Result<()> {
    loop {
        let before = open.len();
        let mut left = Vec::new();
        for sql in open {
            session.batch("SAVEPOINT one")?;
            if session.batch(sql).is_err() {
                session.batch("ROLLBACK TO SAVEPOINT one")?;
                left.push(sql);
            }
            session.batch("RELEASE SAVEPOINT one")?;
        }
        if left.is_empty() || left.len() == before {
            return Ok(());
        }
        open = left;
    }
}

/// The schemas that objects are in, by number.
struct Names(Vec<Option<String>>);

impl Names {
    fn of(part: &Schema) -> Self {
        let objects = part.tables.keys().chain(part.views.keys());
        let mut schemas: Vec<Option<String>> = objects.map(|name| name.schema.clone()).collect();
        schemas.push(None);
        schemas.sort();
        schemas.dedup();
        Self(schemas)
    }

    fn begin(&self) -> String {
        let mut all: Vec<String> =
            (0..self.0.len()).map(|number| format!("CREATE SCHEMA {PREFIX}{number}")).collect();
        // Without a schema comes first in the order.
        all.push(format!("SET LOCAL search_path = {PREFIX}0, public; SET LOCAL check_function_bodies = off"));
        all.join("; ")
    }

    fn scratch(&self, name: &ObjectName) -> ObjectName {
        let number = self.0.iter().position(|schema| *schema == name.schema).unwrap_or_default();
        ObjectName { schema: Some(format!("{PREFIX}{number}")), name: name.name.clone() }
    }

    fn definitions(&self, part: &Schema) -> Vec<String> {
        let mut all: Vec<String> =
            part.tables.values().map(|table| POSTGRES.create_table(&self.table(table))).collect();
        let index = |index: &Index| {
            let index = Index { table: self.scratch(&index.table), ..index.clone() };
            POSTGRES.create_index(&index)
        };
        all.extend(part.indexes.values().map(index));
        let view = |view: &View| {
            // A plain one reads the same and is not filled.
            POSTGRES.create_view(&View {
                name: self.scratch(&view.name),
                materialized: false,
                ..view.clone()
            })
        };
        all.extend(part.views.values().map(view));
        all.extend(part.triggers.values().filter_map(|trigger| self.trigger(trigger)));
        all
    }

    /// The table with what has an expression, and nothing that needs another table.
    fn table(&self, table: &Table) -> Table {
        let mut table = table.clone();
        table.name = self.scratch(&table.name);
        table.options = TableOptions::default();
        for (number, constraint) in table.constraints.iter_mut().enumerate() {
            constraint.name.get_or_insert_with(|| format!("{UNNAMED}{number}"));
            constraint.not_valid = false;
        }
        table.constraints.retain(|constraint| {
            matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::Native { .. })
        });
        table.columns.iter_mut().for_each(|column: &mut Column| column.identity = None);
        table
    }

    fn trigger(&self, trigger: &Trigger) -> Option<String> {
        let text = trigger.definition.as_str();
        let all: Vec<Token<'_>> = tokens(text).collect();
        let on = all.iter().position(|token| is_word(token, "on"))? + 1;
        let qualified = all.get(on + 1).is_some_and(|dot| dot.text == ".");
        let last = all.get(if qualified { on + 2 } else { on })?;
        let table = postgres_object(&self.scratch(&trigger.table));
        Some(format!("{}{table}{}", &text[..all[on].start], &text[last.start + last.text.len()..]))
    }

    /// A text with the names that things really have.
    fn real_text(&self, expr: &Expr) -> Expr {
        let text = expr.as_str();
        let all: Vec<Token<'_>> = tokens(text).collect();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (position, token) in all.iter().enumerate() {
            let dotted = all.get(position + 1).filter(|next| next.text == ".");
            let schema = match token.kind {
                TokenKind::Word if dotted.is_some() && token.text == "public" => Some(None),
                TokenKind::Word if dotted.is_some() => self.numbered(token.text).map(Option::as_deref),
                _ => None,
            };
            if let (Some(schema), Some(dot)) = (schema, dotted) {
                out.push_str(&text[at..token.start]);
                if let Some(schema) = schema {
                    out.push_str(&sql_name(schema));
                    out.push('.');
                }
                at = dot.start + 1;
            } else if token.kind == TokenKind::String && token.text.contains(PREFIX) {
                out.push_str(&text[at..token.start]);
                out.push_str(&self.real_string(token.text));
                at = token.start + token.text.len();
            }
        }
        out.push_str(&text[at..]);
        Expr::statement(out)
    }

    /// A name in a string (`nextval('…'::regclass)`).
    fn real_string(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, schema) in self.0.iter().enumerate() {
            let real = schema.as_deref().map(|schema| format!("{}.", sql_name(schema))).unwrap_or_default();
            text = text.replace(&format!("{PREFIX}{number}."), &real);
        }
        text
    }

    fn numbered(&self, name: &str) -> Option<&Option<String>> {
        self.0.get(name.strip_prefix(PREFIX)?.parse::<usize>().ok()?)
    }

    fn real(&self, name: &ObjectName) -> ObjectName {
        let schema = name.schema.as_deref().and_then(|schema| self.numbered(schema));
        ObjectName { schema: schema.cloned().flatten(), name: name.name.clone() }
    }

    fn real_schema(&self, found: Schema) -> Schema {
        let mut schema = Schema::new(found.names);
        let renamed = |name: &mut ObjectName| *name = self.real(name);
        schema.tables = found
            .tables
            .into_values()
            .map(|mut table| {
                renamed(&mut table.name);
                (table.name.clone(), table)
            })
            .collect();
        schema.indexes = found
            .indexes
            .into_values()
            .map(|mut index| {
                renamed(&mut index.name);
                renamed(&mut index.table);
                (index.name.clone(), index)
            })
            .collect();
        schema.views = found
            .views
            .into_values()
            .map(|mut view| {
                renamed(&mut view.name);
                (view.name.clone(), view)
            })
            .collect();
        schema.triggers = found
            .triggers
            .into_values()
            .map(|mut trigger| {
                renamed(&mut trigger.table);
                trigger.name = Trigger::name_within(trigger.name.name, &trigger.table);
                (trigger.name.clone(), trigger)
            })
            .collect();
        schema
    }
}

/// A schema's name as the server prints it.
fn sql_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { pql_planner::text::ident(name) } else { postgres_ident(name) }
}

fn is_word(token: &Token<'_>, word: &str) -> bool {
    token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_get_their_names_back() {
        let names = Names(vec![None, Some("app".to_owned()), Some("My app".to_owned())]);
        for (text, expected) in [
            ("SELECT a.b FROM _pql_scratch_0.t a", "SELECT a.b FROM t a"),
            ("SELECT 1 FROM _pql_scratch_1.t, _pql_scratch_2.u", "SELECT 1 FROM app.t, \"My app\".u"),
            ("nextval('_pql_scratch_1.t_id_seq'::regclass)", "nextval('app.t_id_seq'::regclass)"),
            ("nextval('_pql_scratch_0.t_id_seq'::regclass)", "nextval('t_id_seq'::regclass)"),
            ("SELECT public.f('public.x')", "SELECT f('public.x')"),
        ] {
            assert_eq!(names.real_text(&Expr::statement(text)).as_str(), expected);
        }
    }

    #[test]
    fn a_trigger_is_put_on_its_double() {
        let names = Names(vec![None]);
        let rule = pql_schema::NameRule::Exact;
        let text = "CREATE TRIGGER a BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION f()";
        let trigger = Trigger::parse(text, rule).unwrap();
        let expected =
            "CREATE TRIGGER a BEFORE UPDATE ON \"_pql_scratch_0\".\"t\" FOR EACH ROW EXECUTE FUNCTION f()";
        assert_eq!(names.trigger(&trigger).as_deref(), Some(expected));
    }
}
