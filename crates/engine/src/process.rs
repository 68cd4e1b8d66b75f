//! Who this process is, and whether another one still lives.
//!
//! A process is told apart from a later one with the same number by the time it started, and from one on another
//! machine or in another container by the boot and the process namespace. Where the system does not tell (anything
//! without `/proc`), nothing is concluded: the lease's expiry decides alone.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, well enough to be found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The operating system's number for it.
    pub(crate) pid: u32,
    /// Boot and process namespace; `None`: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    /// When it started, in the kernel's own ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<String>,
}

impl Process {
    /// This one.
    pub(crate) fn current() -> Self {
        let pid = std::process::id();
        Self { pid, space: space(), started: started(pid) }
    }

    /// Whether the process is certainly gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.space.is_some()
            && self.space == space()
            && self.started.is_some()
            && started(self.pid) != self.started
    }
}

/// `user@host`, as far as the system tells.
pub(crate) fn actor() -> String {
    let from = |names: &[&str]| {
        names.iter().find_map(|name| std::env::var(name).ok()).filter(|text| !text.is_empty())
    };
    let user = from(&["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| "unknown".to_owned());
    let host = fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| from(&["HOSTNAME", "COMPUTERNAME"]))
        .unwrap_or_else(|| "localhost".to_owned());
    format!("{user}@{host}")
}

fn space() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // A zombie holds nothing any more.
    if fields.first() == Some(&"Z") { None } else { fields.get(19).map(|&text| text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_and_the_dead() {
        let me = Process::current();
        assert!(!me.is_gone());
        if me.space.is_none() {
            return;
        }
        assert!(Process { started: Some("another time".into()), ..me.clone() }.is_gone());
        assert!(Process { pid: u32::MAX - 1, ..me.clone() }.is_gone());
        assert!(!Process { pid: u32::MAX - 1, space: Some("another machine".into()), ..me }.is_gone());
    }
}
