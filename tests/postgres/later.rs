//! What is kept is found whatever a later migration calls it: the cases of `tests/later`.

use pql_engine::Engine;
use pql_planner::Dialect;

use crate::scenarios::state;
use crate::scenarios::variant::Variant;
use crate::support::Database;

#[path = "../later/mod.rs"]
mod cases;

impl cases::Place for Database {
    fn with(schema: &str) -> Self {
        Self::with(schema)
    }

    fn engine(&self) -> Engine {
        self.engine()
    }

    fn write(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    fn state(&self) -> String {
        format!("{}{}", self.dump(), state::of(&mut self.client()))
    }

    fn called(&self, part: &str) -> Vec<String> {
        let sql = "SELECT name FROM ( \
             SELECT nspname::text FROM pg_namespace UNION ALL SELECT relname FROM pg_class \
             UNION ALL SELECT proname FROM pg_proc UNION ALL SELECT tgname FROM pg_trigger \
             UNION ALL SELECT conname FROM pg_constraint \
             UNION ALL SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid \
             WHERE NOT attisdropped AND relkind NOT IN ('i', 'I')) x(name) \
             WHERE strpos(name, $1) > 0 ORDER BY name";
        let found = self.client().query(sql, &[&part]).unwrap();
        found.into_iter().map(|row| row.get(0)).collect()
    }
}

#[test]
fn what_is_kept_is_found_under_its_later_name() {
    let all = std::env::var("PQL_POSTGRES").is_ok_and(|value| value == "all");
    let variants = [Variant::NoStall, Variant::Online];
    cases::all::<Database>(Dialect::Postgres, if all { &variants } else { &variants[..1] });
}
