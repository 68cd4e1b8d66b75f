//! The language front end as its users meet it: text in, tree, AST, diagnostics and formatted text out.
//!
//! A case is a file: `ok/<topic>/<case>.pql` must parse, `err/<case>.pql` must be refused with a message
//! worth reading. Beside each lies the snapshot of all that the front end says about it. Nothing is
//! registered anywhere: write the file, run with `INSTA_UPDATE=always`, review the difference.

mod ast;
mod fixture;
mod hostile;
mod property;
mod show;

use std::panic::catch_unwind;

use fixture::{Expectation, Fixture};

#[test]
fn every_fixture_matches_its_snapshot() {
    let fixtures = Fixture::all();
    let failed: Vec<_> = fixtures
        .iter()
        .filter(|fixture| catch_unwind(|| check(fixture)).is_err())
        .map(Fixture::name)
        .collect();
    assert!(failed.is_empty(), "{} of {} fixtures fail: {failed:#?}", failed.len(), fixtures.len());
}

/// One fixture: the expectation that its folder states, then everything else in one snapshot.
fn check(fixture: &Fixture) {
    let source = fixture.source();
    let parse = pql_syntax::parse(&source);
    assert_eq!(parse.syntax().text().to_string(), source, "the tree of {} loses text", fixture.name());

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(fixture.folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(fixture.case(), show::everything(fixture, &source, &parse)));

    match fixture.expectation() {
        Expectation::Accepted => {
            assert!(parse.is_ok(), "{} is refused: {:?}", fixture.name(), parse.diagnostics());
        }
        Expectation::Refused => assert!(!parse.is_ok(), "{} is accepted", fixture.name()),
    }
}

#[test]
fn every_snapshot_has_its_fixture() {
    let orphans: Vec<_> =
        fixture::files("snap").into_iter().filter(|path| !path.with_extension("pql").exists()).collect();
    assert!(orphans.is_empty(), "snapshots of no fixture: {orphans:#?}");
}

#[test]
fn enough_cases_are_refused() {
    let refused =
        Fixture::all().iter().filter(|fixture| fixture.expectation() == Expectation::Refused).count();
    assert!(refused >= 60, "only {refused} fixtures fail");
}
