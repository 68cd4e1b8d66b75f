//! The distance functions of sqlite-vec, on every connection of ours (and on no other of this process).

#![allow(unsafe_code)]

use std::ptr;

use rusqlite::Connection as Db;
use rusqlite::auto_extension::RawAutoExtension;

use crate::error::codes;
use crate::{Error, Result};

/// Makes the functions known to a connection.
pub(super) fn register(db: &Db) -> Result<()> {
    // SAFETY: `sqlite3_vec_init` is the extension's entry point, which the crate declares without its parameters; in C
    // it has exactly those of `RawAutoExtension`. It is compiled into the same SQLite, so it ignores the routine
    // table; it may store an error text, which we do not ask for; and the handle is that of an open connection.
    let status = unsafe {
        let entry =
            std::mem::transmute::<unsafe extern "C" fn(), RawAutoExtension>(sqlite_vec::sqlite3_vec_init);
        entry(db.handle(), ptr::null_mut(), ptr::null())
    };
    if status == rusqlite::ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(Error::new(codes::DATABASE, format!("sqlite-vec could not be started (SQLite's code {status})")))
    }
}

/// That the functions are there, or why not.
pub(super) fn available(db: &Db) -> Result<(), String> {
    db.query_row("SELECT vec_version()", [], |_| Ok(()))
        .map_err(|_| "this build has no vector functions; use one with sqlite-vec".to_owned())
}
