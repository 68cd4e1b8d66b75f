//! How much a file system has free.

use std::path::Path;

/// Free bytes for this user where the file is, or would be; `None` where the operating system does not say.
#[cfg(unix)]
pub(crate) fn free_bytes(file: &Path) -> Option<u64> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = if file.exists() { file } else { directory };
    let stat = rustix::fs::statvfs(place).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Free bytes for this user where the file is, or would be; `None` where the operating system does not say.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}
