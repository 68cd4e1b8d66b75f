//! References that lead nowhere: a rebuild must not make new ones.

use std::collections::BTreeMap;

use pql_planner::text::ident;
use rusqlite::Connection as Db;

use super::{catalog, texts};
use crate::error::codes;
use crate::{Error, Result};

/// How many rows of which table refer to a missing row of which other one.
pub(super) type Violations = BTreeMap<(String, String), i64>;

/// Those of the table and of the tables that refer to it.
pub(super) fn violations(db: &Db, table: &str) -> Result<Violations> {
    let mut found = Violations::new();
    for entry in catalog::all(db)?.into_iter().filter(|entry| entry.kind == "table") {
        let refers = |sql: &str| texts::has_word(sql, "references");
        if catalog::is_ours(&entry.name) || !entry.sql.as_deref().is_some_and(refers) {
            continue;
        }
        let own = entry.name.eq_ignore_ascii_case(table);
        let mut parents = db.prepare_cached(
            "SELECT 1 FROM pragma_foreign_key_list(?1) WHERE \"table\" = ?2 COLLATE NOCASE",
        )?;
        if !own && !parents.exists([entry.name.as_str(), table])? {
            continue;
        }
        let mut check =
            db.prepare("SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check(?1) GROUP BY 1, 2")?;
        let mut rows = check.query([&entry.name])?;
        while let Some(row) = rows.next()? {
            found.insert((row.get(0)?, row.get(1)?), row.get(2)?);
        }
    }
    Ok(found)
}

/// Fails when there are more than there were.
pub(super) fn no_new(db: &Db, table: &str, before: &Violations) -> Result<()> {
    for ((child, parent), count) in violations(db, table)? {
        let known = before.get(&(child.clone(), parent.clone())).copied().unwrap_or(0);
        if count > known {
            return Err(Error::new(
                codes::ROWS,
                format!(
                    "{} rows of {} would refer to rows of {} that do not exist",
                    count - known,
                    ident(&child),
                    ident(&parent)
                ),
            )
            .with_help("nothing was changed; change those rows, or what the new values are computed from"));
        }
    }
    Ok(())
}
