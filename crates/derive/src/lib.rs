//! #[derive(Table)]: an application schema from Rust structs.
