//! MIGRATE ROLLBACK: applied migrations are taken back, newest first.

use pql_planner::{Action, Change, Check};
use pql_schema::{ConstraintKind, MigrationId, MigrationStatus, ObjectName};

use crate::journal::{Heading, Intent, Kind, Record, Retention, Run, StoredPlan, Totals};
use crate::lease::Lease;
use crate::options::ApplyOptions;
use crate::runner::{Observer, table_of};
use crate::{Engine, Error, Report, Result, codes};

use super::apply::is_unfinished;
use super::drift::differences;
use super::planning::names;

/// Which migrations are rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackTarget {
    /// This one.
    Migration(MigrationId),
    /// The last so many.
    Last(u64),
    /// All that came after this version.
    ToVersion(u64),
}

impl Engine {
    /// Rolls applied migrations back. All of them are looked at before the first is touched; one that fails stays
    /// applied, and those before it are not begun.
    pub fn rollback(
        &mut self,
        target: RollbackTarget,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Report>> {
        let chosen = self.chosen(target)?;
        if let [record] = chosen.as_slice()
            && is_unfinished(record)
            && record.run.as_ref().is_some_and(|run| run.intent == Intent::Rollback)
        {
            return Ok(vec![self.resume(record.migration.id, options, observer)?]);
        }
        let mut reports = Vec::new();
        for record in &chosen {
            let stored = self.reversible(record)?;
            let steps = stored.plan.steps.len();
            reports.push(Report::new(record, record.migration.version.unwrap_or_default(), steps));
        }
        if options.dry_run {
            return Ok(reports);
        }
        chosen
            .iter()
            .map(|record| record.migration.id)
            .map(|id| self.roll_one_back(id, options, observer))
            .collect()
    }

    fn roll_one_back(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        observer: &mut dyn Observer,
    ) -> Result<Report> {
        let lease = Lease::acquire(
            self.backend.as_mut(),
            self.journal,
            &self.actor,
            Some(id),
            options.run.retry_for,
        )?;
        match self.start_back(id, &lease) {
            Ok((record, stored)) => self.drive(lease, record, &stored, options, observer),
            Err(error) => {
                // The lease ends by itself when it cannot be given back; the error matters more.
                let _ = lease.release(self.backend.as_mut());
                Err(error)
            }
        }
    }

    fn start_back(&mut self, id: MigrationId, lease: &Lease) -> Result<(Record, StoredPlan)> {
        // Only now can nobody else change it any more.
        let mut record = self.record(id)?;
        self.newest(&record)?;
        self.none_unfinished_but(id)?;
        let stored = self.reversible(&record)?;
        self.undrifted(&record, &stored)?;
        self.fits(&stored)?;
        record.migration.status = MigrationStatus::Running;
        record.run = Some(Run { intent: Intent::Rollback, heading: Heading::Backward, reason: None });
        record.totals = Totals::default();
        record.failure = None;
        self.write(lease, &record, "rollback_started", None)?;
        Ok((record, stored))
    }

    /// Fails when rows stand in the way of something that would come after other things had been taken back.
    fn fits(&mut self, stored: &StoredPlan) -> Result<()> {
        let mut undo = stored.plan.steps.iter().rev().flat_map(|step| &step.undo);
        // The first stops by itself before anything is changed; of one that would look while everybody waits, rows are
        // told now.
        let Some(mut before) = undo.next() else { return Ok(()) };
        if matches!(before, Action::Alter { .. }) {
            self.backend.fits(&stored.plan, before)?;
        }
        // Of these the plan goes on to speak by names that are not there yet.
        let mut renamed = Vec::new();
        for action in undo {
            match before {
                Action::RenameTable { from, to } => renamed.extend([from, to]),
                Action::RenameColumn { table, .. } => renamed.push(table),
                _ => {}
            }
            let of = table_of(&stored.plan, action).into_iter().chain(parents(action));
            if !of.into_iter().any(|table| renamed.contains(&table)) {
                self.backend.fits(&stored.plan, action)?;
            }
            before = action;
        }
        Ok(())
    }

    /// The migrations that are meant, newest first.
    fn chosen(&mut self, target: RollbackTarget) -> Result<Vec<Record>> {
        if let RollbackTarget::Migration(id) = target {
            let record = self.record(id)?;
            if !is_unfinished(&record) {
                self.newest(&record)?;
            }
            return Ok(vec![record]);
        }
        let mut applied =
            if self.known()? { self.journal.applied(self.backend.connection())? } else { Vec::new() };
        let version = applied.len() as u64;
        let keep = match target {
            RollbackTarget::ToVersion(keep) if keep > version => {
                return Err(Error::new(
                    codes::UNKNOWN_VERSION,
                    format!("the database is at version {version}, which is before version {keep}"),
                )
                .with_help("ROLLBACK goes back only; MIGRATE APPLY goes on"));
            }
            RollbackTarget::ToVersion(keep) => keep,
            RollbackTarget::Last(count) if count > version => {
                return Err(Error::new(
                    codes::NOT_APPLIED,
                    format!("only {version} migrations are applied; {count} cannot be rolled back"),
                )
                .with_help("MIGRATE STATUS lists them"));
            }
            RollbackTarget::Last(count) => version - count,
            RollbackTarget::Migration(_) => version,
        };
        let mut chosen = applied.split_off(usize::try_from(keep).unwrap_or(usize::MAX).min(applied.len()));
        chosen.reverse();
        Ok(chosen)
    }

    /// Fails unless the migration is applied and none was applied after it.
    fn newest(&mut self, record: &Record) -> Result<()> {
        let migration = &record.migration;
        if migration.status != MigrationStatus::Applied {
            let what = match migration.status {
                MigrationStatus::RolledBack => "was rolled back already",
                MigrationStatus::Failed => "failed, and was taken back then",
                MigrationStatus::Cancelled => "was cancelled",
                MigrationStatus::Generated => "was never applied",
                _ => "is not finished",
            };
            let help = if is_unfinished(record) {
                "MIGRATE CANCEL takes an unfinished migration back"
            } else {
                "MIGRATE STATUS shows which migrations are applied"
            };
            return Err(Error::new(
                codes::NOT_APPLIED,
                format!("migration {} ({}) {what}", migration.id, migration.name),
            )
            .with_help(help));
        }
        let applied = self.journal.applied(self.backend.connection())?;
        let later: Vec<&Record> =
            applied.iter().filter(|other| other.migration.version > migration.version).collect();
        let Some(next) = later.first() else { return Ok(()) };
        let shared: Vec<String> = next
            .touches
            .iter()
            .filter(|name| record.touches.contains(name))
            .map(ToString::to_string)
            .collect();
        let on = if shared.is_empty() {
            String::new()
        } else {
            format!(", which also touches {}", shared.join(", "))
        };
        let more = if later.len() > 1 { format!(" and {} more", later.len() - 1) } else { String::new() };
        Err(Error::new(
            codes::LATER_APPLIED,
            format!(
                "migration {} ({}){more} was applied after this one{on}",
                next.migration.id, next.migration.name
            ),
        )
        .with_help(format!(
            "MIGRATE ROLLBACK LAST {} takes them back in order, this one included",
            later.len() + 1
        )))
    }

    /// The plan of an applied migration, unless it has no way back.
    fn reversible(&mut self, record: &Record) -> Result<StoredPlan> {
        let migration = &record.migration;
        if record.kind == Kind::Baseline {
            return Err(Error::new(
                codes::IRREVERSIBLE,
                format!(
                    "{} ({}) is a baseline: there is nothing before it to go back to",
                    migration.id, migration.name
                ),
            )
            .with_help("roll back to version 1 at most"));
        }
        if record.retention != Retention::Kept {
            return Err(Error::new(
                codes::PURGED,
                format!(
                    "migration {} ({}) cannot be rolled back: the data that it replaced was purged",
                    migration.id, migration.name
                ),
            )
            .with_help("write the opposite change as a new migration"));
        }
        let stored = self.journal.plan(self.backend.connection(), migration.id, record.attempt)?;
        if let Some(step) = stored.plan.steps.iter().find(|step| step.irreversible) {
            let what = step
                .op
                .and_then(|op| migration.operations.get(op))
                .map_or_else(|| step.action.verb().to_owned(), pql_planner::text::statement);
            return Err(Error::new(
                codes::IRREVERSIBLE,
                format!(
                    "migration {} ({}) cannot be rolled back: {what} has no way back",
                    migration.id, migration.name
                ),
            )
            .with_help("write the opposite change as a new migration"));
        }
        Ok(stored)
    }

    /// Fails when others have changed the migration's tables since.
    fn undrifted(&mut self, record: &Record, stored: &StoredPlan) -> Result<()> {
        let Some(version) = record.migration.version else { return Ok(()) };
        let Some(then) = self.journal.schema_at(self.backend.connection(), version)? else { return Ok(()) };
        let names = names(&stored.plan, &stored.expected);
        let now = self.backend.introspect()?;
        let drift = differences(&then.part(&names), &now.part(&names));
        let Some(first) = drift.first() else { return Ok(()) };
        Err(Error::new(
            codes::DRIFTED,
            format!("the migration's tables were changed by others since it was applied: {first}"),
        )
        .with_help("MIGRATE VERIFY lists the changes; undo them by hand and try again"))
    }
}

/// The tables that an action's foreign keys refer to.
fn parents(action: &Action) -> Vec<&ObjectName> {
    let checked = match action {
        Action::Validate { checks, .. } | Action::Redefine { checks, .. } => checks.as_slice(),
        Action::ValidateConstraint { check, .. } => std::slice::from_ref(check),
        _ => &[],
    };
    let changes = if let Action::Alter { changes, .. } = action { changes.as_slice() } else { &[] };
    let added = changes.iter().filter_map(|change| match change {
        Change::AddConstraint { constraint } => match &constraint.kind {
            ConstraintKind::ForeignKey(key) => Some(&key.table),
            _ => None,
        },
        _ => None,
    });
    let checked = checked.iter().filter_map(|check| match check {
        Check::References { key, .. } => Some(&key.table),
        _ => None,
    });
    checked.chain(added).collect()
}
