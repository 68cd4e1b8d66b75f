//! An INSERT that names no columns gives a column that was dropped, and is kept, what is meant for the next one: it is
//! refused. What was given and what the columns after it have of their own cannot be told apart, so nothing is moved to
//! where it belongs.
//!
//! Nobody can name the column, so an INSERT that names columns asks for its default, which leaves a mark for the
//! statement; one that does not leave it gave the column a value, be it NULL.

use pql_planner::text::{POSTGRES, postgres_type_name};
use pql_schema::{Column, ObjectName};

use super::super::blockers::literal;
use super::super::link::Session;
use super::catalog;
use super::statements::{alter_column, ident, object};
use crate::Result;

/// What the names of the triggers begin with.
pub(super) const GUARD: &str = "~pql_,";

/// The statements that refuse it; `column`: as it was.
pub(super) fn refuse(table: &ObjectName, column: &Column, hidden: &str) -> Vec<String> {
    let (function, mark) = (function(hidden), literal(&mark(hidden)));
    let message = format!(
        "a row for {table} gives a value by its place to column {}, which was dropped and is kept out of sight",
        column.name
    );
    let own = column
        .default
        .as_ref()
        .map_or_else(|| "NULL".to_owned(), |default| format!("({})", POSTGRES.default_value(default)));
    // Where the column replaced another one, what that is given by its place comes here without asking.
    let moved = if column.default.is_none() {
        format!(" OR NEW.{} IS NOT NULL", ident(hidden))
    } else {
        String::new()
    };
    let marked = format!(
        "SET DEFAULT CASE WHEN pg_catalog.set_config({mark}, '1', true) = '1' THEN {own}::{} END",
        postgres_type_name(&column.data_type)
    );
    // After those that move such a value.
    let trigger = |letter| ident(&format!("{GUARD}{}{letter}", short(hidden)));
    let create = |letter, each: &str| {
        format!(
            "CREATE TRIGGER {} BEFORE INSERT ON {} FOR EACH {each} EXECUTE FUNCTION {function}()",
            trigger(letter),
            object(table)
        )
    };
    vec![
        alter_column(table, hidden, &marked),
        format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $pql$ BEGIN \
             IF TG_LEVEL = 'STATEMENT' THEN PERFORM pg_catalog.set_config({mark}, '', true); RETURN NULL; END IF; \
             IF pg_catalog.current_setting({mark}, true) IS DISTINCT FROM '1'{moved} THEN RAISE EXCEPTION USING \
             MESSAGE = {}, HINT = 'name the columns; after MIGRATE PURGE they need no names', \
             ERRCODE = 'object_not_in_prerequisite_state'; END IF; RETURN NEW; END $pql$",
            literal(&message)
        ),
        create('s', "STATEMENT"),
        create('r', "ROW"),
    ]
}

/// The statements that end that. The triggers go along, whatever the table is called by now.
pub(super) fn admit(table: &ObjectName, column: &Column, hidden: &str) -> [String; 2] {
    let default = column.default.as_ref().map_or_else(
        || "DROP DEFAULT".to_owned(),
        |default| format!("SET DEFAULT {}", POSTGRES.default_value(default)),
    );
    [format!("DROP FUNCTION IF EXISTS {}() CASCADE", function(hidden)), alter_column(table, hidden, &default)]
}

/// Removes what is left of that when the table is gone.
pub(super) fn forget(session: &mut Session, hidden: &str) -> Result<()> {
    let function = function(hidden);
    let there =
        format!("SELECT pg_catalog.to_regprocedure({}) IS NOT NULL", literal(&format!("{function}()")));
    if catalog::is_true(session, &there)? {
        session.batch(&format!("DROP FUNCTION {function}()"))?;
    }
    Ok(())
}

fn function(hidden: &str) -> String {
    object(&ObjectName { schema: Some(pql_planner::HIDDEN_SCHEMA.to_owned()), name: hidden.to_owned() })
}

/// A name that a setting can have, whatever the column is called.
fn mark(hidden: &str) -> String {
    format!("pql.c{}", &pql_schema::Fingerprint::of_text(hidden).0[..32])
}

fn short(hidden: &str) -> &str {
    let name = hidden.strip_prefix(pql_planner::HIDDEN_PREFIX).unwrap_or(hidden);
    pql_planner::text::postgres_cut(name, 7)
}
