//! Whether the new table is what it should be, row by row, in one snapshot.
//!
//! Of each row a number is made that is another one for another row, of both tables by what it is to be and what it is;
//! their counts and sums are compared. Only where these differ the rows themselves are looked for.

use pql_planner::ColumnMapping;
use pql_planner::text::postgres_type_name;
use pql_schema::{Column, DataType, ObjectName};

use super::super::super::link::Session;
use super::super::super::run::Run;
use super::super::rows::{self, NAMED};
use super::super::statements::{ident, object};
use super::super::{catalog, followers};
use super::flow::Flow;
use crate::backend::{Connection as _, Progress};
use crate::error::codes;
use crate::{Error, Result, Value};

impl Flow<'_> {
    /// Compares the two tables in one snapshot, without the rows that are logged; gives whether that could be told: not
    /// when the source was emptied since.
    pub(super) fn compare(&self, session: &mut Session) -> Result<bool> {
        let logs = self.open_logs(session)?;
        if catalog::is_true(session, &format!("SELECT {}", self.emptied(&logs)))? {
            return Ok(false);
        }
        let misfits = self
            .fits()
            .map_or_else(|| "0".to_owned(), |fits| format!("pg_catalog.count(*) FILTER (WHERE NOT {fits})"));
        let sum = |hash: &str, misfits: &str, from: &str| {
            format!(
                "SELECT pg_catalog.count(*)::text, coalesce(pg_catalog.sum({hash}), 0)::text, ({misfits})::text \
                 FROM {from}"
            )
        };
        let (source, target) = (self.unlogged(self.source, &logs), self.unlogged(self.target, &logs));
        let sql = format!(
            "{};\n{}",
            sum(&self.hash_of_source(), &misfits, &source),
            sum(&self.hash_of_target(), "0", &target)
        );
        let found = session.batch_rows(&sql)?;
        let texts = |at: usize| -> Vec<String> {
            let row = found.get(at).and_then(|rows| rows.first());
            row.map(|row| (0..3).map(|at| row.get(at).unwrap_or_default().to_owned()).collect())
                .unwrap_or_default()
        };
        let (here, there) = (texts(0), texts(1));
        if here.get(2).is_some_and(|count| count != "0")
            && let Some(fits) = self.fits()
        {
            let named = self.named(session, &format!("NOT {fits}"))?;
            return Err(self.misfit(&named));
        }
        if here.get(..2) == there.get(..2) { Ok(true) } else { Err(self.differ(session, &source, &target)?) }
    }

    /// The rows of a table that are not logged, under its own name.
    fn unlogged(&self, table: &ObjectName, logs: &[&ObjectName]) -> String {
        let name = ident(&table.name);
        let each: Vec<String> = logs
            .iter()
            .map(|log| {
                let same = self.same_key(&name, "_pql_l");
                format!("NOT EXISTS (SELECT 1 FROM {} AS _pql_l WHERE {same})", object(log))
            })
            .collect();
        format!("{} WHERE {}", object(table), each.join(" AND "))
    }

    /// A number for what a row of the source becomes.
    fn hash_of_source(&self) -> String {
        let typed = |map: &ColumnMapping, column: &Column| {
            if map.from.as_str() == ident(&map.column) {
                map.from.to_string()
            } else {
                format!("({})::{}", map.from, postgres_type_name(&column.data_type))
            }
        };
        self.hash(&typed)
    }

    /// A number for what a row of the target is.
    fn hash_of_target(&self) -> String {
        self.hash(&|map, _| ident(&map.column))
    }

    fn hash(&self, value: &dyn Fn(&ColumnMapping, &Column) -> String) -> String {
        let each: Vec<String> = self
            .mapping
            .iter()
            .filter_map(|map| {
                let column = self.form.columns.iter().find(|column| column.name == map.column)?;
                Some(hashable(&column.data_type, value(map, column)))
            })
            .collect();
        format!("pg_catalog.hash_record_extended(ROW({}), 0)", each.join(", "))
    }

    /// Whether all that is written is logged: triggers that others disabled for a while say that it was not.
    pub(super) fn is_followed(&self, session: &mut Session) -> Result<bool> {
        let Some(log) = self.open_logs(session)?.pop() else { return Ok(true) };
        followers::is_always_called(session, &object(log), 2)
    }

    /// Sees to it that it is from then on, and logs the rows which are not alike. That all of it was done the trigger for
    /// whole tables tells, which comes last.
    pub(super) fn follow_again(&self, run: &mut Run<'_>) -> Result<()> {
        let Some(log) = self.open_logs(run.session)?.pop() else { return Ok(()) };
        let function = object(log);
        let (source, target, keys) = (object(self.source), object(self.target), self.key.list(""));
        let logged = format!(
            "INSERT INTO {function} SELECT {keys}, true FROM (SELECT {keys}, {} AS _pql_h FROM {source}) AS _pql_s \
             FULL JOIN (SELECT {keys}, {} AS _pql_h FROM {target}) AS _pql_t USING ({keys}) \
             WHERE _pql_s._pql_h IS DISTINCT FROM _pql_t._pql_h ON CONFLICT DO NOTHING",
            self.hash_of_source(),
            self.hash_of_target(),
        );
        let progress = Progress::default;
        run.write(|session| Ok((followers::call_always(session, &function, true)?, progress())))?;
        run.write(|session| Ok((session.batch(&logged)?, progress())))?;
        run.write(|session| Ok((followers::call_always(session, &function, false)?, progress())))
    }

    /// The error that names rows which are not alike.
    fn differ(&self, session: &mut Session, source: &str, target: &str) -> Result<Error> {
        let keys = self.key.list("");
        let texts = self.key.texts("_pql_b");
        let found = session.query(
            &format!(
                "SELECT {texts} FROM (SELECT {keys}, {} AS _pql_h FROM {source}) AS _pql_s \
                 FULL JOIN (SELECT {keys}, {} AS _pql_h FROM {target}) AS _pql_t USING ({keys}) \
                 CROSS JOIN LATERAL (SELECT {keys}) AS _pql_b \
                 WHERE _pql_s._pql_h IS DISTINCT FROM _pql_t._pql_h LIMIT {}",
                self.hash_of_source(),
                self.hash_of_target(),
                NAMED + 1
            ),
            &[],
        )?;
        let words =
            |row: Vec<Value>| self.key.describe(&row.into_iter().map(catalog::text).collect::<Vec<_>>());
        let named: Vec<String> = found.rows.into_iter().map(words).collect();
        let what = format!("rows of {} are not what they should be in the new table", object(self.source));
        Ok(rows::error(codes::VERIFY, &what, &named).with_help(
            "nothing was swapped; an expression that gives another value each time cannot be verified; otherwise \
             please report it",
        ))
    }
}

/// The value as one of which a number can be made: not every type has such.
fn hashable(data_type: &DataType, value: String) -> String {
    match data_type {
        DataType::Json
        | DataType::Vector(_)
        | DataType::Array(_)
        | DataType::Native(_)
        | DataType::Untyped => {
            format!("({value})::text")
        }
        _ => value,
    }
}
