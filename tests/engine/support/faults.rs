//! Failures, pauses and cancellations at every transaction of a case.

use pql_engine::fault::{Fault, FaultyBackend, Side};
use pql_engine::{RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use super::case::Case;
use super::run::{Drive as _, Start, Variant, shown};

/// Makes each transaction of a case fail, before and after its commit.
pub(crate) fn fail_everywhere(case: &Case, variant: Variant) {
    let mut at = 1;
    loop {
        let mut reached = true;
        for side in [Side::Before, Side::After] {
            let start = Start::new(case);
            let fault = Fault::new(side, at);
            let watched = fault.clone();
            let mut run = start.open_with(|backend| Box::new(FaultyBackend::new(backend, fault)));
            let id = run.generate(case);
            let place = format!("{}, {}: {side:?} transaction {at}", case.name, variant.name());
            match run.try_apply(id, variant, &mut Silent) {
                Ok(_) => reached = false,
                Err(error) if error.code() == codes::INJECTED => {
                    assert_eq!(start.state, start.now(), "{place} leaves something");
                    assert_eq!(run.engine.info(id).expect("a row").status, MigrationStatus::Failed);
                    run.assert_sound();
                }
                // A step without a way back was done; the run waits, and can be finished.
                Err(error) if error.code() == codes::STUCK => {
                    let report = run.engine.resume(id, &variant.options(), &mut Silent);
                    let report = report.unwrap_or_else(|error| panic!("{place}: RESUME: {}", shown(&error)));
                    assert_eq!(report.status, MigrationStatus::Applied, "{place}");
                }
                Err(error) => panic!("{place}: {}", shown(&error)),
            }
            reached &= watched.seen() >= at;
        }
        if !reached {
            return;
        }
        at += 1;
    }
}

/// Pauses a case wherever it listens, then resumes it, and in another run cancels it.
pub(crate) fn interrupt_everywhere(case: &Case, variant: Variant) {
    let clean = {
        let start = Start::new(case);
        let mut run = start.open();
        let id = run.generate(case);
        run.apply(id, variant);
        run.state()
    };
    let mut at = 1;
    loop {
        for resume in [true, false] {
            let start = Start::new(case);
            let mut run = start.open();
            let id = run.generate(case);
            let mut seen = 0;
            let mut observer = |_: &RunProgress| {
                seen += 1;
                if seen == at { Signal::Pause } else { Signal::Go }
            };
            let place = format!("{}, {}: paused at {at}", case.name, variant.name());
            match run.try_apply(id, variant, &mut observer) {
                Ok(_) => return,
                Err(error) if error.code() == codes::PAUSED => {}
                Err(error) => panic!("{place}: {}", shown(&error)),
            }
            run.assert_sound();
            let outcome = if resume {
                run.engine.resume(id, &variant.options(), &mut Silent)
            } else {
                run.engine.cancel(id, &variant.options(), &mut Silent)
            };
            match outcome {
                Ok(report) if resume => {
                    assert_eq!(report.status, MigrationStatus::Applied, "{place}");
                    assert_eq!(clean, run.state(), "{place} and resumed");
                    run.rollback(id);
                    assert_eq!(start.state, run.state(), "{place}, resumed and rolled back");
                }
                Ok(report) => {
                    assert_eq!(report.status, MigrationStatus::Cancelled, "{place}");
                    assert_eq!(start.state, run.state(), "{place} and cancelled");
                }
                Err(error) if error.code() == codes::IRREVERSIBLE => {}
                Err(error) => panic!("{place}: {}", shown(&error)),
            }
        }
        at += 1;
    }
}
