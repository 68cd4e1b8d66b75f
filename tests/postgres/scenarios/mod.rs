//! The cases of `tests/engine` on PostgreSQL, with the same meaning.
//!
//! The cases in `tests/postgres/cases` are PostgreSQL's alone. Of the others, a case's `schema postgres`, `statement postgres` and `since postgres` stand for its SQLite sections where these are
//! SQLite's own words; without a schema of its own it gets `base_postgres.sql`. What holds is the same: every variant
//! leads to the same schema and rows, DETECT then finds nothing, a rollback gives back the dump, the rows and the
//! sequences as they were, an error at any transaction is taken back, and a pause at any place can be resumed.

#[path = "../../engine/support/case.rs"]
mod case;
#[path = "../../engine/support/drive.rs"]
mod drive;
mod faults;
mod run;
pub(crate) mod state;
#[path = "../../engine/support/variant.rs"]
pub(crate) mod variant;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use case::Case;
use run::{Drive as _, Start};
use variant::{VARIANTS, Variant};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/engine")
}

/// The cases that are PostgreSQL's, too.
fn cases() -> Vec<Case> {
    let mut paths = Vec::new();
    let own = root().join("../postgres/cases");
    let folders = fs::read_dir(root()).unwrap().map(|folder| folder.unwrap().path());
    for folder in folders.chain([own]) {
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "pql") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    if let Ok(only) = std::env::var("PQL_CASE") {
        paths.retain(|path| path.to_string_lossy().contains(&only));
    }
    paths
        .iter()
        .map(|path| for_postgres(Case::read(path, &root())))
        .filter(|case| !case.postgres.contains_key("skip"))
        .collect()
}

/// The case with what PostgreSQL gets.
fn for_postgres(mut case: Case) -> Case {
    let own_schema = !case.schema.contains("users_email_key");
    let base = || fs::read_to_string(root().join("base_postgres.sql")).unwrap();
    match case.postgres.remove("schema") {
        Some(schema) => case.schema = schema,
        None if own_schema => {}
        None => case.schema = base(),
    }
    if let Some(statement) = case.postgres.remove("statement") {
        case.statement = statement;
    }
    if let Some(since) = case.postgres.remove("since") {
        case.since = Some(since);
    }
    case
}

/// Runs something for every case, several at a time, and says at the end which of them failed, and why. When the time
/// is over no other case is begun, in an order that mixes the operations; `PQL_POSTGRES=all` takes the time it needs.
fn for_each_case(time: Duration, work: impl Fn(&Case) + Sync) {
    let mut cases = cases();
    cases.sort_by_key(|case| {
        case.name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % 1_009
    });
    let all = std::env::var("PQL_POSTGRES").is_ok_and(|value| value == "all");
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(String::new());
    let worker = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed))
            && (all || start.elapsed() < time)
        {
            let run = std::panic::AssertUnwindSafe(|| work(case));
            if let Err(reason) = std::panic::catch_unwind(run) {
                let text = reason.downcast_ref::<String>().map(String::as_str);
                let text = text.or(reason.downcast_ref::<&str>().copied()).unwrap_or("see above");
                let _ = writeln!(failed.lock().unwrap(), "--- {}\n{text}", case.name);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(worker);
        }
    });
    println!("{} of {} cases", next.into_inner().min(cases.len()), cases.len());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "some cases failed:\n{failed}");
}

#[test]
fn there_and_back() {
    for_each_case(Duration::from_mins(3), |case| {
        let mut outcome: Option<String> = None;
        let mut start = Start::new(case);
        for variant in VARIANTS {
            let dump = start.database.dump();
            let mut run = start.open();
            let target = run.target(case);
            let id = run.generate(case);
            run.apply(id, variant);
            if let Some(target) = &target {
                run.assert_reached(case, target);
            }
            let after = run.state();
            match &outcome {
                None => outcome = Some(after),
                Some(first) => assert_eq!(first, &after, "{}: {} differs", case.name, variant.name()),
            }
            if let Some(since) = &case.since {
                start.write(since);
                run.rollback(id);
            } else {
                run.rollback(id);
                assert_eq!(start.state, run.state(), "{}: {} comes back changed", case.name, variant.name());
            }
            assert_eq!(dump, start.database.dump(), "{}: {} is defined otherwise", case.name, variant.name());
            drop(run);
            if case.since.is_some() {
                start = Start::new(case);
            }
        }
    });
}

#[test]
fn an_error_at_any_transaction_is_taken_back() {
    for_each_case(Duration::from_secs(15), |case| {
        faults::fail_everywhere(case, Variant::NoStall);
    });
}

#[test]
fn a_pause_at_any_transaction_can_be_resumed_or_cancelled() {
    for_each_case(Duration::from_secs(15), |case| {
        faults::interrupt_everywhere(case, Variant::NoStall);
    });
}
