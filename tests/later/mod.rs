//! What an older migration keeps, after a later one has called its table, column or index otherwise, on any database.
//!
//! A case is a file `<what the older one does>.pql`: `schema` (with rows) and `older`, followed by scenarios of a `later`,
//! of what the application writes then, `write`, and of what comes to the same without either migration, `same`. A
//! section that is one database's alone says so: `later postgres`.
//!
//! In each scenario, on tables as small as they are or as if they were large:
//! - the older one is not rolled back before the later one, and both together give the rows that `same` gives;
//! - the older one can be purged, leaves nothing behind, and the later one can still be rolled back;
//! - both can be purged, at once or the later one first, and leave nothing behind.

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pql_engine::{Engine, RollbackTarget, Silent, codes};
use pql_planner::Dialect;
use pql_planner::lower::{self, Context};
use pql_schema::{MigrationId, MigrationStatus};
use pql_syntax::ast::Statement;

use super::Variant;

/// A database of a scenario.
pub(crate) trait Place {
    /// Makes it.
    fn with(schema: &str) -> Self;
    /// PQL's engine on it.
    fn engine(&self) -> Engine;
    /// Writes as the application does.
    fn write(&self, sql: &str);
    /// What everybody can see of it.
    fn state(&self) -> String;
    /// What there is whose name has this in it.
    fn called(&self, part: &str) -> Vec<String>;
}

/// A file.
#[derive(Default)]
struct Case {
    schema: String,
    older: String,
    scenarios: Vec<Scenario>,
}

#[derive(Default)]
struct Scenario {
    later: String,
    write: String,
    same: String,
}

impl Case {
    /// Reads one, with what is meant for this database.
    fn read(path: &Path, dialect: Dialect) -> Self {
        let own = if dialect == Dialect::Sqlite { "sqlite" } else { "postgres" };
        let mut case = Self::default();
        // Lines of another database's sections are read and forgotten.
        let (mut section, mut other) = (String::new(), String::new());
        let mut is_ours = true;
        for line in fs::read_to_string(path).expect("a readable case").lines() {
            if let Some(heading) = line.strip_prefix("-- ") {
                let (name, whose) = heading.split_once(' ').unwrap_or((heading, own));
                name.clone_into(&mut section);
                if name == "later" || name == "schema" || name == "older" {
                    is_ours = whose == own;
                }
                if name == "later" && is_ours {
                    case.scenarios.push(Scenario::default());
                }
                continue;
            }
            let scenario = case.scenarios.last_mut();
            let into = match (section.as_str(), scenario) {
                _ if !is_ours => &mut other,
                ("schema", _) => &mut case.schema,
                ("older", _) => &mut case.older,
                ("later", Some(scenario)) => &mut scenario.later,
                ("write", Some(scenario)) => &mut scenario.write,
                ("same", Some(scenario)) => &mut scenario.same,
                (name, _) => panic!("{}: {name} is no section, or at the wrong place", path.display()),
            };
            let _ = writeln!(into, "{line}");
        }
        case
    }
}

/// Runs all of it.
pub(crate) fn all<P: Place>(dialect: Dialect, variants: &[Variant]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/later");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root).expect("cases").map(|entry| entry.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pql"));
    if let Ok(only) = std::env::var("PQL_CASE") {
        paths.retain(|path| path.to_string_lossy().contains(&only));
    }
    paths.sort();
    let cases: Vec<(PathBuf, Case)> =
        paths.into_iter().map(|path| (path.clone(), Case::read(&path, dialect))).collect();
    let work: Vec<(&Path, &Case, &Scenario, Variant)> = cases
        .iter()
        .flat_map(|(path, case)| case.scenarios.iter().map(move |scenario| (path.as_path(), case, scenario)))
        .flat_map(|(path, case, scenario)| {
            variants.iter().map(move |variant| (path, case, scenario, *variant))
        })
        .collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let worker = || {
        while let Some((path, case, scenario, variant)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = AssertUnwindSafe(|| scenario.run::<P>(case, dialect, *variant));
            let Err(reason) = catch_unwind(run) else { continue };
            let text = reason.downcast_ref::<String>().map(String::as_str);
            let text = text.or(reason.downcast_ref::<&str>().copied()).unwrap_or("see above");
            let file = path.file_stem().unwrap_or_default().to_string_lossy();
            let later = scenario.later.trim();
            let _ = writeln!(
                failed.lock().expect("a list"),
                "--- {file}, {}, then {later}\n{text}",
                variant.name()
            );
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(worker);
        }
    });
    let failed = failed.into_inner().expect("a list");
    assert!(failed.is_empty(), "some cases failed:\n{failed}");
}

impl Scenario {
    fn run<P: Place>(&self, case: &Case, dialect: Dialect, variant: Variant) {
        let there = || {
            let place = P::with(&case.schema);
            let mut engine = place.engine();
            let older = apply(&mut engine, &case.older, dialect, variant);
            (place, engine, older)
        };
        let options = variant.options();
        let back = |engine: &mut Engine, target| engine.rollback(target, &options, &mut Silent);
        let tag = |id: MigrationId| {
            let id = id.to_string();
            format!("_{}_", &id[id.len() - 8..])
        };

        let (place, mut engine, older) = there();
        apply(&mut engine, &self.later, dialect, variant);
        let error = back(&mut engine, RollbackTarget::Migration(older)).expect_err("a later one is applied");
        assert_eq!(error.code(), codes::LATER_APPLIED, "{error}");
        assert!(error.help().is_some_and(|help| help.contains("ROLLBACK LAST 2")), "{:?}", error.help());
        place.write(&self.write);
        back(&mut engine, RollbackTarget::Last(2)).unwrap_or_else(|error| panic!("{}", shown(&error)));
        let plain = P::with(&case.schema);
        plain.write(&self.same);
        assert_same(&plain.state(), &place.state(), "both ways back");

        let (place, mut engine, older) = there();
        let later = apply(&mut engine, &self.later, dialect, variant);
        engine
            .purge(Some(older), None, &options, &mut Silent)
            .unwrap_or_else(|error| panic!("{}", shown(&error)));
        assert_eq!(place.called(&tag(older)), [] as [String; 0], "left by PURGE");
        place.write(&self.write);
        back(&mut engine, RollbackTarget::Migration(later))
            .unwrap_or_else(|error| panic!("{}", shown(&error)));
        assert_eq!(place.called(&tag(older)), [] as [String; 0], "left by PURGE, and back");
        let error = back(&mut engine, RollbackTarget::Migration(older)).expect_err("nothing is kept");
        assert!([codes::PURGED, codes::IRREVERSIBLE].contains(&error.code()), "{error}");
        let (plain, mut alone, older) = there();
        alone
            .purge(Some(older), None, &options, &mut Silent)
            .unwrap_or_else(|error| panic!("{}", shown(&error)));
        plain.write(&self.same);
        assert_same(&plain.state(), &place.state(), "the later one's way back after PURGE");

        if variant == Variant::Online {
            return;
        }
        // Nothing leads back past what was purged, so what the older one keeps is of no use then, but can be purged.
        let (place, mut engine, older) = there();
        let later = apply(&mut engine, &self.later, dialect, variant);
        engine
            .purge(Some(later), None, &options, &mut Silent)
            .unwrap_or_else(|error| panic!("{}", shown(&error)));
        place.write(&self.write);
        engine
            .purge(Some(older), None, &options, &mut Silent)
            .unwrap_or_else(|error| panic!("{}", shown(&error)));
        for id in [older, later] {
            assert_eq!(
                place.called(&tag(id)),
                [] as [String; 0],
                "left by PURGE of the later one, then the older one"
            );
        }

        let (place, mut engine, older) = there();
        let later = apply(&mut engine, &self.later, dialect, variant);
        engine.purge(None, None, &options, &mut Silent).unwrap_or_else(|error| panic!("{}", shown(&error)));
        for id in [older, later] {
            assert_eq!(place.called(&tag(id)), [] as [String; 0], "left by PURGE of both");
        }
        place.write(&self.write);
    }
}

fn assert_same(wanted: &str, found: &str, what: &str) {
    let only = |one: &str, other: &str| -> Vec<String> {
        one.lines().filter(|line| !other.lines().any(|known| known == *line)).map(str::to_owned).collect()
    };
    let (missing, more) = (only(wanted, found), only(found, wanted));
    assert!(wanted == found, "{what}\n  not there: {missing:#?}\n  there: {more:#?}");
}

fn shown(error: &pql_engine::Error) -> String {
    format!("{} {error} {}", error.code(), error.help().unwrap_or_default())
}

/// One migration of these operations, applied.
fn apply(engine: &mut Engine, operations: &str, dialect: Dialect, variant: Variant) -> MigrationId {
    let schema = engine.schema().expect("a schema");
    let context = Context { dialect, schema: &schema, params: &|_| None };
    let parse = pql_syntax::parse(&format!("MIGRATE GENERATE {};", operations.trim()));
    let Some(Statement::Generate(generate)) = parse.statements().next() else { panic!("{operations}") };
    let ops = lower::operations(&generate, context).unwrap_or_else(|findings| panic!("{findings:?}")).ops;
    let id = engine.generate(ops, None).unwrap_or_else(|error| panic!("{error}")).id;
    let report = engine.apply(id, &variant.options(), &mut Silent);
    let report = report.unwrap_or_else(|error| panic!("{operations}: {error}"));
    assert_eq!(report.status, MigrationStatus::Applied);
    id
}
