//! Rows whose key has changed since a log was started, beside that log: the key that each has now, and the one that it
//! had then. A log of keys alone says that one row went and another came; what is kept of a row under its old key
//! would be lost.
//!
//! A row that came since has no past, though it may have the key of one that is gone: those are noted, too, and what is
//! kept under such a key is not theirs.
//!
//! As in every log of ours, nothing here can fail on behalf of the application: what is in the way goes first.

use pql_planner::text::ident;
use rusqlite::{Connection as Db, params_from_iter};

use super::catalog;
use super::cell::{self, Cell};
use super::keys::{Key, log_column};
use crate::Result;
use crate::error::codes;

/// Moves that are looked up at a time.
const AT_ONCE: usize = 500;

/// The name of the table.
pub(super) fn table(log: &str) -> String {
    format!("{log}_moves")
}

/// The name of the table of the keys of rows that came since.
pub(super) fn newcomers(log: &str) -> String {
    format!("{log}_new")
}

/// The table, by the keys that rows have now, its index by those that they had, and the table of newcomers.
pub(super) fn definitions(log: &str, key: &Key) -> [String; 3] {
    let moves = table(log);
    let then: Vec<String> = (then_columns(key).iter().zip(key.declared()))
        .map(|(name, declared)| format!("{name} {declared}"))
        .collect();
    [
        format!(
            "CREATE TABLE {} ({}, {}) WITHOUT ROWID",
            ident(&moves),
            then.join(", "),
            key.log_definition()
        ),
        format!(
            "CREATE INDEX {} ON {} ({})",
            ident(&format!("{moves}_then")),
            ident(&moves),
            key.of(then_column).order("")
        ),
        format!("CREATE TABLE {} ({}) WITHOUT ROWID", ident(&newcomers(log)), key.log_definition()),
    ]
}

/// The triggers, each as its suffix, its event and its body.
pub(super) fn triggers(log: &str, on: &str, key: &Key) -> [(&'static str, String, String); 3] {
    let (moves, new, on) = (ident(&table(log)), ident(&newcomers(log)), ident(on));
    let now: Vec<String> = (0..key.len()).map(log_column).collect();
    let (now, then) = (now.join(", "), then_columns(key).join(", "));
    let is = |row: &str| key.is_logged(row, &moves);
    let is_new = |row: &str| format!("EXISTS (SELECT 1 FROM {new} WHERE {})", key.is_logged(row, &new));
    let forget = |row: &str| format!("DELETE FROM {new} WHERE {}", key.is_logged(row, &new));
    let note = |condition: &str| key.add_to(&newcomers(log), "NEW", condition);
    let changed: Vec<String> =
        key.names().map(|name| format!("OLD.{0} IS NOT NEW.{0}", ident(name))).collect();
    // A row whose key another one had then is new, and has no past.
    let body = format!(
        "DELETE FROM {moves} WHERE {to} AND NOT ({same}); \
         INSERT INTO {moves} ({now}, {then}) SELECT {}, {then} FROM {moves} WHERE {from} AND NOT ({same}); \
         INSERT INTO {moves} ({now}, {then}) SELECT {}, {} \
         WHERE NOT EXISTS (SELECT 1 FROM {moves} WHERE {to}) AND NOT EXISTS (SELECT 1 FROM {moves} WHERE {past}) \
         AND NOT {newcomer}; \
         DELETE FROM {moves} WHERE {from} AND NOT ({same}); \
         {} AND NOT ({same}) AND NOT {newcomer}; {} {} AND NOT ({same});",
        key.columns("NEW"),
        key.columns("NEW"),
        key.columns("OLD"),
        forget("NEW"),
        note(&format!(" AND {newcomer}", newcomer = is_new("OLD"))),
        forget("OLD"),
        to = is("NEW"),
        from = is("OLD"),
        newcomer = is_new("OLD"),
        past = key.of(then_column).same(&moves, "OLD", key),
        same = key.same("OLD", "NEW", key),
    );
    [
        ("mu", format!("AFTER UPDATE ON {on} WHEN {}", changed.join(" OR ")), body),
        (
            "md",
            format!("AFTER DELETE ON {on}"),
            format!("DELETE FROM {moves} WHERE {}; {};", is("OLD"), forget("OLD")),
        ),
        (
            "mi",
            format!("AFTER INSERT ON {on}"),
            format!("DELETE FROM {moves} WHERE {}; {}", is("NEW"), note("")),
        ),
    ]
}

/// Whether the row that has the key now came since, so that nothing that is kept under it is its own.
pub(super) fn is_newcomer(db: &Db, log: &str, key: &Key, now: &[Cell]) -> Result<bool> {
    if !catalog::has_table(db, &newcomers(log))? {
        return Ok(false);
    }
    let condition = key.of(log_column).is_param("", 1);
    let sql = format!("SELECT 1 FROM main.{} WHERE {condition}", ident(&newcomers(log)));
    Ok(db.prepare_cached(&sql)?.exists(params_from_iter(now))?)
}

/// Whether any row has moved.
pub(super) fn any(db: &Db, log: &str) -> Result<bool> {
    let moves = table(log);
    if !catalog::has_table(db, &moves)? {
        return Ok(false);
    }
    Ok(db.prepare_cached(&format!("SELECT 1 FROM main.{}", ident(&moves)))?.exists([])?)
}

/// A copy of the table as it was when the log was started.
pub(super) struct Copy<'a> {
    pub(super) db: &'a Db,
    pub(super) log: &'a str,
    pub(super) table: &'a str,
    pub(super) key: &'a Key,
    /// Its stored columns without those of the key.
    pub(super) columns: &'a [String],
    /// Where it is a table of keys only, that of the rows.
    pub(super) tied: Option<Tied<'a>>,
}

/// The table whose rows' keys stand in some columns of a copy.
pub(super) struct Tied<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a Key,
    /// The copy's columns for it.
    pub(super) columns: &'a [String],
}

/// A row that waits for its key to become free.
enum Aside {
    /// Under another key, from which it moves on.
    Under(Move),
    /// Out of the table: its key, and its other values.
    Out(Vec<Cell>, Vec<Cell>),
}

/// The key of a row now, and when the log was started.
struct Move {
    now: Vec<Cell>,
    then: Vec<Cell>,
    /// Both are the same key, if written differently.
    stays: bool,
}

impl Copy<'_> {
    /// Gives rows of the copy the keys that they have now, and forgets that they moved: about so many of them. What
    /// stands under such a key and did not move itself is gone from the table, and goes here too.
    pub(super) fn follow(&self, limit: u64) -> Result<()> {
        let mut aside: Option<Aside> = None;
        let mut done = 0;
        while done < limit || aside.is_some() {
            // One whose new key is free goes there, and leaves its own free for another.
            let free = self.moves(true)?;
            for row in &free {
                if !row.stays {
                    self.remove(&row.now)?;
                }
                self.rekey(row)?;
                self.forget(&row.now)?;
            }
            done += free.len() as u64;
            if !free.is_empty() {
                continue;
            }
            // All who are left stand in circles: one steps out of its own until the others have gone on.
            match aside.take() {
                Some(Aside::Under(row)) => {
                    self.remove(&row.now)?;
                    self.rekey(&row)?;
                    continue;
                }
                Some(Aside::Out(now, values)) => {
                    self.put(&now, &values)?;
                    continue;
                }
                None => {}
            }
            let Some(row) = self.moves(false)?.into_iter().next() else { break };
            self.forget(&row.now)?;
            aside = self.step_aside(row)?;
        }
        Ok(())
    }

    /// Some of the moves; `free`: to keys that no row has to leave first.
    fn moves(&self, free: bool) -> Result<Vec<Move>> {
        let width = self.key.len();
        let moves = ident(&table(self.log));
        let now: Vec<String> = (0..width).map(|at| format!("_pql_m.{}", log_column(at))).collect();
        let then: Vec<String> = then_columns(self.key).iter().map(|name| format!("_pql_m.{name}")).collect();
        let (left, taken) = (self.key.of(then_column), self.key.of(log_column));
        let stays = taken.same("_pql_m", "_pql_m", &left);
        let condition = if free {
            format!(
                "{stays} OR NOT EXISTS (SELECT 1 FROM main.{moves} AS _pql_o WHERE {})",
                left.same("_pql_o", "_pql_m", &taken)
            )
        } else {
            "1".to_owned()
        };
        let sql = format!(
            "SELECT {}, {}, {stays} FROM main.{moves} AS _pql_m WHERE {condition} LIMIT {AT_ONCE}",
            now.join(", "),
            then.join(", ")
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| {
            let cells = |from: usize| {
                (from..from + width)
                    .map(|at| row.get_ref(at).map(Cell::read))
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            Ok(Move { now: cells(0)?, then: cells(width)?, stays: row.get(2 * width)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn forget(&self, now: &[Cell]) -> Result<()> {
        let condition = self.key.of(log_column).is_param("", 1);
        let sql = format!("DELETE FROM main.{} WHERE {condition}", ident(&table(self.log)));
        self.db.prepare_cached(&sql)?.execute(params_from_iter(now))?;
        Ok(())
    }

    fn remove(&self, key: &[Cell]) -> Result<()> {
        if let Some(tied) = &self.tied {
            let names: Vec<String> = tied.columns.iter().map(|name| ident(name)).collect();
            let sql = format!(
                "DELETE FROM main.{0} WHERE ({1}) IN (SELECT {2} FROM main.{3} WHERE {4})",
                ident(tied.table),
                tied.key.columns(""),
                names.join(", "),
                ident(self.table),
                self.key.is_param("", 1)
            );
            self.db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        }
        let sql = format!("DELETE FROM main.{} WHERE {}", ident(self.table), self.key.is_param("", 1));
        self.db.prepare_cached(&sql)?.execute(params_from_iter(key))?;
        Ok(())
    }

    fn rekey(&self, row: &Move) -> Result<()> {
        let set: Vec<String> = (self.key.names().enumerate())
            .map(|(at, name)| format!("{} = ?{}", ident(name), self.key.len() + at + 1))
            .collect();
        let sql = format!(
            "UPDATE main.{} SET {} WHERE {}",
            ident(self.table),
            set.join(", "),
            self.key.is_param("", 1)
        );
        self.db.prepare_cached(&sql)?.execute(params_from_iter(row.then.iter().chain(&row.now)))?;
        Ok(())
    }

    /// Takes a row out of its key: to one that no row has, or else out of the table, which whoever watches that would take
    /// for its end.
    fn step_aside(&self, row: Move) -> Result<Option<Aside>> {
        if let Some(free) = self.free_key(&row.then)? {
            let step = Move { now: free.clone(), then: row.then.clone(), stays: false };
            match self.rekey(&step) {
                Ok(()) => return Ok(Some(Aside::Under(Move { then: free, ..row }))),
                // The table does not take such a key.
                Err(error) if error.code() == codes::CONSTRAINT => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.take(&row.then)?.map(|values| Aside::Out(row.now, values)))
    }

    /// A key like that one which hardly any row has; none where there is nothing to make one of.
    fn free_key(&self, like: &[Cell]) -> Result<Option<Vec<Cell>>> {
        let mut free = like.to_vec();
        for (cell, name) in free.iter_mut().zip(self.key.names()) {
            match cell {
                Cell::Integer(number) => {
                    let sql = format!("SELECT min({}) FROM main.{}", ident(name), ident(self.table));
                    let least = self.db.query_row(&sql, [], |row| row.get_ref(0).map(Cell::read))?;
                    let Cell::Integer(least) = least else { return Ok(None) };
                    let Some(below) = least.checked_sub(1) else { return Ok(None) };
                    *number = below;
                }
                Cell::Text(text) => text.extend(b"\x01aside"),
                _ => continue,
            }
            return Ok(Some(free));
        }
        Ok(None)
    }

    /// Removes a row and gives its values.
    fn take(&self, key: &[Cell]) -> Result<Option<Vec<Cell>>> {
        let names: Vec<String> = self.columns.iter().map(|name| ident(name)).collect();
        let list = if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
        let condition = self.key.is_param("", 1);
        let sql = format!("DELETE FROM main.{} WHERE {condition} RETURNING {list}", ident(self.table));
        Ok(cell::rows(self.db, &sql, key, names.len())?.into_iter().next())
    }

    fn put(&self, key: &[Cell], values: &[Cell]) -> Result<()> {
        self.remove(key)?;
        let names: Vec<String> =
            self.key.names().map(ident).chain(self.columns.iter().map(|name| ident(name))).collect();
        let params: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
        let sql = format!(
            "INSERT INTO main.{} ({}) VALUES ({})",
            ident(self.table),
            names.join(", "),
            params.join(", ")
        );
        self.db.prepare_cached(&sql)?.execute(params_from_iter(key.iter().chain(values)))?;
        Ok(())
    }
}

pub(super) fn then_column(at: usize) -> String {
    format!("_pql_then{at}")
}

fn then_columns(key: &Key) -> Vec<String> {
    (0..key.len()).map(then_column).collect()
}
