//! The steps of the runs that are going on, and of the migrations that are applied.
//!
//! A row says that an action of a plan was begun; it is `done` from the transaction that finished its work. An action
//! that is over in one moment has its row only from then on, unless it was stopped before. When everything that takes a
//! step back is done, its rows go: so the rows of a migration are exactly what is in effect.

use pql_schema::MigrationId;

use crate::backend::{Connection, Progress};
use crate::{Result, Value};

use super::row::{damaged, number};
use super::{Journal, Row, now, time_text};

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Begun; nothing of it has been committed.
    Started,
    /// Part of it has been committed.
    Partial,
    /// All of it has.
    Done,
}

/// An action that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepRow {
    /// The step's position in the plan.
    pub(crate) step: usize,
    /// The position in the step's undo list; `None`: the step's own action.
    pub(crate) undo: Option<usize>,
    /// How far it is.
    pub(crate) state: State,
    /// Where to go on.
    pub(crate) cursor: Option<String>,
    /// Rows done.
    pub(crate) rows: u64,
    /// Rows in all.
    pub(crate) total: Option<u64>,
    /// The fingerprint of the migration's tables when it was begun.
    pub(crate) schema: Option<String>,
}

impl Journal {
    /// Records that an action begins, or begins again where it was left.
    pub(crate) fn step_started(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        (step, undo): (usize, Option<usize>),
        schema: Option<&str>,
    ) -> Result<()> {
        connection.execute(
            &self.sql(
                "INSERT INTO {steps} (migration_id, step, undo, state, row_count, schema_print, started_at) \
                 VALUES (?1, ?2, ?3, 'started', 0, ?4, ?5) \
                 ON CONFLICT (migration_id, step, undo) DO UPDATE SET schema_print = excluded.schema_print",
            ),
            &[
                id.to_string().into(),
                position(step),
                undo_position(undo),
                schema.into(),
                time_text(now()).into(),
            ],
        )?;
        Ok(())
    }

    /// Records progress, in the transaction that makes it, of an action that was begun or that is over with it.
    pub(crate) fn step_progress(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        (step, undo): (usize, Option<usize>),
        progress: &Progress,
    ) -> Result<()> {
        let state = if progress.done { State::Done } else { State::Partial };
        connection.execute(
            &self.sql(
                "INSERT INTO {steps} (migration_id, step, undo, state, cursor, row_count, row_total, started_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (migration_id, step, undo) DO UPDATE SET state = excluded.state, \
                 cursor = excluded.cursor, row_count = excluded.row_count, row_total = excluded.row_total",
            ),
            &[
                id.to_string().into(),
                position(step),
                undo_position(undo),
                state.as_str().into(),
                progress.cursor.clone().into(),
                number(progress.rows),
                progress.total.map_or(Value::Null, number),
                time_text(now()).into(),
            ],
        )?;
        Ok(())
    }

    /// Forgets a step: it is no longer in effect.
    pub(crate) fn step_undone(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        step: usize,
    ) -> Result<()> {
        connection.execute(
            &self.sql("DELETE FROM {steps} WHERE migration_id = ?1 AND step = ?2"),
            &[id.to_string().into(), position(step)],
        )?;
        Ok(())
    }

    /// Forgets that a step was being taken back: it is in effect.
    pub(crate) fn undo_dropped(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        step: usize,
    ) -> Result<()> {
        connection.execute(
            &self.sql("DELETE FROM {steps} WHERE migration_id = ?1 AND step = ?2 AND undo >= 0"),
            &[id.to_string().into(), position(step)],
        )?;
        Ok(())
    }

    /// The actions that were begun.
    pub(crate) fn steps(self, connection: &mut dyn Connection, id: MigrationId) -> Result<Vec<StepRow>> {
        let found = connection.query(
            &self.sql(
                "SELECT step, undo, state, cursor, row_count, row_total, schema_print FROM {steps} \
                 WHERE migration_id = ?1 ORDER BY step, undo",
            ),
            &[id.to_string().into()],
        )?;
        found.rows.into_iter().map(read).collect()
    }

    /// One of them.
    pub(crate) fn step(
        self,
        connection: &mut dyn Connection,
        id: MigrationId,
        (step, undo): (usize, Option<usize>),
    ) -> Result<Option<StepRow>> {
        let found = connection.query(
            &self.sql(
                "SELECT step, undo, state, cursor, row_count, row_total, schema_print FROM {steps} \
                 WHERE migration_id = ?1 AND step = ?2 AND undo = ?3",
            ),
            &[id.to_string().into(), position(step), undo_position(undo)],
        )?;
        found.rows.into_iter().next().map(read).transpose()
    }
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Partial => "partial",
            Self::Done => "done",
        }
    }
}

fn read(values: Vec<Value>) -> Result<StepRow> {
    let mut values = values.into_iter();
    let mut signed = || match values.next() {
        Some(Value::Integer(number)) => Ok(usize::try_from(number).ok()),
        _ => Err(damaged("a step has no position")),
    };
    let step = signed()?.ok_or_else(|| damaged("a step has a negative position"))?;
    let undo = signed()?;
    let mut row = Row::new(values.collect());
    let state = match row.text()?.as_str() {
        "started" => State::Started,
        "partial" => State::Partial,
        "done" => State::Done,
        other => return Err(damaged(&format!("a step is in the unknown state {other:?}"))),
    };
    Ok(StepRow {
        step,
        undo,
        state,
        cursor: row.opt_text()?,
        rows: row.number()?,
        total: row.opt_number()?,
        schema: row.opt_text()?,
    })
}

fn position(step: usize) -> Value {
    number(step as u64)
}

fn undo_position(undo: Option<usize>) -> Value {
    undo.map_or(Value::Integer(-1), position)
}
