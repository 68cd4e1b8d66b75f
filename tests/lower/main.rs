//! Lowering as its users meet it: a schema and a statement in, operations or findings out.
//!
//! A case is a file `ok/<case>.pql` or `err/<case>.pql`: the schema, a line `-- statement`, the statement. Beside it
//! lies the snapshot. A new case is a new file.

mod statements;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pql_planner::lower::{self, Context, Lowered};
use pql_planner::{Dialect, text};
use pql_syntax::Diagnostic;
use pql_syntax::ast::{Literal, Statement};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lower")
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is part of the project");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// What the parameters of the cases are bound to.
fn params(name: &str) -> Option<Literal> {
    match name {
        "greeting" => Some(Literal::String("it's".to_owned())),
        "number" => Some(Literal::Number("42".to_owned())),
        _ => None,
    }
}

fn lower_case(source: &str) -> Result<Vec<Lowered>, Vec<Diagnostic>> {
    let (schema, statement) = source.split_once("-- statement\n").expect("a line `-- statement`");
    let offset = source.len() - statement.len();
    let schema = lower::schema_text(schema, Dialect::Sqlite, &params)?.schema;
    let context = Context { dialect: Dialect::Sqlite, schema: &schema, params: &params };
    let parse = pql_syntax::parse(statement);
    assert!(parse.is_ok(), "{:?}", parse.diagnostics());
    let lower = |statement: Statement| match &statement {
        Statement::Generate(generate) => lower::operations(generate, context),
        other => lower::ddl(other, context).expect("a statement that has operations"),
    };
    let moved = |mut findings: Vec<Diagnostic>| {
        for finding in &mut findings {
            finding.span = finding.span.start + offset..finding.span.end + offset;
        }
        findings
    };
    parse.statements().map(lower).collect::<Result<_, _>>().map_err(moved)
}

fn shown(source: &str, outcome: &Result<Vec<Lowered>, Vec<Diagnostic>>) -> String {
    let mut out = String::new();
    match outcome {
        Ok(lowered) => {
            for lowered in lowered {
                for op in &lowered.ops {
                    let _ = writeln!(out, "{}", text::statement(op));
                }
                let _ = writeln!(out, "[{}]", if lowered.online { "online" } else { "as the session says" });
            }
        }
        Err(findings) => {
            for finding in findings {
                let _ = writeln!(out, "{}: {}", finding.code, finding.message);
                let _ = writeln!(out, "  at: {}", source[finding.span.clone()].escape_debug());
                if let Some(help) = &finding.help {
                    let _ = writeln!(out, "  help: {help}");
                }
            }
        }
    }
    out
}

fn check(folder: &str) {
    for path in files(folder, "pql") {
        let case = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let source = fs::read_to_string(&path).expect("a readable case");
        let outcome = lower_case(&source);
        assert_eq!(outcome.is_ok(), folder == "ok", "{folder}/{case}: {outcome:#?}");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(root().join(folder));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(case, shown(&source, &outcome)));
    }
}

#[test]
fn accepted() {
    check("ok");
}

#[test]
fn refused() {
    check("err");
}

#[test]
fn every_snapshot_has_its_case() {
    for snapshot in ["ok", "err"].iter().flat_map(|folder| files(folder, "snap")) {
        assert!(snapshot.with_extension("pql").exists(), "{} belongs to no case", snapshot.display());
    }
}

/// What a lowered operation says in PQL is lowered to the same operation again.
#[test]
fn operations_round_trip_through_their_text() {
    for path in files("ok", "pql") {
        let source = fs::read_to_string(&path).expect("a readable case");
        let (schema, _) = source.split_once("-- statement\n").expect("a line `-- statement`");
        for lowered in lower_case(&source).expect("an accepted case") {
            if lowered.ops.is_empty() {
                continue;
            }
            let texts: Vec<String> = lowered.ops.iter().map(text::statement).collect();
            let again = format!("{schema}-- statement\nMIGRATE GENERATE {};", texts.join(", "));
            let found = lower_case(&again).unwrap_or_else(|findings| panic!("{again}\n{findings:#?}"));
            assert_eq!(found[0].ops, lowered.ops, "{}", path.display());
        }
    }
}

#[test]
fn a_schema_survives_its_text_and_its_json() {
    for path in files("ok", "pql") {
        let source = fs::read_to_string(&path).expect("a readable case");
        let (schema, _) = source.split_once("-- statement\n").expect("a line `-- statement`");
        let schema = lower::schema_text(schema, Dialect::Sqlite, &params).expect("a schema").schema;
        let again =
            lower::schema_text(&text::schema(&schema), Dialect::Sqlite, &params).expect("its own text");
        assert_eq!(again.schema, schema, "{}", path.display());
        let json = serde_json::to_string(&schema).expect("a schema");
        let again = lower::schema_json(&json, Dialect::Sqlite).expect("its own JSON");
        assert_eq!(again.schema, schema, "{}", path.display());
    }
}
