//! The `pql` program.

fn main() {}
