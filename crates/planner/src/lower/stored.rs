//! The SQL that SQLite keeps of its own objects, as a model. What SQLite has accepted parses; a text that does not is
//! reported with its place, never guessed at.

use pql_schema::{Expr, Index, NameRule, ObjectName, Schema, Table, Trigger, View};
use pql_syntax::{Diagnostic, ast};

use super::{Context, Lowering, codes};
use crate::{Dialect, text};

/// A table from its stored CREATE TABLE.
pub fn stored_table(sql: &str) -> Result<Table, Diagnostic> {
    stored(sql, None, |lowering, statement| match statement {
        ast::Statement::CreateTable(create) => {
            let name = lowering.object(&create.name()?)?;
            let mut table = lowering.table_definition(name, &create.body()?, create.options())?.table;
            text::absorb_vector_checks(&mut table);
            text::drop_needless_collations(&mut table);
            Some(table)
        }
        _ => None,
    })
}

/// An index from its stored CREATE INDEX; `schema` gives the spelling of its table and columns.
pub fn stored_index(sql: &str, schema: &Schema) -> Result<Index, Diagnostic> {
    let mut index = stored(sql, Some(schema), |lowering, statement| match statement {
        ast::Statement::CreateIndex(create) => lowering.index(&create.definition()?, create.is_unique()),
        _ => None,
    })?;
    text::drop_needless_part_collations(&mut index, schema);
    Ok(index)
}

/// A view from its stored CREATE VIEW.
pub fn stored_view(sql: &str) -> Result<View, Diagnostic> {
    stored(sql, None, |lowering, statement| match statement {
        ast::Statement::CreateView(create) => lowering.view(
            &create.name()?,
            create.columns().as_ref(),
            create.query(),
            create.is_materialized(),
        ),
        _ => None,
    })
}

/// A trigger from its stored CREATE TRIGGER, or from the one that a schema file gives. `None` when the text is not a
/// CREATE TRIGGER.
pub fn trigger(sql: &str) -> Option<Trigger> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let mut tokens = pql_schema::tokens(sql).peekable();
    let is = |token: &pql_schema::Token<'_>, word: &str| token.text.eq_ignore_ascii_case(word);
    tokens.next().filter(|token| is(token, "create"))?;
    while tokens
        .next_if(|token| ["temp", "temporary", "or", "replace", "constraint"].iter().any(|w| is(token, w)))
        .is_some()
    {}
    tokens.next().filter(|token| is(token, "trigger"))?;
    while tokens.next_if(|token| ["if", "not", "exists"].iter().any(|w| is(token, w))).is_some() {}
    let qualified = |tokens: &mut std::iter::Peekable<_>| {
        let mut name = name_of(tokens)?;
        while tokens.next_if(|token: &pql_schema::Token<'_>| token.text == ".").is_some() {
            name = name_of(tokens)?;
        }
        Some(ObjectName::new(name))
    };
    let name = qualified(&mut tokens)?;
    // The event may list columns (`UPDATE OF a, b`); a column named "on" is quoted.
    loop {
        let token = tokens.next()?;
        if token.kind == pql_schema::TokenKind::Word && is(&token, "on") {
            break;
        }
    }
    let table = qualified(&mut tokens)?;
    Some(Trigger { name, table, definition: Expr::statement(sql) })
}

fn name_of<'a>(tokens: &mut impl Iterator<Item = pql_schema::Token<'a>>) -> Option<String> {
    let token = tokens.next()?;
    token.name().or_else(|| {
        // SQLite takes a string literal for a name.
        (token.kind == pql_schema::TokenKind::String && token.text.starts_with('\''))
            .then(|| token.text[1..token.text.len() - 1].replace("''", "'"))
    })
}

fn stored<T>(
    sql: &str,
    schema: Option<&Schema>,
    lower: impl FnOnce(&mut Lowering<'_>, &ast::Statement) -> Option<T>,
) -> Result<T, Diagnostic> {
    let parse = pql_syntax::parse(sql);
    if let Some(error) = parse.diagnostics().first() {
        return Err(error.clone());
    }
    let unreadable = || Diagnostic::error(codes::IMPOSSIBLE, 0..sql.len(), "this definition cannot be read");
    let statement = parse.statements().next().ok_or_else(unreadable)?;
    let empty = Schema::new(NameRule::AsciiInsensitive);
    let context = Context { dialect: Dialect::Sqlite, schema: schema.unwrap_or(&empty), params: &|_| None };
    let mut lowering = Lowering::new(context);
    lowering.stored = true;
    let lowered = lower(&mut lowering, &statement);
    match (lowering.findings.into_iter().next(), lowered) {
        (None, Some(lowered)) => Ok(lowered),
        (Some(finding), _) => Err(finding),
        (None, None) => Err(unreadable()),
    }
}
