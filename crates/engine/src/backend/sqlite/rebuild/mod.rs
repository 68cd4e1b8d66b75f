//! Rebuilding a table: what ALTER TABLE cannot do, with everything else about the table as it was.
//!
//! Online: [`prepare`] makes the shadow and starts the log, [`copy`] fills it, [`verify`] builds its indexes and compares
//! every row, [`swap`] exchanges the two tables in one short transaction. The original is retained, and a log of what
//! changes from then on is its way back ([`unswap`]). Offline, [`at_once`] does all of it in one transaction.
//!
//! Invariant: until the swap commits the application sees the original and nothing else; from then on the new table
//! and nothing else. Names, triggers, views, foreign keys of other tables, rowids and counters stay.

mod copy;
mod drain;
mod flow;
mod misfits;
mod pairs;
mod restore;
mod shadow;
mod swap;
mod together;
mod untold;
mod verify;
mod watched;

use std::collections::BTreeMap;

use pql_planner::text::{SQLITE, ident};
use pql_planner::{Capture, Check, ColumnMapping, Rebuild};
use pql_schema::{Expr, KeyPart, ObjectName, Table};
use rusqlite::Connection as Db;

pub(super) use self::misfits::turned_back;
use self::pairs::Tie;
use self::shadow::ShadowIndex;
use self::swap::Swap;
use super::checks::{Among, Subject};
use super::keys::Range;
use super::metadata::{self, without_references};
use super::redefine::means;
use super::retained::{self, Kind, Memory};
use super::run::Run;
use super::walk::Walk;
use super::{
    capture, catalog, edit, errors, foreign, guards, index_build, keys, model, purge, rates, texts, witness,
};
use crate::Result;
use crate::backend::Progress;

/// A table with at most so many rows is dropped on the spot.
const SMALL: u64 = 5_000;

/// Creates the shadow and starts the log.
pub(super) fn prepare(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    purge::drop_hidden(run, &rebuild.shadow.name)?;
    run.write_last(|db| {
        check_unchanged(db, &rebuild.before, &rebuild.forward.log.name)?;
        create_shadow(db, rebuild)?;
        capture::start(db, &rebuild.forward, Kind::Capture, None)?;
        flow::forward(db, rebuild)?.create_pairs(db)
    })
}

/// The statements of [`prepare`], for showing.
pub(super) fn prepare_statements(db: &Db, rebuild: &Rebuild) -> Result<Vec<String>> {
    let mut all = vec![SQLITE.create_table(&shadow::definition(rebuild))];
    all.extend(capture::statements(db, &rebuild.forward)?);
    Ok(all)
}

/// Copies the rows that were there when the log was started.
pub(super) fn copy(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let flow = flow::forward(run.db, rebuild)?;
    let mut walk = Walk::start(run.reader, run.step, flow.source, &flow.source_key)?;
    if walk.over {
        return run.finish();
    }
    copy::rows(run, rebuild, &flow, &mut walk, |walk| walk.progress(true))
}

/// Removes a column that nothing refers to by a rebuild without a way back, in place of the plain statement that would
/// write the whole table under one lock. Started again from the beginning when it is interrupted.
pub(super) fn without_column(run: &mut Run<'_>, table: &str, column: &str) -> Result<()> {
    let rebuild = removal(run.db, table, column)?;
    let (shadow, retained) = (&rebuild.shadow.name, &rebuild.retained.name);
    purge::drop_hidden(run, shadow)?;
    run.write(|db| {
        create_shadow(db, &rebuild)?;
        capture::start(db, &rebuild.forward, Kind::Transient, None)?;
        retained::remember(db, Kind::Garbage, &Memory::new(shadow))?;
        Ok(((), Progress::default()))
    })?;
    let flow = flow::forward(run.db, &rebuild)?;
    let mut walk = Walk::fresh(run.reader, flow.source, &flow.source_key)?;
    copy::rows(run, &rebuild, &flow, &mut walk, |walk| {
        Ok(Progress { rows: walk.rows, total: Some(walk.total), ..Progress::default() })
    })?;
    finish_shadow(run, &rebuild)?;
    drain::until_few(run, &flow)?;
    run.write(|db| {
        check_unchanged(db, &rebuild.before, &rebuild.forward.log.name)?;
        drain::rest(db, &flow)?;
        capture::stop(db, &rebuild.forward)?;
        // The captures of older migrations stay with the name: the rows keep their keys.
        metadata::within(db, |db| exchange(db, &rebuild))?;
        retained::forget_named(db, Kind::Garbage, shadow)?;
        retained::remember(db, Kind::Garbage, &Memory::new(retained))?;
        Ok(((), Progress::default()))
    })?;
    purge::drop_hidden(run, retained)
}

/// The rebuild that leaves a column out.
fn removal(db: &Db, table: &str, column: &str) -> Result<Rebuild> {
    let before = model::table_of(db, table)?;
    let mut after = before.clone();
    after.columns.retain(|known| !known.name.eq_ignore_ascii_case(column));
    let mapping = (after.columns.iter())
        .filter(|known| known.generated.is_none())
        .map(|known| ColumnMapping {
            column: known.name.clone(),
            from: Expr::statement(ident(&known.name)),
            fits: None,
            unstable: false,
        })
        .collect();
    let named = |what: &str| ObjectName::new(format!("_pql_purge_{what}_{table}"));
    let key = keys::of_table(db, table)?;
    let capture = |log| Capture {
        table: before.name.clone(),
        log,
        key: key.clone(),
        columns: None,
        follows: false,
        moves: false,
    };
    Ok(Rebuild {
        shadow: named("new"),
        retained: named("old"),
        forward: capture(named("log")),
        reverse: capture(named("back")),
        mapping,
        mapping_back: Vec::new(),
        indexes: model::indexes_of(db, table)?,
        before,
        after,
    })
}

/// The statement of a batch of [`copy`], for showing.
pub(super) fn copy_statement(rebuild: &Rebuild) -> String {
    let columns: Vec<String> = rebuild.mapping.iter().map(|map| ident(&map.column)).collect();
    let values: Vec<String> = rebuild.mapping.iter().map(|map| map.from.to_string()).collect();
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} WHERE key > :after AND key <= :upto",
        ident(&rebuild.shadow.name),
        columns.join(", "),
        values.join(", "),
        ident(&rebuild.before.name.name)
    )
}

/// Builds the shadow's indexes, drains the log and compares.
pub(super) fn verify(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    finish_shadow(run, rebuild)?;
    run.read(|db| foreign::none_lost(db, rebuild))?;
    drain::until_few(run, &flow::forward(run.db, rebuild)?)?;
    run.finish()
}

fn finish_shadow(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let flow = flow::forward(run.db, rebuild)?;
    let indexes = shadow::indexes(rebuild)?;
    if indexes.iter().any(|ShadowIndex { index, .. }| index.unique) {
        // A row that moved while rows were copied may be in the copy twice. With nothing left in the log the copy is
        // what the table was at one moment, and stays so until the next drain: what is there twice now really is.
        drain::until_few(run, &flow)?;
        run.write(|db| Ok((drain::rest(db, &flow)?, Progress::default())))?;
    }
    for ShadowIndex { index, name } in indexes {
        if catalog::find(run.db, "index", &index.name.name)?.is_none() {
            index_build::on_hidden_table(run, &index)
                .map_err(|error| explain_duplicates(run.db, &index, &name, error))?;
        }
    }
    drain::until_few(run, &flow)?;
    if run.step.options().verify { verify::compare(run, &flow) } else { Ok(()) }
}

/// Drains the rest and exchanges the tables.
pub(super) fn swap(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let flow = flow::forward(run.db, rebuild)?;
    drain::until_few(run, &flow)?;
    run.write_last(|db| {
        check_unchanged(db, &rebuild.before, &rebuild.forward.log.name)?;
        drain::rest(db, &flow)?;
        capture::stop(db, &rebuild.forward)?;
        metadata::within(db, |db| exchange_and_keep(db, rebuild))?;
        capture::start(db, &rebuild.reverse, Kind::Capture, None)
    })
}

/// Everything in one transaction.
pub(super) fn at_once(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    purge::drop_hidden(run, &rebuild.shadow.name)?;
    run.write_last(|db| {
        check_unchanged(db, &rebuild.before, &rebuild.forward.log.name)?;
        let orphans = foreign::violations(db, &rebuild.before.name.name)?;
        create_shadow(db, rebuild)?;
        // The log stays empty; the flow asks it all the same.
        capture::start(db, &rebuild.forward, Kind::Transient, None)?;
        let flow = flow::forward(db, rebuild)?;
        flow.create_pairs(db)?;
        let mut left = Range { after: None, upto: flow.source_key.edge(db, flow.source, true)? };
        while left.upto.is_some() && left.after != left.upto {
            let upto = flow.source_key.nth(db, flow.source, &left, 1_000)?.or_else(|| left.upto.clone());
            flow.copy(db, &Range { after: left.after.clone(), upto: upto.clone() })?;
            left.after = upto;
        }
        drain::rest(db, &flow)?;
        for ShadowIndex { index, name } in shadow::indexes(rebuild)? {
            db.execute_batch(&SQLITE.create_index(&index))
                .map_err(|error| explain_duplicates(db, &index, &name, error.into()))?;
        }
        capture::stop(db, &rebuild.forward)?;
        metadata::within(db, |db| exchange_and_keep(db, rebuild))?;
        foreign::no_new(db, &rebuild.after.name.name, &orphans)?;
        capture::start(db, &rebuild.reverse, Kind::Capture, None)
    })
}

/// Takes back what was done before the swap, however far it came.
pub(super) fn abandon(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    run.write(|db| {
        capture::stop(db, &rebuild.forward)?;
        db.execute_batch(&format!("DROP TABLE IF EXISTS main.{}", ident(&pairs::pairs_name(rebuild))))?;
        Ok(((), Progress::default()))
    })?;
    for ShadowIndex { index, .. } in shadow::indexes(rebuild)? {
        index_build::discard_hidden(run, &index)?;
    }
    // What was in use until it was taken back is left to a purge: nobody has to wait for that.
    if !retained::is_garbage(run.db, &rebuild.shadow.name)? {
        purge::drop_hidden(run, &rebuild.shadow.name)?;
    }
    run.finish()
}

/// Takes the swap back: the original with everything that was written since.
pub(super) fn unswap(run: &mut Run<'_>, rebuild: &Rebuild) -> Result<()> {
    let rebuild = &without_purged(run.db, rebuild)?;
    let log = &rebuild.reverse.log.name;
    check_numbers(run.db, rebuild)?;
    let flow = flow::backward(run.db, rebuild)?;
    if matches!(flow.tie, Tie::Pairs(_)) && capture::pending(run.db, log, 1)? > 0 {
        run.write(|db| {
            flow.pair_equal(db)?;
            Ok(((), Progress::default()))
        })?;
    }
    drain_back(run, &flow)?;
    if untold::log(run, &flow)? {
        drain_back(run, &flow)?;
    }
    let small = rates::rows(run.reader, flow.source)? <= SMALL;
    run.write_last(|db| {
        check_unchanged(db, &rebuild.after, &rebuild.reverse.log.name)?;
        super::run::with_triggers(db, || drain::rest(db, &flow))?;
        capture::stop(db, &rebuild.reverse)?;
        db.execute_batch(&format!("DROP TABLE IF EXISTS main.{}", ident(&pairs::pairs_name(rebuild))))?;
        metadata::within(db, |db| exchange_back(db, rebuild))?;
        if small {
            return Ok(db.execute_batch(&format!("DROP TABLE main.{}", ident(&rebuild.shadow.name)))?);
        }
        retained::remember(db, Kind::Garbage, &Memory::new(&rebuild.shadow.name))
    })
}

/// Captures of older migrations on the retained original see what comes back.
fn drain_back(run: &mut Run<'_>, flow: &flow::Flow<'_>) -> Result<()> {
    super::run::set_triggers(run.db, true)?;
    let drained = drain::until_few(run, flow);
    super::run::set_triggers(run.db, false)?;
    drained
}

/// The rebuild without the hidden columns that were purged since: from both tables.
fn without_purged(db: &Db, rebuild: &Rebuild) -> Result<Rebuild> {
    let there = model::table_of(db, &rebuild.retained.name)?;
    let gone: Vec<String> = (rebuild.before.columns.iter())
        .filter(|column| column.retained && !there.columns.iter().any(|other| other.name == column.name))
        .map(|column| column.name.clone())
        .collect();
    let mut left = rebuild.clone();
    left.before.columns.retain(|column| !gone.contains(&column.name));
    left.after.columns.retain(|column| !gone.contains(&column.name));
    left.mapping.retain(|map| !gone.contains(&map.column));
    left.mapping_back.retain(|map| !gone.contains(&map.column));
    Ok(left)
}

/// What is remembered of the rows on both sides of the swap is still about them.
fn check_numbers(db: &Db, rebuild: &Rebuild) -> Result<()> {
    witness::check(db, &rebuild.after.name.name, &rebuild.reverse.log.name)?;
    witness::check(db, &rebuild.after.name.name, &rebuild.retained.name)
}

/// Whether the swap is in effect.
pub(super) fn is_swapped(db: &Db, rebuild: &Rebuild) -> Result<bool> {
    catalog::has_table(db, &rebuild.retained.name)
}

/// The table that goes out of use is still as the plan knows it: what others have added to it since would go with it.
/// `log`: what has watched it since then.
fn check_unchanged(db: &Db, known: &Table, log: &str) -> Result<()> {
    let name = &known.name.name;
    let now = model::table_of(db, name)?;
    if !means(&now, known) {
        return Err(errors::moved(format!("the table {} is no longer as it was planned for", ident(name))));
    }
    let Some(since) = catalog::find(db, "table", log)? else { return Ok(()) };
    // What is made later is listed later.
    let added = catalog::of_table(db, name)?.into_iter().find(|entry| {
        entry.kind == "index"
            && entry.sql.is_some()
            && !catalog::is_ours(&entry.name)
            && entry.rowid > since.rowid
    });
    match added {
        Some(added) => Err(errors::moved(format!(
            "the index {} of {} was not there when the change began",
            ident(&added.name),
            ident(name)
        ))),
        None => Ok(()),
    }
}

fn create_shadow(db: &Db, rebuild: &Rebuild) -> Result<()> {
    db.execute_batch(&SQLITE.create_table(&shadow::definition(rebuild)))?;
    guards::set(db, &rebuild.shadow.name, &rebuild.shadow.name)
}

fn exchange(db: &Db, rebuild: &Rebuild) -> Result<()> {
    guards::lift(db, &rebuild.shadow.name)?;
    let table = &rebuild.after.name.name;
    let mut indexes = BTreeMap::new();
    let known = model::schema_of(&rebuild.after);
    for index in &rebuild.indexes {
        let sql = SQLITE.create_index(index);
        let means = |sql: &str| model::index(sql, &known).ok();
        let old = catalog::find(db, "index", &index.name.name)?.and_then(|entry| entry.sql);
        // Its author's words, as long as they say the same.
        let sql = old.filter(|old| means(old).is_some_and(|old| Some(old) == means(&sql))).unwrap_or(sql);
        indexes.insert(index.name.name.clone(), sql);
    }
    let swap = Swap {
        table: &rebuild.before.name.name,
        incoming: &rebuild.shadow.name,
        outgoing: &rebuild.retained.name,
        sql: known_text(db, table, |sql| model::table(sql).is_ok_and(|known| means(&known, &rebuild.after)))?
            .unwrap_or_else(|| SQLITE.create_table(&rebuild.after)),
        indexes,
        counts: counts(&rebuild.after),
    };
    swap.run(db)?;
    verify_columns(db, table, &rebuild.after)
}

/// The captures of older migrations go with the original: it is what their way back leads to.
fn exchange_and_keep(db: &Db, rebuild: &Rebuild) -> Result<()> {
    exchange(db, rebuild)?;
    retained::change_owner(db, &rebuild.after.name.name, &rebuild.retained.name)?;
    guards::set(db, &rebuild.retained.name, &rebuild.retained.name)?;
    witness::note(db, &rebuild.retained.name, &rebuild.retained.name)
}

fn exchange_back(db: &Db, rebuild: &Rebuild) -> Result<()> {
    let table = &rebuild.before.name.name;
    let retained = &rebuild.retained.name;
    guards::lift(db, retained)?;
    witness::forget(db, retained)?;
    let kept = catalog::find(db, "table", retained)?.and_then(|entry| entry.sql).unwrap_or_default();
    // A hidden table has no foreign keys: which they were, the plan tells.
    let original = known_text(db, table, |sql| {
        without_references(sql, retained).is_ok_and(|form| texts::same_meaning(&form, &kept))
            && model::table(sql).is_ok_and(|known| means(&known, &rebuild.before))
    })?;
    let swap = Swap {
        table,
        incoming: retained,
        outgoing: &rebuild.shadow.name,
        sql: original.unwrap_or_else(|| SQLITE.create_table(&rebuild.before)),
        indexes: BTreeMap::new(),
        counts: counts(&rebuild.before),
    };
    swap.run(db)?;
    retained::change_owner(db, retained, table)?;
    verify_columns(db, table, &rebuild.before)
}

fn known_text(db: &Db, table: &str, fits: impl FnMut(&str) -> bool) -> Result<Option<String>> {
    Ok(retained::text(db, "table", table, fits)?.map(|(sql, _)| sql))
}

fn verify_columns(db: &Db, name: &str, table: &pql_schema::Table) -> Result<()> {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    edit::verify_table(db, name, &columns)
}

fn counts(table: &pql_schema::Table) -> bool {
    table.primary_key().is_some_and(|key| key.autoincrement)
}

/// Duplicates under a new unique key, by their values.
fn explain_duplicates(db: &Db, index: &pql_schema::Index, name: &str, error: crate::Error) -> crate::Error {
    if !index.unique || error.code() != crate::error::codes::CONSTRAINT {
        return error;
    }
    let parts: Option<Vec<KeyPart>> = (index.parts.iter())
        .map(|part| {
            let column = part.column.clone()?;
            Some(KeyPart { column, collation: part.collation.clone(), order: part.order })
        })
        .collect();
    let Some(columns) = parts.filter(|_| index.predicate.is_none()) else { return error };
    let check = Check::Distinct { name: name.to_owned(), columns };
    let explained =
        Subject::of(db, &index.table.name).and_then(|subject| subject.examine(db, &check, Among::All));
    explained.err().unwrap_or(error)
}
