//! [`Connection`] over the client: values go as text whose type the server infers, and one statement is one round
//! trip without a name, so that it does not matter which server connection a pooler gives it to.

use std::error::Error as StdError;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use bytes::BytesMut;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::{Format, IsNull, ToSql, Type};
use postgres::{CancelToken, Client, Row, SimpleQueryMessage, SimpleQueryRow};

use super::blockers::literal;
use super::connect::{Notices, Opened, Target};
use super::decode::Cell;
use super::errors;
use crate::backend::{Connection, LockPatience};
use crate::error::codes;
#[cfg(feature = "testing")]
use crate::fault::around;
use crate::{Error, Result, ResultSet, SqlOutcome, Value};

/// A connection of its own, opened again when it was lost between two statements.
pub(super) struct Session {
    target: Arc<Target>,
    opened: Option<Opened>,
    read_only: bool,
    stage: Stage,
    /// How long a statement of the user's waits for a lock.
    patience: Duration,
    /// The `search_path` that the role, the database or the address sets, where it does not begin with `public`.
    path: Option<String>,
}

/// Where a connection is with its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In none of ours.
    Between,
    /// In one.
    Within,
    /// In one that was lost with the connection: nothing more may be done that belongs to it.
    Lost,
}

/// How often reading is tried again when the connection was lost, and how long is waited before the first time.
const READ_AGAIN: u32 = 5;
const BEFORE_READING_AGAIN: Duration = Duration::from_millis(50);

impl Session {
    /// Connects.
    pub(super) fn open(target: Arc<Target>, read_only: bool) -> Result<Self> {
        let opened = Some(target.open()?);
        let patience = LockPatience::default().attempt;
        Ok(Self { target, opened, read_only, stage: Stage::Between, patience, path: None })
    }

    /// Another connection to the same place.
    pub(super) fn another(&self) -> Result<Self> {
        self.opener()()
    }

    /// What opens another connection to the same place.
    pub(super) fn opener(&self) -> impl Fn() -> Result<Self> + Send + 'static {
        let (target, read_only) = (Arc::clone(&self.target), self.read_only);
        move || Self::open(Arc::clone(&target), read_only)
    }

    /// What stops the statement that this connection is at, from another thread. The server, or the pooler before it,
    /// knows which one that is: the number of a server's process may be another client's by now.
    pub(super) fn canceller(&mut self) -> Result<Canceller> {
        let token = self.client()?.cancel_token();
        Ok(Canceller { token, target: Arc::clone(&self.target) })
    }

    /// Says how long a statement of the user's waits for a lock.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Says where the server would look for names without a schema, when that is not `public` first.
    pub(super) fn set_path(&mut self, path: Option<String>) {
        self.path = path;
    }

    /// The same.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// What makes names without a schema mean in a statement of the user's what they mean in PQL's own, unless the user
    /// has set another path since.
    fn pin(&self) -> String {
        self.path.as_deref().map_or_else(String::new, |path| {
            format!(
                "; SELECT pg_catalog.set_config('search_path', 'public', true) \
                 WHERE pg_catalog.current_setting('search_path') = {}",
                literal(path)
            )
        })
    }

    /// Begins a transaction for one statement of the user's, with its own limit for locks, and says whether it did:
    /// one that the user has opened is gone on with.
    fn guard(&mut self, sql: &str) -> Result<bool> {
        if self.read_only {
            self.batch(&format!("BEGIN READ ONLY{}", self.pin()))?;
            return Ok(true);
        }
        if !goes_into_a_transaction(sql) {
            return Ok(false);
        }
        self.notices().take_already_open();
        let millis = self.patience.as_millis().max(1);
        // What the user has set in a transaction of theirs stays.
        self.batch(&format!(
            "BEGIN; SELECT pg_catalog.set_config('lock_timeout', '{millis}', true) \
             WHERE transaction_timestamp() = statement_timestamp(){}",
            self.pin()
        ))?;
        Ok(!self.notices().take_already_open())
    }

    /// Whether only reading is meant.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The live connection.
    pub(super) fn client(&mut self) -> Result<&mut Client> {
        if self.stage == Stage::Lost {
            return Err(
                Error::new(codes::CONNECTION, "the connection was lost within a transaction").retryable()
            );
        }
        if self.opened.as_ref().is_none_or(|opened| opened.client.is_closed()) {
            self.opened = Some(self.target.open()?);
        }
        self.opened
            .as_mut()
            .map(|opened| &mut opened.client)
            .ok_or_else(|| Error::new(codes::CONNECTION, "there is no connection to the server"))
    }

    /// What the server said on the side.
    pub(super) fn notices(&self) -> Notices {
        self.opened.as_ref().map(|opened| opened.notices.clone()).unwrap_or_default()
    }

    /// What the client gave; a connection that was lost is given up, and opened again when the next statement comes.
    fn outcome<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.as_ref().is_err_and(errors::is_lost) {
            self.opened = None;
            if self.stage == Stage::Within {
                self.stage = Stage::Lost;
            }
        }
        outcome
    }

    /// A transaction has begun.
    pub(super) fn begun(&mut self) {
        self.stage = Stage::Within;
    }

    /// It has ended, in whatever way.
    pub(super) fn ended(&mut self) {
        self.stage = Stage::Between;
    }

    /// Runs statements without parameters, one after the other, in one round trip.
    pub(super) fn batch(&mut self, sql: &str) -> Result<()> {
        let client = self.client()?;
        let outcome = around(sql, || client.batch_execute(sql)).map_err(Error::from);
        self.outcome(outcome)
    }

    fn simple(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>> {
        let client = self.client()?;
        let outcome = around(sql, || client.simple_query(sql)).map_err(Error::from);
        self.outcome(outcome)
    }

    fn bound(&mut self, sql: &str, params: &[Value]) -> Result<(Vec<Row>, u64)> {
        let client = self.client()?;
        let outcome = around(sql, || run(client, sql, params));
        self.outcome(outcome)
    }

    /// The same, giving the first column of the last row of the last statement that gave one, as text.
    pub(super) fn batch_value(&mut self, sql: &str) -> Result<Option<String>> {
        let messages = self.simple(sql)?;
        Ok(messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// The same, giving the rows of each statement.
    pub(super) fn batch_rows(&mut self, sql: &str) -> Result<Vec<Vec<SimpleQueryRow>>> {
        let mut all = Vec::new();
        let mut rows = Vec::new();
        for message in self.simple(sql)? {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(row),
                SimpleQueryMessage::CommandComplete(_) => all.push(std::mem::take(&mut rows)),
                _ => {}
            }
        }
        Ok(all)
    }

    /// The same, giving of each statement the number of its rows.
    pub(super) fn batch_counts(&mut self, sql: &str) -> Result<Vec<u64>> {
        let count = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::CommandComplete(count) => Some(count),
            _ => None,
        };
        Ok(self.simple(sql)?.into_iter().filter_map(count).collect())
    }

    /// Ends a transaction without effect; when that fails there is none any more, since the connection is gone.
    pub(super) fn roll_back(&mut self) {
        self.ended();
        if let Some(opened) = &mut self.opened
            && opened.client.batch_execute("ROLLBACK").is_err()
        {
            self.opened = None;
        }
    }
}

#[cfg(not(feature = "testing"))]
fn around<T>(_: &str, run: impl FnOnce() -> T) -> T {
    run()
}

/// Stops a connection's statement.
pub(super) struct Canceller {
    token: CancelToken,
    target: Arc<Target>,
}

impl Canceller {
    /// Asks for it; the statement then fails, unless it is through already.
    pub(super) fn cancel(&self) -> Result<()> {
        Ok(self.token.cancel_query(self.target.connector()?)?)
    }
}

impl Connection for Session {
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        Ok(self.bound(sql, params)?.1)
    }

    fn query(&mut self, sql: &str, params: &[Value]) -> Result<ResultSet> {
        let mut found = self.bound(sql, params);
        // Between transactions it does not matter on which connection something is read.
        for attempt in 0..READ_AGAIN {
            if self.stage != Stage::Between || !only_reads(sql) || !found.as_ref().is_err_and(errors::is_lost)
            {
                break;
            }
            sleep(BEFORE_READING_AGAIN * 2u32.pow(attempt));
            found = self.bound(sql, params);
        }
        let (rows, _) = found?;
        let columns = rows.first().map(columns).unwrap_or_default();
        Ok(ResultSet { columns, rows: rows.iter().map(values).collect::<Result<_>>()? })
    }

    fn run(&mut self, sql: &str, params: &[Value]) -> Result<SqlOutcome> {
        if gives_copy(sql) {
            return Err(Error::new(
                codes::UNSUPPORTED,
                "COPY between the server and this program is not carried",
            )
            .with_help("use psql's \\copy, or COPY to and from a file on the server"));
        }
        let begun = self.guard(sql)?;
        let outcome = users(self.client()?, sql, params, begun);
        let outcome = self.outcome(outcome);
        if begun && (self.read_only || outcome.is_err()) {
            self.roll_back();
        } else if begun {
            self.batch("COMMIT")?;
        } else if outcome.is_ok() && first_word(sql).is_some_and(|word| word == "begin" || word == "start") {
            let millis = self.patience.as_millis().max(1);
            self.batch(&format!("SET LOCAL lock_timeout = {millis}{}", self.pin()))?;
        }
        outcome
    }
}

/// Runs a statement of the user's.
fn users(client: &mut Client, sql: &str, params: &[Value], within: bool) -> Result<SqlOutcome> {
    let (rows, changed) = run(client, sql, params)?;
    let names = match rows.first() {
        Some(row) => columns(row),
        None if may_give_rows(sql) => described(client, sql, params.len(), within)?,
        None => Vec::new(),
    };
    if names.is_empty() && rows.is_empty() {
        return Ok(SqlOutcome { rows: None, changed });
    }
    let rows = ResultSet { columns: names, rows: rows.iter().map(values).collect::<Result<_>>()? };
    let changed = if only_reads(sql) { 0 } else { changed };
    Ok(SqlOutcome { rows: Some(rows), changed })
}

fn run(client: &mut Client, sql: &str, params: &[Value]) -> Result<(Vec<Row>, u64)> {
    let typed = params.iter().map(|value| (Param(value), Type::UNKNOWN));
    let mut found = client.query_typed_raw(sql, typed)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(row);
    }
    Ok((rows, found.rows_affected().unwrap_or(0)))
}

/// The names of the columns of a statement that gave no row. In a transaction of its own: a statement with a name
/// must be made and given up on the same server connection.
fn described(client: &mut Client, sql: &str, params: usize, within: bool) -> Result<Vec<String>> {
    let types = vec![Type::UNKNOWN; params];
    if !within {
        client.batch_execute("BEGIN")?;
    }
    let names = client
        .prepare_typed(sql, &types)
        .map(|statement| statement.columns().iter().map(|column| column.name().to_owned()).collect());
    if !within {
        client.batch_execute("ROLLBACK")?;
    }
    // What could be run can be described; only a statement that changed what it names cannot be any more.
    Ok(names.unwrap_or_default())
}

fn columns(row: &Row) -> Vec<String> {
    row.columns().iter().map(|column| column.name().to_owned()).collect()
}

fn values(row: &Row) -> Result<Vec<Value>> {
    (0..row.len()).map(|at| Ok(row.try_get::<_, Cell>(at)?.0)).collect()
}

fn first_word(sql: &str) -> Option<String> {
    pql_schema::tokens(sql).find(|token| token.text != "(").map(|token| token.text.to_ascii_lowercase())
}

fn only_reads(sql: &str) -> bool {
    first_word(sql)
        .is_some_and(|word| ["select", "values", "table", "show", "explain"].contains(&word.as_str()))
}

/// Whether a statement does the same in a transaction as without one.
fn goes_into_a_transaction(sql: &str) -> bool {
    const ROWS: [&str; 9] =
        ["select", "insert", "update", "delete", "merge", "with", "values", "table", "explain"];
    const DEFINITIONS: [&str; 8] =
        ["alter", "create", "drop", "truncate", "refresh", "comment", "grant", "revoke"];
    const OUTSIDE: [&str; 5] = ["concurrently", "database", "tablespace", "system", "subscription"];
    let has = |words: &[&str], word: &str| words.contains(&word);
    let Some(first) = first_word(sql) else { return false };
    let mut words = pql_schema::tokens(sql).map(|token| token.text.to_ascii_lowercase());
    has(&ROWS, &first) || has(&DEFINITIONS, &first) && !words.any(|word| has(&OUTSIDE, &word))
}

fn may_give_rows(sql: &str) -> bool {
    only_reads(sql)
        || first_word(sql).is_some_and(|word| word == "with")
        || pql_schema::tokens(sql).any(|token| token.text.eq_ignore_ascii_case("returning"))
}

fn gives_copy(sql: &str) -> bool {
    first_word(sql).is_some_and(|word| word == "copy")
        && pql_schema::tokens(sql).any(|token| {
            token.text.eq_ignore_ascii_case("stdin") || token.text.eq_ignore_ascii_case("stdout")
        })
}

/// A value on its way to the server.
#[derive(Debug)]
struct Param<'a>(&'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Boolean(truth) => out.extend_from_slice(if *truth { b"t" } else { b"f" }),
            Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Real(number) => out.extend_from_slice(real(*number).as_bytes()),
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Blob(bytes) => out.extend_from_slice(super::decode::hex(bytes).as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

fn real(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{number:?}")
    }
}
