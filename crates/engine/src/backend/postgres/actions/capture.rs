//! A log of the rows to which the application gave NULL while a column is filled: those keep it.
//!
//! Any other value is seen in the row itself. A table whose rows have no key has no log: there a NULL that is written
//! meanwhile counts as one that was never written. The log of whole rows that change is another one (`rebuild`).

use pql_planner::Capture;

use super::rebuild::{self, Noting};
use super::rows::Key;
use super::statements::{ident, object};

/// The statements that start it, for one transaction.
pub(super) fn start_statements(capture: &Capture) -> Vec<String> {
    let key = Key::of(&capture.key);
    let Some(columns) = &capture.columns else { return rebuild::start_changes(capture, Noting::Once) };
    if key.is_place() || columns.is_empty() {
        return Vec::new();
    }
    let (log, table) = (object(&capture.log), object(&capture.table));
    let (list, new) = (key.list(""), key.list("NEW"));
    let null =
        columns.iter().map(|name| format!("NEW.{} IS NULL", ident(name))).collect::<Vec<_>>().join(" OR ");
    let moved: Vec<String> =
        key.names().iter().map(|name| format!("OLD.{name} IS DISTINCT FROM NEW.{name}")).collect();
    let each = |of: &str| {
        let parts: Vec<String> = key.names().iter().map(|name| format!("l.{name} = {of}.{name}")).collect();
        parts.join(" AND ")
    };
    // It writes a table that the application does not know of, with the rights of whoever made it.
    let head = |name: &str| {
        format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp AS $pql$"
        )
    };
    let (note, follow) =
        (object(&capture.log), object(&capture.log.sibling(format!("{}_k", short(&capture.log.name)))));
    let trigger = |suffix: &str| ident(&format!("{}_{suffix}", short(&capture.log.name)));
    vec![
        format!("CREATE TABLE {log} AS SELECT {list} FROM {table} WITH NO DATA"),
        format!("ALTER TABLE {log} ADD PRIMARY KEY ({list})"),
        format!(
            "{} BEGIN INSERT INTO {log} VALUES ({new}) ON CONFLICT DO NOTHING; RETURN NULL; END $pql$",
            head(&note)
        ),
        format!(
            "{} BEGIN DELETE FROM {log} AS l WHERE {}; \
             INSERT INTO {log} SELECT {new} WHERE EXISTS (SELECT 1 FROM {log} AS l WHERE {}) ON CONFLICT DO NOTHING; \
             RETURN NULL; END $pql$",
            head(&follow),
            each("NEW"),
            each("OLD")
        ),
        format!(
            "CREATE TRIGGER {} AFTER INSERT ON {table} FOR EACH ROW WHEN ({null}) EXECUTE FUNCTION {note}()",
            trigger("i")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE OF {} ON {table} FOR EACH ROW WHEN ({null}) EXECUTE FUNCTION {note}()",
            trigger("u"),
            columns.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE ON {table} FOR EACH ROW WHEN ({}) EXECUTE FUNCTION {follow}()",
            trigger("k"),
            moved.join(" OR ")
        ),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}", trigger("i")),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}", trigger("u")),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}", trigger("k")),
    ]
}

/// The statements that end it, and drop the log; they do nothing when that was done before.
pub(super) fn stop_statements(capture: &Capture) -> Vec<String> {
    if capture.columns.is_none() {
        return rebuild::stop_changes(capture);
    }
    if Key::of(&capture.key).is_place() {
        return Vec::new();
    }
    let table = object(&capture.table);
    let short = short(&capture.log.name);
    let mut all: Vec<String> = ["i", "u", "k"]
        .map(|suffix| format!("DROP TRIGGER IF EXISTS {} ON {table}", ident(&format!("{short}_{suffix}"))))
        .to_vec();
    // The triggers of a table that others renamed go along.
    let follow = capture.log.sibling(format!("{short}_k"));
    all.extend(
        [&capture.log, &follow].map(|name| format!("DROP FUNCTION IF EXISTS {}() CASCADE", object(name))),
    );
    all.push(format!("DROP TABLE IF EXISTS {}", object(&capture.log)));
    all
}

/// The rows of a range that are in the log by now. The log is asked for that range only: it may have grown long
/// elsewhere.
pub(super) fn is_logged(capture: &Capture, table: &str, range: &str) -> Option<String> {
    let key = Key::of(&capture.key);
    (!key.is_place()).then(|| {
        format!(
            "EXISTS (SELECT 1 FROM {} AS _pql_l WHERE {} AND ({range}))",
            object(&capture.log),
            key.same("_pql_l", table)
        )
    })
}

/// Whether the log names rows of a range.
pub(super) fn names_any(capture: &Capture, range: &str) -> String {
    format!("EXISTS (SELECT 1 FROM {} WHERE {range})", object(&capture.log))
}

/// A name with room for two characters more, still told apart from others by what it begins with.
fn short(name: &str) -> &str {
    pql_planner::text::postgres_cut(name, 2)
}
