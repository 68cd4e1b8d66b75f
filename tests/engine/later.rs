//! What is kept is found whatever a later migration calls it: the cases of `tests/later`.

use pql_engine::Engine;

use crate::lifecycle::World;
use crate::support::variant::Variant;

#[path = "../later/mod.rs"]
mod cases;

impl cases::Place for World {
    fn with(schema: &str) -> Self {
        Self::new(schema)
    }

    fn engine(&self) -> Engine {
        self.another()
    }

    fn write(&self, sql: &str) {
        self.db().execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn state(&self) -> String {
        // A definition that was written anew has its names quoted and its end on a line of its own.
        self.state().replace("CREATE TABLE \"t\" (", "CREATE TABLE t (").replace("\n);", ");")
    }

    fn called(&self, part: &str) -> Vec<String> {
        let db = self.db();
        let mut found = db
            .prepare(
                "SELECT name FROM sqlite_schema WHERE instr(name || coalesce(sql, ''), ?1) > 0 \
                 AND tbl_name NOT LIKE '\\_pql\\_%' ESCAPE '\\'",
            )
            .expect("a query");
        let names = found.query_map([part], |row| row.get(0)).expect("names");
        names.collect::<rusqlite::Result<_>>().expect("names")
    }
}

#[test]
fn what_is_kept_is_found_under_its_later_name() {
    cases::all::<World>(pql_planner::Dialect::Sqlite, &[Variant::Online, Variant::NoStall]);
}
