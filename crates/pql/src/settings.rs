//! The session's settings: one table says what there is; SET, RESET, SHOW, WITH and `--set` all read it.

use std::time::Duration;

use pql_engine::backend::{ReplicationLag, RunOptions};
use pql_engine::{ApplyOptions, OnFailure, Retain, Value};
use pql_schema::MigrationStrategy;
use pql_syntax::suggest::nearest;

use crate::ApplicationSchema;
use crate::codes;
use crate::duration;
use crate::error::Error;
use crate::size;

/// The settings of a session, or of one statement after its WITH.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// How migrations are applied.
    pub strategy: MigrationStrategy,
    /// How long one attempt may queue for a lock.
    pub lock_timeout: Duration,
    /// How long attempts are repeated in all.
    pub retry_for: Duration,
    /// How long one statement of a migration may run; `None`: as long as it takes.
    pub statement_timeout: Option<Duration>,
    /// Rows in a batch; `None`: adapted to the time it holds the lock.
    pub batch_rows: Option<u64>,
    /// The fraction of time left to others.
    pub throttle: f64,
    /// The longest lock that a single statement may be predicted to hold.
    pub max_stall: Duration,
    /// How far a standby may be behind before a backfill waits for it; `None`: however far.
    pub max_replication_lag: Option<ReplicationLag>,
    /// Bytes of free disk below which a backfill waits; 0: never.
    pub min_free_disk: u64,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Accept what loses data for good.
    pub allow_destructive: bool,
    /// How long what a migration replaced is kept.
    pub retain: Retain,
    /// What happens when a step fails.
    pub on_failure: OnFailure,
    /// Compare rows before the cut-over.
    pub verify: bool,
    /// Steps that may run at the same time, where the database can.
    pub max_concurrent_ops: u64,
    /// Bring the database to the application schema whenever one is given.
    pub auto_migrate: bool,
    /// The schema that the application wants.
    pub application_schema: Option<ApplicationSchema>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strategy: MigrationStrategy::Online,
            lock_timeout: Duration::from_secs(2),
            retry_for: Duration::from_mins(1),
            statement_timeout: None,
            batch_rows: None,
            throttle: 0.0,
            max_stall: Duration::from_millis(10),
            max_replication_lag: RunOptions::default().max_replication_lag,
            min_free_disk: RunOptions::default().min_free_disk,
            dry_run: false,
            allow_destructive: false,
            retain: Retain::Forever,
            on_failure: OnFailure::Rollback,
            verify: true,
            max_concurrent_ops: 4,
            auto_migrate: false,
            application_schema: None,
        }
    }
}

impl Settings {
    /// What the engine is told.
    pub fn apply_options(&self) -> ApplyOptions {
        ApplyOptions {
            strategy: self.strategy,
            run: RunOptions {
                lock_timeout: self.lock_timeout,
                retry_for: self.retry_for,
                statement_timeout: self.statement_timeout,
                batch_rows: self.batch_rows,
                throttle: self.throttle,
                max_stall: self.max_stall,
                verify: self.verify,
                max_replication_lag: self.max_replication_lag,
                min_free_disk: self.min_free_disk,
            },
            dry_run: self.dry_run,
            allow_destructive: self.allow_destructive,
            retain: self.retain,
            on_failure: self.on_failure,
            max_concurrent_ops: usize::try_from(self.max_concurrent_ops).unwrap_or(usize::MAX),
        }
    }
}

/// What is assigned to a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A literal or a bare word.
    Value(Value),
    /// A schema, for `application_schema`.
    Schema(ApplicationSchema),
}

impl Given {
    fn word(&self) -> Option<String> {
        match self {
            Self::Value(Value::Text(text)) => Some(text.trim().to_lowercase()),
            _ => None,
        }
    }
}

/// One row of the table of settings.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it accepts, in words.
    pub accepts: &'static str,
    /// What it is for.
    pub doc: &'static str,
    get: fn(&Settings) -> Value,
    set: fn(&mut Settings, &Given) -> Option<()>,
}

/// Every setting, by name.
pub static SETTINGS: &[Setting] = &[
    Setting {
        name: "allow_destructive",
        accepts: "true or false",
        doc: "accept what loses data for good",
        get: |s| Value::Boolean(s.allow_destructive),
        set: |s, v| boolean(v).map(|v| s.allow_destructive = v),
    },
    Setting {
        name: "application_schema",
        accepts: "a schema: text, FILE 'schema.pql', or a parameter",
        doc: "the schema that the application wants",
        get: |s| s.application_schema.as_ref().map_or(Value::Null, |schema| Value::Text(schema.describe())),
        set: |s, v| schema(v).map(|v| s.application_schema = v),
    },
    Setting {
        name: "auto_migrate",
        accepts: "true or false",
        doc: "bring the database to application_schema by itself, as far as nothing is lost",
        get: |s| Value::Boolean(s.auto_migrate),
        set: |s, v| boolean(v).map(|v| s.auto_migrate = v),
    },
    Setting {
        name: "batch_rows",
        accepts: "'auto' or a number of rows",
        doc: "rows in one batch; 'auto' adapts to the time a batch holds the lock",
        get: |s| s.batch_rows.map_or_else(|| "auto".into(), number_value),
        set: |s, v| auto_or_count(v).map(|v| s.batch_rows = v),
    },
    Setting {
        name: "dry_run",
        accepts: "true or false",
        doc: "say what would be done, and do nothing",
        get: |s| Value::Boolean(s.dry_run),
        set: |s, v| boolean(v).map(|v| s.dry_run = v),
    },
    Setting {
        name: "lock_timeout",
        accepts: "a duration such as '500ms' or '5s'",
        doc: "how long one attempt may queue for a lock",
        get: |s| duration::format(s.lock_timeout).into(),
        set: |s, v| some_duration(v).map(|v| s.lock_timeout = v),
    },
    Setting {
        name: "max_concurrent_ops",
        accepts: "a number from 1 to 64",
        doc: "index builds and proofs on different PostgreSQL tables that run at the same time",
        get: |s| number_value(s.max_concurrent_ops),
        set: |s, v| count(v).filter(|v| (1..=64).contains(v)).map(|v| s.max_concurrent_ops = v),
    },
    Setting {
        name: "max_replication_lag",
        accepts: "a duration such as '10s', a size such as '64MB', or 'none'",
        doc: "how far a standby of a PostgreSQL server may be behind before a backfill waits for it",
        get: |s| match s.max_replication_lag {
            None => "none".into(),
            Some(ReplicationLag::Time(time)) => duration::format(time).into(),
            Some(ReplicationLag::Bytes(bytes)) => size::format(bytes).into(),
        },
        set: |s, v| {
            s.max_replication_lag = if is_none(v) {
                None
            } else {
                let bytes = || some_size(v).map(ReplicationLag::Bytes);
                Some(some_duration(v).map(ReplicationLag::Time).or_else(bytes)?)
            };
            Some(())
        },
    },
    Setting {
        name: "max_stall",
        accepts: "a duration such as '10ms'",
        doc: "the longest lock one statement may be predicted to hold before the online way is taken",
        get: |s| duration::format(s.max_stall).into(),
        set: |s, v| some_duration(v).map(|v| s.max_stall = v),
    },
    Setting {
        name: "min_free_disk",
        accepts: "a size such as '2GB', or 'none'",
        doc: "free disk below which a backfill on PostgreSQL waits, where it can be known",
        get: |s| match s.min_free_disk {
            0 => "none".into(),
            bytes => size::format(bytes).into(),
        },
        set: |s, v| {
            s.min_free_disk = if is_none(v) { 0 } else { some_size(v)? };
            Some(())
        },
    },
    Setting {
        name: "on_failure",
        accepts: "'rollback' or 'pause'",
        doc: "what happens when a step fails",
        get: |s| match s.on_failure {
            OnFailure::Rollback => "rollback".into(),
            OnFailure::Pause => "pause".into(),
        },
        set: |s, v| {
            s.on_failure = match v.word()?.as_str() {
                "rollback" => OnFailure::Rollback,
                "pause" => OnFailure::Pause,
                _ => return None,
            };
            Some(())
        },
    },
    Setting {
        name: "retain",
        accepts: "'forever', a duration such as '7 days', or false",
        doc: "how long what a migration replaced is kept for a rollback",
        get: |s| match s.retain {
            Retain::Forever => "forever".into(),
            Retain::For(time) => duration::format(time).into(),
            Retain::No => Value::Boolean(false),
        },
        set: |s, v| {
            s.retain = match (v.word().as_deref(), boolean(v)) {
                (Some("forever"), _) | (_, Some(true)) => Retain::Forever,
                (_, Some(false)) => Retain::No,
                _ => Retain::For(some_duration(v)?),
            };
            Some(())
        },
    },
    Setting {
        name: "retry_for",
        accepts: "a duration such as '60s'",
        doc: "how long attempts are repeated in all",
        get: |s| duration::format(s.retry_for).into(),
        set: |s, v| some_duration(v).map(|v| s.retry_for = v),
    },
    Setting {
        name: "statement_timeout",
        accepts: "a duration such as '5s', or 'none'",
        doc: "how long one statement of a migration may run",
        get: |s| s.statement_timeout.map_or_else(|| "none".into(), |time| duration::format(time).into()),
        set: |s, v| {
            s.statement_timeout = if is_none(v) {
                None
            } else {
                // Zero means "no limit" to PostgreSQL's users.
                Some(some_duration(v)?).filter(|time| !time.is_zero())
            };
            Some(())
        },
    },
    Setting {
        name: "strategy",
        accepts: "'online' or 'offline'",
        doc: "how migrations are applied",
        get: |s| s.strategy.as_str().into(),
        set: |s, v| {
            s.strategy = match v.word()?.as_str() {
                "online" => MigrationStrategy::Online,
                "offline" => MigrationStrategy::Offline,
                _ => return None,
            };
            Some(())
        },
    },
    Setting {
        name: "throttle",
        accepts: "a fraction from 0 to 0.95",
        doc: "the fraction of time left to others",
        get: |s| Value::Real(s.throttle),
        set: |s, v| fraction(v).filter(|v| (0.0..=0.95).contains(v)).map(|v| s.throttle = v),
    },
    Setting {
        name: "verify",
        accepts: "true or false",
        doc: "compare rows before the cut-over",
        get: |s| Value::Boolean(s.verify),
        set: |s, v| boolean(v).map(|v| s.verify = v),
    },
];

impl Setting {
    /// The setting of that name.
    pub fn named(name: &str) -> Result<&'static Self, Error> {
        SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let error = Error::new(codes::UNKNOWN_SETTING, format!("there is no setting `{name}`"));
            match nearest(name, SETTINGS.iter().map(|setting| setting.name)) {
                Some(near) => error.with_help(format!("did you mean `{near}`?")),
                None => error.with_help("SHOW ALL lists the settings"),
            }
        })
    }

    /// Its value, as SHOW prints it.
    pub fn get(&self, settings: &Settings) -> Value {
        (self.get)(settings)
    }

    /// Assigns it.
    pub fn set(&self, settings: &mut Settings, given: &Given) -> Result<(), Error> {
        (self.set)(settings, given).ok_or_else(|| {
            let what = match given {
                Given::Value(value) => crate::output::value_text(value),
                Given::Schema(_) => "a schema".to_owned(),
            };
            Error::new(codes::SETTING_VALUE, format!("`{}` cannot be {what}", self.name))
                .with_help(format!("it takes {}", self.accepts))
        })
    }

    /// Gives it its default again.
    pub fn reset(&self, settings: &mut Settings) {
        let default = (self.get)(&Settings::default());
        let given = match default {
            Value::Null => Given::Value(Value::Null),
            value => Given::Value(value),
        };
        (self.set)(settings, &given).expect("a setting accepts its own default");
    }
}

fn boolean(given: &Given) -> Option<bool> {
    match given {
        Given::Value(Value::Boolean(value)) => Some(*value),
        Given::Value(Value::Integer(0)) => Some(false),
        Given::Value(Value::Integer(1)) => Some(true),
        Given::Value(Value::Text(_)) => match given.word()?.as_str() {
            "true" | "on" | "yes" | "1" => Some(true),
            "false" | "off" | "no" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn some_duration(given: &Given) -> Option<Duration> {
    match given {
        Given::Value(Value::Text(text)) => duration::parse(text),
        Given::Value(Value::Integer(millis)) => u64::try_from(*millis).ok().map(Duration::from_millis),
        _ => None,
    }
}

fn some_size(given: &Given) -> Option<u64> {
    match given {
        Given::Value(Value::Text(text)) => size::parse(text),
        _ => count(given),
    }
}

fn is_none(given: &Given) -> bool {
    given.word().as_deref() == Some("none")
}

fn count(given: &Given) -> Option<u64> {
    match given {
        Given::Value(Value::Integer(number)) => u64::try_from(*number).ok(),
        Given::Value(Value::Text(text)) => text.trim().parse().ok(),
        _ => None,
    }
}

#[expect(clippy::option_option, reason = "outer: refused; inner: the setting's own 'auto'")]
fn auto_or_count(given: &Given) -> Option<Option<u64>> {
    if given.word().as_deref() == Some("auto") {
        return Some(None);
    }
    count(given).filter(|rows| *rows > 0).map(Some)
}

fn fraction(given: &Given) -> Option<f64> {
    match given {
        Given::Value(Value::Real(number)) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "only 0 passes the range check that follows")]
        Given::Value(Value::Integer(number)) => Some(*number as f64),
        Given::Value(Value::Text(text)) => text.trim().parse().ok(),
        _ => None,
    }
}

#[expect(clippy::option_option, reason = "outer: refused; inner: no schema")]
fn schema(given: &Given) -> Option<Option<ApplicationSchema>> {
    match given {
        Given::Schema(schema) => Some(Some(schema.clone())),
        Given::Value(Value::Text(text)) => Some(Some(ApplicationSchema::text(text.clone()))),
        Given::Value(Value::Null) => Some(None),
        Given::Value(_) => None,
    }
}

fn number_value(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
        let mut settings = Settings::default();
        for setting in SETTINGS {
            setting.reset(&mut settings);
        }
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn a_misspelt_setting_names_the_near_one() {
        let error = Setting::named("lock_timout").err().expect("no such setting");
        assert_eq!(error.code(), codes::UNKNOWN_SETTING);
        assert_eq!(error.help(), Some("did you mean `lock_timeout`?"));
    }

    #[test]
    fn values_are_checked() {
        let mut settings = Settings::default();
        for (name, value) in [
            ("strategy", Value::from("sideways")),
            ("lock_timeout", Value::from("soon")),
            ("throttle", Value::Integer(-1)),
            ("throttle", Value::Real(1.5)),
            ("batch_rows", Value::Integer(0)),
            ("verify", Value::from("maybe")),
            ("max_concurrent_ops", Value::Integer(0)),
            ("retain", Value::from("a while")),
            ("max_replication_lag", Value::from("much")),
            ("min_free_disk", Value::from("10s")),
        ] {
            let setting = Setting::named(name).expect("a setting");
            let error = setting.set(&mut settings, &Given::Value(value)).expect_err(name);
            assert_eq!(error.code(), codes::SETTING_VALUE);
        }
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn values_are_taken_in_every_form() {
        let mut settings = Settings::default();
        let mut set = |name: &str, value: Value| {
            Setting::named(name)
                .and_then(|it| it.set(&mut settings, &Given::Value(value)))
                .expect("accepted");
        };
        set("STRATEGY", "Offline".into());
        set("lock_timeout", "500ms".into());
        set("retain", "7 days".into());
        set("batch_rows", Value::Integer(100));
        set("auto_migrate", "on".into());
        set("throttle", Value::Real(0.5));
        set("statement_timeout", Value::Integer(0));
        assert_eq!(settings.strategy, MigrationStrategy::Offline);
        assert_eq!(settings.lock_timeout, Duration::from_millis(500));
        assert_eq!(settings.retain, Retain::For(Duration::from_hours(168)));
        assert_eq!(settings.batch_rows, Some(100));
        assert!(settings.auto_migrate);
        assert_eq!(settings.statement_timeout, None);
    }
}
