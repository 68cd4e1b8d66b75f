//! Which rows keep a unique index from being made: SQLite says only that there are some.

use pql_planner::Check;
use pql_planner::text::ident;
use pql_schema::{Index, IndexPart};
use rusqlite::Connection as Db;

use super::checks::Subject;
use crate::Error;
use crate::error::codes;

/// Names the rows when that is what the error is about.
pub(super) fn explain(db: &Db, index: &Index, error: Error) -> Error {
    if !index.unique || error.code() != codes::CONSTRAINT {
        return error;
    }
    let check = Check::Distinct { name: index.name.name.clone(), columns: Vec::new() };
    let found = Subject::of(db, &index.table.name)
        .and_then(|subject| subject.examine_where(db, &check, &repeated(index)));
    found.err().unwrap_or(error)
}

/// The condition for a row whose entry in the index another row has as well; NULLs are never equal.
fn repeated(index: &Index) -> String {
    let entry = |part: &IndexPart| match &part.collation {
        Some(collation) => format!("({}) COLLATE {}", part.expr, ident(collation)),
        None => format!("({})", part.expr),
    };
    let parts = index.parts.iter().map(entry).collect::<Vec<_>>().join(", ");
    let only = index.predicate.as_ref().map_or_else(|| "1".to_owned(), |only| format!("({only})"));
    let positions: Vec<String> = (1..=index.parts.len()).map(|at| at.to_string()).collect();
    format!(
        "{only} AND ({parts}) IN (SELECT {parts} FROM main.{} WHERE {only} GROUP BY {} HAVING count(*) > 1)",
        ident(&index.table.name),
        positions.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use pql_schema::{Expr, SortOrder};

    use super::*;

    #[test]
    fn rows_are_named_by_key() {
        let db = Db::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, live INTEGER);
             INSERT INTO t VALUES (1, 'Ada', 1), (2, 'ADA', 1), (3, 'Bob', 1), (4, 'ada', 0), (5, NULL, 1), (6, NULL, 1);",
        )
        .unwrap();
        let lower =
            IndexPart { expr: Expr::statement("lower(name)"), column: None, ..IndexPart::column("name") };
        let plain = IndexPart {
            collation: Some("NOCASE".into()),
            order: SortOrder::Desc,
            ..IndexPart::column("name")
        };
        for part in [lower, plain] {
            let index = Index {
                name: "only".into(),
                table: "t".into(),
                unique: true,
                method: None,
                parts: vec![part],
                include: Vec::new(),
                nulls_not_distinct: false,
                predicate: Some(Expr::statement("live")),
                with: None,
            };
            let error = explain(&db, &index, Error::new(codes::CONSTRAINT, "UNIQUE constraint failed"));
            assert_eq!(error.code(), codes::ROWS);
            assert!(error.message().contains("2 rows") && error.message().contains('2'), "{error}");
            let other = Index { unique: false, ..index };
            let kept = explain(&db, &other, Error::new(codes::CONSTRAINT, "another"));
            assert_eq!(kept.message(), "another");
        }
    }
}
