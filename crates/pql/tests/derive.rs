//! `#[derive(Table)]`, as its users meet it.

use pql::{Dialect, Table, Tables};

#[derive(Table)]
#[table(index(columns = "email, created_at DESC", unique, filter = "email <> ''"))]
#[expect(dead_code, reason = "only its shape matters")]
struct User {
    #[column(primary_key)]
    id: i64,
    #[column(unique, collate = "NOCASE")]
    email: String,
    #[column(default = "NOW()", index)]
    created_at: chrono_like::NaiveDateTime,
    nickname: Option<String>,
    #[column(default = "1 + 1", check = "age >= 0")]
    age: i32,
    #[column(skip)]
    cache: std::sync::OnceLock<String>,
}

#[derive(Table)]
#[table(name = "shop.products", renamed_from = "shop.goods", constraint = "CHECK (price > 0)", strict)]
#[expect(dead_code, reason = "only its shape matters")]
struct Product {
    #[column(primary_key)]
    shop: i32,
    #[column(primary_key)]
    number: i32,
    #[column(type = "DECIMAL(10,2)", renamed_from = "cost")]
    price: f64,
    #[column(references = "users(id) ON DELETE SET NULL")]
    owner: Option<i64>,
    embedding: [f32; 3],
    picture: Vec<u8>,
    r#type: &'static str,
}

mod chrono_like {
    pub(crate) struct NaiveDateTime;
}

#[test]
fn a_struct_is_a_table() {
    assert_eq!(
        User::ddl(Dialect::Sqlite),
        r#"CREATE TABLE "users" (
  "id" INTEGER PRIMARY KEY,
  "email" TEXT COLLATE "NOCASE" NOT NULL UNIQUE,
  "created_at" TIMESTAMP NOT NULL DEFAULT NOW(),
  "nickname" TEXT,
  "age" INTEGER NOT NULL DEFAULT (1 + 1) CHECK (age >= 0)
);
CREATE INDEX "users_created_at_idx" ON "users" ("created_at");
CREATE UNIQUE INDEX "users_email_created_at_idx" ON "users" (email, created_at DESC) WHERE email <> '';
"#
    );
    assert!(User::ddl(Dialect::Postgres).contains("\"id\" BIGINT PRIMARY KEY"));
}

#[test]
fn several_structs_are_a_schema() {
    let ddl = <(User, Product)>::ddl(Dialect::Sqlite);
    assert!(ddl.ends_with(
        r#"CREATE TABLE "shop"."products" RENAMED FROM "shop"."goods" (
  "shop" INTEGER NOT NULL,
  "number" INTEGER NOT NULL,
  "price" DECIMAL(10,2) NOT NULL RENAMED FROM "cost",
  "owner" INTEGER REFERENCES users(id) ON DELETE SET NULL,
  "embedding" VECTOR(3) NOT NULL,
  "picture" BYTES NOT NULL,
  "type" TEXT NOT NULL,
  PRIMARY KEY ("shop", "number"),
  CHECK (price > 0)
) STRICT;
"#
    ));
}
