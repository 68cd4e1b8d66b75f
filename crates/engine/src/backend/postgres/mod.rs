//! The PostgreSQL backend: a server that many use at the same time, perhaps through a pooler.
//!
//! - `connect`, `service`, `passfile`, `tls`, `link`, `decode`, `errors`, `flavour`: connections and what they report;
//! - `transaction`, `run`, `ledger`, `blockers`, `brake`: transactions that keep nobody waiting for long;
//! - `introspect`, `holds`, `rates`: what there is; `normalise`: what would be if it were;
//! - `actions`: what a plan's steps do.
//!
//! Nothing depends on the session: every transaction sets what it needs for itself, every statement outside of one
//! stands alone. Every transaction of an action journals itself as its last act.

mod actions;
mod blockers;
mod brake;
mod connect;
mod decode;
mod errors;
mod exprs;
mod flavour;
mod holds;
mod introspect;
mod ledger;
mod link;
mod normalise;
mod passfile;
mod rates;
mod run;
mod service;
mod tls;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use pql_planner::{Action, Capabilities, Flavour, Plan, Statistics};
use pql_schema::{Expr, ObjectName, Schema, Table};

use self::connect::Target;
use self::link::Session;
use self::run::Run;
use self::transaction::{Settings, transact};
use super::{Backend, Connection, LockPatience, Opener, Silenced, Step};
use crate::Result;
use crate::error::codes;
use crate::location::PostgresUrl;

/// The number of the lock under which the journal is written: "PQL" and a version.
const JOURNAL_LOCK: i64 = 0x50_51_4c_01;

/// A PostgreSQL database.
pub struct Postgres {
    session: Session,
    capabilities: Capabilities,
    patience: LockPatience,
}

impl Postgres {
    /// Connects.
    pub fn open(url: &PostgresUrl, read_only: bool) -> Result<Self> {
        let target = Arc::new(Target::new(url)?);
        let mut session = Session::open(target, read_only)?;
        let capabilities = flavour::capabilities(&mut session)?;
        Ok(Self { session, capabilities, patience: LockPatience::default() })
    }

    fn run<'a>(&'a mut self, plan: &'a Plan, step: &'a mut dyn Step) -> Run<'a> {
        Run { session: &mut self.session, plan, step }
    }
}

impl Backend for Postgres {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn remark(&self) -> Option<String> {
        let path = self.session.path()?;
        Some(format!(
            "the search_path of this connection is {path}; where no schema is named, PQL means public all the same: \
             write schema.table for others"
        ))
    }

    fn introspect(&mut self) -> Result<Schema> {
        let settings = Settings { snapshot: true, ..Settings::default() };
        transact(&mut self.session, &settings, introspect::schema)
    }

    fn absence(&mut self, table: &ObjectName) -> Result<Option<String>> {
        self.session.batch_value(&format!(
            "SELECT pg_catalog.format('%1$s is a partition of %2$s: change %2$s, and its partitions follow', \
                 h.inhrelid::regclass, h.inhparent::regclass) \
             FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid AND c.relispartition \
             WHERE h.inhrelid = pg_catalog.to_regclass({})",
            blockers::literal(&blockers::qualified(table))
        ))
    }

    fn unknown_columns(&mut self, exprs: &[(Table, Expr)]) -> Result<Vec<(usize, String)>> {
        exprs::unknown_columns(&mut self.session, exprs)
    }

    fn introspect_part(&mut self, names: &[ObjectName]) -> Result<Schema> {
        let settings = Settings { snapshot: true, ..Settings::default() };
        transact(&mut self.session, &settings, |session| introspect::part(session, names))
    }

    fn exists(&mut self, name: &ObjectName) -> Result<bool> {
        let settings = Settings { snapshot: true, ..Settings::default() };
        transact(&mut self.session, &settings, |session| actions::has_relation(session, name))
    }

    fn statistics(&mut self, tables: &[ObjectName]) -> Result<Statistics> {
        let capabilities = &self.capabilities;
        let settings = Settings { snapshot: true, ..Settings::default() };
        transact(&mut self.session, &settings, |session| {
            let mut statistics = rates::statistics(session, tables)?;
            statistics.holds = holds::of(session, tables, capabilities)?;
            Ok(statistics)
        })
    }

    fn normalise(&mut self, current: &Schema, target: &mut Schema) -> Result<()> {
        normalise::normalise(&mut self.session, current, target)
    }

    fn statements(&self, plan: &Plan, action: &Action) -> Vec<String> {
        actions::statements(&self.capabilities, plan, action)
    }

    fn probe(&mut self, plan: &Plan, action: &Action) -> Result<Option<bool>> {
        actions::probe(&mut self.session, plan, action)
    }

    fn silenced(&mut self) -> Result<Vec<Silenced>> {
        match self.capabilities.flavour {
            Flavour::Plain | Flavour::Citus => actions::silenced(&mut self.session),
            _ => Ok(Vec::new()),
        }
    }

    fn forget(&mut self, action: &Action) -> Result<()> {
        actions::forget(&mut self.session, action)
    }

    fn fits(&mut self, plan: &Plan, action: &Action) -> Result<()> {
        actions::fits(&mut self.session, plan, action)
    }

    fn execute(&mut self, plan: &Plan, action: &Action, step: &mut dyn Step) -> Result<()> {
        let outcome = actions::execute(&mut self.run(plan, step), action);
        // A column that is going to take another one's place has that one's name for people.
        outcome.map_err(|error| {
            let swaps = plan.column_swaps.iter();
            swaps.fold(error, |error, swap| error.renaming(&swap.shadow, &swap.old.name))
        })
    }

    fn may_purge(&mut self, plan: &Plan) -> Result<()> {
        actions::may_purge(&mut self.session, plan)
    }

    fn purge(&mut self, plan: &Plan, step: &mut dyn Step) -> Result<()> {
        actions::purge(&mut self.run(plan, step))
    }

    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Result<()>) -> Result<()> {
        let lock = (self.capabilities.flavour == Flavour::Plain
            || self.capabilities.flavour == Flavour::Citus)
            && !self.session.is_read_only();
        let settings = Settings { lock_timeout: self.patience.attempt, ..Settings::default() };
        let start = Instant::now();
        loop {
            let outcome = transact(&mut self.session, &settings, |session| {
                if lock {
                    // Of the transactions that write the journal one runs at a time, as on a database with one writer.
                    session.batch(&format!("SELECT pg_catalog.pg_advisory_xact_lock({JOURNAL_LOCK})"))?;
                }
                work(session)
            });
            match outcome {
                Err(error) if error.code() == codes::LOCKED && start.elapsed() < self.patience.total => {}
                outcome => return outcome,
            }
        }
    }

    fn in_transaction(&mut self) -> bool {
        // Outside of one the statement is the transaction. In one that has failed nothing can be asked any more.
        const ASK: &str = "SELECT transaction_timestamp() < statement_timestamp()";
        match self.session.batch_value(ASK) {
            Ok(answer) => answer.as_deref() == Some("t"),
            Err(error) => !errors::is_lost(&error),
        }
    }

    fn set_patience(&mut self, patience: LockPatience) {
        self.patience = patience;
        self.session.set_patience(patience.attempt);
    }

    fn connection(&mut self) -> &mut dyn Connection {
        &mut self.session
    }

    fn another(&mut self) -> Result<Option<Box<dyn Backend>>> {
        // Relatives of PostgreSQL change one thing of a schema at a time.
        if !matches!(self.capabilities.flavour, Flavour::Plain | Flavour::Citus) {
            return Ok(None);
        }
        let mut other = Self {
            session: self.session.another()?,
            capabilities: self.capabilities.clone(),
            patience: self.patience,
        };
        other.set_patience(self.patience);
        Ok(Some(Box::new(other)))
    }

    fn companion(&mut self) -> Option<Opener> {
        let open = self.session.opener();
        Some(Box::new(move || Ok(Box::new(open()?))))
    }
}
