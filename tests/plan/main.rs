//! Plans as data and in words: a schema, the sizes of its tables and operations in; steps, or what stands against
//! them, out.
//!
//! A case is a file `cases/<case>.pql` (or `err/<case>.pql`): the schema, a line `-- statement`, the statement. It is
//! planned for small and for large tables, online and offline; the snapshot beside it shows the plans that differ. Lines
//! `-- small: t …` before the statement name tables that stay small in every variant; `-- distributed: t column`, one
//! that Citus has distributed; `-- flavour: cockroach` and `yugabyte` are planned for what these lack. A new case is a new file. The
//! cases of `postgres` are PostgreSQL's, all others SQLite's.

mod invariants;
mod show;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pql_planner::lower::{self, Context};
use pql_planner::{
    Capabilities, Dialect, Flavour, Held, Hold, Lacks, Plan, PlanError, PlanOptions, Rates, Statistics,
    TableStatistics, plan,
};
use pql_schema::{MigrationOp, MigrationStrategy, Schema};
use pql_syntax::ast::Statement;

/// What a case is made of.
struct Case {
    name: String,
    schema: Schema,
    ops: Vec<MigrationOp>,
    small: Vec<String>,
    dialect: Dialect,
    /// Tables whose rows Citus has on several nodes, with the column that says where.
    distributed: Vec<(String, String)>,
    /// The relative of PostgreSQL that it is planned for.
    flavour: Flavour,
}

/// How it is planned.
#[derive(Clone, Copy)]
struct Variant {
    rows: u64,
    strategy: MigrationStrategy,
    retain: bool,
    definition_edit: bool,
}

const SMALL: Variant =
    Variant { rows: 100, strategy: MigrationStrategy::Online, retain: true, definition_edit: true };
const LARGE: Variant = Variant { rows: 1_000_000, ..SMALL };
const OFFLINE: Variant = Variant { strategy: MigrationStrategy::Offline, ..LARGE };
const NOT_RETAINED: Variant = Variant { retain: false, ..LARGE };
const NO_EDIT: Variant = Variant { definition_edit: false, ..LARGE };

const ALL: [(&str, Variant); 5] = [
    ("100 rows, online", SMALL),
    ("1,000,000 rows, online", LARGE),
    ("1,000,000 rows, offline", OFFLINE),
    ("1,000,000 rows, online, nothing retained", NOT_RETAINED),
    ("1,000,000 rows, online, no definition may be edited", NO_EDIT),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/plan")
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

fn case(path: &Path) -> Case {
    let source = fs::read_to_string(path).expect("a readable case");
    let (head, statements) = source.split_once("-- statement\n").expect("a line `-- statement`");
    let params = |_: &str| None;
    let postgres = path.parent().is_some_and(|folder| folder.ends_with("postgres"));
    let dialect = if postgres { Dialect::Postgres } else { Dialect::Sqlite };
    let mut schema = lower::schema_text(head, dialect, &params).expect("a schema").schema;
    if postgres {
        // As it is read from a server.
        pql_planner::text::normalise_postgres(&mut schema, None);
    }
    let mut ops = Vec::new();
    let mut model = schema.clone();
    let parse = pql_syntax::parse(statements);
    assert!(parse.is_ok(), "{}: {:?}", path.display(), parse.diagnostics());
    for statement in parse.statements() {
        let context = Context { dialect, schema: &model, params: &params };
        let lowered = match &statement {
            Statement::Generate(generate) => lower::operations(generate, context),
            other => lower::ddl(other, context).expect("a statement that has operations"),
        };
        let lowered = lowered.unwrap_or_else(|findings| panic!("{}: {findings:?}", path.display()));
        model.apply_all(&lowered.ops).expect("lowered operations apply");
        ops.extend(lowered.ops);
    }
    let small = head.lines().filter_map(|line| line.strip_prefix("-- small: "));
    Case {
        name: path.file_stem().expect("a file").to_string_lossy().into_owned(),
        small: small.flat_map(str::split_whitespace).map(str::to_owned).collect(),
        schema,
        ops,
        dialect,
        distributed: head
            .lines()
            .filter_map(|line| line.strip_prefix("-- distributed: ")?.split_once(' '))
            .map(|(table, column)| (table.to_owned(), column.to_owned()))
            .collect(),
        flavour: match head.lines().find_map(|line| line.strip_prefix("-- flavour: ")) {
            Some("cockroach") => Flavour::Cockroach,
            Some("yugabyte") => Flavour::Yugabyte,
            Some(other) => panic!("{}: {other} is no flavour", path.display()),
            None if head.contains("-- distributed: ") => Flavour::Citus,
            None => Flavour::Plain,
        },
    }
}

fn options(variant: Variant) -> PlanOptions {
    PlanOptions {
        strategy: variant.strategy,
        retain: variant.retain,
        max_stall_ms: 10.0,
        allow_destructive: false,
        tag: "m1".to_owned(),
    }
}

fn capabilities(variant: Variant) -> Capabilities {
    Capabilities {
        dialect: Dialect::Sqlite,
        version: "3.50.0".to_owned(),
        definition_edit: variant.definition_edit,
        snapshot_reads: true,
        vectors: Ok(()),
        rates: Rates::default(),
        flavour: pql_planner::Flavour::default(),
        lacks: pql_planner::Lacks::default(),
    }
}

fn planned(case: &Case, variant: Variant) -> Result<Plan, Vec<PlanError>> {
    let mut stats = Statistics::default();
    for name in case.schema.tables.keys() {
        let rows = if case.small.contains(&name.name) { 100 } else { variant.rows };
        stats.tables.insert(name.to_string(), TableStatistics { rows, bytes: rows * 100 });
    }
    for (table, column) in &case.distributed {
        let held = Held {
            hold: Hold::Distributed,
            name: column.clone(),
            columns: Vec::new(),
            definition: Some("h".to_owned()),
        };
        stats.holds.entry(table.clone()).or_default().push(held);
    }
    let version = match case.dialect {
        Dialect::Sqlite => "3.50.0",
        Dialect::Postgres => "PostgreSQL 15.4",
    };
    let (flavour, lacks) = (case.flavour, Lacks::of(case.flavour));
    let version = version.to_owned();
    let rates = match case.dialect {
        Dialect::Sqlite => Rates::default(),
        Dialect::Postgres => Rates::POSTGRES,
    };
    let caps =
        Capabilities { dialect: case.dialect, version, flavour, rates, lacks, ..capabilities(variant) };
    plan(&case.ops, &case.schema, &caps, &stats, &options(variant))
}

fn snapshot(folder: &str, case: &str, shown: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(case, shown));
}

#[test]
fn plans() {
    for path in files("cases", "pql") {
        let case = case(&path);
        let mut shown = String::new();
        let mut before: Vec<(&str, String)> = Vec::new();
        for (title, variant) in ALL {
            let text = match planned(&case, variant) {
                Ok(plan) => show::plan(&plan),
                Err(errors) => show::errors(&errors),
            };
            match before.iter().find(|(_, other)| *other == text) {
                Some((same, _)) => _ = writeln!(shown, "== {title}: as {same}\n"),
                None => _ = writeln!(shown, "== {title}\n{text}"),
            }
            before.push((title, text));
        }
        snapshot("cases", &case.name, shown.trim_end());
    }
}

#[test]
fn plans_of_postgres() {
    for path in files("postgres", "pql") {
        let case = case(&path);
        let mut shown = String::new();
        for (title, variant) in &ALL[..4] {
            match planned(&case, *variant) {
                Ok(plan) => {
                    _ = writeln!(shown, "== {title}\n{}", show::plan(&plan));
                    invariants::check_postgres(
                        &format!("{}: {title}", case.name),
                        &case.schema,
                        &case.ops,
                        &plan,
                    );
                }
                Err(errors) => _ = writeln!(shown, "== {title}\n{}", show::errors(&errors)),
            }
        }
        snapshot("postgres", &case.name, shown.trim_end());
    }
}

#[test]
fn what_cannot_be_planned() {
    for path in files("err", "pql") {
        let case = case(&path);
        let errors = planned(&case, LARGE).expect_err(&case.name);
        snapshot("err", &case.name, show::errors(&errors).trim_end());
    }
}

#[test]
fn invariants_of_every_plan() {
    for path in files("cases", "pql") {
        let case = case(&path);
        for (title, variant) in ALL {
            if let Ok(plan) = planned(&case, variant) {
                invariants::check(&format!("{}: {title}", case.name), &case.schema, &case.ops, &plan);
            }
        }
    }
}

#[test]
fn every_snapshot_has_its_case() {
    for snapshot in ["cases", "err", "postgres"].iter().flat_map(|folder| files(folder, "snap")) {
        assert!(snapshot.with_extension("pql").exists(), "{} belongs to no case", snapshot.display());
    }
}

#[test]
fn agreed_losses_are_no_hazard() {
    let case = case(&root().join("cases/drop_column.pql"));
    let agreed = PlanOptions { allow_destructive: true, ..options(LARGE) };
    let plan = plan(&case.ops, &case.schema, &capabilities(LARGE), &Statistics::default(), &agreed);
    let steps = plan.expect("a plan").steps;
    let hazards: Vec<_> = steps.iter().flat_map(|step| &step.hazards).collect();
    assert!(
        hazards.iter().all(|hazard| hazard.severity != pql_planner::Severity::Destructive),
        "{hazards:?}"
    );
}

#[test]
fn a_hidden_column_goes_along_with_a_rebuild() {
    let first = case(&root().join("cases/drop_column.pql"));
    let hidden = planned(&first, SMALL).expect("a plan").steps.remove(0);
    let pql_planner::Action::HideColumn { after, hidden, .. } = hidden.action else { panic!("{hidden:?}") };
    let mut schema = first.schema.clone();
    schema.tables.insert(after.name.clone(), after);
    let change = MigrationOp::ChangeColumnType {
        table: "users".into(),
        column: "email".to_owned(),
        to: pql_schema::DataType::BigInt,
        collation: None,
        using: None,
        revert_using: None,
    };
    let second = Case { schema, ops: vec![change], ..first };
    let plan = planned(&second, LARGE).expect("a plan");
    invariants::check("hidden", &second.schema, &second.ops, &plan);
    let rebuild = &plan.rebuilds[0];
    for way in [&rebuild.mapping, &rebuild.mapping_back] {
        assert!(way.iter().any(|way| way.column == hidden && way.from == pql_schema::Expr::column(&hidden)));
    }
    assert!(rebuild.after.columns.iter().any(|column| column.name == hidden && column.retained));
}

#[test]
fn every_error_is_reported_once() {
    let case = case(&root().join("cases/drop_column.pql"));
    let drop =
        |table: &str, column: &str| MigrationOp::DropColumn { table: table.into(), column: column.into() };
    let add = |table: &str, data_type| MigrationOp::AddColumn {
        table: table.into(),
        column: pql_schema::Column::new("extra", data_type),
        constraints: Vec::new(),
        backfill: None,
    };
    let ops = vec![
        drop("user", "name"),
        add("user", pql_schema::DataType::Text),
        drop("orders", "nmae"),
        add("users", pql_schema::DataType::Array(Box::new(pql_schema::DataType::Text))),
        MigrationOp::Execute { sql: "SELECT 1".into(), revert: None, outside_transaction: false },
    ];
    let errors = planned(&Case { ops, ..case }, SMALL).expect_err("wrong names");
    let told: Vec<_> = errors.iter().map(|error| (error.code, error.op)).collect();
    assert_eq!(
        told,
        [
            (pql_planner::codes::UNKNOWN_TABLE, Some(0)),
            (pql_planner::codes::UNKNOWN_COLUMN, Some(2)),
            (pql_planner::codes::UNSUPPORTED, Some(3))
        ]
    );
    assert_eq!(errors[0].help.as_deref(), Some("did you mean `users`?"));
}

#[test]
fn a_plan_in_rows() {
    let case = case(&root().join("cases/change_column_type.pql"));
    let plan = planned(&case, LARGE).expect("a plan");
    let rows = pql_planner::explain(&plan, &|_| vec!["A".to_owned(), "B".to_owned()]);
    let shown: Vec<String> = rows
        .iter()
        .map(|row| {
            let step = row.step.map(|step| step.to_string()).unwrap_or_default();
            format!(
                "{step} | {} | {} | {} | {} | {} | {} | {}",
                row.phase,
                row.action,
                row.sql.replace('\n', " "),
                row.lock,
                row.rows,
                row.estimate,
                row.hazard
            )
        })
        .collect();
    snapshot(".", "explain", &shown.join("\n"));
}

#[test]
fn what_a_relative_of_postgres_lacks_is_refused() {
    let case = case(&root().join("postgres/change_type.pql"));
    let stats = Statistics::default();
    for (flavour, lacks, said) in [
        (Flavour::Cockroach, Lacks { triggers: true, ..Lacks::default() }, "CockroachDB has no triggers"),
        (
            Flavour::Yugabyte,
            Lacks { table_locks: true, ..Lacks::default() },
            "YugabyteDB cannot lock a table",
        ),
    ] {
        for strategy in [MigrationStrategy::Online, MigrationStrategy::Offline] {
            let caps = Capabilities { dialect: case.dialect, flavour, lacks, ..capabilities(LARGE) };
            let options = PlanOptions { strategy, ..options(LARGE) };
            let errors = plan(&case.ops, &case.schema, &caps, &stats, &options).expect_err(said);
            assert!(errors[0].to_string().contains(said), "{errors:?}");
        }
    }
}
