//! `#[derive(Table)]`: an application schema from Rust structs.
//!
//! A struct becomes PQL text, once for each family of databases where they differ (Rust's integers), so that what
//! the derive can say is what the language can say. The text is made when the program is compiled; it is lowered
//! and checked like any other schema when a session uses it.
//!
//! On the struct, `#[table(…)]`:
//! - `name = "users"`: the table's name; by default the struct's in snake case and the plural;
//! - `renamed_from = "people"`: the name that the table had;
//! - `index(columns = "a, b DESC", name = "…", unique, filter = "a > 0", method = "…")`: an index, repeatable;
//! - `constraint = "CHECK (a < b)"`: a table constraint as PQL writes it, repeatable;
//! - `strict`, `without_rowid`: SQLite's options.
//!
//! On a field, `#[column(…)]`:
//! - `name = "…"`, `type = "DECIMAL(10,2)"`, `default = "NOW()"`, `check = "price > 0"`, `collate = "NOCASE"`,
//!   `generated = "price * amount"`: as in a column definition;
//! - `primary_key`, `unique`, `index`: for this column alone (a primary key on several fields is one key over them);
//! - `references = "users(id) ON DELETE CASCADE"`;
//! - `renamed_from = "…"`: the name that the column had; `skip`: no column.
//!
//! `Option<T>` is a column that takes NULL, anything else one that does not.

mod column;
mod names;
mod table;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `pql::Tables` for a struct; see the crate's documentation for the attributes.
#[proc_macro_derive(Table, attributes(table, column))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
