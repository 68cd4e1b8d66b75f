//! Definitions: each change, what it leaves alone, and its way back to the letter.

use pql_planner::{Action, Check};
use pql_schema::{Column, DataType, Expr};

use crate::support::{Place, index, online, rows, run, run_all, same, table};

const SHOP: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, -- who
        email TEXT DEFAULT 'none' UNIQUE);
    CREATE TABLE  \"orders\" ( id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers(id), amount NUMERIC);
    CREATE INDEX orders_customer on orders ( customer );
    CREATE UNIQUE INDEX orders_amount ON orders(amount DESC) WHERE amount > 0;
    CREATE TRIGGER noted AFTER INSERT ON orders BEGIN UPDATE orders SET amount = amount WHERE id = NEW.id; END;
    CREATE VIEW totals AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer;
    INSERT INTO customers (name, email) VALUES ('Ann', 'a@x'), ('Bob', 'b@x');
    INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20), (7, NULL, 5);
    UPDATE orders SET customer = 1;
    DELETE FROM customers WHERE id = 2;
    ANALYZE;
";

/// Runs the actions, checks that something changed, takes them back and demands the former state to the letter.
fn there_and_back(sql: &str, there: &[Action], back: &[Action]) {
    let place = Place::new(sql);
    let before = place.state();
    run_all(&place, &online(), there);
    place.check();
    assert_ne!(place.state(), before);
    run_all(&place, &online(), back);
    place.check();
    same(&place.state(), &before);
}

#[test]
fn a_hidden_table_comes_back_with_its_triggers_and_indexes() {
    let hide = Action::HideTable { table: "orders".into(), hidden: "_pql_1_orders".into() };
    let show = Action::UnhideTable { table: "orders".into(), hidden: "_pql_1_orders".into() };
    there_and_back(
        SHOP,
        &[Action::DropView { view: "totals".into(), materialized: false }, hide.clone()],
        &[
            show.clone(),
            Action::CreateView {
                view: pql_schema::View {
                    name: "totals".into(),
                    columns: Vec::new(),
                    query: Expr::statement(
                        "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer",
                    ),
                    materialized: false,
                },
            },
        ],
    );
    // The names are free while it is hidden, and its references bind nobody.
    let place = Place::new(SHOP);
    run_all(&place, &online(), &[hide]);
    let db = place.db();
    db.execute_batch(
        "PRAGMA foreign_keys = ON; DELETE FROM customers; CREATE TABLE orders (x); CREATE INDEX orders_customer ON orders (x);",
    )
    .unwrap();
}

#[test]
fn a_hidden_column_lets_the_application_write() {
    let before = table("CREATE TABLE t (id INTEGER PRIMARY KEY, old TEXT NOT NULL CHECK (old <> ''), b)");
    let after = table("CREATE TABLE t (id INTEGER PRIMARY KEY, _pql_1_old TEXT, b)");
    let hide = Action::HideColumn {
        before: before.clone(),
        after: after.clone(),
        column: "old".into(),
        hidden: "_pql_1_old".into(),
        guarded: false,
    };
    let show = Action::UnhideColumn {
        before: after,
        after: before,
        column: "old".into(),
        hidden: "_pql_1_old".into(),
        guarded: false,
    };
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, old TEXT not null CHECK(old<>''), b); INSERT INTO t VALUES (1, 'x', 2)";
    there_and_back(sql, std::slice::from_ref(&hide), std::slice::from_ref(&show));
    let place = Place::new(sql);
    run_all(&place, &online(), &[hide]);
    place.db().execute("INSERT INTO t (b) VALUES (3)", []).unwrap();
    let error = run(&place, &online(), &show).unwrap_err();
    assert!(error.message().contains("id = 2"), "{error}");
    place.db().execute("UPDATE t SET _pql_1_old = 'y' WHERE id = 2", []).unwrap();
    run_all(&place, &online(), &[show]);
    assert_eq!(rows(&place.db(), "t"), ["t 1: 1, 'x', 2", "t 2: 2, 'y', 3"]);
}

#[test]
fn renames_and_back_leave_every_text_as_it_was() {
    let rename = |from: &str, to: &str| Action::RenameTable { from: from.into(), to: to.into() };
    there_and_back(
        SHOP,
        &[rename("customers", "people"), rename("orders", "order")],
        &[rename("order", "orders"), rename("people", "customers")],
    );
    there_and_back(SHOP, &[rename("customers", "Customers")], &[rename("Customers", "customers")]);
    let column = |from: &str, to: &str| Action::RenameColumn {
        table: "orders".into(),
        from: from.into(),
        to: to.into(),
    };
    there_and_back(SHOP, &[column("amount", "value")], &[column("value", "amount")]);
    let index = |from: &str, to: &str| Action::RenameIndex { from: from.into(), to: to.into() };
    there_and_back(SHOP, &[index("orders_customer", "oc")], &[index("oc", "orders_customer")]);
}

#[test]
fn an_added_column_goes_without_a_trace() {
    let mut column = Column::new("note", DataType::Text);
    column.default = Some(Expr::new("'it''s'"));
    column.not_null = true;
    there_and_back(
        SHOP,
        &[Action::AddColumn { table: "orders".into(), column }],
        &[Action::DropColumn { table: "orders".into(), column: "note".into() }],
    );
}

#[test]
fn a_hidden_unique_index_comes_back_unless_rows_repeat() {
    let sql = "CREATE TABLE t (a, b); CREATE UNIQUE INDEX ti ON t (a  COLLATE NOCASE); INSERT INTO t VALUES ('x', 1), ('y', 2)";
    let of = table("CREATE TABLE t (a, b)");
    let index = index("CREATE UNIQUE INDEX ti ON t (a COLLATE NOCASE)", &of);
    let hide = Action::HideIndex { index: index.clone(), hidden: "_pql_1_ti".into() };
    let show = Action::UnhideIndex { index, hidden: "_pql_1_ti".into() };
    there_and_back(sql, std::slice::from_ref(&hide), std::slice::from_ref(&show));
    let place = Place::new(sql);
    run_all(&place, &online(), &[hide]);
    place.db().execute("INSERT INTO t VALUES ('X', 3)", []).unwrap();
    let error = run(&place, &online(), &show).unwrap_err();
    assert!(error.message().contains("ti cannot be unique"), "{error}");
}

#[test]
fn a_definition_is_replaced_when_its_rows_allow_it() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT /* any */, p REFERENCES p(id)); \
               CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); \
               INSERT INTO t VALUES (1, 'x', 1), (2, NULL, 1), (3, 'z', 1)";
    let before = table("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, p REFERENCES p(id))");
    let after = table(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, p REFERENCES p(id), CHECK (a <> 'q'))",
    );
    let check = |fill: Option<&str>| {
        vec![
            Check::NotNull { column: "a".into(), fill: fill.map(Expr::new) },
            Check::Holds { name: "t_check".into(), expr: Expr::new("a <> 'q'") },
        ]
    };
    let redefine =
        |checks| Action::Redefine { before: before.clone(), after: after.clone(), checks, captured: None };
    let place = Place::new(sql);
    let start = place.state();
    let error = run(&place, &online(), &redefine(check(None))).unwrap_err();
    assert!(
        error.message().contains("t.a cannot be NOT NULL") && error.message().contains("id = 2"),
        "{error}"
    );
    same(&place.state(), &start);
    run_all(&place, &online(), &[redefine(check(Some("'filled'")))]);
    assert!(place.db().execute("INSERT INTO t (a) VALUES ('q')", []).is_err());
    assert!(place.db().execute("INSERT INTO t (a) VALUES (NULL)", []).is_err());
    let back =
        Action::Redefine { before: after.clone(), after: before.clone(), checks: Vec::new(), captured: None };
    run_all(&place, &online(), &[back]);
    place.db().execute("UPDATE t SET a = NULL WHERE id = 2", []).unwrap();
    same(&place.state(), &start);
}

#[test]
fn a_definition_under_which_rows_would_be_others_is_refused() {
    let place = Place::new("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
    for other in [
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)",
        "CREATE TABLE t (id BIGINT PRIMARY KEY, a TEXT)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)",
        "CREATE TABLE t (a TEXT, id INTEGER PRIMARY KEY)",
    ] {
        let action = Action::Redefine {
            before: table("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)"),
            after: table(other),
            checks: Vec::new(),
            captured: None,
        };
        assert!(run(&place, &online(), &action).is_err(), "{other}");
    }
    place.check();
}

#[test]
fn execute_runs_as_the_application_would() {
    let place = Place::new(SHOP);
    let execute = |sql: &str| Action::Execute { sql: sql.into(), outside_transaction: false };
    run_all(
        &place,
        &online(),
        &[execute(
            "INSERT INTO orders VALUES (9, 1, 3); SELECT 1; UPDATE orders SET amount = 4 WHERE id = 9;",
        )],
    );
    let error = run(&place, &online(), &execute("UPDATE orders SET customer = 77")).unwrap_err();
    assert!(error.message().contains("FOREIGN KEY"), "{error}");
    let error = run(&place, &online(), &execute("DELETE FROM orders; COMMIT")).unwrap_err();
    assert!(error.message().contains("COMMIT"), "{error}");
    run_all(&place, &online(), &[Action::Execute { sql: "VACUUM".into(), outside_transaction: true }]);
    assert_eq!(rows(&place.db(), "orders").len(), 4);
}
