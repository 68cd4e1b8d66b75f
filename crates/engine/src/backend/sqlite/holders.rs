//! Who holds a lock of the database: named, so that somebody can let go of it.
//!
//! Linux lists the locks of all processes by file and bytes; SQLite's stand at the places that its file format
//! documents. What cannot be found out (another system, another container, a thread of this process) is left out.

use std::fs;
use std::path::{Path, PathBuf};

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The right to write.
    Writing,
    /// A snapshot, or without a log the right to read.
    Reading,
}

/// The bytes that are locked: in the log's index, or without a log in the database itself.
fn bytes(held: Held, wal: bool) -> (u64, u64) {
    const PENDING: u64 = 0x4000_0000;
    match (held, wal) {
        (Held::Writing, true) => (120, 120),
        (Held::Reading, true) => (123, 127),
        (Held::Writing, false) => (PENDING, PENDING + 1),
        (Held::Reading, false) => (PENDING + 2, PENDING + 511),
    }
}

/// The other processes that hold it, as an addition to a sentence: ` (process 4711, python3)`.
pub(super) fn named(file: Option<&Path>, held: Held, wal: bool) -> String {
    let Some(file) = file else { return String::new() };
    let mut locked = file.as_os_str().to_owned();
    if wal {
        locked.push("-shm");
    }
    let table = fs::read_to_string("/proc/locks").unwrap_or_default();
    let found = holders(&table, &identity(&PathBuf::from(locked)), bytes(held, wal));
    let own = std::process::id();
    let mut named: Vec<String> = (found.into_iter().filter(|pid| *pid != own))
        .map(|pid| match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("process {pid}, {}", name.trim()),
            Err(_) => format!("process {pid}"),
        })
        .collect();
    named.sort();
    named.dedup();
    if named.is_empty() { String::new() } else { format!(" ({})", named.join("; ")) }
}

/// A file as the list of locks names it: the device in hexadecimal, and the inode.
#[cfg(target_os = "linux")]
fn identity(file: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let Ok(data) = fs::metadata(file) else { return String::new() };
    let device = data.dev();
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & !0xff);
    format!("{major:02x}:{minor:02x}:{}", data.ino())
}

#[cfg(not(target_os = "linux"))]
fn identity(_: &Path) -> String {
    String::new()
}

/// The processes with a lock on one of the bytes of a file. A line is
/// `4: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 120 120`; one with `->` only waits.
fn holders(table: &str, identity: &str, (first, last): (u64, u64)) -> Vec<u32> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "POSIX", _, _, pid, file, from, upto] = fields.as_slice() else { return None };
        let from: u64 = from.parse().ok()?;
        let upto: u64 = if *upto == "EOF" { u64::MAX } else { upto.parse().ok()? };
        let meant = *file == identity && from <= last && upto >= first;
        pid.parse().ok().filter(|_| meant)
    };
    if identity.is_empty() { Vec::new() } else { table.lines().filter_map(line).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_locks_is_read() {
        let table = "1: POSIX  ADVISORY  WRITE 12 00:15:77 120 120\n\
                     1: -> POSIX  ADVISORY  WRITE 13 00:15:77 120 120\n\
                     2: POSIX  ADVISORY  READ 14 00:15:77 124 124\n\
                     3: FLOCK  ADVISORY  WRITE 15 00:15:77 0 EOF\n\
                     4: POSIX  ADVISORY  WRITE 16 00:15:78 120 120\n\
                     5: POSIX  ADVISORY  WRITE 17 00:15:77 0 EOF\n";
        assert_eq!(holders(table, "00:15:77", bytes(Held::Writing, true)), [12, 17]);
        assert_eq!(holders(table, "00:15:77", bytes(Held::Reading, true)), [14, 17]);
        assert_eq!(holders(table, "", bytes(Held::Reading, true)), [0; 0]);
    }
}
