//! The application: one plain connection that writes, notes what it has committed, and measures how long it waited.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Result, TransactionBehavior, params};

use super::database::amount;

/// Between two transactions.
const PAUSE: Duration = Duration::from_millis(1);

/// What the application knows that it wrote.
#[derive(Debug, Default, Clone)]
pub(super) struct Ledger {
    /// Orders that it made and did not delete again: the amount by id.
    pub(super) orders: BTreeMap<i64, String>,
    /// Orders that it deleted.
    pub(super) deleted: Vec<i64>,
    /// Users that it changed: the e-mail address by id.
    pub(super) emails: BTreeMap<i64, String>,
}

/// What became of it.
pub(super) struct Outcome {
    pub(super) transactions: usize,
    pub(super) longest: Duration,
    pub(super) median: Duration,
    pub(super) ledger: Ledger,
    pub(super) errors: Vec<String>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// The longest wait since it was last asked for, in microseconds.
    longest_micros: AtomicU64,
    errors: Mutex<Vec<String>>,
}

/// The running application.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: JoinHandle<(Vec<Duration>, Ledger)>,
}

impl Writer {
    /// Starts to write.
    pub(super) fn start(file: &Path) -> Self {
        let shared = Arc::new(Shared::default());
        let (path, theirs) = (file.to_owned(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || work(&path, &theirs));
        Self { shared, thread }
    }

    /// The longest that a transaction took since this was last asked.
    pub(super) fn take_longest(&self) -> Duration {
        Duration::from_micros(self.shared.longest_micros.swap(0, Ordering::Relaxed))
    }

    /// Stops it.
    pub(super) fn stop(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Relaxed);
        let (mut times, ledger) = self.thread.join().unwrap_or_default();
        times.sort();
        let errors = self.shared.errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Outcome {
            transactions: times.len(),
            longest: times.last().copied().unwrap_or_default(),
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            ledger,
            errors,
        }
    }
}

fn work(file: &Path, shared: &Shared) -> (Vec<Duration>, Ledger) {
    let mut times = Vec::new();
    let mut ledger = Ledger::default();
    let complain = |error: &rusqlite::Error| {
        shared.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
    };
    let mut connection = match open(file) {
        Ok(connection) => connection,
        Err(error) => {
            complain(&error);
            return (times, ledger);
        }
    };
    let mut round = 0i64;
    while !shared.stop.load(Ordering::Relaxed) {
        round += 1;
        let started = Instant::now();
        let result = transaction(&mut connection, &mut ledger, round);
        let time = started.elapsed();
        times.push(time);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        shared.longest_micros.fetch_max(micros, Ordering::Relaxed);
        if let Err(error) = result {
            complain(&error);
        }
        std::thread::sleep(PAUSE);
    }
    (times, ledger)
}

fn open(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// A new order, another e-mail address, and now and then an order that is deleted. What is noted is committed.
fn transaction(connection: &mut Connection, ledger: &mut Ledger, round: i64) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let user = round * 37 % 1_000 + 1;
    let price = amount(round);
    transaction
        .prepare_cached("INSERT INTO orders (user_id, amount) VALUES (?1, ?2)")?
        .execute(params![user, price])?;
    let order = transaction.last_insert_rowid();
    let email = format!("user{user}.{round}@example.org");
    transaction.prepare_cached("UPDATE users SET email = ?2 WHERE id = ?1")?.execute(params![user, email])?;
    let victim = (round % 3 == 0).then(|| ledger.orders.first_key_value().map(|(id, _)| *id)).flatten();
    if let Some(victim) = victim {
        transaction.prepare_cached("DELETE FROM orders WHERE id = ?1")?.execute([victim])?;
    }
    transaction.commit()?;
    ledger.orders.insert(order, price);
    ledger.emails.insert(user, email);
    if let Some(victim) = victim {
        ledger.orders.remove(&victim);
        ledger.deleted.push(victim);
    }
    Ok(())
}
