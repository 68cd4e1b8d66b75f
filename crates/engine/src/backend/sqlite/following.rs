//! Logs whose entries go along with their rows: which of the rows that are there were written.
//!
//! An entry is marked as moved when its row came to its key unwritten. A walk over the keys that is beyond the new key,
//! or never was at the old one, has missed that row; it comes back to the marked entries at its end.
//!
//! As in every log of ours, nothing here can fail on behalf of the application: an entry is deleted before it is
//! inserted, because a conflict clause of ours would give way to the application's.

use pql_planner::Capture;
use pql_planner::text::ident;

use super::keys::{Key, log_column};

/// The column of the mark: 0 for a written row, 1 for one that moved unwritten, 2 for one that the statement at hand
/// moves and writes.
pub(super) const MOVED: &str = "_pql_moved";

/// The triggers, each as its suffix, its event and its body.
pub(super) fn triggers(capture: &Capture, table: &str, key: &Key) -> Vec<(&'static str, String, String)> {
    let log = ident(&capture.log.name);
    let on = ident(table);
    let names: Vec<String> = (0..key.len()).map(log_column).collect();
    let keys = names.join(", ");
    let is = |row: &str| key.equal(row, names.iter().map(|name| format!("{log}.{name}")));
    let forget = |row: &str| format!("DELETE FROM {log} WHERE {};", is(row));
    let note = |row: &str, mark: &str| {
        format!("{} INSERT INTO {log} ({keys}, {MOVED}) VALUES ({}, {mark});", forget(row), key.columns(row))
    };
    let moved: Vec<String> = key.names().map(|name| format!("OLD.{0} IS NOT NEW.{0}", ident(name))).collect();
    let moved = moved.join(" OR ");
    let columns: Vec<String> = capture.columns.iter().flatten().map(|column| ident(column)).collect();
    let write = format!("AFTER UPDATE OF {} ON {on}", columns.join(", "));
    let follow = format!(
        "DELETE FROM {log} WHERE {new} AND {MOVED} <> 2; \
         INSERT INTO {log} ({keys}, {MOVED}) SELECT {}, coalesce((SELECT {MOVED} FROM {log} WHERE {}), 1) \
         WHERE NOT EXISTS (SELECT 1 FROM {log} WHERE {new}); \
         UPDATE {log} SET {MOVED} = 0 WHERE {new} AND {MOVED} = 2; {}",
        key.columns("NEW"),
        is("OLD"),
        forget("OLD"),
        new = is("NEW"),
    );
    // Of two triggers SQLite fires the younger one first, so a statement that writes and moves a row has marked it
    // before the move is noted.
    vec![
        ("ak", format!("AFTER UPDATE ON {on} WHEN {moved}"), follow),
        ("ai", format!("AFTER INSERT ON {on}"), note("NEW", "0")),
        ("ad", format!("AFTER DELETE ON {on}"), forget("OLD")),
        ("au", format!("{write} WHEN NOT ({moved})"), note("NEW", "0")),
        ("aw", format!("{write} WHEN {moved}"), note("NEW", "2")),
    ]
}
