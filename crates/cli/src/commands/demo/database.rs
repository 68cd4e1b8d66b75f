//! The demo's database: users, their orders, and some products.

use std::path::Path;

use rusqlite::{Connection, Result, params};

/// What the application starts with.
const SCHEMA: &str = "
CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL,
  username TEXT NOT NULL,
  old_name TEXT,
  old_field TEXT
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  amount TEXT NOT NULL
);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE INDEX idx_old_index ON orders (user_id);
";

/// What it wants, for DETECT.
pub(super) const TARGET: &str = "
CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL,
  username TEXT NOT NULL,
  old_name TEXT,
  old_field TEXT,
  last_login TIMESTAMP DEFAULT NOW()
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  amount TEXT NOT NULL
);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, embedding VECTOR(768));
CREATE INDEX idx_old_index ON orders (user_id);
CREATE INDEX users_email_idx ON users (email);
";

/// Makes the file: half of the rows are users, half orders, and a thousand products.
pub(super) fn create(file: &Path, rows: u64) -> Result<()> {
    let mut connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(SCHEMA)?;
    let half = i64::try_from(rows / 2).unwrap_or(i64::MAX).max(1);
    let transaction = connection.transaction()?;
    {
        let mut user = transaction.prepare(
            "INSERT INTO users (id, email, username, old_name, old_field) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut order =
            transaction.prepare("INSERT INTO orders (id, user_id, amount) VALUES (?1, ?2, ?3)")?;
        for id in 1..=half {
            let name = format!("user{id}");
            user.execute(params![
                id,
                format!("{name}@example.org"),
                name,
                format!("Name {id}"),
                format!("old {id}")
            ])?;
            order.execute(params![id, id, amount(id)])?;
        }
        let mut product = transaction.prepare("INSERT INTO products (name) VALUES (?1)")?;
        for id in 1..=1_000 {
            product.execute([format!("product {id}")])?;
        }
    }
    transaction.commit()
}

/// An amount of money, as text that a number gives back: no zero at the end.
pub(super) fn amount(seed: i64) -> String {
    let whole = seed.wrapping_mul(7_919).rem_euclid(10_000);
    format!("{whole}.{}{}", seed.rem_euclid(10), seed.rem_euclid(9) + 1)
}
