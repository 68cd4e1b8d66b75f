//! One kill and what is made of it.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use pql_engine::fault::Side;
use pql_engine::{Engine, RollbackTarget, Silent, codes};
use pql_schema::MigrationStatus;

use crate::child;
use crate::support::run::shown;
use crate::template::{Picture, Task, Template, open};
use crate::writer::{Writer, connect};

/// What is done after the kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The run goes on to its end.
    Resume,
    /// It is taken back.
    Cancel,
}

/// Where a process is killed, and what is done then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) task: Task,
    pub(crate) side: Side,
    pub(crate) at: u64,
    pub(crate) ending: Ending,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} killed {:?} statement {}, then {:?}", self.task, self.side, self.at, self.ending)
    }
}

impl Template {
    /// Tries one point; gives the number of the application's transactions, or what is wrong.
    pub(crate) fn kill(&self, point: &Point) -> Result<u64, String> {
        let file = self.copy(point.task);
        let writer = Writer::start(&file, &self.script);
        let side = match point.side {
            Side::Before => "before",
            Side::After => "after",
        };
        let fault = format!("kill:{side}:{}", point.at);
        let (ended, said) = child::run(point.task, self.variant, self.id, &file, &fault);
        let outcome = match (ended.signal(), ended.success()) {
            // With an application at work there may be a statement less than without it.
            (Some(9), _) | (None, true) => sound(&file).and_then(|()| self.end(point, &file)),
            _ => Err(format!("the process ended by itself: {said}")),
        };
        let written = writer.stop();
        let expected = outcome?;
        let written = written.map_err(|error| format!("the application saw an error: {error}"))?;
        sound(&file)?;
        let found = Picture::of(&file, &self.numbered_anew);
        if found.state != expected.state {
            return Err(format!("not as after a clean run:\n{}", difference(&expected.state, &found.state)));
        }
        if found.triggers != expected.triggers {
            return Err(format!("triggers of ours:\n{}", difference(&expected.triggers, &found.triggers)));
        }
        Ok(written)
    }

    /// Resumes or cancels, and gives what there should be then.
    fn end(&self, point: &Point, file: &Path) -> Result<&Picture, String> {
        let mut engine = open(file);
        let forward = match (point.task, point.ending) {
            (Task::Apply, Ending::Resume) | (Task::Rollback, Ending::Cancel) => true,
            (Task::Apply, Ending::Cancel) | (Task::Rollback, Ending::Resume) => false,
        };
        let (wanted, picture) = match (point.task, forward) {
            (_, true) => (MigrationStatus::Applied, &self.after),
            (Task::Apply, false) => (MigrationStatus::Cancelled, &self.before),
            (Task::Rollback, false) => (MigrationStatus::RolledBack, &self.before),
        };
        match self.finish(point, &mut engine)? {
            found if found == wanted => Ok(picture),
            // It had come to its end before it was killed, or to a step that has no way back.
            MigrationStatus::Applied if point.task == Task::Apply => Ok(&self.after),
            MigrationStatus::RolledBack if point.task == Task::Rollback => Ok(&self.before),
            found => Err(format!("the migration is {found:?} instead of {wanted:?}")),
        }
    }

    fn finish(&self, point: &Point, engine: &mut Engine) -> Result<MigrationStatus, String> {
        let options = self.variant.options();
        let status = |engine: &mut Engine| engine.info(self.id).map(|info| info.status);
        let now = status(engine).map_err(|error| shown(&error))?;
        let begun = matches!(now, MigrationStatus::Running | MigrationStatus::Paused);
        let outcome = match (point.ending, point.task) {
            (Ending::Resume, Task::Apply) if now != MigrationStatus::Applied => {
                engine.apply(self.id, &options, &mut Silent).map(drop)
            }
            (Ending::Resume, Task::Rollback) if begun => {
                engine.resume(self.id, &options, &mut Silent).map(drop)
            }
            (Ending::Resume, Task::Rollback) if now == MigrationStatus::Applied => {
                engine.rollback(RollbackTarget::Migration(self.id), &options, &mut Silent).map(drop)
            }
            (Ending::Cancel, _) if begun || now == MigrationStatus::Generated => {
                match engine.cancel(self.id, &options, &mut Silent) {
                    Err(error) if error.code() == codes::IRREVERSIBLE => {
                        engine.resume(self.id, &options, &mut Silent).map(drop)
                    }
                    outcome => outcome.map(drop),
                }
            }
            _ => Ok(()),
        };
        outcome.map_err(|error| format!("after the kill it was {now:?}; {}", shown(&error)))?;
        status(engine).map_err(|error| shown(&error))
    }
}

/// The file is whole, and so are its foreign keys.
fn sound(file: &Path) -> Result<(), String> {
    let db = connect(file);
    let whole: String =
        db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(|error| error.to_string())?;
    if whole != "ok" {
        return Err(format!("integrity_check: {whole}"));
    }
    let mut query = db.prepare("PRAGMA foreign_key_check").map_err(|error| error.to_string())?;
    match query.exists([]) {
        Ok(false) => Ok(()),
        Ok(true) => Err("a foreign key points nowhere".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The lines that only one of the texts has.
fn difference(expected: &str, found: &str) -> String {
    #[allow(clippy::format_collect, reason = "a message of a failing test")]
    let only = |one: &str, other: &str, mark: &str| {
        one.lines()
            .filter(|line| !other.lines().any(|has| has == *line))
            .map(|line| format!("  {mark} {line}\n"))
            .collect::<String>()
    };
    only(expected, found, "-") + &only(found, expected, "+")
}
