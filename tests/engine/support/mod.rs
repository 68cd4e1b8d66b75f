//! What the cases have in common.

pub(crate) mod case;
pub(crate) mod drive;
pub(crate) mod faults;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod variant;
