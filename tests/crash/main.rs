//! A process that is killed while it migrates: at any statement, in any case, forward and backward.
//!
//! The cases are those of the engine's tests; a new case there is one here. Each is run in every variant (online,
//! online with no stall allowed, offline) by a child process that ends itself with SIGKILL before or after one of the
//! statements that change the file, while an application keeps writing. Then the migration is resumed, and in another
//! run cancelled. In the end the schema's texts, rows, rowids, sequences, the triggers that are PQL's own and the
//! journal's status are those of a run that nothing interrupted, and the application has seen no error at all.
//!
//! A few points of each case are tried, for at most half a minute, the cases in an order that mixes the operations; with
//! `PQL_CRASH=all` all points of all cases, and `PQL_CASE` narrows the cases down. How many there were is printed.

#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::format_collect,
    clippy::single_match_else,
    reason = "shared with the other tests of the engine; a test may panic"
)]
#[path = "../engine/support/mod.rs"]
mod support;

mod child;
mod disk;
mod point;
mod template;
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use point::{Ending, Point};
use pql_engine::fault::Side;
use support::case::Case;
use support::run::{VARIANTS, Variant};
use template::{Task, Template};

/// How many points of each case, variant and direction are tried when not all are.
const SAMPLE: usize = 2;

/// For how long points are tried when not all are.
const BUDGET: Duration = Duration::from_secs(30);

fn cases() -> Vec<PathBuf> {
    let only = std::env::var("PQL_CASE").unwrap_or_default();
    let mut found = Vec::new();
    for folder in fs::read_dir(root()).expect("the folder is part of the project") {
        for file in fs::read_dir(folder.expect("a readable folder").path()).into_iter().flatten() {
            let path = file.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "pql")
                && path.to_string_lossy().contains(&only)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/engine")
}

/// What was tried, and what came of it.
#[derive(Default)]
struct Tally {
    /// Points by operation: those that exist, and those that were tried.
    points: BTreeMap<String, (usize, usize)>,
    writes: u64,
    failed: Vec<String>,
}

#[test]
fn every_kill_is_survived() {
    let mut cases: Vec<(PathBuf, Variant)> =
        cases().into_iter().flat_map(|path| VARIANTS.map(|variant| (path.clone(), variant))).collect();
    cases.sort_by_key(|(path, variant)| seed(&format!("{variant:?} {:?}", path.iter().next_back())) % 1_009);
    let all = std::env::var("PQL_CRASH").is_ok_and(|value| value == "all");
    let start = Instant::now();
    let (tally, next) = (Mutex::new(Tally::default()), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((path, variant)) = cases.get(next.fetch_add(1, Ordering::Relaxed))
                    && (all || start.elapsed() < BUDGET)
                {
                    let case = Case::read(path, &root());
                    let work = std::panic::AssertUnwindSafe(|| one_case(&case, *variant, all, &tally));
                    if std::panic::catch_unwind(work).is_err() {
                        let name = format!("{}, {}: could not be prepared", case.name, variant.name());
                        tally.lock().expect("a tally").failed.push(name);
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().expect("a tally");
    let mut sums = (0, 0);
    for (operation, (exist, tried)) in &tally.points {
        println!("{operation}: {tried} of {exist} points");
        sums = (sums.0 + exist, sums.1 + tried);
    }
    println!("in all: {} of {} points, {} transactions of the application", sums.1, sums.0, tally.writes);
    let failed = tally.failed;
    assert!(failed.is_empty(), "{} points failed:\n{}", failed.len(), failed.join("\n"));
    assert!(sums.1 > 0, "no case was found");
}

/// Tries the points of a case.
fn one_case(case: &Case, variant: Variant, all: bool, tally: &Mutex<Tally>) {
    let operation = case.name.split('/').next().unwrap_or_default().to_owned();
    let template = Template::new(case, variant);
    for task in [Task::Apply, Task::Rollback] {
        // Both sides of a gap between two statements leave the same file: one is resumed from, the other cancelled.
        let points: Vec<Point> = (1..=template.statements(task))
            .flat_map(|at| [(Side::Before, at), (Side::After, at)])
            .map(|(side, at)| {
                let ending = if side == Side::Before { Ending::Cancel } else { Ending::Resume };
                Point { task, side, at, ending }
            })
            .collect();
        let chosen: Vec<&Point> = if all { points.iter().collect() } else { sample(&points, &case.name) };
        for point in &chosen {
            let outcome = template.kill(point);
            let mut tally = tally.lock().expect("a tally");
            match outcome {
                Ok(writes) => tally.writes += writes,
                Err(reason) => {
                    let line = format!("{}, {}, {point}: {reason}", case.name, variant.name());
                    eprintln!("{line}");
                    tally.failed.push(line);
                }
            }
        }
        let mut tally = tally.lock().expect("a tally");
        let counts = tally.points.entry(operation.clone()).or_default();
        *counts = (counts.0 + points.len(), counts.1 + chosen.len());
    }
}

/// A number that depends on a text and on nothing else.
fn seed(text: &str) -> usize {
    text.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)))
}

/// A few points that lie apart, others for every case, and the same in every run.
fn sample<'p>(points: &'p [Point], name: &str) -> Vec<&'p Point> {
    let seed = name.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    (0..SAMPLE)
        .filter_map(|at| points.get((seed + at * points.len() / SAMPLE) % points.len().max(1)))
        .collect()
}
