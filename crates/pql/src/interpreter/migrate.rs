//! MIGRATE statements.

use pql_engine::{ApplyOptions, Report, Retain, RollbackTarget, Signal};
use pql_planner::{PlanRow, text};
use pql_schema::{Migration, MigrationId, MigrationOp};
use pql_syntax::ast::{self, AstNode};

use super::operand::Options;
use super::{Interpreter, answers};
use crate::codes;
use crate::duration;
use crate::error::Error;
use crate::job::{Event, Line};
use crate::output::Answer;

impl Interpreter {
    pub(super) fn detect(&mut self, detect: &ast::Detect) -> Result<Answer, Error> {
        let options = self.options(detect.options())?;
        let from = self.version_of(detect.from_version())?;
        let target = self.schema_source(detect.schema())?;
        let changes = self.changes(&target, from, &options.answers)?;
        Ok(Answer::Rows(answers::detect(&changes)))
    }

    pub(super) fn generate(&mut self, generate: &ast::Generate) -> Result<Answer, Error> {
        let options = self.options(generate.options())?;
        let name = self.as_name(generate.as_name())?;
        let ops = self.lower_operations(generate)?;
        self.save(ops, name.as_deref(), &options)
    }

    pub(super) fn generate_to(&mut self, generate: &ast::GenerateTo) -> Result<Answer, Error> {
        let options = self.options(generate.options())?;
        let name = self.as_name(generate.as_name())?;
        let from = self.version_of(generate.from_version())?;
        let target = self.schema_source(generate.schema())?;
        let changes = self.changes(&target, from, &options.answers)?;
        let ops = changes.into_iter().map(|change| change.op).collect();
        self.save(ops, name.as_deref(), &options)
    }

    /// Saves operations as a migration and binds `@migration_id` to it; nothing to do is an answer without rows.
    fn save(
        &mut self,
        ops: Vec<MigrationOp>,
        name: Option<&str>,
        options: &Options,
    ) -> Result<Answer, Error> {
        if ops.is_empty() {
            return Ok(Answer::Rows(answers::generate(None)));
        }
        if options.settings.dry_run {
            let steps = self.preview(&ops, &options.settings.apply_options())?;
            return Ok(Answer::Rows(answers::plan(&steps)));
        }
        let migration = self.remember(ops, name)?;
        Ok(Answer::Migration(migration.id, answers::generate(Some(&migration))))
    }

    /// The steps that operations would take, which are not saved.
    pub(super) fn preview(
        &mut self,
        ops: &[MigrationOp],
        options: &ApplyOptions,
    ) -> Result<Vec<PlanRow>, Error> {
        let schema = self.schema()?;
        Ok(self.engine()?.plan_operations(&schema, ops, options)?.1)
    }

    /// Generates a migration, which is then the session's last one.
    pub(crate) fn remember(&mut self, ops: Vec<MigrationOp>, name: Option<&str>) -> Result<Migration, Error> {
        let migration = self.engine()?.generate(ops, name)?;
        self.last_migration = Some(migration.id);
        Ok(migration)
    }

    pub(super) fn plan(&mut self, plan: &ast::Plan) -> Result<Answer, Error> {
        let options = self.options(plan.options())?;
        let id = self.migration(plan.migration_id().as_ref())?;
        let (_, steps) = self.engine()?.plan(id, &options.settings.apply_options())?;
        Ok(Answer::Rows(answers::plan(&steps)))
    }

    pub(super) fn apply(&mut self, apply: &ast::Apply, line: &Line) -> Result<Answer, Error> {
        let options = self.options(apply.options())?;
        let id = self.migration(apply.migration_id().as_ref())?;
        if options.settings.dry_run {
            let (_, steps) = self.engine()?.plan(id, &options.settings.apply_options())?;
            return Ok(Answer::Rows(answers::plan(&steps)));
        }
        let options = options.settings.apply_options();
        let ops = self.engine()?.migration(id)?.operations;
        self.admit(&ops, &options)?;
        let report = self.run_to_apply(id, &options, line)?;
        Ok(Answer::Rows(answers::reports([&report])))
    }

    /// Applies a migration, through the pauses that the job's holder asks for.
    pub(crate) fn run_to_apply(
        &mut self,
        id: MigrationId,
        options: &ApplyOptions,
        line: &Line,
    ) -> Result<Report, Error> {
        let result = self.engine_for(options)?.apply(id, options, &mut &*line);
        self.through_pauses(id, result, options, line)
    }

    /// What loses data for good must be meant: nothing is retained, and nothing can be brought back.
    pub(super) fn admit(&mut self, ops: &[MigrationOp], options: &ApplyOptions) -> Result<(), Error> {
        if options.retain != Retain::No || options.allow_destructive {
            return Ok(());
        }
        let mut schema = self.schema()?;
        for op in ops {
            if op.is_destructive(&schema) {
                return Err(Error::new(
                    codes::LOSES_DATA,
                    format!("with retain = false this loses data for good: {}", text::statement(op)),
                )
                .with_help("say `allow_destructive = true` if that is meant, or leave `retain` as it is"));
            }
            // An operation that does not fit is the engine's to refuse.
            let _ = schema.apply(op);
        }
        Ok(())
    }

    /// When a run stops because the job's holder paused it, waits for the holder's next word and goes on.
    fn through_pauses(
        &mut self,
        id: MigrationId,
        mut result: pql_engine::Result<Report>,
        options: &ApplyOptions,
        line: &Line,
    ) -> Result<Report, Error> {
        loop {
            match result {
                Err(error)
                    if error.code() == pql_engine::codes::PAUSED
                        && line.control.signal() == Signal::Pause =>
                {
                    line.tell(Event::Paused);
                    result = match line.control.wait() {
                        Signal::Go => self.engine_for(options)?.resume(id, options, &mut &*line),
                        Signal::Cancel => self.engine_for(options)?.cancel(id, options, &mut &*line),
                        Signal::Pause => return Err(error.into()),
                    };
                }
                Ok(mut report) => {
                    self.notices.append(&mut report.notes);
                    return Ok(report);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn rollback(&mut self, rollback: &ast::Rollback, line: &Line) -> Result<Answer, Error> {
        let options = self.options(rollback.options())?;
        let target = match rollback.target().expect("the grammar demands a target") {
            ast::RollbackTarget::Migration(clause) => {
                RollbackTarget::Migration(self.migration(Some(&clause))?)
            }
            ast::RollbackTarget::Last(last) => {
                RollbackTarget::Last(self.count(last.value().as_ref(), last.span())?)
            }
            ast::RollbackTarget::Version(to) => {
                RollbackTarget::ToVersion(self.count(to.value().as_ref(), to.span())?)
            }
        };
        let options = options.settings.apply_options();
        let mut reports = self.engine_for(&options)?.rollback(target, &options, &mut &*line)?;
        self.notices.extend(reports.iter_mut().flat_map(|report| report.notes.drain(..)));
        Ok(Answer::Rows(answers::reports(&reports)))
    }

    pub(super) fn status(&mut self, status: &ast::Status) -> Result<Answer, Error> {
        let id = status.migration_id().map(|clause| self.migration(Some(&clause))).transpose()?;
        let engine = self.engine()?;
        let rows = match id {
            Some(id) => vec![engine.info(id)?],
            None => engine.status()?,
        };
        Ok(Answer::Rows(answers::status(&rows)))
    }

    pub(super) fn history(&mut self, history: &ast::History) -> Result<Answer, Error> {
        let id = history.migration_id().map(|clause| self.migration(Some(&clause))).transpose()?;
        let mut events = self.engine()?.history()?;
        events.retain(|event| id.is_none() || event.migration_id == id);
        Ok(Answer::Rows(answers::history(&events)))
    }

    pub(super) fn pause(&mut self, pause: &ast::Pause) -> Result<Answer, Error> {
        let id = self.migration(pause.migration_id().as_ref())?;
        let info = self.engine()?.pause(id)?;
        Ok(Answer::Rows(answers::status(&[info])))
    }

    pub(super) fn resume(&mut self, resume: &ast::Resume, line: &Line) -> Result<Answer, Error> {
        let options = self.options(resume.options())?.settings.apply_options();
        let id = self.migration(resume.migration_id().as_ref())?;
        let result = self.engine_for(&options)?.resume(id, &options, &mut &*line);
        let report = self.through_pauses(id, result, &options, line)?;
        Ok(Answer::Rows(answers::reports([&report])))
    }

    pub(super) fn cancel(&mut self, cancel: &ast::Cancel, line: &Line) -> Result<Answer, Error> {
        let options = self.settings.apply_options();
        let id = self.migration(cancel.migration_id().as_ref())?;
        let report = self.engine_for(&options)?.cancel(id, &options, &mut &*line)?;
        Ok(Answer::Rows(answers::reports([&report])))
    }

    pub(super) fn purge(&mut self, purge: &ast::Purge, line: &Line) -> Result<Answer, Error> {
        let options = self.options(purge.options())?;
        let id = purge.migration_id().map(|clause| self.migration(Some(&clause))).transpose()?;
        let older_than = match purge.older_than() {
            None => None,
            Some(clause) => {
                let text = self.text(clause.value().as_ref(), clause.span())?;
                Some(duration::parse(&text).ok_or_else(|| {
                    Error::new(codes::SETTING_VALUE, format!("`{text}` is no duration"))
                        .with_help("write it like '12 hours' or '7 days'")
                        .at(clause.span())
                })?)
            }
        };
        let options = options.settings.apply_options();
        let engine = self.engine_for(&options)?;
        let purged = engine.purge(id, older_than, &options, &mut &*line)?;
        let rows = purged.into_iter().map(|id| engine.info(id)).collect::<Result<Vec<_>, _>>()?;
        Ok(Answer::Rows(answers::status(&rows)))
    }

    pub(super) fn baseline(&mut self, baseline: &ast::Baseline) -> Result<Answer, Error> {
        let name = self.as_name(baseline.as_name())?;
        let migration = self.engine()?.baseline(name.as_deref())?;
        Ok(Answer::Migration(migration.id, answers::generate(Some(&migration))))
    }

    pub(super) fn verify(&mut self, verify: &ast::Verify) -> Result<Answer, Error> {
        self.options(verify.options())?;
        let drifts = self.engine()?.verify()?;
        Ok(Answer::Rows(answers::verify(&drifts)))
    }

    fn version_of(&mut self, clause: Option<ast::FromVersion>) -> Result<Option<u64>, Error> {
        clause.map(|clause| self.count(clause.value().as_ref(), clause.span())).transpose()
    }

    fn as_name(&mut self, clause: Option<ast::AsName>) -> Result<Option<String>, Error> {
        clause.map(|clause| self.text(clause.value().as_ref(), clause.span())).transpose()
    }
}
