//! The program as its users meet it: command lines in, standard output, standard error and exit code out.
//!
//! A case is a file, `<topic>/<case>.txt`; beside it lies the snapshot of what the program did. Nothing is registered
//! anywhere: write the file, run with `INSTA_UPDATE=always`, review the difference. In a case,
//! - `>>> NAME` begins a file of that name, which goes on to the next line that begins with `>>>`, `$` or `%`;
//! - `$ pql ARGUMENTS` runs the program in the case's own directory; `< FILE` at the end gives it standard input,
//!   `NAME=VALUE` in front sets a variable of the environment;
//! - `% FILE SQL` runs SQL on a SQLite file by a plain connection, as an application would, and shows its rows;
//! - `! FILE` shows a file; `!! FILE PATTERN` replaces by `PATTERN` = `old => new` in it.
//!
//! Ids, times and durations differ from run to run and are masked; ids keep which is which.

mod case;
mod disk;
mod mask;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Cases that run at the same time.
const WORKERS: usize = 6;

#[test]
fn every_case_matches_its_snapshot() {
    let cases = files("txt");
    assert!(cases.len() > 20, "the cases are not found");
    // Most of a case's time is waiting for the disk.
    let next = AtomicUsize::new(0);
    let failed: Vec<&PathBuf> = thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            while let Some(path) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                if catch_unwind(|| check(path)).is_err() {
                    failed.push(path);
                }
            }
            failed
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("panics of cases are caught")).collect()
    });
    assert!(failed.is_empty(), "{} of {} cases fail: {failed:#?}", failed.len(), cases.len());
}

fn check(path: &Path) {
    let text = fs::read_to_string(path).expect("a case is readable");
    let shown = mask::masked(&case::run(&text));
    let name = path.file_stem().expect("a case has a name").to_string_lossy().into_owned();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().expect("a case lies in a folder"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

#[test]
fn every_snapshot_has_its_case() {
    let orphans: Vec<_> =
        files("snap").into_iter().filter(|path| !path.with_extension("txt").exists()).collect();
    assert!(orphans.is_empty(), "snapshots of no case: {orphans:#?}");
}

/// All files with this extension below the suite's folder, sorted.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the suite's folders are readable") {
            let path = entry.expect("the suite's folders are readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
