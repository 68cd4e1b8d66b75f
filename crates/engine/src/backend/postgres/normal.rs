//! Expressions as the server itself prints them.
//!
//! `DEFAULT 'a'` is read back as `'a'::text`, `IN (1, 2)` as `= ANY (ARRAY[1, 2])`. To compare what is wanted with what
//! is there, the wanted definition is made (temporary, in a transaction that is rolled back) and read back. A text that
//! the server prints otherwise each time that it reads its own is followed for a few rounds.

use std::collections::{BTreeMap, BTreeSet};

use pql_planner::text::{POSTGRES, postgres_literal};
use pql_schema::{Column, Constraint, ConstraintKind, Expr, Index, Schema, Table, View};

use super::blockers::literal;
use super::link::Session;
use super::transaction::{self, Settings};
use crate::backend::Connection as _;
use crate::{Result, Value};

/// How often a text is read back until it no longer changes.
const ROUNDS: usize = 3;

/// A name for each expression of a schema: what it belongs to, and its place there.
type Texts = BTreeMap<(String, String), Expr>;

/// The wanted schema with its expressions as the server prints them. Those that stand in `current` already, over
/// columns of the same types, stay as they are.
pub(super) fn normalise(session: &mut Session, mut wanted: Schema, current: &Schema) -> Result<Schema> {
    let here = collect(current);
    let mut open = changed(&collect(&wanted), &here);
    let retyped = retyped(&wanted, current);
    for name in &retyped {
        open.extend(collect(&wanted).into_keys().filter(|(table, _)| table == name));
        open.extend(readers(&wanted, name));
    }
    if open.is_empty() {
        return Ok(wanted);
    }
    let mut there = current.clone();
    for round in 0..ROUNDS {
        let read = read_back(session, &wanted, &open)?;
        replace(&mut wanted, &read);
        // What the server printed before, it may print otherwise when it reads that.
        let still: BTreeSet<_> =
            changed(&collect(&wanted), &here).into_iter().filter(|at| open.contains(at)).collect();
        if still.is_empty() || round + 1 == ROUNDS {
            break;
        }
        let again = read_back(session, &there, &still)?;
        let same: Texts = again
            .iter()
            .filter(|(at, text)| collect(&wanted).get(*at) == Some(*text) && !retyped.contains(&at.0))
            .filter_map(|(at, _)| Some((at.clone(), here.get(at)?.clone())))
            .collect();
        replace(&mut wanted, &same);
        replace(&mut there, &again);
        open = still.into_iter().filter(|at| !same.contains_key(at)).collect();
        if open.is_empty() {
            break;
        }
    }
    Ok(wanted)
}

/// The places at which two collections differ.
fn changed(wanted: &Texts, here: &Texts) -> BTreeSet<(String, String)> {
    wanted.iter().filter(|(at, text)| here.get(*at) != Some(*text)).map(|(at, _)| at.clone()).collect()
}

/// The tables with a column of another type.
fn retyped(wanted: &Schema, current: &Schema) -> BTreeSet<String> {
    let other = |table: &&Table| {
        current.table(&table.name).is_some_and(|known| {
            table.columns.iter().any(|column| {
                known
                    .columns
                    .iter()
                    .any(|same| same.name == column.name && same.data_type != column.data_type)
            })
        })
    };
    wanted.tables.values().filter(other).map(|table| table.name.to_string()).collect()
}

/// The views over a table.
fn readers(schema: &Schema, table: &str) -> Vec<(String, String)> {
    let Some(name) = schema.tables.keys().find(|name| name.to_string() == table) else { return Vec::new() };
    let mut open = vec![name.clone()];
    let mut found = Vec::new();
    while let Some(name) = open.pop() {
        for reader in schema.readers_of(&name) {
            if let pql_schema::ObjectRef::View(view) = reader {
                let at = (view.to_string(), "query".to_owned());
                if !found.contains(&at) {
                    found.push(at);
                    open.push(view);
                }
            }
        }
    }
    found
}

/// Every expression of a schema.
fn collect(schema: &Schema) -> Texts {
    let mut texts = Texts::new();
    let mut copy = schema.clone();
    each(&mut copy, &mut |at, text| {
        texts.insert(at, text.clone());
    });
    texts
}

fn replace(schema: &mut Schema, texts: &Texts) {
    for view in schema.views.values_mut() {
        if texts.contains_key(&(view.name.to_string(), "query".to_owned())) {
            // The query that is read back says what its columns are called.
            view.columns.clear();
        }
    }
    each(schema, &mut |at, text| {
        if let Some(read) = texts.get(&at) {
            *text = read.clone();
        }
    });
}

/// Visits every expression with its place.
fn each(schema: &mut Schema, visit: &mut dyn FnMut((String, String), &mut Expr)) {
    for table in schema.tables.values_mut() {
        let owner = table.name.to_string();
        for column in &mut table.columns {
            if let Some(default) = &mut column.default {
                visit((owner.clone(), format!("default {}", column.name)), default);
            }
            if let Some(generated) = &mut column.generated {
                visit((owner.clone(), format!("default {}", column.name)), &mut generated.expr);
            }
        }
        for constraint in &mut table.constraints {
            if let (Some(name), ConstraintKind::Check { expr }) = (&constraint.name, &mut constraint.kind) {
                visit((owner.clone(), format!("check {name}")), expr);
            }
        }
    }
    for index in schema.indexes.values_mut() {
        let (owner, name) = (index.table.to_string(), index.name.to_string());
        for (at, part) in index.parts.iter_mut().enumerate().filter(|(_, part)| part.column.is_none()) {
            visit((owner.clone(), format!("index {name} {at}")), &mut part.expr);
        }
        if let Some(predicate) = &mut index.predicate {
            visit((owner, format!("index {name} where")), predicate);
        }
    }
    for view in schema.views.values_mut() {
        visit((view.name.to_string(), "query".to_owned()), &mut view.query);
    }
}

/// What the server prints for the texts at these places. What it does not accept is left out: the statement that
/// needs it will say so.
fn read_back(session: &mut Session, schema: &Schema, open: &BTreeSet<(String, String)>) -> Result<Texts> {
    let mut texts = Texts::new();
    transaction::begin(session, &Settings::default())?;
    let outcome = (|| {
        let concerned = |name: &str| open.iter().any(|(owner, _)| owner == name);
        let views: Vec<&View> =
            schema.views.values().filter(|view| concerned(&view.name.to_string())).collect();
        let read_by_views = |table: &Table| views.iter().any(|view| view.query.mentions(&table.name.name));
        for table in schema.tables.values() {
            let name = table.name.to_string();
            if concerned(&name) {
                let indexes: Vec<&Index> = schema.indexes_of(&table.name).collect();
                self::table(session, table, &indexes, &mut texts)?;
            } else if read_by_views(table) {
                attempt(session, &bare(table))?;
            }
        }
        for view in ordered(&views) {
            self::view(session, view, &mut texts)?;
        }
        Ok(())
    })();
    session.roll_back();
    outcome.map(|()| texts)
}

/// Views after those that they read.
fn ordered<'a>(views: &[&'a View]) -> Vec<&'a View> {
    let mut rest: Vec<&View> = views.to_vec();
    let mut done: Vec<&View> = Vec::new();
    while !rest.is_empty() {
        let free = rest.iter().position(|view| {
            !rest.iter().any(|other| other.name != view.name && view.query.mentions(&other.name.name))
        });
        done.push(rest.remove(free.unwrap_or_default()));
    }
    done
}

/// Runs a statement; one that fails leaves nothing. Whether it was accepted.
fn attempt(session: &mut Session, sql: &str) -> Result<bool> {
    session.batch("SAVEPOINT _pql_attempt")?;
    match session.batch(sql) {
        Ok(()) => {
            session.batch("RELEASE _pql_attempt")?;
            Ok(true)
        }
        Err(error) if error.is_retryable() => Err(error),
        Err(_) => {
            session.batch("ROLLBACK TO _pql_attempt; RELEASE _pql_attempt")?;
            Ok(false)
        }
    }
}

/// The name of a temporary stand-in: the relation's own, so that expressions may say it.
fn stand_in(name: &str) -> String {
    format!("pg_temp.{}", (POSTGRES.ident)(name))
}

/// A temporary table with the columns alone.
fn bare(table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .filter(|column| !column.retained)
        .map(|column| {
            let plain = Column {
                collation: column.collation.clone(),
                ..Column::new(column.name.clone(), column.data_type.clone())
            };
            POSTGRES.column_def(&plain, table, &[])
        })
        .collect();
    format!("CREATE TEMPORARY TABLE {} ({})", (POSTGRES.ident)(&table.name.name), columns.join(", "))
}

/// Reads back the expressions of a table.
fn table(session: &mut Session, table: &Table, indexes: &[&Index], texts: &mut Texts) -> Result<()> {
    let owner = table.name.to_string();
    if !attempt(session, &bare(table))? {
        return Ok(());
    }
    let name = stand_in(&table.name.name);
    for column in table.columns.iter().filter(|column| !column.retained) {
        let own = (POSTGRES.ident)(&column.name);
        let sql = match (&column.default, &column.generated) {
            (Some(default), _) => {
                format!(
                    "ALTER TABLE {name} ALTER COLUMN {own} SET DEFAULT {}",
                    POSTGRES.default_value(&postgres_literal(default))
                )
            }
            (None, Some(generated)) if generated.stored => {
                let kind = pql_planner::text::postgres_type_name(&column.data_type);
                format!(
                    "ALTER TABLE {name} DROP COLUMN {own}, ADD COLUMN {own} {kind} GENERATED ALWAYS AS ({}) STORED",
                    generated.expr
                )
            }
            _ => continue,
        };
        attempt(session, &sql)?;
    }
    for constraint in &table.constraints {
        if let Constraint { name: Some(_), kind: ConstraintKind::Check { .. }, .. } = constraint {
            attempt(session, &format!("ALTER TABLE {name} ADD {}", POSTGRES.constraint_def(constraint)))?;
        }
    }
    let class = format!("{}::pg_catalog.regclass", literal(&name));
    let pairs = [
        (
            "default",
            format!(
                "SELECT a.attname::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d \
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
                 WHERE d.adrelid = {class}"
            ),
        ),
        (
            "check",
            format!(
                "SELECT conname::text, pg_catalog.pg_get_expr(conbin, conrelid) FROM pg_catalog.pg_constraint \
                 WHERE conrelid = {class} AND contype = 'c'"
            ),
        ),
    ];
    for (kind, sql) in pairs {
        for (own, text) in read_pairs(session, &sql)? {
            texts.insert((owner.clone(), format!("{kind} {own}")), Expr::new(text));
        }
    }
    for index in indexes {
        self::index(session, index, &owner, &name, texts)?;
    }
    Ok(())
}

fn index(session: &mut Session, index: &Index, owner: &str, table: &str, texts: &mut Texts) -> Result<()> {
    if index.predicate.is_none() && index.parts.iter().all(|part| part.column.is_some()) {
        return Ok(());
    }
    let tail = POSTGRES.index_tail(index);
    let named = format!("{} ON {}", (POSTGRES.ident)(&index.name.name), POSTGRES.object(&index.table));
    let Some(rest) = tail.strip_prefix(&named) else { return Ok(()) };
    let own = (POSTGRES.ident)(&index.name.name);
    if !attempt(session, &format!("CREATE INDEX {own} ON {table}{rest}"))? {
        return Ok(());
    }
    let class = format!("{}::pg_catalog.regclass", literal(&stand_in(&index.name.name)));
    let predicate = session.batch_value(&format!(
        "SELECT pg_catalog.pg_get_expr(indpred, indrelid) FROM pg_catalog.pg_index WHERE indexrelid = {class}"
    ))?;
    if let Some(predicate) = predicate {
        texts.insert((owner.to_owned(), format!("index {} where", index.name)), Expr::new(predicate));
    }
    for (at, _) in index.parts.iter().enumerate().filter(|(_, part)| part.column.is_none()) {
        let text =
            session.batch_value(&format!("SELECT pg_catalog.pg_get_indexdef({class}, {}, false)", at + 1))?;
        if let Some(text) = text {
            texts.insert((owner.to_owned(), format!("index {} {at}", index.name)), Expr::new(text));
        }
    }
    Ok(())
}

fn view(session: &mut Session, view: &View, texts: &mut Texts) -> Result<()> {
    let columns =
        if view.columns.is_empty() { String::new() } else { format!(" ({})", POSTGRES.names(&view.columns)) };
    let name = (POSTGRES.ident)(&view.name.name);
    if !attempt(session, &format!("CREATE TEMPORARY VIEW {name}{columns} AS {}", view.query))? {
        return Ok(());
    }
    let text = session.batch_value(&format!(
        "SELECT pg_catalog.pg_get_viewdef({}::pg_catalog.regclass)",
        literal(&stand_in(&view.name.name))
    ))?;
    if let Some(text) = text {
        let text = text.trim().trim_end_matches(';').trim_end().to_owned();
        texts.insert((view.name.to_string(), "query".to_owned()), Expr::statement(text));
    }
    Ok(())
}

fn read_pairs(session: &mut Session, sql: &str) -> Result<Vec<(String, String)>> {
    let pair = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(name), Value::Text(text)] => Some((name.clone(), text.clone())),
        _ => None,
    };
    Ok(session.query(sql, &[])?.rows.into_iter().filter_map(pair).collect())
}
