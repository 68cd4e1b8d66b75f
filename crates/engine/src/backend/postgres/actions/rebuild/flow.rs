//! One table that follows another: what is copied from where, and how what was logged is caught up with.
//!
//! To catch up is to replace, in one snapshot, every row whose key is in the log as that snapshot sees it. What is then
//! in the target is what the source was at that moment, row for row; so no two rows of it can be in each other's way,
//! whatever moved from one to the other. What commits later is in the log still.

use pql_planner::text::postgres_type_name;
use pql_planner::{ColumnMapping, Rebuild};
use pql_schema::{Column, ObjectName, Table};

use super::super::super::errors::state;
use super::super::super::link::Session;
use super::super::super::run::Run;
use super::super::super::transaction::{Settings, transact};
use super::super::rows::{self, Key, NAMED};
use super::super::statements::{ident, object};
use super::super::{backfill, catalog, examine};
use super::changes::{self, GONE};
use crate::backend::{Connection as _, Progress};
use crate::error::codes;
use crate::{Error, Result, Value};

/// Up to so many entries, each row is looked up; for more, the server chooses.
const LOOKED_UP: u64 = 5_000;
/// After so many rounds in a row that find hardly less than the best one did, whoever writes is slowed down.
const PATIENCE: usize = 2;
/// After so many the log does not get shorter.
const ROUNDS: usize = 10;

/// How the log is caught up with.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Values that have no place in the target are looked for: not before the comparison, which does that for all rows.
    pub(super) examines: bool,
    /// Rows may be in each other's way.
    pub(super) moves: bool,
}

/// Where rows come from and where they go.
pub(super) struct Flow<'a> {
    pub(super) source: &'a ObjectName,
    pub(super) target: &'a ObjectName,
    /// The target's definition, under whatever name.
    pub(super) form: &'a Table,
    logs: Vec<&'a ObjectName>,
    pub(super) key: Key,
    pub(super) mapping: &'a [ColumnMapping],
    back: bool,
}

/// From the table to the new one.
pub(super) fn forth(rebuild: &Rebuild) -> Flow<'_> {
    Flow {
        source: &rebuild.before.name,
        target: &rebuild.shadow,
        form: &rebuild.after,
        logs: vec![&rebuild.forward.log],
        key: Key::of(&rebuild.forward.key),
        mapping: &rebuild.mapping,
        back: false,
    }
}

/// From the table to the one that was retained. On the way back a second log is written while the first is drained.
pub(super) fn back(rebuild: &Rebuild) -> Flow<'_> {
    Flow {
        source: &rebuild.after.name,
        target: &rebuild.retained,
        form: &rebuild.before,
        logs: vec![&rebuild.reverse.log, &rebuild.forward.log],
        key: Key::of(&rebuild.reverse.key),
        mapping: &rebuild.mapping_back,
        back: true,
    }
}

impl Flow<'_> {
    /// The statement that copies the rows for which a condition holds.
    pub(super) fn copy(&self, condition: &str) -> String {
        let columns: Vec<String> = self.mapping.iter().map(|map| ident(&map.column)).collect();
        let values: Vec<&str> = self.mapping.iter().map(|map| map.from.as_str()).collect();
        // The retained table's numbers may be an identity's until it is put out of sight.
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} WHERE {condition}",
            object(self.target),
            columns.join(", "),
            values.join(", "),
            object(self.source),
        )
    }

    /// The keys that were logged, as a query; those for which a column of the log is true, where one is named.
    fn logged(&self, logs: &[&ObjectName], which: &str) -> String {
        let columns = changes::columns(&self.key).join(", ");
        let which = if which.is_empty() { String::new() } else { format!(" WHERE {which}") };
        let each: Vec<String> =
            logs.iter().map(|log| format!("SELECT DISTINCT {columns} FROM {}{which}", object(log))).collect();
        each.join(" UNION ")
    }

    /// A condition of the rows of the source that were logged.
    pub(super) fn is_logged(&self, logs: &[&ObjectName]) -> String {
        format!("({}) IN ({})", self.key.list(&ident(&self.source.name)), self.logged(logs, ""))
    }

    /// A row's key is that of an entry.
    pub(super) fn same_key(&self, row: &str, entry: &str) -> String {
        let parts: Vec<String> = self
            .key
            .names()
            .iter()
            .zip(changes::columns(&self.key))
            .map(|(name, column)| format!("{row}.{name} = {entry}.{column}"))
            .collect();
        parts.join(" AND ")
    }

    /// The entry of a table that was emptied at once.
    pub(super) fn emptied(&self, logs: &[&ObjectName]) -> String {
        let column = &changes::columns(&self.key)[0];
        let each: Vec<String> = logs
            .iter()
            .map(|log| format!("EXISTS (SELECT 1 FROM {} WHERE {column} IS NULL)", object(log)))
            .collect();
        each.join(" OR ")
    }

    /// The statements that catch up. By `moves`, every row that was logged goes before any of them comes: one may have
    /// what another one had. Without, it is changed where it is, which is less work.
    pub(super) fn statements(&self, logs: &[&ObjectName], moves: bool) -> Vec<String> {
        let (source, target) = (object(self.source), object(self.target));
        let kept = self.key.same("_pql_s", "_pql_t");
        let absent = format!("NOT EXISTS (SELECT 1 FROM {source} AS _pql_s WHERE {kept})");
        let (which, and_absent) = if moves {
            (self.logged(logs, ""), String::new())
        } else {
            (self.logged(logs, GONE), format!(" AND {absent}"))
        };
        let mut all = vec![
            format!(
                "DELETE FROM {target} AS _pql_t USING ({which}) AS _pql_l WHERE {}{and_absent}",
                self.same_key("_pql_t", "_pql_l")
            ),
            format!("DELETE FROM {target} AS _pql_t WHERE ({}) AND {absent}", self.emptied(logs)),
        ];
        let copy = self.copy(&self.is_logged(logs));
        all.push(if moves { copy } else { format!("{copy} {}", self.or_change()) });
        all.extend(logs.iter().map(|log| format!("DELETE FROM {}", object(log))));
        all
    }

    /// What is done with a row that is there already.
    fn or_change(&self) -> String {
        let keys = self.key.names();
        let columns: Vec<String> = self
            .mapping
            .iter()
            .map(|map| ident(&map.column))
            .filter(|column| !keys.contains(column))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let what = if columns.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {}", columns.join(", "))
        };
        format!("ON CONFLICT ({}) DO {what}", keys.join(", "))
    }

    /// The logs that there are.
    pub(super) fn open_logs(&self, session: &mut Session) -> Result<Vec<&ObjectName>> {
        let mut open = Vec::new();
        for log in &self.logs {
            if catalog::has_relation(session, log)? {
                open.push(*log);
            }
        }
        Ok(open)
    }

    /// How many entries there are, up to a limit.
    pub(super) fn pending(&self, session: &mut Session, limit: u64) -> Result<u64> {
        let logs = self.open_logs(session)?;
        count(session, &logs, limit)
    }

    /// Catches up with all that the transaction's snapshot sees, or with all there is when nobody writes; gives the
    /// number of entries.
    pub(super) fn catch_up(&self, session: &mut Session, how: How) -> Result<u64> {
        let logs = self.open_logs(session)?;
        if logs.is_empty() {
            return Ok(0);
        }
        let pending = count(session, &logs, LOOKED_UP)?;
        if pending == 0 {
            return Ok(0);
        }
        if pending < LOOKED_UP {
            session.batch("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")?;
        }
        if how.examines {
            self.refuse_misfits(session, &logs)?;
        }
        let counts = session.batch_counts(&self.statements(&logs, how.moves).join(";\n"))?;
        Ok(counts.iter().rev().take(logs.len()).sum())
    }

    /// Fails with the logged rows whose values have no place in the target.
    fn refuse_misfits(&self, session: &mut Session, logs: &[&ObjectName]) -> Result<()> {
        let Some(fits) = self.fits() else { return Ok(()) };
        let found = self.named(session, &format!("{} AND NOT {fits}", self.is_logged(logs)))?;
        if found.is_empty() { Ok(()) } else { Err(self.misfit(&found)) }
    }

    /// What must hold of a row of the source.
    pub(super) fn fits(&self) -> Option<String> {
        let each: Vec<String> =
            self.mapping.iter().filter_map(|map| Some(format!("({})", map.fits.as_ref()?))).collect();
        (!each.is_empty()).then(|| format!("({})", each.join(" AND ")))
    }

    /// The column whose type is another one.
    fn changed(&self) -> Option<&Column> {
        let map = self
            .mapping
            .iter()
            .find(|map| map.fits.is_some())
            .or_else(|| self.mapping.iter().find(|map| map.from.as_str() != ident(&map.column)))?;
        self.form.columns.iter().find(|column| column.name == map.column)
    }

    /// Rows of the source for which a condition holds, in words, with the value that is to be another one.
    pub(super) fn named(&self, session: &mut Session, condition: &str) -> Result<Vec<String>> {
        let name = ident(&self.source.name);
        let value = self.changed().map_or_else(|| "NULL".to_owned(), |column| ident(&column.name));
        let found = session.query(
            &format!(
                "SELECT {}, {name}.{value}::text FROM {} WHERE {condition} LIMIT {}",
                self.key.texts(&name),
                object(self.source),
                NAMED + 1
            ),
            &[],
        )?;
        let words = |row: Vec<Value>| {
            let mut values: Vec<Option<String>> = row.into_iter().map(catalog::text).collect();
            let shown = values.pop().flatten().unwrap_or_else(|| "NULL".to_owned());
            format!("{} ({value} is {shown})", self.key.describe(&values))
        };
        Ok(found.rows.into_iter().map(words).collect())
    }

    pub(super) fn misfit(&self, named: &[String]) -> Error {
        let column = self.changed().map(|column| ident(&column.name)).unwrap_or_default();
        if self.back {
            let what = format!("values written since do not fit the old {}.{column}", object(self.source));
            return rows::error(codes::ROWS, &what, named).with_help(
                "change or delete those rows and roll back again, or say with REVERT USING what they become",
            );
        }
        let what = format!("{}.{column} has no value of the new type in", object(self.source));
        rows::error(codes::ROWS, &what, named).with_help(
            "change those rows, or say with USING what they become; then apply the migration again",
        )
    }

    /// The error of rows that could not be put into the target: with those rows, where they can be found.
    pub(super) fn explained(&self, session: &mut Session, error: Error) -> Error {
        let Some(state) = state(&error).filter(|state| state.starts_with("22") || state.starts_with("23"))
        else {
            return error;
        };
        let not_null = state == "23502";
        if self.back {
            return match self.misfits(session) {
                Ok(named) if !named.is_empty() => self.misfit(&named),
                _ => error,
            };
        }
        let Some((map, column)) = self
            .changed()
            .and_then(|column| Some((self.mapping.iter().find(|map| map.column == column.name)?, column)))
        else {
            return error;
        };
        if not_null
            && let Ok(named) = examine::found(session, self.source, &format!("({}) IS NULL", map.from))
        {
            return if named.is_empty() { error } else { self.misfit(&named) };
        }
        let value = format!("({})::{}", map.from, postgres_type_name(&column.data_type));
        let target = format!("{} as {}", ident(&column.name), column.data_type);
        backfill::failing(session, self.source, &[value], None, &target, error)
    }

    /// The logged rows whose values do not come back, those included that cannot even be computed.
    pub(super) fn misfits(&self, session: &mut Session) -> Result<Vec<String>> {
        self.misfits_of(session, false)
    }

    /// The same, of all rows where the log does not have all that were written.
    fn misfits_of(&self, session: &mut Session, all: bool) -> Result<Vec<String>> {
        let Some(fits) = self.fits() else { return Ok(Vec::new()) };
        let settings = Settings { discard: true, as_configured: true, ..Settings::default() };
        transact(session, &settings, |session| {
            let logs = self.open_logs(session)?;
            if logs.is_empty() {
                return Ok(Vec::new());
            }
            let misfit = examine::misfit(session, self.source, &fits)?;
            let of = if all { "true".to_owned() } else { self.is_logged(&logs) };
            self.named(session, &format!("{of} AND {misfit}"))
        })
    }

    /// Fails with them.
    pub(super) fn refuse(&self, session: &mut Session) -> Result<()> {
        let all = !self.is_followed(session)?;
        let named = self.misfits_of(session, all)?;
        if named.is_empty() { Ok(()) } else { Err(self.misfit(&named)) }
    }
}

fn count(session: &mut Session, logs: &[&ObjectName], limit: u64) -> Result<u64> {
    let each: Vec<String> = logs.iter().map(|log| format!("SELECT 1 FROM {}", object(log))).collect();
    let sql =
        format!("SELECT pg_catalog.count(*) FROM ({} LIMIT {limit}) AS _pql_l", each.join(" UNION ALL "));
    Ok(session.batch_value(&sql)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Catches up until few entries are left.
pub(super) fn until_few(run: &mut Run<'_>, flow: &Flow<'_>, few: u64, examines: bool) -> Result<()> {
    let (mut least, mut in_vain) = (u64::MAX, 0);
    while in_vain < ROUNDS {
        let found = once(run, flow, examines)?;
        if found <= few {
            break;
        }
        in_vain = if found < least - least / 4 { 0 } else { in_vain + 1 };
        least = least.min(found);
        if in_vain == PATIENCE {
            slow_down(run, flow)?;
        }
    }
    Ok(())
}

/// Lets whoever writes wait a little.
fn slow_down(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let Some(log) = flow.logs.last() else { return Ok(()) };
    let sql = changes::slow_down(log, flow.source).join("; ");
    run.write(|session| {
        session.batch(&sql)?;
        Ok(((), Progress::default()))
    })?;
    let table = object(flow.source);
    run.step.note(&format!(
        "{table} was written faster than another table could follow it: towards the end, each statement that wrote it \
         was made to wait a millisecond"
    ));
    Ok(())
}

/// Catches up with what is there now, in a transaction that journals nothing: what it has done is told by the log.
pub(super) fn once(run: &mut Run<'_>, flow: &Flow<'_>, examines: bool) -> Result<u64> {
    let options = run.step.options();
    let settings = Settings::of(options, options.lock_timeout);
    let begin = format!(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL synchronous_commit = off; \
         LOCK TABLE {} IN ACCESS SHARE MODE",
        object(flow.source)
    );
    let mut attempt = |moves: bool| {
        transact(run.session, &settings, |session| {
            session.batch(&begin)?;
            flow.catch_up(session, How { examines, moves })
        })
    };
    let mut done = attempt(false);
    if done.as_ref().is_err_and(in_the_way) {
        done = attempt(true);
    }
    let done = done.map_err(|error| flow.explained(run.session, error))?;
    run.step.breathe(&Progress::default())?;
    Ok(done)
}

/// Two rows of the target would have what only one may have.
fn in_the_way(error: &Error) -> bool {
    // A key that is examined only at the end of a transaction says nothing of a row.
    matches!(state(error), Some("23505" | "55000"))
}
