//! Properties that must hold for any two schemas: what separates them can be applied, in its order, and taken back.
//! `PQL_SEEDS=100000 cargo test --release -p pql-schema --test schema` tries more of them.

use pql_schema::{Answers, Diff, DiffError, Schema, diff, random_pair, random_schema};

fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("PQL_SEEDS").ok().and_then(|text| text.parse().ok());
    0..wanted.unwrap_or(120)
}

/// Applies the operations one by one and takes them back again, last first.
fn there_and_back(seed: u64, from: &Schema, to: &Schema, found: &Diff) {
    let mut schema = from.clone();
    let mut way_back = Vec::new();
    for (at, op) in found.ops.iter().enumerate() {
        let inverse =
            op.inverse(&schema).unwrap_or_else(|| panic!("seed {seed}, {at}: no way back from {op:?}"));
        way_back.push(inverse);
        schema.apply(op).unwrap_or_else(|error| {
            panic!("seed {seed}, operation {at} cannot be applied: {error}\n{}", listed(&found.ops))
        });
    }
    assert!(schema.same_as(to), "seed {seed}: the operations miss the target\n{}", listed(&found.ops));
    let rest = diff(&schema, to, &Answers::default()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_eq!(rest.ops, [], "seed {seed}: something is left to do after\n{}", listed(&found.ops));
    assert_eq!(rest.questions, [], "seed {seed}");
    from.clone().apply_all(&found.ops).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));

    for op in way_back.into_iter().rev().flatten() {
        schema.apply(&op).unwrap_or_else(|error| {
            panic!("seed {seed}: cannot go back by {op:?}: {error}\n{}", listed(&found.ops))
        });
    }
    assert!(schema.same_as(from), "seed {seed}: the way back ends elsewhere\n{}", listed(&found.ops));
    assert_eq!(schema.views.len(), from.views.len(), "seed {seed}");
    assert_eq!(schema.triggers.len(), from.triggers.len(), "seed {seed}");
}

fn listed(ops: &[pql_schema::MigrationOp]) -> String {
    ops.iter().map(|op| format!("  {op:?}")).collect::<Vec<_>>().join("\n")
}

/// The operations, or nothing when the target is silent about views or triggers that use what goes.
fn operations(seed: u64, from: &Schema, to: &Schema, answers: &Answers) -> Option<Diff> {
    match diff(from, to, answers) {
        Ok(found) => Some(found),
        Err(DiffError::UsedElsewhere { .. }) if to.views.is_empty() || to.triggers.is_empty() => None,
        Err(error) => panic!("seed {seed}: {error}"),
    }
}

#[test]
fn any_schema_reaches_any_other_and_comes_back() {
    let mut done = 0;
    for seed in seeds() {
        let (a, b) = random_pair(seed);
        for (from, to) in [(&a, &b), (&b, &a)] {
            if let Some(found) = operations(seed, from, to, &Answers::default()) {
                there_and_back(seed, from, to, &found);
                done += 1;
            }
        }
    }
    assert!(done > seeds().end, "most pairs must be possible, but only {done} were");
}

#[test]
fn with_every_question_answered() {
    let mut asked = 0;
    for seed in seeds() {
        let (from, to) = random_pair(seed);
        let Some(found) = operations(seed, &from, &to, &Answers::default()) else { continue };
        let mut answers = Answers::default();
        for question in &found.questions {
            // Yes to whatever an earlier yes does not exclude.
            let with = answers.clone().with(question.id.clone(), true);
            let excluded = matches!(diff(&from, &to, &with), Err(DiffError::RenamesExcludeEachOther { .. }));
            answers = if excluded { answers.with(question.id.clone(), false) } else { with };
            asked += 1;
        }
        let Some(answered) = operations(seed, &from, &to, &answers) else { continue };
        assert_eq!(answered.questions, [], "seed {seed}");
        assert!(answered.unused_answers.is_empty(), "seed {seed}");
        there_and_back(seed, &from, &to, &answered);
    }
    assert!(asked > 20, "only {asked} questions arose");
}

#[test]
fn a_schema_is_built_from_nothing_and_taken_down() {
    for seed in seeds() {
        let schema = random_schema(seed);
        let nothing = Schema::new(schema.names);
        let built = operations(seed, &nothing, &schema, &Answers::default());
        there_and_back(seed, &nothing, &schema, &built.expect("nothing is in the way"));
        if schema.views.is_empty() && schema.triggers.is_empty() {
            let gone = operations(seed, &schema, &nothing, &Answers::default());
            there_and_back(seed, &schema, &nothing, &gone.expect("nothing is in the way"));
        }
    }
}
