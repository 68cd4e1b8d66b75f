//! The SQLite backend: a file that other processes use all the time, or a database in memory.
//!
//! - `connect`, `link`, `errors`, `vector`: connections and what they report;
//! - `run`, `pacing`: transactions that keep nobody waiting;
//! - `catalog`, `edit`, `texts`, `retained`, `model`, `introspect`: definitions, read and written;
//! - `cell`, `keys`, `guards`, `capture`, `replacing`, `walk`, `checks`: rows, told apart, watched, walked over, examined;
//! - `metadata`, `redefine`, `validate`, `stragglers`, `backfill`, `rebuild`, `index_build`, `execute`, `purge`: the
//!   actions.
//!
//! Every transaction of an action journals itself as its last act, so a process that is killed leaves the database
//! where the journal says it is, and the application with nothing that could fail.

mod backfill;
mod capture;
mod catalog;
mod cell;
mod checks;
mod connect;
mod converge;
mod duplicates;
mod edit;
mod errors;
mod execute;
mod exprs;
mod failing;
mod fits;
mod following;
mod foreign;
mod guards;
mod holders;
mod index_build;
mod introspect;
mod keys;
mod link;
mod metadata;
mod model;
mod moves;
mod others;
mod pacing;
mod probe;
mod purge;
mod rates;
mod rebuild;
mod record;
mod redefine;
mod render;
mod replacing;
mod report;
mod retained;
mod run;
mod stragglers;
mod texts;
mod validate;
mod vector;
mod virtuals;
mod walk;
mod witness;

use std::path::{Path, PathBuf};

use pql_planner::{
    Action, Capabilities, Check, Dialect, Flavour, IndexBuild, Lacks, Plan, Rates, Rebuild, Statistics,
};
use pql_schema::{Expr, Index, KeyPart, ObjectName, Schema, Table};
use rusqlite::Connection as Db;

use self::connect::Patience;
use self::link::Owned;
use self::model::Cache;
use self::others::Others;
use self::pacing::Pacer;
use self::run::{Place, Run, Setup};
use super::{Backend, Connection, LockPatience, Opener, Progress, Step};
use crate::error::codes;
use crate::{Error, Result};

/// A SQLite database.
pub struct Sqlite {
    writer: Owned,
    /// `None` for a database in memory, which has one connection.
    reader: Option<Db>,
    path: Option<PathBuf>,
    read_only: bool,
    patience: Patience,
    reading: Patience,
    capabilities: Capabilities,
    models: Cache,
}

impl Sqlite {
    /// Opens a file; one that does not exist is made when `create` says so.
    pub fn open(path: &Path, create: bool, read_only: bool) -> Result<Self> {
        Self::open_patiently(path, create, read_only, LockPatience::default())
    }

    /// The same, waiting for locks as it says.
    pub fn open_patiently(path: &Path, create: bool, read_only: bool, wait: LockPatience) -> Result<Self> {
        let patience = Patience::new(wait.whole());
        #[cfg_attr(not(feature = "testing"), expect(unused_mut, reason = "only tests watch it"))]
        let mut writer = connect::file(path, create, read_only, &patience)?;
        #[cfg(feature = "testing")]
        crate::fault::attach(&mut writer)?;
        // The reader waits on its own: what it meets without WAL is a COMMIT, not a writer's queue.
        let reading = Patience::new(wait.whole());
        let reader = connect::file(path, create, read_only, &reading)?;
        let capabilities = capabilities(&writer)?;
        Ok(Self {
            writer: Owned(writer),
            reader: Some(reader),
            path: Some(path.to_owned()),
            read_only,
            patience,
            reading,
            capabilities,
            models: Cache::default(),
        })
    }

    /// Makes a database in memory.
    pub fn memory() -> Result<Self> {
        let patience = Patience::new(LockPatience::default().whole());
        let writer = connect::memory(&patience)?;
        let capabilities = capabilities(&writer)?;
        Ok(Self {
            writer: Owned(writer),
            reader: None,
            path: None,
            read_only: false,
            reading: patience.clone(),
            patience,
            capabilities,
            models: Cache::default(),
        })
    }

    fn run<T>(
        &mut self,
        plan: &Plan,
        step: &mut dyn Step,
        work: impl FnOnce(&mut Run<'_>) -> Result<T>,
    ) -> Result<T> {
        let db = &self.writer.0;
        let mode: String = db.query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
        let place = Place { memory: self.path.is_none(), wal: mode.eq_ignore_ascii_case("wal") };
        let setup = Setup::new(db, place)?;
        let pacer = Pacer::new(step.options());
        // Whoever waits for longer tries again, and can be paused or cancelled in between.
        self.reading.set(step.options().lock_timeout);
        let mut run = Run {
            db,
            reader: self.reader.as_ref().unwrap_or(db),
            plan,
            step,
            pacer,
            others: Others::default(),
            patience: &self.patience,
            reading: &self.reading,
            file: self.path.as_deref(),
            place,
            since_checkpoint: 0,
            longest_log: run::LONG_LOG,
            free_until: None,
        };
        let outcome = work(&mut run).and_then(|value| {
            if place.wal && run.since_checkpoint > 0 {
                run.checkpoint()?;
            }
            run.leave_alone()?;
            Ok(value)
        });
        drop(setup);
        self.patience.reset();
        self.reading.reset();
        outcome
    }
}

fn capabilities(db: &Db) -> Result<Capabilities> {
    let mode: String = db.query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
    let defensive = db.db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE)?;
    Ok(Capabilities {
        dialect: Dialect::Sqlite,
        version: rusqlite::version().to_owned(),
        definition_edit: !defensive,
        snapshot_reads: mode.eq_ignore_ascii_case("wal"),
        vectors: vector::available(db),
        rates: Rates::default(),
        flavour: Flavour::default(),
        lacks: Lacks::default(),
    })
}

impl Backend for Sqlite {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn introspect(&mut self) -> Result<Schema> {
        introspect::schema(&self.writer.0, &mut self.models)
    }

    fn exists(&mut self, name: &ObjectName) -> Result<bool> {
        let db = &self.writer.0;
        Ok(catalog::has_table(db, &name.name)? || catalog::find(db, "view", &name.name)?.is_some())
    }

    fn unknown_columns(&mut self, exprs: &[(Table, Expr)]) -> Result<Vec<(usize, String)>> {
        let mut found = Vec::new();
        for (at, (table, expr)) in exprs.iter().enumerate() {
            found.extend(exprs::unknown_column(&self.writer.0, table, expr)?.map(|said| (at, said)));
        }
        Ok(found)
    }

    fn statistics(&mut self, tables: &[ObjectName]) -> Result<Statistics> {
        let statistics = rates::statistics(&self.writer.0, tables)?;
        if statistics.tables.values().any(|table| table.rows > rates::COUNTED) {
            self.capabilities.rates = rates::measured();
        }
        Ok(statistics)
    }

    fn statements(&self, plan: &Plan, action: &Action) -> Vec<String> {
        render::statements(&self.writer.0, plan, action)
    }

    fn probe(&mut self, plan: &Plan, action: &Action) -> Result<Option<bool>> {
        probe::probe(&self.writer.0, plan, action)
    }

    fn fits(&mut self, plan: &Plan, action: &Action) -> Result<()> {
        fits::fits(&self.writer.0, plan, action)
    }

    fn execute(&mut self, plan: &Plan, action: &Action, step: &mut dyn Step) -> Result<()> {
        self.run(plan, step, |run| {
            if capture::has_transients(run.db)? {
                run.write(|db| Ok((capture::stop_transients(db)?, Progress::default())))?;
            }
            execute(run, action).map_err(|error| failing::explain(run.reader, plan, action, error))
        })
    }

    fn purge(&mut self, plan: &Plan, step: &mut dyn Step) -> Result<()> {
        self.run(plan, step, |run| purge::purge(run, plan))
    }

    fn sweep(&mut self) -> Result<()> {
        let db = &self.writer.0;
        if !capture::has_transients(db)? {
            return Ok(());
        }
        run::immediately(db, || capture::stop_transients(db))
    }

    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Result<()>) -> Result<()> {
        let db = &self.writer.0;
        if !db.is_autocommit() {
            return Err(Error::new(codes::TRANSACTION_OPEN, "a transaction is open on this connection")
                .with_help("COMMIT or ROLLBACK it first"));
        }
        run::immediately(db, || work(&mut link::Link(db)))
    }

    fn in_transaction(&mut self) -> bool {
        !self.writer.0.is_autocommit()
    }

    // To look again every now and then is all that an attempt is here, so only the whole counts.
    fn set_patience(&mut self, patience: LockPatience) {
        self.patience.set_usual(patience.whole());
        self.reading.set_usual(patience.whole());
    }

    fn connection(&mut self) -> &mut dyn Connection {
        &mut self.writer
    }

    fn companion(&mut self) -> Option<Opener> {
        let (path, read_only) = (self.path.clone()?, self.read_only);
        let open = move || connect::file(&path, false, read_only, &Patience::new(connect::BESIDE));
        Some(Box::new(move || Ok(Box::new(Owned(open()?)))))
    }
}

fn execute(run: &mut Run<'_>, action: &Action) -> Result<()> {
    match action {
        Action::CreateTable { table } => metadata::change(run, |db| metadata::create_table(db, table)),
        Action::RetireTable { table, hidden } => {
            metadata::change(run, |db| metadata::retire_table(db, table, hidden))
        }
        Action::HideTable { table, hidden } => {
            metadata::change(run, |db| metadata::hide_table(db, &table.name, &hidden.name))
        }
        Action::UnhideTable { table, hidden } => {
            metadata::change(run, |db| metadata::unhide_table(db, &table.name, &hidden.name))
        }
        Action::DropTable { table } => {
            purge::drop_hidden(run, &table.name)?;
            run.finish()
        }
        Action::RenameTable { from, to } => metadata::change(run, |db| metadata::rename_table(db, from, to)),
        Action::AddColumn { table, column } => {
            metadata::change(run, |db| metadata::add_column(db, table, column))
        }
        Action::DropColumn { table, column } => {
            metadata::change(run, |db| metadata::drop_column(db, table, column))
        }
        Action::HideColumn { before, after, .. } => redefine::redefine(run, before, after, &[], None),
        Action::UnhideColumn { before, after, .. } => {
            redefine::redefine(run, before, after, &redefine::new_demands(before, after), None)
        }
        Action::RenameColumn { table, from, to } => {
            metadata::change(run, |db| metadata::rename_column(db, table, from, to))
        }
        Action::Redefine { before, after, checks, captured } => {
            redefine::redefine(run, before, after, checks, captured.as_ref())
        }
        Action::CreateIndex { index } => {
            metadata::change(run, |db| Ok(db.execute_batch(&metadata::index_text(db, index)?)?))
        }
        Action::DropIndex { index } => index_build::drop_index(run, &index.name, true),
        Action::HideIndex { index, hidden } => {
            metadata::change(run, |db| metadata::hide_index(db, index, hidden))
        }
        Action::UnhideIndex { index, hidden } => unhide_index(run, index, hidden),
        Action::RenameIndex { from, to } => metadata::change(run, |db| metadata::rename_index(db, from, to)),
        Action::CreateView { view } => metadata::change(run, |db| metadata::create_view(db, view)),
        Action::DropView { view, .. } => metadata::change(run, |db| metadata::drop_view(db, view)),
        Action::Execute { sql, outside_transaction } => execute::execute(run, sql, *outside_transaction),
        Action::StartCapture { capture } => {
            run.write_last(|db| capture::start(db, capture, retained::Kind::Capture, None))
        }
        Action::StopCapture { capture } => run.write_last(|db| capture::stop(db, capture)),
        Action::Backfill(backfill) => backfill::backfill(run, backfill),
        Action::RevertBackfill(backfill) => record::revert(run, backfill),
        Action::Validate { table, checks, .. } => validate::validate(run, &table.name, checks),
        Action::RebuildPrepare { rebuild } => rebuild::prepare(run, planned_rebuild(run.plan, *rebuild)?),
        Action::RebuildCopy { rebuild } => rebuild::copy(run, planned_rebuild(run.plan, *rebuild)?),
        Action::RebuildVerify { rebuild } => rebuild::verify(run, planned_rebuild(run.plan, *rebuild)?),
        Action::RebuildSwap { rebuild } => rebuild::swap(run, planned_rebuild(run.plan, *rebuild)?),
        Action::RebuildAbandon { rebuild } => rebuild::abandon(run, planned_rebuild(run.plan, *rebuild)?),
        Action::RebuildUnswap { rebuild } => rebuild::unswap(run, planned_rebuild(run.plan, *rebuild)?),
        Action::RebuildAtOnce { rebuild } => rebuild::at_once(run, planned_rebuild(run.plan, *rebuild)?),
        Action::IndexPrepare { build } => index_build::prepare(run, planned_index(run.plan, *build)?),
        Action::IndexFill { build } => index_build::fill(run, planned_index(run.plan, *build)?),
        Action::IndexVerify { build } => index_build::verify(run, planned_index(run.plan, *build)?),
        Action::IndexPublish { build } => index_build::publish(run, planned_index(run.plan, *build)?),
        Action::IndexAbandon { build } => index_build::abandon(run, planned_index(run.plan, *build)?),
        Action::Alter { .. }
        | Action::ValidateConstraint { .. }
        | Action::CreateIndexConcurrently { .. }
        | Action::DropIndexConcurrently { .. }
        | Action::HideView { .. }
        | Action::UnhideView { .. }
        | Action::SwapPrepare { .. }
        | Action::SwapFill { .. }
        | Action::SwapVerify { .. }
        | Action::SwapColumns { .. }
        | Action::SwapAtOnce { .. }
        | Action::SwapBack { .. }
        | Action::SwapAbandon { .. }
        | Action::SwapForget { .. } => Err(Error::new(
            codes::UNREADABLE,
            format!("the plan wants to {}, which is not done on SQLite", action.verb()),
        )),
    }
}

fn planned_rebuild(plan: &Plan, position: usize) -> Result<&Rebuild> {
    plan.rebuilds.get(position).ok_or_else(|| incomplete("rebuild", position))
}

fn planned_index(plan: &Plan, position: usize) -> Result<&IndexBuild> {
    plan.index_builds.get(position).ok_or_else(|| incomplete("index build", position))
}

fn incomplete(what: &str, position: usize) -> Error {
    Error::new(codes::UNREADABLE, format!("the plan refers to {what} {position}, which it does not have"))
}

/// Gives a hidden index its name back; a unique one only when no two rows are alike any more.
fn unhide_index(run: &mut Run<'_>, index: &Index, hidden: &ObjectName) -> Result<()> {
    let columns: Option<Vec<KeyPart>> = (index.parts.iter())
        .map(|part| {
            Some(KeyPart {
                column: part.column.clone()?,
                collation: part.collation.clone(),
                order: part.order,
            })
        })
        .collect();
    let checks = match columns.filter(|_| index.unique && index.predicate.is_none()) {
        Some(columns) => vec![Check::Distinct { name: index.name.name.clone(), columns }],
        None => Vec::new(),
    };
    validate::declare(run, &index.table.name, &checks, None, |db| metadata::unhide_index(db, index, hidden))
}
