//! The triggers that keep a hidden column true.
//!
//! They fire after the user's own BEFORE triggers, which may change what they read: triggers fire in the order of
//! their names, and theirs come after every name in ASCII. Among those that keep old columns true the youngest fires
//! first: what it writes may be what an older one reads.

use pql_planner::ColumnSwap;
use pql_planner::text::{postgres_comparable as comparable, postgres_type_name};
use pql_schema::{Column, Expr, ObjectName};

use super::super::super::link::Session;
use super::super::super::transaction::OF_FUNCTION;
use super::super::rows::{self, Key};
use super::super::statements::{ident, object};
use super::super::{catalog, examine, followers};
use crate::backend::Connection as _;
use crate::error::codes;
use crate::{Error, Result};

/// The function that fills the new column; also its trigger.
pub(super) fn forward_name(swap: &ColumnSwap) -> String {
    object(&swap.misfits.sibling(swap.shadow.clone()))
}

/// The function that keeps the old column true.
fn backward_name(swap: &ColumnSwap) -> String {
    object(&swap.misfits.sibling(swap.retained.clone()))
}

/// The function that takes over what is given to the old column by its place.
fn by_place_name(swap: &ColumnSwap) -> String {
    let name = pql_planner::text::postgres_cut(&swap.retained, 2);
    object(&swap.misfits.sibling(format!("{name}_p")))
}

/// What the views over the column said before.
pub(super) fn memory(swap: &ColumnSwap) -> ObjectName {
    swap.misfits.sibling(swap.retained.clone())
}

/// The row that is being written.
const NEW: &str = "NEW";

/// The place of the first column of a table that is kept true; each later one has one less.
pub(super) const FIRST: u16 = 999;

/// The place that the next column of the table to be kept true gets.
pub(super) fn place(session: &mut Session, table: &ObjectName) -> Result<u16> {
    let least = session.batch_value(&format!(
        "SELECT pg_catalog.min(pg_catalog.substr(g.tgname::pg_catalog.text, 6, 3)::pg_catalog.int4) - 1 \
         FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = '{}' \
         WHERE g.tgrelid = {} AND g.tgname ~ '^~pql_[0-9]{{3}}_'",
        pql_planner::HIDDEN_SCHEMA,
        catalog::regclass(table)
    ))?;
    Ok(least.and_then(|text| text.parse().ok()).unwrap_or(FIRST))
}

/// After all others. What tells two names apart stands at their start, so what is too long is cut at the end, and before
/// the letter: the server would cut that away.
fn trigger(place: Option<u16>, name: &str, letter: char) -> String {
    let place = place.map(|place| format!("{place:03}_")).unwrap_or_default();
    let name = name.strip_prefix(pql_planner::HIDDEN_PREFIX).unwrap_or(name);
    let room = 2 + place.len() + pql_planner::HIDDEN_PREFIX.len() - 1;
    let stem = pql_planner::text::postgres_cut(name, room);
    ident(&format!("~pql_{place}{stem}{letter}"))
}

/// The statements that fill the new column for what is written from then on, and note the rows for which it cannot be:
/// those are not looked at again where they are written after the comparison.
pub(super) fn create_forward(swap: &ColumnSwap) -> Vec<String> {
    let (function, shadow, key) = (forward_name(swap), ident(&swap.shadow), Key::of(&swap.key));
    let (log, table) = (object(&swap.misfits), object(&swap.before.name));
    let value = over_new(swap, &swap.forward, None);
    let mut when: Vec<String> = rows::changed(&names(&swap.sources)).into_iter().collect();
    when.push(format!("NEW.{shadow} IS NULL"));
    // An entry for each time, so that nobody waits for another's. Where rows have no key it says that there is one.
    let (columns, entry) = if key.is_place() {
        ("true AS _pql_any".to_owned(), "true".to_owned())
    } else {
        (key.list(""), key_of_new(swap, &key))
    };
    let mut all = vec![
        format!("CREATE TABLE {log} AS SELECT {columns} FROM {table} WITH NO DATA"),
        format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = public, pg_catalog, pg_temp {OF_FUNCTION} AS $pql$ BEGIN \
             BEGIN NEW.{shadow} := {value}; EXCEPTION WHEN OTHERS THEN NEW.{shadow} := NULL; \
             INSERT INTO {log} VALUES ({entry}); END; RETURN NEW; END $pql$"
        ),
    ];
    let triggers = ['i', 'u'].map(|letter| trigger(None, &swap.shadow, letter));
    all.extend(create_triggers(swap, &triggers, &function, &when.join(" OR ")));
    all
}

/// The statements that end that.
pub(super) fn drop_forward(swap: &ColumnSwap) -> Vec<String> {
    let table = object(&swap.before.name);
    let triggers = ['i', 'u'].map(|letter| trigger(None, &swap.shadow, letter));
    let mut all: Vec<String> =
        triggers.iter().map(|name| format!("DROP TRIGGER IF EXISTS {name} ON {table}")).collect();
    // Those of a table that others renamed go along.
    all.push(format!("DROP FUNCTION IF EXISTS {}() CASCADE", forward_name(swap)));
    all.push(format!("DROP TABLE IF EXISTS {}", object(&swap.misfits)));
    all
}

/// Whether the new column is filled beside the application: one that is replaced at once has no trigger.
pub(super) fn is_filled_beside(session: &mut Session, swap: &ColumnSwap) -> Result<bool> {
    catalog::has_relation(session, &swap.misfits)
}

/// The rows that were noted and still have no value of the new type, though they have an old one. Nobody may be writing.
pub(super) fn unconverted(session: &mut Session, swap: &ColumnSwap) -> Result<Vec<String>> {
    let (table, log) = (&swap.before.name, object(&swap.misfits));
    if !is_filled_beside(session, swap)?
        || !catalog::is_true(session, &format!("SELECT EXISTS (SELECT 1 FROM {log})"))?
    {
        return Ok(Vec::new());
    }
    let (key, name) = (Key::of(&swap.key), ident(&table.name));
    let noted = if key.is_place() {
        String::new()
    } else {
        format!(" AND EXISTS (SELECT 1 FROM {log} AS _pql_l WHERE {})", key.same("_pql_l", &name))
    };
    // Some were written again since, and are NULL now, or are not what they were.
    let nothing = format!("({})::{} IS NULL", swap.forward, postgres_type_name(&swap.new.data_type));
    let misfit = examine::misfit(session, table, &nothing)?;
    let named = examine::found(
        session,
        table,
        &format!("{name}.{} IS NULL{noted} AND {misfit}", ident(&swap.shadow)),
    )?;
    session.batch(examine::NO_MISFIT)?;
    Ok(named)
}

/// The statements that keep the old column true, in its place among others, and note the rows for which it cannot be.
pub(super) fn create_backward(swap: &ColumnSwap, place: u16) -> Vec<String> {
    let table = object(&swap.before.name);
    let key = Key::of(&swap.key);
    let (function, log) = (backward_name(swap), object(&swap.misfits));
    let (retained, column) = (ident(&swap.retained), ident(&swap.new.name));
    let value = over_new(swap, &swap.backward, None);
    let again = over_new(swap, &swap.forward, Some(&swap.retained));
    let mut watched = names(&read_by(swap, &swap.backward));
    let new = ident(&swap.new.name);
    if !watched.contains(&new) {
        watched.push(new);
    }
    let note = if key.is_place() {
        String::new()
    } else {
        watched.extend(key.names().into_iter().flat_map(|name| names(&read_by(swap, &Expr::new(name)))));
        format!(
            "IF NOT fits THEN INSERT INTO {log} VALUES ({}) ON CONFLICT DO NOTHING; END IF; ",
            key_of_new(swap, &key)
        )
    };
    // What the author said is meant; otherwise what comes out again is to be what went in.
    let fits = if swap.backward_meant || swap.unstable {
        String::new()
    } else {
        format!(
            "BEGIN fits := {} IS NOT DISTINCT FROM {}; EXCEPTION WHEN OTHERS THEN fits := false; END; ",
            comparable(&swap.new.data_type, &typed(swap, &again)),
            comparable(&swap.new.data_type, &format!("NEW.{column}"))
        )
    };
    let mut all = Vec::new();
    if !key.is_place() {
        all.push(format!("CREATE TABLE {log} AS SELECT {} FROM {table} WITH NO DATA", key.list("")));
        all.push(format!("ALTER TABLE {log} ADD PRIMARY KEY ({})", key.list("")));
    }
    all.push(format!(
        "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = public, pg_catalog, pg_temp {OF_FUNCTION} AS $pql$ DECLARE fits boolean := true; BEGIN \
         BEGIN NEW.{retained} := {value}; EXCEPTION WHEN OTHERS THEN NEW.{retained} := NULL; fits := false; END; \
         {fits}{note}RETURN NEW; END $pql$"
    ));
    let triggers = ['i', 'u'].map(|letter| trigger(Some(place), &swap.retained, letter));
    let when = rows::changed(&watched).unwrap_or_default();
    all.extend(create_triggers(swap, &triggers, &function, &when));
    all.extend(create_by_place(swap, place));
    all
}

/// The statements that take over what an INSERT without column names gives the old column, which still is in its place.
///
/// That column has no default, so nobody else gives it a value, but who loads a row with all its columns: that value is
/// what the new one gives anyway. Of several such columns the oldest comes first, since what it got goes to the next.
fn create_by_place(swap: &ColumnSwap, place: u16) -> [String; 3] {
    let table = object(&swap.before.name);
    let (retained, column) = (ident(&swap.retained), ident(&swap.new.name));
    let (function, old) = (by_place_name(swap), &swap.old.data_type);
    let back = format!("{}::{}", over_new(swap, &swap.backward, None), postgres_type_name(old));
    let given = comparable(old, &format!("NEW.{retained}"));
    let value = typed(swap, &over_new(swap, &swap.forward, Some(&swap.retained)));
    let name = swap.retained.strip_prefix(pql_planner::HIDDEN_PREFIX).unwrap_or(&swap.retained);
    // Before all that keep a column true.
    let trigger = ident(&format!("~pql_+{:03}_{}", FIRST - place, pql_planner::text::postgres_cut(name, 10)));
    [
        format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = public, pg_catalog, pg_temp {OF_FUNCTION} AS $pql$ DECLARE given boolean; BEGIN \
             BEGIN given := {} IS DISTINCT FROM {given}; EXCEPTION WHEN OTHERS THEN given := true; END; \
             IF given THEN NEW.{column} := {value}; END IF; RETURN NEW; END $pql$",
            comparable(old, &back)
        ),
        format!(
            "CREATE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.{retained} IS NOT NULL) \
             EXECUTE FUNCTION {function}()"
        ),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"),
    ]
}

/// The statements that end that. The triggers go with their function, whatever the table is called by now.
pub(super) fn drop_backward(swap: &ColumnSwap) -> Vec<String> {
    let functions = [backward_name(swap), by_place_name(swap)];
    let mut all: Vec<String> =
        functions.iter().map(|function| format!("DROP FUNCTION IF EXISTS {function}() CASCADE")).collect();
    all.extend([&swap.misfits, &memory(swap)].map(|table| format!("DROP TABLE IF EXISTS {}", object(table))));
    all
}

/// The triggers that call a function: for new rows, and for rows that are changed so that a condition holds. Rows that
/// are replicated in fire them like what the application writes.
fn create_triggers(
    swap: &ColumnSwap,
    [insert, update]: &[String; 2],
    function: &str,
    when: &str,
) -> [String; 4] {
    let table = object(&swap.before.name);
    let always = |name: &str| format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}");
    [
        format!(
            "CREATE TRIGGER {insert} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
        ),
        format!(
            "CREATE TRIGGER {update} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {function}()"
        ),
        always(insert),
        always(update),
    ]
}

/// Fails with the rows whose values do not fit the old column; `current`: what the new one is called.
pub(super) fn fits(session: &mut Session, swap: &ColumnSwap, current: &str) -> Result<()> {
    let table = &swap.before.name;
    let key = Key::of(&swap.key);
    let name = ident(&table.name);
    if !catalog::has_column(session, table, &swap.retained)? {
        return Ok(());
    }
    let (retained, column, shown) = (ident(&swap.retained), ident(current), ident(&swap.new.name));
    let followed = followers::is_always_called(session, &backward_name(swap), 2)?;
    let lost = format!("{name}.{retained} IS NULL AND {name}.{column} IS NOT NULL");
    let back = format!(
        "{}::{}",
        substituted(swap, &swap.backward, &name, Some(current)),
        postgres_type_name(&swap.old.data_type)
    );
    let stale = format!(
        "{} IS DISTINCT FROM {}",
        comparable(&swap.old.data_type, &format!("{name}.{retained}")),
        comparable(&swap.old.data_type, &back)
    );
    let differs = if swap.backward_meant || swap.unstable {
        if followed { lost } else { stale.clone() }
    } else {
        let again = over_row(swap, &name);
        format!(
            "{} IS DISTINCT FROM {}",
            comparable(&swap.new.data_type, &typed(swap, &again)),
            comparable(&swap.new.data_type, &format!("{name}.{column}"))
        )
    };
    if !followed {
        let named = examine::shown(session, table, &differs, Some(current))?;
        return if named.is_empty() { Ok(()) } else { Err(unfollowed(swap, &named, &back, &stale)) };
    }
    let named = if key.is_place() {
        examine::found(session, table, &differs)?
    } else if catalog::has_relation(session, &swap.misfits)? {
        let log = object(&swap.misfits);
        let found = session.query(
            &format!(
                "SELECT {}, {name}.{column}::text FROM {log} AS _pql_l JOIN {} ON {} WHERE {differs} LIMIT {}",
                key.texts(&name),
                object(table),
                key.same("_pql_l", &name),
                rows::NAMED + 1
            ),
            &[],
        )?;
        let words =
            |row: Vec<crate::Value>| key.describe_with(row.into_iter().map(catalog::text).collect(), &shown);
        found.rows.into_iter().map(words).collect()
    } else {
        Vec::new()
    };
    if named.is_empty() {
        return Ok(());
    }
    let what = format!("values written since do not fit the old {}.{}", object(table), ident(&swap.old.name));
    Err(rows::error(codes::ROWS, &what, &named).with_help(
        "change or delete those rows and roll back again, or say with REVERT USING what they become",
    ))
}

/// The error of rows that were written while our triggers were not called.
fn unfollowed(swap: &ColumnSwap, named: &[String], back: &str, stale: &str) -> Error {
    let (table, retained) = (object(&swap.before.name), ident(&swap.retained));
    let what = format!(
        "triggers on {table} were disabled for a while, and what was written to {} then is not in its old column, in",
        ident(&swap.new.name)
    );
    rows::error(codes::ROWS, &what, named).with_help(format!(
        "bring it over and roll back again: UPDATE {table} SET {retained} = {back} WHERE {stale}; values that do not fit \
         the old type have to be changed before"
    ))
}

/// The columns that an expression over the row after reads, and for those that are generated what they are generated from.
fn read_by(swap: &ColumnSwap, expr: &Expr) -> Vec<String> {
    let named = |expr: &Expr| -> Vec<&Column> {
        let all = swap.after.columns.iter();
        all.filter(|column| !column.retained && expr.mentions(&column.name)).collect()
    };
    let stored = |column: &Column| match &column.generated {
        Some(generated) => named(&generated.expr).iter().map(|column| column.name.clone()).collect(),
        None => vec![column.name.clone()],
    };
    named(expr).into_iter().flat_map(stored).collect()
}

fn names(columns: &[String]) -> Vec<String> {
    columns.iter().map(|name| ident(name)).collect()
}

/// The expression over the row that is being written; the column itself read from another one, where said.
fn over_new(swap: &ColumnSwap, expr: &Expr, own: Option<&str>) -> String {
    substituted(swap, expr, NEW, own)
}

/// The key of that row.
fn key_of_new(swap: &ColumnSwap, key: &Key) -> String {
    let all: Vec<String> =
        key.names().into_iter().map(|name| over_new(swap, &Expr::new(name), None)).collect();
    all.join(", ")
}

/// The new value that the old column's would become, over a row of the table.
fn over_row(swap: &ColumnSwap, table: &str) -> String {
    substituted(swap, &swap.forward, table, Some(&swap.retained))
}

fn substituted(swap: &ColumnSwap, expr: &Expr, of: &str, own: Option<&str>) -> String {
    let value = |name: &str| {
        let folded = name.to_lowercase();
        let known = |wanted: &str| swap.before.columns.iter().find(|column| column.name == wanted);
        let column = known(name).or_else(|| known(&folded))?;
        // In a row that is being written the server has not computed it yet.
        if let Some(generated) = column.generated.as_ref().filter(|_| of == NEW) {
            let value = substituted(swap, &generated.expr, of, own);
            return Some(Expr::new(format!("{value}::{}", postgres_type_name(&column.data_type))));
        }
        let column = if column.name == swap.old.name { own.unwrap_or(&column.name) } else { &column.name };
        Some(Expr::new(format!("{of}.{}", ident(column))))
    };
    format!("({})", pql_planner::substitute(expr, value))
}

/// The value as one of the new type.
fn typed(swap: &ColumnSwap, value: &str) -> String {
    format!("{value}::{}", postgres_type_name(&swap.new.data_type))
}
