//! Every operation against a real SQLite file.
//!
//! A case is a file `<operation>/<case>.pql` with sections that start with `-- name`: `schema` (SQLite's own SQL with
//! rows; without it the database of `base.sql`), `statement`, and optionally `since`, what the application writes
//! between APPLY and ROLLBACK. Beside it lies the snapshot: the plans and what they lead to.
//!
//! Each case runs in every variant (online, online with no stall allowed at all, offline), and in each:
//! - the schema and the rows are the same as in the other variants, and DETECT to the target finds nothing;
//! - the schema equals that of a database in which the target was built directly;
//! - a rollback gives back the start: schema texts, rows, rowids, sequences;
//! - an error at any transaction is taken back, and a run that is paused at any transaction can be resumed.

mod busy;
mod failures;
mod later;
mod lifecycle;
mod meanwhile;
mod random;
mod stacked;
mod support;
mod traps;
mod vacuum;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use support::case::Case;
use support::run::{Drive as _, Start, VARIANTS, Variant};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/engine")
}

/// The cases of an operation, or all.
fn cases() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root()).expect("the folder is part of the project") {
        let folder = folder.expect("a readable folder").path();
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        if !folder.is_dir() || name == "support" {
            continue;
        }
        for file in fs::read_dir(&folder).expect("a readable folder") {
            let path = file.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "pql") {
                found.push((name.clone(), path));
            }
        }
    }
    found.sort();
    if let Ok(only) = std::env::var("PQL_CASE") {
        found.retain(|(_, path)| path.to_string_lossy().contains(&only));
    }
    found
}

/// Runs something for every case and says at the end which of them failed, and why.
fn for_each_case(work: impl Fn(&Case, &Path)) {
    let mut failed = String::new();
    for (_, path) in cases() {
        let case = Case::read(&path, &root());
        let run = std::panic::AssertUnwindSafe(|| work(&case, &path));
        if let Err(reason) = std::panic::catch_unwind(run) {
            let text = reason.downcast_ref::<String>().map(String::as_str);
            let text = text.or(reason.downcast_ref::<&str>().copied()).unwrap_or("see above");
            let _ = writeln!(failed, "--- {}\n{text}", case.name);
        }
    }
    assert!(failed.is_empty(), "some cases failed:\n{failed}");
}

#[test]
fn there_and_back() {
    for_each_case(|case, path| {
        let mut shown = String::new();
        let mut outcome: Option<String> = None;
        for variant in VARIANTS {
            let start = Start::new(case);
            let mut run = start.open();
            let definitions = run.definitions();
            let id = run.generate(case);
            let plan = run.plan(id, variant);
            if variant != Variant::Offline {
                let _ = write!(shown, "== plan, {}\n{plan}", variant.name());
            }
            run.apply(id, variant);
            run.assert_sound();
            run.assert_target_reached(case);
            let after = run.state();
            match &outcome {
                None => {
                    let _ = write!(shown, "== after\n{after}");
                    outcome = Some(after);
                }
                Some(first) => assert_eq!(first, &after, "{}: {} differs", case.name, variant.name()),
            }
            if let Some(since) = &case.since {
                run.write(since);
                run.rollback(id);
                assert_eq!(
                    definitions,
                    run.definitions(),
                    "{}: {} is defined otherwise",
                    case.name,
                    variant.name()
                );
                if variant == Variant::Online {
                    let _ =
                        write!(shown, "== after what was written since and the rollback\n{}", run.state());
                }
            } else {
                run.rollback(id);
                assert_eq!(start.state, run.state(), "{}: {} comes back changed", case.name, variant.name());
            }
            run.assert_sound();
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(path.parent().expect("a folder"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let file = path.file_stem().expect("a file").to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(file, shown));
    });
}

/// What older migrations retain follows: logs on the same tables, originals that nobody has given up yet.
#[test]
fn on_top_of_tables_that_were_rebuilt() {
    let variant = Variant::NoStall;
    for_each_case(|case, _| {
        let start = Start::new(case);
        let mut run = start.open();
        let before = run.rebuild(case, variant);
        assert_eq!(start.state, run.state(), "{}: two rebuilds come to nothing", case.name);
        let id = run.generate(case);
        run.apply(id, variant);
        run.assert_target_reached(case);
        run.assert_sound();
        run.rollback(id);
        assert_eq!(start.state, run.state(), "{} comes back changed", case.name);
        before.into_iter().rev().for_each(|id| run.rollback(id));
        run.assert_sound();
        assert_eq!(start.state, run.state(), "{}: not the start", case.name);
    });
}

#[test]
fn an_error_at_any_transaction_is_taken_back() {
    for_each_case(|case, _| {
        for variant in VARIANTS {
            support::faults::fail_everywhere(case, variant);
        }
    });
}

#[test]
fn a_pause_at_any_transaction_can_be_resumed_or_cancelled() {
    for_each_case(|case, _| {
        for variant in VARIANTS {
            support::faults::interrupt_everywhere(case, variant);
        }
    });
}

#[test]
fn what_a_case_says_of_postgresql_is_known() {
    for_each_case(|case, _| {
        for (section, text) in &case.postgres {
            assert!(["schema", "statement", "since", "skip"].contains(&section.as_str()), "{section}");
            assert!(!text.trim().is_empty(), "{section} says nothing");
        }
    });
}

#[test]
fn every_snapshot_has_its_case() {
    for folder in fs::read_dir(root()).expect("the folder is part of the project") {
        let folder = folder.expect("a readable folder").path();
        for file in fs::read_dir(&folder).into_iter().flatten() {
            let path = file.expect("a readable folder").path();
            if path.extension().is_some_and(|extension| extension == "snap") {
                assert!(path.with_extension("pql").exists(), "{} belongs to no case", path.display());
            }
        }
    }
}
