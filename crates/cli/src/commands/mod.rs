//! What the program can be asked to do, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod explain;
pub(crate) mod fleet;
pub(crate) mod fmt;
pub(crate) mod migrate;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod source;
