//! What the cases have in common.

pub mod case;
pub mod faults;
pub mod run;
pub mod state;
