//! Whether the database holds exactly what it held and what the application wrote.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Result};

use super::writer::Ledger;

/// The database before anything was changed.
pub(super) struct Snapshot {
    schema: Vec<String>,
    users: i64,
    orders: i64,
    old_fields: i64,
}

/// Something that was looked at.
pub(super) struct Finding {
    pub(super) holds: bool,
    pub(super) what: String,
}

impl Snapshot {
    pub(super) fn take(file: &Path) -> Result<Self> {
        let connection = Connection::open(file)?;
        Ok(Self {
            schema: schema(&connection)?,
            users: number(&connection, "SELECT count(*) FROM users")?,
            orders: number(&connection, "SELECT count(*) FROM orders")?,
            old_fields: number(&connection, OLD_FIELDS)?,
        })
    }
}

const OLD_FIELDS: &str = "SELECT sum(old_field = 'old ' || id AND old_name = 'Name ' || id) FROM users";

/// Looks at everything.
pub(super) fn check(file: &Path, before: &Snapshot, ledger: &Ledger) -> Result<Vec<Finding>> {
    let connection = Connection::open(file)?;
    let mut findings = Vec::new();
    let mut finding = |holds: bool, what: String| findings.push(Finding { holds, what });

    finding(schema(&connection)? == before.schema, "the schema is what it was, to the letter".to_owned());
    let users = number(&connection, "SELECT count(*) FROM users")?;
    finding(users == before.users, format!("{users} users are there"));
    let intact = number(&connection, OLD_FIELDS)?;
    finding(
        intact == before.old_fields,
        format!("{intact} values of the dropped and the renamed column are back"),
    );
    let orders = number(&connection, "SELECT count(*) FROM orders")?;
    let expected = before.orders + i64::try_from(ledger.orders.len()).unwrap_or(i64::MAX);
    finding(orders == expected, format!("{orders} orders are there, {expected} are known"));

    let mut order = connection.prepare("SELECT amount FROM orders WHERE id = ?1")?;
    let mut wrong = 0;
    for (id, amount) in &ledger.orders {
        let found: Option<String> = order.query_row([id], |row| row.get(0)).optional()?;
        wrong += usize::from(found.as_ref() != Some(amount));
    }
    finding(
        wrong == 0,
        format!("{} orders that the application made meanwhile have their amounts", ledger.orders.len()),
    );
    let mut back = 0;
    for id in &ledger.deleted {
        back += usize::from(order.exists([id])?);
    }
    finding(back == 0, format!("{} orders that it deleted are gone", ledger.deleted.len()));
    let mut user = connection.prepare("SELECT email FROM users WHERE id = ?1")?;
    let mut wrong = 0;
    for (id, email) in &ledger.emails {
        let found: Option<String> = user.query_row([id], |row| row.get(0)).optional()?;
        wrong += usize::from(found.as_ref() != Some(email));
    }
    finding(wrong == 0, format!("{} users that it changed have their last address", ledger.emails.len()));
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    finding(verdict == "ok", format!("the database's own check says: {verdict}"));
    Ok(findings)
}

fn number(connection: &Connection, sql: &str) -> Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}

/// The definitions in the order in which they are stored, without PQL's own.
fn schema(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
         WHERE substr(name, 1, 5) <> '_pql_' AND substr(tbl_name, 1, 5) <> '_pql_'",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}
