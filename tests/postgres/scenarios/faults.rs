//! Failures, pauses and cancellations at every transaction of a case, one after the other on one database: each has to
//! leave it as it was.

use pql_engine::fault::{Fault, FaultyBackend, Side};
use pql_engine::{RunProgress, Signal, Silent, codes};
use pql_schema::MigrationStatus;

use super::case::Case;
use super::run::{Drive as _, Start, shown};
use super::variant::Variant;

/// Makes each transaction of a case fail, before and after its commit.
pub(crate) fn fail_everywhere(case: &Case, variant: Variant) {
    let mut start = Start::new(case);
    for at in 1.. {
        let mut reached = true;
        for side in [Side::Before, Side::After] {
            let fault = Fault::new(side, at);
            let watched = fault.clone();
            let mut run = start.open_with(|backend| Box::new(FaultyBackend::new(backend, fault)));
            let id = run.generate(case);
            let place = format!("{}, {}: {side:?} transaction {at}", case.name, variant.name());
            match run.try_apply(id, variant, &mut Silent) {
                Ok(_) => reached = false,
                Err(error) if error.code() == codes::INJECTED => {
                    assert_eq!(run.engine.info(id).unwrap().status, MigrationStatus::Failed);
                    assert_eq!(start.state, start.now(), "{place} leaves something");
                    continue;
                }
                // A step without a way back was done; the run waits, and can be finished.
                Err(error) if error.code() == codes::STUCK => {
                    let report = run.engine.resume(id, &variant.options(), &mut Silent);
                    let report = report.unwrap_or_else(|error| panic!("{place}: RESUME: {}", shown(&error)));
                    assert_eq!(report.status, MigrationStatus::Applied, "{place}: {}", shown(&error));
                }
                Err(error) => panic!("{place}: {}", shown(&error)),
            }
            reached &= watched.seen() >= at;
            drop(run);
            start = Start::new(case);
        }
        if !reached {
            return;
        }
    }
}

/// Pauses a case wherever it listens, then resumes it, and in another run cancels it.
pub(crate) fn interrupt_everywhere(case: &Case, variant: Variant) {
    let mut start = Start::new(case);
    let clean = {
        let mut run = start.open();
        let id = run.generate(case);
        run.apply(id, variant);
        run.state()
    };
    start = Start::new(case);
    for at in 1.. {
        for resume in [true, false] {
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
                    assert_eq!(start.state, start.now(), "{place}, resumed and rolled back");
                }
                Ok(report) => {
                    assert_eq!(report.status, MigrationStatus::Cancelled, "{place}");
                    assert_eq!(start.state, start.now(), "{place} and cancelled");
                }
                Err(error) => panic!("{place}: {}", shown(&error)),
            }
        }
    }
}
