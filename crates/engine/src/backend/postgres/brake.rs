//! What a backfill waits for between its batches: standbys that do not keep up, and a disk that is nearly full.
//!
//! - A standby's lag is measured by us: how long ago the server was where the standby is now. What the server says of
//!   it stands still when the standby is silent. Logical subscribers do not count, since many confirm only now and then.
//! - Free disk is known only where the server runs on this machine, which is so when its process is found here.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pql_schema::ObjectName;

use super::blockers::{literal, qualified};
use super::link::Session;
use crate::backend::{Connection as _, ReplicationLag, RunOptions, Step};
use crate::{Result, Value};

/// How often is looked.
const PERIOD: Duration = Duration::from_millis(250);
/// How many places in the log are remembered for the time that a lag may last.
const PLACES: u32 = 40;

/// Says when to wait.
pub(super) struct Brake {
    limits: RunOptions,
    looked: Option<Instant>,
    reason: Option<String>,
    /// Where the log's end was, and when; the oldest first.
    places: VecDeque<(Instant, i64)>,
    /// Where the database's files are, once that has been found out.
    files: Option<Vec<PathBuf>>,
}

/// A standby.
struct Standby {
    name: String,
    /// Where in the log it is.
    at: i64,
    /// What the server says of its lag.
    said: Duration,
}

impl Brake {
    pub(super) fn new(options: &RunOptions) -> Self {
        Self { limits: options.clone(), looked: None, reason: None, places: VecDeque::new(), files: None }
    }

    /// Why to wait before more of this table is written, if there is a reason. What cannot be seen stops nobody.
    pub(super) fn reason(
        &mut self,
        session: &mut Session,
        table: &ObjectName,
        step: &mut dyn Step,
    ) -> Option<&str> {
        if self.looked.is_none_or(|at| at.elapsed() >= PERIOD) {
            self.looked = Some(Instant::now());
            self.reason = self
                .full_disk(session, table, step)
                .or_else(|| self.late_standby(session, step).ok().flatten());
        }
        self.reason.as_deref()
    }

    fn late_standby(&mut self, session: &mut Session, step: &mut dyn Step) -> Result<Option<String>> {
        let Some(limit) = self.limits.max_replication_lag else { return Ok(None) };
        let found = session.query(
            "SELECT r.state IS NULL, pg_catalog.concat_ws(' ', coalesce(nullif(r.application_name, ''), 'standby'), \
                    pg_catalog.host(r.client_addr)), \
                 pg_catalog.pg_wal_lsn_diff(r.replay_lsn, '0/0')::int8, \
                 coalesce(extract(epoch FROM r.replay_lag), 0)::float8, \
                 pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::int8 \
             FROM pg_catalog.pg_stat_replication r \
             WHERE (r.state IS NULL OR r.replay_lsn IS NOT NULL) AND NOT EXISTS ( \
                 SELECT 1 FROM pg_catalog.pg_replication_slots s \
                 WHERE s.active_pid = r.pid AND s.slot_type = 'logical') \
             ORDER BY r.replay_lsn",
            &[],
        )?;
        let mut late = None;
        for row in found.rows {
            match row.as_slice() {
                [Value::Boolean(true), ..] => {
                    step.note(
                        "max_replication_lag was not watched: this role may not see where the standbys are \
                         (GRANT pg_monitor TO it, or SET max_replication_lag = 'none')",
                    );
                }
                [_, Value::Text(name), Value::Integer(at), Value::Real(said), Value::Integer(end)] => {
                    let said = Duration::try_from_secs_f64(*said).unwrap_or_default();
                    let standby = Standby { name: name.clone(), at: *at, said };
                    late = late.or_else(|| self.lateness(&standby, *end, limit));
                }
                _ => {}
            }
        }
        Ok(late)
    }

    /// What is to be said of a standby that is further behind than it may be.
    fn lateness(&mut self, standby: &Standby, end: i64, limit: ReplicationLag) -> Option<String> {
        let (lag, limit) = match limit {
            ReplicationLag::Bytes(limit) => {
                let behind = u64::try_from(end - standby.at).unwrap_or(0);
                ((behind > limit).then(|| bytes(behind))?, bytes(limit))
            }
            ReplicationLag::Time(limit) => {
                let behind = self.time_behind(standby, end, limit);
                let shown = |time: Duration| format!("{:.1} s", time.as_secs_f64());
                ((behind > limit).then(|| shown(behind))?, shown(limit))
            }
        };
        Some(format!("the standby {}, which is {lag} behind; max_replication_lag is {limit}", standby.name))
    }

    fn time_behind(&mut self, standby: &Standby, end: i64, limit: Duration) -> Duration {
        let spacing = limit / PLACES;
        if self.places.back().is_none_or(|(at, _)| at.elapsed() >= spacing) {
            self.places.push_back((Instant::now(), end));
        }
        while self.places.get(1).is_some_and(|(at, _)| at.elapsed() > limit * 2) {
            self.places.pop_front();
        }
        if standby.at >= end {
            return Duration::ZERO;
        }
        let passed = self.places.iter().find(|(_, place)| *place > standby.at);
        passed.map(|(at, _)| at.elapsed()).unwrap_or_default().max(standby.said)
    }

    fn full_disk(
        &mut self,
        session: &mut Session,
        table: &ObjectName,
        step: &mut dyn Step,
    ) -> Option<String> {
        let floor = self.limits.min_free_disk;
        if floor == 0 {
            return None;
        }
        if self.files.is_none() {
            let found = places_of_files(session, table).unwrap_or_default();
            if !found.iter().any(|place| free_bytes(place).is_some())
                && floor != RunOptions::default().min_free_disk
            {
                step.note(
                    "min_free_disk was not watched: how much disk is free can only be known of a server on this \
                     machine, by a role that may see its data_directory (GRANT pg_read_all_settings TO it)",
                );
            }
            self.files = Some(found);
        }
        let files = self.files.iter().flatten();
        let (free, place) = files.filter_map(|place| Some((free_bytes(place)?, place))).min()?;
        (free < floor).then(|| {
            format!(
                "disk space: {} are free where the server writes {}; min_free_disk is {}",
                bytes(free),
                place.display(),
                bytes(floor)
            )
        })
    }
}

/// Where the server keeps a table, its database and its log, if that is on this machine.
fn places_of_files(session: &mut Session, table: &ObjectName) -> Result<Vec<PathBuf>> {
    let found = session.query(
        &format!(
            "SELECT pg_catalog.pg_backend_pid(), \
                 pg_catalog.concat(' ', session_user, ' ', pg_catalog.current_database(), ' '), \
                 (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'), \
                 (SELECT pg_catalog.pg_tablespace_location(coalesce(nullif(c.reltablespace, 0), d.dattablespace)) \
                  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_database d \
                    ON d.datname = pg_catalog.current_database() \
                  WHERE c.oid = pg_catalog.to_regclass({}))",
            literal(&qualified(table))
        ),
        &[],
    )?;
    let row = found.rows.into_iter().next().unwrap_or_default();
    let [Value::Integer(process), Value::Text(title), Value::Text(data), place] = row.as_slice() else {
        return Ok(Vec::new());
    };
    if !is_here(*process, title) {
        return Ok(Vec::new());
    }
    let data = Path::new(data);
    let mut places = vec![data.join("pg_wal"), data.to_owned()];
    if let Value::Text(place) = place
        && !place.is_empty()
    {
        places.push(place.into());
    }
    Ok(places)
}

/// Whether the server's process that serves us runs on this machine: one of that number calls itself by our names.
fn is_here(process: i64, title: &str) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    line.starts_with("postgres:") && line.contains(title)
}

/// Free bytes for others than the superuser of the machine; `None` where that cannot be seen.
#[cfg(unix)]
fn free_bytes(place: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(place).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Free bytes for others than the superuser of the machine; `None` where that cannot be seen.
#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// A size for people.
fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let mega = bytes as f64 / f64::from(1 << 20);
    format!("{mega:.1} MB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_the_time_since_the_server_was_where_the_standby_is() {
        let limit = Duration::from_secs(10);
        let mut brake = Brake::new(&RunOptions::default());
        let standby = |at| Standby { name: "one".into(), at, said: Duration::ZERO };
        assert_eq!(brake.time_behind(&standby(100), 100, limit), Duration::ZERO);
        brake.places.clear();
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        brake.places.extend([(ago(15), 100), (ago(12), 200), (ago(3), 300)]);
        assert!(brake.time_behind(&standby(100), 400, limit) >= Duration::from_secs(12));
        let behind = brake.time_behind(&standby(250), 400, limit);
        assert!((3..12).contains(&behind.as_secs()), "{behind:?}");
        assert!(brake.lateness(&standby(250), 400, ReplicationLag::Time(limit)).is_none());
        let said = brake.lateness(&standby(100), 400, ReplicationLag::Bytes(200)).unwrap();
        assert!(said.contains("the standby one"), "{said}");
        assert!(brake.lateness(&standby(100), 400, ReplicationLag::Bytes(300)).is_none());
    }
}
