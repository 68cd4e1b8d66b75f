//! Where the shell's history is kept: in the user's state directory, never in a project.

use std::path::PathBuf;

/// The file, with its directory made; `None` where there is no such place.
pub(super) fn file() -> Option<PathBuf> {
    let directory = state_directory()?.join("pql");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

fn state_directory() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("XDG_STATE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(|| variable("HOME").map(|home| home.join(".local").join("state")))
}

/// Whether an input may hold a password, which does not belong in a file.
pub(super) fn is_secret(input: &str) -> bool {
    let lower = input.to_lowercase();
    lower.contains("password") || lower.contains("://")
}
