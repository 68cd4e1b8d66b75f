use crate::*;

/// `users(id, name, email)` with a key, `orders(id, user_id, total, tax)` that refers to it.
fn shop() -> Schema {
    let mut schema = Schema::new(NameRule::AsciiInsensitive);
    let mut users = table("users", &["id", "name", "email"]);
    users.constraints = vec![primary_key(&["id"]), unique(&["email"])];
    let mut orders = table("orders", &["id", "user_id", "total", "tax"]);
    orders.columns[3].generated = Some(Generated { expr: Expr::new("total * 0.2"), stored: false });
    orders.constraints = vec![
        primary_key(&["id"]),
        foreign_key(&["user_id"], "users", &["id"]),
        check("total > 0"),
        check("id > 0"),
    ];
    let mut index = Index {
        name: "orders_total".into(),
        table: "orders".into(),
        unique: false,
        method: None,
        parts: vec![IndexPart::column("total")],
        include: Vec::new(),
        nulls_not_distinct: false,
        predicate: Some(Expr::new("user_id IS NOT NULL")),
        with: None,
    };
    apply(&mut schema, &MigrationOp::CreateTable { table: users });
    apply(&mut schema, &MigrationOp::CreateTable { table: orders });
    apply(&mut schema, &MigrationOp::AddIndex { index: index.clone() });
    index.name = "orders_pair".into();
    index.parts = vec![IndexPart { expr: Expr::new("total + id"), column: None, ..IndexPart::column("x") }];
    apply(&mut schema, &MigrationOp::AddIndex { index });
    schema
}

fn table(name: &str, columns: &[&str]) -> Table {
    let mut table = Table::new(name);
    table.columns = columns.iter().map(|column| Column::new(*column, DataType::Integer)).collect();
    table
}

fn parts(columns: &[&str]) -> Vec<KeyPart> {
    columns.iter().map(|column| KeyPart::new(*column)).collect()
}

fn primary_key(columns: &[&str]) -> Constraint {
    let key = PrimaryKey { columns: parts(columns), autoincrement: false, on_conflict: None };
    Constraint::unnamed(ConstraintKind::PrimaryKey(key))
}

fn unique(columns: &[&str]) -> Constraint {
    let unique =
        Unique { columns: parts(columns), nulls_not_distinct: false, on_conflict: None, deferrable: None };
    Constraint::unnamed(ConstraintKind::Unique(unique))
}

fn foreign_key(columns: &[&str], parent: &str, referenced: &[&str]) -> Constraint {
    Constraint::unnamed(ConstraintKind::ForeignKey(ForeignKey {
        columns: columns.iter().map(ToString::to_string).collect(),
        table: parent.into(),
        referenced: referenced.iter().map(ToString::to_string).collect(),
        on_delete: Action::NoAction,
        on_update: Action::NoAction,
        matching: None,
        deferrable: None,
    }))
}

fn check(expr: &str) -> Constraint {
    Constraint::unnamed(ConstraintKind::Check { expr: Expr::new(expr) })
}

fn view(name: &str, query: &str) -> MigrationOp {
    let query = Expr::statement(query);
    MigrationOp::CreateView {
        view: View { name: name.into(), columns: Vec::new(), query, materialized: false },
    }
}

fn execute(sql: &str) -> MigrationOp {
    MigrationOp::Execute { sql: sql.to_owned(), revert: None, outside_transaction: false }
}

fn drop_column(table: &str, column: &str) -> MigrationOp {
    MigrationOp::DropColumn { table: table.into(), column: column.to_owned() }
}

fn drop_constraint(table: &str, name: &str) -> MigrationOp {
    MigrationOp::DropConstraint { table: table.into(), name: name.to_owned() }
}

fn apply(schema: &mut Schema, op: &MigrationOp) {
    schema.apply(op).unwrap_or_else(|error| panic!("{op:?}: {error}"));
}

/// The message with the help; the schema must be as before.
fn refused(schema: &Schema, op: &MigrationOp) -> String {
    let mut after = schema.clone();
    let error = after.apply(op).expect_err("it should have been refused");
    assert_eq!(after, *schema, "a refused operation left a trace");
    error.help().map_or_else(|| error.to_string(), |help| format!("{error} / {help}"))
}

#[test]
fn unknown_names_come_with_near_ones() {
    let schema = shop();
    let op = MigrationOp::DropTable { table: "user".into() };
    assert_eq!(refused(&schema, &op), "there is no table user / did you mean `users`?");
    assert_eq!(
        refused(&schema, &drop_column("Users", "emial")),
        "table users has no column emial / did you mean `email`?"
    );
    let op = MigrationOp::DropIndex { index: "order_total".into() };
    assert_eq!(refused(&schema, &op), "there is no index order_total / did you mean `orders_total`?");
    assert_eq!(
        refused(&schema, &drop_constraint("users", "users_emial_key")),
        "table users has no constraint users_emial_key / did you mean `users_email_key`?"
    );
    let op = MigrationOp::DropView { view: "v".into() };
    assert_eq!(refused(&schema, &op), "there is no view v");
    assert_eq!(refused(&schema, &execute("DROP TRIGGER tr")), "there is no trigger tr");
}

#[test]
fn names_resolve_by_the_rule() {
    let mut schema = shop();
    apply(&mut schema, &MigrationOp::DropDefault { table: "USERS".into(), column: "NAME".into() });
    assert!(
        refused(&schema, &MigrationOp::CreateTable { table: table("Orders", &["a"]) })
            .starts_with("table orders exists")
    );
    let key = foreign_key(&["ID"], "USERS", &["EMAIL"]);
    apply(&mut schema, &MigrationOp::AddConstraint { table: "ORDERS".into(), constraint: key });
    assert!(refused(&schema, &drop_constraint("Users", "USERS_EMAIL_KEY")).contains("orders.orders_ID_fkey"));
    schema.names = NameRule::Exact;
    apply(&mut schema, &MigrationOp::CreateTable { table: table("Orders", &["a", "A"]) });
    assert_eq!(refused(&schema, &drop_column("Orders", "b")), "table Orders has no column b");
}

#[test]
fn what_is_in_use_stays() {
    let mut schema = shop();
    apply(
        &mut schema,
        &view("totals", "SELECT u.name, o.total AS email FROM users u JOIN orders o ON o.user_id = u.id"),
    );
    apply(
        &mut schema,
        &execute(
            "CREATE TRIGGER note AFTER INSERT ON users BEGIN UPDATE orders SET total = 0 WHERE NEW.email = 1; END",
        ),
    );
    assert_eq!(
        refused(&schema, &MigrationOp::DropTable { table: "users".into() }),
        "table users is still used by constraint orders.orders_user_id_fkey, view totals / \
         drop or change constraint orders.orders_user_id_fkey, view totals first"
    );
    let users = |column| schema.dependants_of_column(&"users".into(), column);
    assert_eq!(
        users("id"),
        [
            ObjectRef::Constraint("users".into(), "users_pkey".into()),
            ObjectRef::Constraint("orders".into(), "orders_user_id_fkey".into()),
            ObjectRef::View("totals".into()),
        ]
    );
    assert_eq!(
        users("email"),
        [ObjectRef::Constraint("users".into(), "users_email_key".into()), ObjectRef::Trigger("note".into()),]
    );
    assert_eq!(users("name"), [ObjectRef::View("totals".into())]);
    assert_eq!(
        schema.dependants_of_column(&"orders".into(), "total"),
        [
            ObjectRef::Constraint("orders".into(), "orders_check".into()),
            ObjectRef::Column("orders".into(), "tax".into()),
            ObjectRef::Index("orders_pair".into()),
            ObjectRef::Index("orders_total".into()),
            ObjectRef::View("totals".into()),
            ObjectRef::Trigger("note".into()),
        ]
    );
}

#[test]
fn dropping_a_column_implies_what_names_it() {
    let mut schema = shop();
    let drop = drop_column("orders", "id");
    let implied = schema.implied_by(&drop);
    assert_eq!(
        implied,
        [
            MigrationOp::DropIndex { index: "orders_pair".into() },
            drop_constraint("orders", "orders_check1"),
            drop_constraint("orders", "orders_pkey"),
        ]
    );
    schema.apply_all(&implied).unwrap();
    apply(&mut schema, &drop);
    let left = schema.table(&"orders".into()).unwrap();
    assert_eq!(left.constraint_names(), ["orders_user_id_fkey", "orders_check"]);
    assert_eq!(left.constraint("orders_check", schema.names), Some(&check("total > 0")));
}

#[test]
fn a_table_takes_its_indexes_and_triggers_along() {
    let mut schema = shop();
    apply(&mut schema, &execute("CREATE TRIGGER note AFTER INSERT ON orders BEGIN SELECT 1; END;"));
    assert_eq!(schema.triggers.len(), 1);
    apply(&mut schema, &MigrationOp::DropTable { table: "orders".into() });
    assert!(schema.indexes.is_empty() && schema.triggers.is_empty());
}

#[test]
fn a_renamed_table_is_followed() {
    let mut schema = shop();
    let mut kept = check("orders.total > 0");
    kept.name = Some("kept".into());
    apply(&mut schema, &MigrationOp::AddConstraint { table: "orders".into(), constraint: kept });
    apply(&mut schema, &view("v", "SELECT orders.id FROM orders, users"));
    apply(&mut schema, &execute("CREATE TRIGGER note AFTER INSERT ON orders BEGIN DELETE FROM users; END"));
    let rename = |from: &str, to: &str| MigrationOp::RenameTable { from: from.into(), to: to.into() };
    apply(&mut schema, &rename("Orders", "order lines"));
    apply(&mut schema, &rename("users", "people"));
    let orders = schema.table(&"order lines".into()).unwrap();
    assert_eq!(orders.constraints[1].foreign_key().unwrap().table, "people".into());
    assert_eq!(
        orders.constraint("kept", schema.names).unwrap().kind,
        check("\"order lines\".total > 0").kind
    );
    assert_eq!(schema.indexes_of(&orders.name).count(), 2);
    assert_eq!(
        schema.views[&"v".into()].query.as_str(),
        "SELECT \"order lines\".id FROM \"order lines\", people"
    );
    let trigger = &schema.triggers[&"note".into()];
    assert_eq!(trigger.table, orders.name);
    assert_eq!(
        trigger.definition.as_str(),
        "CREATE TRIGGER note AFTER INSERT ON \"order lines\" BEGIN DELETE FROM people; END"
    );
    assert!(refused(&schema, &rename("people", "Order Lines")).starts_with("table \"order lines\" exists"));
    apply(&mut schema, &rename("people", "People"));
    assert!(schema.tables.contains_key(&"People".into()));
}

#[test]
fn a_renamed_column_is_followed() {
    let mut schema = shop();
    let rename = |table: &str, from: &str, to: &str| MigrationOp::RenameColumn {
        table: table.into(),
        from: from.into(),
        to: to.into(),
    };
    apply(&mut schema, &rename("users", "id", "user"));
    apply(&mut schema, &rename("orders", "TOTAL", "sum"));
    apply(&mut schema, &rename("orders", "user_id", "buyer"));
    let users = schema.table(&"users".into()).unwrap();
    assert_eq!(users.constraints[0], primary_key(&["user"]));
    let orders = schema.table(&"orders".into()).unwrap();
    assert_eq!(orders.constraints[1], foreign_key(&["buyer"], "users", &["user"]));
    assert_eq!(orders.constraints[2], check("sum > 0"));
    assert_eq!(orders.columns[3].generated.as_ref().unwrap().expr, Expr::new("sum * 0.2"));
    let index = schema.index(&"orders_total".into()).unwrap();
    assert_eq!(index.parts, [IndexPart::column("sum")]);
    assert_eq!(index.predicate, Some(Expr::new("buyer IS NOT NULL")));
    assert_eq!(schema.index(&"orders_pair".into()).unwrap().parts[0].expr, Expr::new("sum + id"));
    assert!(refused(&schema, &rename("orders", "sum", "ID")).starts_with("column orders.id exists"));
}

#[test]
fn keys_that_others_need_stay() {
    let mut schema = shop();
    assert_eq!(
        refused(&schema, &drop_constraint("users", "users_pkey")),
        "constraint users.users_pkey is still used by constraint orders.orders_user_id_fkey / \
         drop or change constraint orders.orders_user_id_fkey first"
    );
    apply(&mut schema, &MigrationOp::AddConstraint { table: "users".into(), constraint: unique(&["id"]) });
    apply(&mut schema, &drop_constraint("users", "users_pkey"));
    apply(&mut schema, &drop_constraint("orders", "orders_user_id_fkey"));
    apply(&mut schema, &drop_constraint("users", "users_id_key"));
}

#[test]
fn keys_are_examined() {
    let schema = shop();
    let add = |constraint| MigrationOp::AddConstraint { table: "orders".into(), constraint };
    assert!(refused(&schema, &add(primary_key(&["total"]))).contains("has a primary key already"));
    assert!(refused(&schema, &add(unique(&["id", "ID"]))).contains("names the column ID twice"));
    assert!(refused(&schema, &add(unique(&[]))).contains("lists no column"));
    assert!(refused(&schema, &add(unique(&["nothing"]))).contains("no column nothing"));
    assert!(refused(&schema, &add(foreign_key(&["id"], "user", &[]))).contains("did you mean `users`"));
    assert!(
        refused(&schema, &add(foreign_key(&["id"], "users", &["name"])))
            .contains("neither its primary key nor")
    );
    assert_eq!(
        refused(&schema, &add(foreign_key(&["id", "total"], "users", &[]))),
        "constraint orders.orders_id_total_fkey refers from 2 columns to 1 of users"
    );
    assert!(
        refused(&schema, &add(foreign_key(&["id"], "users", &["mail"]))).contains("did you mean `email`")
    );
}

#[test]
fn columns_are_examined() {
    let mut schema = shop();
    let add = |column: Column| MigrationOp::AddColumn {
        table: "users".into(),
        column,
        constraints: vec![check("age > 0")],
        backfill: None,
    };
    assert!(
        refused(&schema, &add(Column::new("Name", DataType::Text))).starts_with("column users.name exists")
    );
    let mut age = Column::new("age", DataType::Integer);
    apply(&mut schema, &add(age.clone()));
    assert_eq!(schema.table(&"users".into()).unwrap().constraints.last(), Some(&check("age > 0")));
    age.name = "age2".into();
    age.default = Some(Expr::new("1"));
    age.generated = Some(Generated { expr: Expr::new("id"), stored: true });
    assert_eq!(refused(&schema, &add(age)), "column users.age2: a generated column has no default");
    apply(&mut schema, &MigrationOp::CreateTable { table: table("one", &["only"]) });
    assert_eq!(
        refused(&schema, &drop_column("one", "only")),
        "table one would be left without a column / drop the table instead"
    );
}

#[test]
fn what_a_migration_must_leave_behind() {
    let mut schema = shop();
    let options = TableOptions { without_rowid: true, ..TableOptions::default() };
    let ops = [
        MigrationOp::SetTableOptions { table: "orders".into(), options },
        drop_constraint("orders", "orders_pkey"),
    ];
    let error = schema.clone().apply_all(&ops).unwrap_err();
    assert_eq!(
        (error.0, error.1.to_string()),
        (1, "table orders: WITHOUT ROWID needs a primary key".to_owned())
    );
    let mut mended = ops.to_vec();
    mended.push(MigrationOp::AddConstraint { table: "orders".into(), constraint: primary_key(&["total"]) });
    schema.apply_all(&mended).unwrap();
}

#[test]
fn triggers_are_read_from_statements() {
    let mut schema = shop();
    apply(
        &mut schema,
        &execute("create trigger if not exists main.\"a b\" insert on main.users begin select 1; end;"),
    );
    assert_eq!(schema.triggers[&"a b".into()].table, "users".into());
    apply(&mut schema, &execute("DROP TRIGGER IF EXISTS \"A B\""));
    assert!(schema.triggers.is_empty());
    let before = schema.clone();
    for other in [
        "UPDATE users SET name = 'CREATE TRIGGER'",
        "",
        "DROP TRIGGER a; DROP TABLE users",
        "CREATE TABLE x (a)",
    ] {
        apply(&mut schema, &execute(other));
    }
    assert_eq!(schema, before);
}

#[test]
fn every_operation_has_its_inverse() {
    let mut schema = shop();
    apply(&mut schema, &view("v", "SELECT 1"));
    apply(&mut schema, &execute("CREATE TRIGGER tr AFTER INSERT ON orders BEGIN SELECT 1; END"));
    let mut age = Column::new("age", DataType::Integer);
    age.not_null_conflict = Some(Conflict::Replace);
    age.not_null = true;
    let (users, orders): (ObjectName, ObjectName) = ("users".into(), "orders".into());
    let column = || "name".to_owned();
    let ops = [
        MigrationOp::CreateTable { table: table("t", &["a"]) },
        MigrationOp::DropTable { table: orders.clone() },
        MigrationOp::RenameTable { from: users.clone(), to: "people".into() },
        MigrationOp::SetTableOptions {
            table: orders.clone(),
            options: TableOptions { strict: true, ..TableOptions::default() },
        },
        MigrationOp::AddColumn {
            table: users.clone(),
            column: age,
            constraints: vec![check("age > 0"), unique(&["age"])],
            backfill: None,
        },
        drop_column("users", "name"),
        MigrationOp::RenameColumn { table: users.clone(), from: column(), to: "title".into() },
        MigrationOp::ChangeColumnType {
            table: users.clone(),
            column: column(),
            to: DataType::Text,
            collation: Some("NOCASE".into()),
            using: None,
            revert_using: None,
        },
        MigrationOp::SetNotNull { table: users.clone(), column: column(), backfill: None },
        MigrationOp::DropNotNull { table: users.clone(), column: column() },
        MigrationOp::SetDefault { table: users.clone(), column: column(), default: Expr::new("1") },
        MigrationOp::DropDefault { table: users.clone(), column: column() },
        MigrationOp::SetColumnOptions {
            table: users.clone(),
            column: column(),
            identity: Some(Identity::ALWAYS),
            not_null_conflict: None,
        },
        MigrationOp::DropIndex { index: "orders_pair".into() },
        MigrationOp::RenameIndex { from: "orders_pair".into(), to: "p".into() },
        MigrationOp::AddConstraint { table: orders.clone(), constraint: check("tax > 0") },
        drop_constraint("orders", "orders_check1"),
        MigrationOp::DropView { view: "v".into() },
        MigrationOp::Execute {
            sql: "DROP TRIGGER tr".into(),
            revert: Some("CREATE TRIGGER tr AFTER INSERT ON orders BEGIN SELECT 1; END".into()),
            outside_transaction: false,
        },
    ];
    for op in ops {
        let mut after = schema.clone();
        apply(&mut after, &op);
        assert_ne!(op.kind(), "");
        let inverse = op.inverse(&schema).unwrap_or_else(|| panic!("{op:?} has no inverse"));
        if !inverse.is_empty() && !matches!(op, MigrationOp::DropDefault { .. }) {
            assert_ne!(after, schema, "{op:?} did nothing");
        }
        after.apply_all(&inverse).unwrap_or_else(|error| panic!("{op:?}: {error:?}"));
        for table in after.tables.values_mut().chain(schema.tables.values_mut()) {
            table.columns.sort_by(|a, b| a.name.cmp(&b.name));
            table.constraints.sort_by_key(|constraint| format!("{constraint:?}"));
        }
        assert_eq!(after, schema, "{op:?} was not taken back");
    }
}

#[test]
fn what_loses_data() {
    let schema = shop();
    assert!(drop_column("users", "name").is_destructive(&schema));
    assert!(!drop_column("orders", "tax").is_destructive(&schema), "it can be computed again");
    let change = |to| MigrationOp::ChangeColumnType {
        table: "users".into(),
        column: "name".into(),
        to,
        collation: None,
        using: None,
        revert_using: None,
    };
    assert!(!change(DataType::BigInt).is_destructive(&schema));
    assert!(change(DataType::SmallInt).is_destructive(&schema));
    assert!(DataType::Decimal(Some(10), Some(2)).fits_into(&DataType::Decimal(Some(12), Some(2))));
    assert!(!DataType::Decimal(Some(10), Some(2)).fits_into(&DataType::Decimal(Some(10), Some(4))));
    assert!(!DataType::Varchar(Some(20)).fits_into(&DataType::Varchar(Some(5))));
}

#[test]
fn what_an_operation_touches() {
    let schema = shop();
    let add =
        MigrationOp::AddConstraint { table: "orders".into(), constraint: foreign_key(&["id"], "users", &[]) };
    assert_eq!(add.tables(&schema), ["orders".into(), "users".into()]);
    assert_eq!(add.objects(), [ObjectRef::Constraint("orders".into(), "orders_id_fkey".into())]);
    let drop = MigrationOp::DropIndex { index: "Orders_pair".into() };
    assert_eq!(drop.tables(&schema), ["orders".into()]);
    assert_eq!(drop.objects()[0].to_string(), "index Orders_pair");
}
