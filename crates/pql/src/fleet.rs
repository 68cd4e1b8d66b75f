//! The same work on many databases (tenants, shards): a bounded number at once, stopping at the first failure or
//! carrying on.
//!
//! Nothing ties the databases together: each has its own journal and its own lease. So work that was stopped is taken
//! up again by doing it again; what a database has already is skipped by its own journal.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::codes;
use crate::error::Error;
use crate::files::{FileStatus, MigrationResult, StatusRow};
use crate::output::ResultSet;
use pql_engine::{Location, Value};

/// Databases that are to have the same life.
///
/// ```
/// use pql::Fleet;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let fleet = Fleet::new(["sqlite::memory:", "sqlite::memory:"]).at_once(2);
/// let outcomes = fleet
///     .each(|database| async move {
///         let mut session = pql::Session::open(&database).await?;
///         session.execute("CREATE TABLE t (a INTEGER)").await.map(drop)
///     })
///     .await;
/// assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Some(Ok(())))));
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Fleet {
    databases: Vec<String>,
    at_once: usize,
    carry_on: bool,
}

/// What became of each database, in the order in which they were named; `None`: it was not begun.
pub type Outcomes<T, E = Error> = Vec<(String, Option<Result<T, E>>)>;

impl Fleet {
    /// These databases; four at once, and no further one after a failure.
    pub fn new<D: Into<String>>(databases: impl IntoIterator<Item = D>) -> Self {
        Self { databases: databases.into_iter().map(Into::into).collect(), at_once: 4, carry_on: false }
    }

    /// The databases that a file lists: one a line; empty lines and those that start with `#` do not count.
    pub fn from_list(text: &str) -> Result<Self, Error> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut databases: Vec<&str> = Vec::new();
        for line in lines {
            if databases.contains(&line) {
                return Err(Error::new(codes::FLEET, format!("{} is listed twice", label(line))));
            }
            databases.push(line);
        }
        if databases.is_empty() {
            return Err(Error::new(codes::FLEET, "no database is listed")
                .with_help("write one a line, such as postgres://user@host/tenant_1"));
        }
        Ok(Self::new(databases))
    }

    /// How many are worked on at once.
    pub fn at_once(mut self, count: usize) -> Self {
        self.at_once = count.max(1);
        self
    }

    /// Whether a failure keeps those that were not begun from being begun.
    pub fn carry_on(mut self, carry_on: bool) -> Self {
        self.carry_on = carry_on;
        self
    }

    /// The databases, as they were named.
    pub fn databases(&self) -> &[String] {
        &self.databases
    }

    /// Does the work on each. What was begun is finished, whatever fails elsewhere.
    pub async fn each<T, E, F>(&self, work: impl Fn(String) -> F) -> Outcomes<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut outcomes: Outcomes<T, E> =
            self.databases.iter().map(|database| (database.clone(), None)).collect();
        let mut waiting: VecDeque<usize> = (0..self.databases.len()).collect();
        let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
        let mut failed = false;
        poll_fn(|context| {
            loop {
                while running.len() < self.at_once
                    && (self.carry_on || !failed)
                    && let Some(next) = waiting.pop_front()
                {
                    running.push((next, Box::pin(work(self.databases[next].clone()))));
                }
                let before = running.len();
                running.retain_mut(|(at, future)| match future.as_mut().poll(context) {
                    Poll::Pending => true,
                    Poll::Ready(result) => {
                        failed |= result.is_err();
                        outcomes[*at].1 = Some(result);
                        false
                    }
                });
                if running.is_empty() && (waiting.is_empty() || failed && !self.carry_on) {
                    return Poll::Ready(());
                }
                if running.len() == before {
                    return Poll::Pending;
                }
            }
        })
        .await;
        outcomes
    }
}

/// A database's name for people: without a password.
pub fn label(database: &str) -> String {
    match database.parse() {
        Ok(Location::Postgres(url)) => url.to_string(),
        _ => database.to_owned(),
    }
}

/// Why the files of a directory could not all be applied to (or taken back from) a database.
#[derive(Debug)]
pub struct FleetFailure {
    /// What became of those that were tried.
    pub results: Vec<MigrationResult>,
    /// The error, where no single file is to blame.
    pub error: Option<Error>,
}

impl From<Error> for FleetFailure {
    fn from(error: Error) -> Self {
        Self { results: Vec::new(), error: Some(error) }
    }
}

/// One row a database of what applying or rolling back files came to:
/// `database, outcome, files, duration, error`.
pub fn summary(outcomes: &Outcomes<Vec<MigrationResult>, FleetFailure>, dry_run: bool) -> ResultSet {
    let mut rows = ResultSet::with_columns(&["database", "outcome", "files", "duration", "error"]);
    for (database, outcome) in outcomes {
        let (word, results, error) = match outcome {
            None => ("not begun", [].as_slice(), None),
            Some(Ok(results)) if results.is_empty() => ("nothing to do", results.as_slice(), None),
            Some(Ok(results)) => (if dry_run { "would be done" } else { "done" }, results.as_slice(), None),
            Some(Err(failure)) => {
                let of_file = failure.results.iter().find(|result| !result.success);
                let error = of_file
                    .map(|result| {
                        format!("{}: {}", result.migration_id, result.error.as_deref().unwrap_or("failed"))
                    })
                    .or_else(|| failure.error.as_ref().map(ToString::to_string));
                ("failed", failure.results.as_slice(), error)
            }
        };
        let done = results.iter().filter(|result| result.success).count();
        let took: f64 = results.iter().map(|result| result.duration_ms).sum();
        rows.push(vec![
            label(database).into(),
            word.into(),
            Value::Integer(i64::try_from(done).unwrap_or(i64::MAX)),
            (done > 0).then(|| format!("{took:.1} ms")).into(),
            error.into(),
        ]);
    }
    rows
}

/// One row a database of where it stands: `database, state, applied, pending, newest, problem`. The state of one that
/// has not all that another has is `lags behind`.
pub fn standing(outcomes: &Outcomes<Vec<StatusRow>>) -> ResultSet {
    let columns = ["database", "state", "applied", "pending", "newest", "problem"];
    let mut rows = ResultSet::with_columns(&columns);
    let count = |files: &[StatusRow], wanted: fn(FileStatus) -> bool| {
        files.iter().filter(|file| wanted(file.status)).count()
    };
    let applied = |files: &[StatusRow]| count(files, |status| status == FileStatus::Applied);
    let most = outcomes
        .iter()
        .filter_map(|(_, outcome)| outcome.as_ref()?.as_ref().ok())
        .map(|files| applied(files))
        .max()
        .unwrap_or(0);
    for (database, outcome) in outcomes {
        let name = Value::from(label(database));
        let number = |count: usize| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        let nothing = || Value::Null;
        rows.push(match outcome {
            None => vec![name, "not asked".into(), nothing(), nothing(), nothing(), nothing()],
            Some(Err(error)) => {
                vec![name, "unreachable".into(), nothing(), nothing(), nothing(), error.to_string().into()]
            }
            Some(Ok(files)) => {
                let have = applied(files);
                let open = count(files, |status| status != FileStatus::Applied);
                let state = if files.iter().any(|file| file.status == FileStatus::Interrupted) {
                    "interrupted"
                } else if have < most {
                    "lags behind"
                } else if open > 0 {
                    "pending"
                } else {
                    "up to date"
                };
                let newest = files.iter().rev().find(|file| file.status == FileStatus::Applied);
                let problem = files
                    .iter()
                    .find_map(|file| file.problem.as_ref().map(|problem| format!("{}: {problem}", file.id)));
                vec![
                    name,
                    state.into(),
                    number(have),
                    number(open),
                    newest.map(|file| file.id.clone()).into(),
                    problem.into(),
                ]
            }
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    /// Work that takes a few turns, and what was seen of it.
    fn worked(fleet: &Fleet, fails: &str) -> (Vec<Option<bool>>, usize) {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let outcomes = run(fleet.each(|database| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                now.set(now.get() - 1);
                if database == fails { Err(()) } else { Ok(()) }
            }
        }));
        (outcomes.into_iter().map(|(_, outcome)| outcome.map(|result| result.is_ok())).collect(), most.get())
    }

    #[test]
    fn only_so_many_at_once() {
        let fleet = Fleet::new(["a", "b", "c", "d", "e"]).at_once(2);
        assert_eq!(worked(&fleet, "none"), (vec![Some(true); 5], 2));
        assert_eq!(worked(&fleet.clone().at_once(9), "none").1, 5);
    }

    #[test]
    fn a_failure_keeps_the_rest_from_being_begun_or_not() {
        let fleet = Fleet::new(["a", "b", "c", "d", "e"]).at_once(2);
        assert_eq!(worked(&fleet, "b").0, [Some(true), Some(false), None, None, None]);
        let all = worked(&fleet.carry_on(true), "b").0;
        assert_eq!(all, [Some(true), Some(false), Some(true), Some(true), Some(true)]);
    }

    #[test]
    fn the_order_of_beginning_is_the_order_of_the_list() {
        let begun = RefCell::new(Vec::new());
        let outcomes = run(Fleet::new(["a", "b", "c"]).at_once(1).each(|database| {
            begun.borrow_mut().push(database);
            async { Ok::<_, Error>(()) }
        }));
        assert_eq!(outcomes.len(), 3);
        assert_eq!(*begun.borrow(), ["a", "b", "c"]);
    }

    #[test]
    fn a_list_of_databases() {
        let fleet = Fleet::from_list("# tenants\npostgres://u:p@h/a\n\n  b.db \n").expect("a list");
        assert_eq!(fleet.databases(), ["postgres://u:p@h/a", "b.db"]);
        assert_eq!(label(&fleet.databases()[0]), "postgres://u@h/a");
        assert_eq!(Fleet::from_list("a.db\na.db").expect_err("twice").code(), codes::FLEET);
        assert_eq!(Fleet::from_list("#").expect_err("nothing").code(), codes::FLEET);
    }
}
