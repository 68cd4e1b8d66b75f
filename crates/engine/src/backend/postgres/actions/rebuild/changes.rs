//! The log of the rows of a table that change, by their keys.
//!
//! Only keys are noted: whoever drains the log reads each row as it is then, so the order of the entries does not matter.
//! An entry commits with the change that it is about, and says whether its key may be gone by it: that is looked for apart.
//! A row whose key changes is noted under both keys; an entry without a key says that the table was emptied at once.
//! Rows that are replicated in are noted like what the application writes.

use pql_planner::Capture;
use pql_schema::ObjectName;

use super::super::rows::Key;
use super::super::statements::{ident, object};

/// How often a key is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Noting {
    /// Each time. Nobody waits for whoever drains the log; it grows with every change.
    Each,
    /// Once. The log is never larger than the table; it cannot be drained while it is written.
    Once,
}

/// The statements that start it.
pub(in super::super) fn start(capture: &Capture, noting: Noting) -> Vec<String> {
    let key = Key::of(&capture.key);
    let (log, table) = (object(&capture.log), object(&capture.table));
    let columns: Vec<String> =
        key.names().iter().zip(columns(&key)).map(|(name, column)| format!("{name} AS {column}")).collect();
    let mut all = vec![format!(
        "CREATE TABLE {log} AS SELECT {}, false AS {GONE} FROM {table} WITH NO DATA",
        columns.join(", ")
    )];
    let conflict = match noting {
        Noting::Each => "",
        Noting::Once => {
            all.push(format!("CREATE UNIQUE INDEX ON {log} ({}, {GONE})", self::columns(&key).join(", ")));
            " ON CONFLICT DO NOTHING"
        }
    };
    let note =
        |of: &str, gone: &str| format!("INSERT INTO {log} VALUES ({}, {gone}){conflict};", key.list(of));
    let moved: Vec<String> =
        key.names().iter().map(|name| format!("OLD.{name} IS DISTINCT FROM NEW.{name}")).collect();
    all.push(format!(
        "CREATE FUNCTION {log}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp AS $pql$ BEGIN \
         IF TG_OP = 'UPDATE' THEN IF {} THEN {old} END IF; {new} \
         ELSIF TG_OP = 'INSERT' THEN {new} ELSIF TG_OP = 'DELETE' THEN {old} \
         ELSE INSERT INTO {log} DEFAULT VALUES; END IF; RETURN NULL; END $pql$",
        moved.join(" OR "),
        old = note("OLD", "true"),
        new = note("NEW", "false"),
    ));
    let [row, whole] = triggers(capture);
    all.push(format!(
        "CREATE TRIGGER {row} AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {log}()"
    ));
    all.push(format!("CREATE TRIGGER {whole} AFTER TRUNCATE ON {table} EXECUTE FUNCTION {log}()"));
    all.extend([row, whole].map(|name| format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")));
    all
}

/// The statements by which whoever writes the table waits a millisecond for each statement, before it holds anything: who
/// writes faster than can be followed would otherwise be followed for ever.
pub(super) fn slow_down(log: &ObjectName, table: &ObjectName) -> [String; 2] {
    let function = object(&slow(log));
    [
        format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS \
             $pql$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN NULL; END $pql$"
        ),
        format!(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT \
             EXECUTE FUNCTION {function}()",
            ident(&slow(log).name),
            object(table)
        ),
    ]
}

fn slow(log: &ObjectName) -> ObjectName {
    log.sibling(format!("{}_s", short(log)))
}

/// The statements that end it and keep what was noted. The triggers go with their functions, whatever the table is
/// called by now.
pub(super) fn end(capture: &Capture) -> [String; 2] {
    [capture.log.clone(), slow(&capture.log)]
        .map(|function| format!("DROP FUNCTION IF EXISTS {}() CASCADE", object(&function)))
}

/// The statements that end it, with the log and what was remembered with it.
pub(in super::super) fn stop(capture: &Capture) -> Vec<String> {
    let mut all = Vec::from(end(capture));
    all.extend([&capture.log, &memory(capture)].map(|name| format!("DROP TABLE IF EXISTS {}", object(name))));
    all
}

/// What the views over the table said before it was replaced.
pub(super) fn memory(capture: &Capture) -> ObjectName {
    capture.log.sibling(format!("{}_v", short(&capture.log)))
}

/// The column that says whether the key may be gone.
pub(super) const GONE: &str = "_pql_gone";

/// The columns of a log that are a key.
pub(super) fn columns(key: &Key) -> Vec<String> {
    (0..key.names().len()).map(|at| format!("_pql_k{at}")).collect()
}

/// The triggers: for each row, and for all at once.
fn triggers(capture: &Capture) -> [String; 2] {
    ['c', 't'].map(|letter| ident(&format!("{}_{letter}", short(&capture.log))))
}

/// A name with room for two characters more, still told apart from others by what it begins with.
fn short(log: &ObjectName) -> &str {
    pql_planner::text::postgres_cut(&log.name, 2)
}
