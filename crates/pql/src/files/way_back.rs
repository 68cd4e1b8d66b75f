//! What a down file adds to the way back.
//!
//! PQL takes back definitions by itself, and with their data. What it cannot know is the opposite of other SQL: that is
//! taken from the down file, and is run exactly where the file has it. So a down file is the up file backwards: between
//! the same definitions stands the SQL that takes back what stands between them there, or nothing, where nothing has to
//! be done. A down file whose SQL has no such place is refused before anything runs; so is one whose definitions lead
//! elsewhere. Triggers that the up file makes are SQL that goes by itself, unless the down file drops them.

use pql_planner::Dialect;
use pql_schema::{MigrationOp, Schema};

use super::script::{Script, drop_if_there};
use crate::codes;
use crate::error::Error;

/// A statement that does nothing, on every database.
const NOTHING: &str = "SELECT 1";

/// Operations without SQL between them, or SQL without operations between it.
#[derive(Debug, Default)]
struct Run {
    definitions: Vec<MigrationOp>,
    /// SQL after them.
    sql: Vec<MigrationOp>,
}

/// The operations of an up file with the ways back that its down file gives them.
pub(super) fn attach(
    up: Vec<MigrationOp>,
    before: &Schema,
    down: &Script<'_>,
    dialect: Dialect,
) -> Result<Vec<MigrationOp>, Error> {
    let mut after = before.clone();
    if after.apply_all(&up).is_err() {
        // The operations that the schema refuses are reported where they are lowered.
        return Ok(up);
    }
    let all_known = !up.iter().any(is_sql);
    let mut back = after.clone();
    let mut gone: Vec<MigrationOp> = up.iter().filter_map(own_way_back).collect();
    let down_ops = down.operations_back(&mut back, dialect, all_known, &gone)?;
    gone.retain(|drop| !down_ops.iter().any(|op| drops_the_same(op, drop, &after)));
    for drop in &gone {
        drop_if_there(&mut back, drop);
    }
    let refused = |why: &str| {
        Err(Error::new(codes::NO_WAY_BACK, format!("`{}` is not the up file backwards: {why}", down.name())).with_help(
            "write the opposite of each statement in the opposite order; definitions may be left out altogether, \
             because they are taken back by themselves, with their data",
        ))
    };
    if !down_ops.iter().any(is_sql) {
        return if back.same_as(before) {
            let mut up = up;
            answer(&mut up);
            Ok(up)
        } else {
            refused("its definitions do not lead to the schema before")
        };
    }
    let (mut there, back) = (runs(up), runs(down_ops));
    if back.len() == 1 {
        let asks = |run: &Run| run.sql.iter().any(|op| !goes_by_itself(op, &gone));
        return match there.iter().filter(|run| asks(run)).count() {
            0 | 1 => {
                let at = there.iter().position(asks).unwrap_or(there.len() - 1);
                let [only] = back.try_into().expect("there is one");
                for (place, run) in there.iter_mut().enumerate() {
                    take(run, if place == at { only.sql.clone() } else { Vec::new() }, &gone);
                }
                Ok(flat(there))
            }
            _ => refused("it has no definitions that would say where its SQL belongs"),
        };
    }
    if back.len() != there.len() {
        return refused("there are definitions between other statements than there");
    }
    let mut schemas = vec![before.clone()];
    for run in &there {
        let mut next = schemas.last().expect("there is one").clone();
        let _ = next.apply_all(&run.definitions);
        for op in &run.sql {
            let _ = next.apply(op);
        }
        schemas.push(next);
    }
    // The schema in front of the last definitions comes first on the way back.
    let mut now = after;
    for (at, run) in back.into_iter().enumerate() {
        let place = there.len() - 1 - at;
        if now.apply_all(&run.definitions).is_err() || !now.same_as(&schemas[place + 1]) {
            return refused("its definitions do not lead the same way");
        }
        // At the end of the up file it is harmless: there nothing can fail any more after it.
        if !run.sql.is_empty() && there[place].sql.is_empty() && at > 0 {
            return refused(
                "its SQL stands where the up file has none, and would take back what was never done",
            );
        }
        let made_here = there[place].sql.iter().filter_map(own_way_back).filter(|drop| gone.contains(drop));
        for op in run.sql.iter().cloned().chain(made_here) {
            drop_if_there(&mut now, &op);
        }
        take(&mut there[place], run.sql, &gone);
    }
    Ok(flat(there))
}

/// The statement that takes SQL back by itself.
fn own_way_back(op: &MigrationOp) -> Option<MigrationOp> {
    let MigrationOp::Execute { revert: Some(revert), .. } = op else { return None };
    Some(MigrationOp::Execute { sql: revert.clone(), revert: None, outside_transaction: false })
}

fn goes_by_itself(op: &MigrationOp, gone: &[MigrationOp]) -> bool {
    own_way_back(op).is_some_and(|drop| gone.contains(&drop))
}

/// Whether SQL of a down file drops what `known` drops, in whatever words.
fn drops_the_same(op: &MigrationOp, known: &MigrationOp, after: &Schema) -> bool {
    let mut without = after.clone();
    drop_if_there(&mut without, known);
    let mut dropped = after.clone();
    drop_if_there(&mut dropped, op);
    is_sql(op) && dropped.triggers.len() < after.triggers.len() && dropped.triggers == without.triggers
}

fn is_sql(op: &MigrationOp) -> bool {
    matches!(op, MigrationOp::Execute { .. })
}

/// The first has no definitions when SQL comes first; otherwise it is empty.
fn runs(ops: Vec<MigrationOp>) -> Vec<Run> {
    let mut runs = vec![Run::default()];
    for op in ops {
        let last = runs.last_mut().expect("there is one");
        match (is_sql(&op), last.sql.is_empty()) {
            (true, _) => last.sql.push(op),
            (false, true) if !last.definitions.is_empty() => last.definitions.push(op),
            (false, _) => runs.push(Run { definitions: vec![op], sql: Vec::new() }),
        }
    }
    runs
}

fn flat(runs: Vec<Run>) -> Vec<MigrationOp> {
    runs.into_iter().flat_map(|run| run.definitions.into_iter().chain(run.sql)).collect()
}

/// Gives SQL its way back: as one statement, which happens and is taken back as a whole.
fn take(run: &mut Run, way_back: Vec<MigrationOp>, gone: &[MigrationOp]) {
    for op in &mut run.sql {
        if !goes_by_itself(op, gone)
            && let MigrationOp::Execute { revert, .. } = op
        {
            *revert = None;
        }
    }
    let way_back: Vec<String> = way_back.into_iter().filter_map(text).collect();
    if way_back.is_empty() {
        answer(&mut run.sql);
        return;
    }
    let outside = |op: &MigrationOp| matches!(op, MigrationOp::Execute { outside_transaction: true, .. });
    if run.sql.iter().any(outside) {
        // These cannot be part of a whole; what is taken back is taken back with the last.
        let mut whole = Some(way_back.join(";\n"));
        for op in run.sql.iter_mut().rev() {
            if let MigrationOp::Execute { revert: own @ None, .. } = op {
                *own = whole.take().or_else(|| Some(NOTHING.to_owned()));
            }
        }
        return;
    }
    // What came last goes first.
    let last = run.sql.iter().rposition(|op| own_way_back(op).is_none());
    let (before, after) = run.sql.split_at(last.map_or(0, |last| last + 1));
    let own = |ops: &[MigrationOp]| -> Vec<String> {
        ops.iter().rev().filter_map(own_way_back).filter_map(text).collect()
    };
    let revert = Some([own(after), way_back, own(before)].concat().join(";\n"));
    let sql: Vec<String> = std::mem::take(&mut run.sql).into_iter().filter_map(text).collect();
    let sql = if sql.is_empty() { NOTHING.to_owned() } else { sql.join(";\n") };
    run.sql = vec![MigrationOp::Execute { sql, revert, outside_transaction: false }];
}

/// The author of the down file had nothing to say to this SQL: it goes with the tables that it filled, for example.
fn answer(sql: &mut [MigrationOp]) {
    for op in sql {
        if let MigrationOp::Execute { revert: revert @ None, .. } = op {
            *revert = Some(NOTHING.to_owned());
        }
    }
}

fn text(op: MigrationOp) -> Option<String> {
    match op {
        MigrationOp::Execute { sql, .. } => Some(sql),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pql_schema::NameRule;

    use super::super::directory::SourceFile;
    use super::*;

    /// The SQL of the operations and its ways back.
    fn attached(up: &str, down: &str) -> Result<Vec<(String, Option<String>)>, String> {
        attached_in(Dialect::Sqlite, up, down)
    }

    fn attached_in(dialect: Dialect, up: &str, down: &str) -> Result<Vec<(String, Option<String>)>, String> {
        let before = "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT); CREATE TABLE old (a TEXT);";
        let empty = Schema::new(match dialect {
            Dialect::Sqlite => NameRule::AsciiInsensitive,
            Dialect::Postgres => NameRule::Exact,
        });
        let file = |name: &str, text: &str| SourceFile {
            path: name.into(),
            text: text.to_owned(),
            checksum: String::new(),
        };
        let mut schema = empty;
        let made = file("before.sql", before);
        Script::read(&made).unwrap().operations(&mut schema, dialect).unwrap();
        let (up, down) = (file("1.up.sql", up), file("1.down.sql", down));
        let before = schema.clone();
        let ops = Script::read(&up).unwrap().operations(&mut schema, dialect).unwrap();
        let ops = attach(ops, &before, &Script::read(&down).unwrap(), dialect);
        let ops = ops.map_err(|error| error.message().to_owned())?;
        let sql = |op| match op {
            MigrationOp::Execute { sql, revert, .. } => Some((sql, revert)),
            _ => None,
        };
        Ok(ops.into_iter().filter_map(sql).collect())
    }

    fn found(expected: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        expected.iter().map(|(sql, back)| ((*sql).to_owned(), Some((*back).to_owned()))).collect()
    }

    #[test]
    fn a_mirrored_file_takes_back_each_at_its_place() {
        let up = "UPDATE p SET n = 'a'; ALTER TABLE p RENAME COLUMN n TO m; UPDATE p SET m = 'b'; DELETE FROM old;";
        let down = "INSERT INTO old VALUES (1); UPDATE p SET m = 'c'; ALTER TABLE p RENAME COLUMN m TO n; UPDATE p SET n = 'd';";
        assert_eq!(
            attached(up, down).unwrap(),
            found(&[
                ("UPDATE p SET n = 'a'", "UPDATE p SET n = 'd'"),
                (
                    "UPDATE p SET m = 'b';\nDELETE FROM old",
                    "INSERT INTO old VALUES (1);\nUPDATE p SET m = 'c'"
                ),
            ])
        );
    }

    #[test]
    fn definitions_may_be_left_out_and_rows_go_with_their_table() {
        let up = "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (1);";
        assert_eq!(
            attached(up, "DELETE FROM t;").unwrap(),
            found(&[("INSERT INTO t VALUES (1)", "DELETE FROM t")])
        );
        assert_eq!(attached(up, "DROP TABLE t;").unwrap(), found(&[("INSERT INTO t VALUES (1)", NOTHING)]));
        let down = "DELETE FROM p;";
        assert_eq!(
            attached("ALTER TABLE p ADD COLUMN c TEXT;", down).unwrap(),
            found(&[(NOTHING, "DELETE FROM p")])
        );
    }

    #[test]
    fn a_trigger_is_dropped_once() {
        let trigger = "CREATE TRIGGER g AFTER INSERT ON p BEGIN DELETE FROM old; END";
        let up = format!("{trigger}; INSERT INTO old VALUES (1);");
        let back = "DELETE FROM old;\nDROP TRIGGER g";
        assert_eq!(
            attached(&up, &format!("{back};")).unwrap(),
            found(&[(&format!("{trigger};\nINSERT INTO old VALUES (1)"), back)])
        );
    }

    #[test]
    fn a_trigger_goes_by_itself_at_its_place() {
        let trigger = "CREATE TRIGGER g AFTER INSERT ON p BEGIN INSERT INTO log VALUES ('a'); END";
        let up = format!("CREATE TABLE log (m TEXT); {trigger}; INSERT INTO p VALUES (3, 'c');");
        let both = format!("{trigger};\nINSERT INTO p VALUES (3, 'c')");
        let expected = found(&[(&both, "DELETE FROM p WHERE id = 3;\nDROP TRIGGER g")]);
        for down in [
            "DELETE FROM p WHERE id = 3;",
            "DELETE FROM p WHERE id = 3; DROP TRIGGER g; DROP TABLE log;",
            "DELETE FROM p WHERE id = 3; DROP TABLE log;",
        ] {
            assert_eq!(attached(&up, down).as_ref(), Ok(&expected), "{down}");
        }
        let made_after = format!("CREATE TABLE log (m TEXT); INSERT INTO p VALUES (3, 'c'); {trigger};");
        let there = format!("INSERT INTO p VALUES (3, 'c');\n{trigger}");
        let back = "DROP TRIGGER g;\nDELETE FROM p WHERE id = 3";
        assert_eq!(
            attached(&made_after, "DELETE FROM p;"),
            Ok(found(&[(&there, "DROP TRIGGER g;\nDELETE FROM p")]))
        );
        assert_eq!(attached(&made_after, &format!("{back}; DROP TABLE log;")), Ok(found(&[(&there, back)])));
        // Of several, one is dropped by the down file.
        let apart = format!("{trigger}; ALTER TABLE p ADD COLUMN c TEXT; UPDATE p SET c = 'x';")
            .replace("log VALUES", "old VALUES");
        let first = trigger.replace("log", "old");
        let ways =
            |of_first: &str, of_last: &str| found(&[(&first, of_first), ("UPDATE p SET c = 'x'", of_last)]);
        assert_eq!(
            attached(&apart, "UPDATE p SET c = NULL;"),
            Ok(ways("DROP TRIGGER g", "UPDATE p SET c = NULL"))
        );
        assert_eq!(attached(&apart, "ALTER TABLE p DROP COLUMN c;"), Ok(ways("DROP TRIGGER g", NOTHING)));
        assert_eq!(
            attached(&apart, "UPDATE p SET c = NULL; ALTER TABLE p DROP COLUMN c; DROP TRIGGER IF EXISTS g;"),
            Ok(ways("DROP TRIGGER IF EXISTS g", "UPDATE p SET c = NULL"))
        );
    }

    #[test]
    fn a_trigger_of_postgresql_goes_from_its_table() {
        let function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'";
        let trigger = "CREATE TRIGGER \"G\" AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f()";
        let up = format!("{function}; {trigger}; INSERT INTO p VALUES (3, 'c');");
        let there = format!("{function};\n{trigger};\nINSERT INTO p VALUES (3, 'c')");
        for (down, back) in [
            ("DELETE FROM p;", "DELETE FROM p;\nDROP TRIGGER \"G\" ON \"public\".\"p\""),
            (
                "DELETE FROM p; DROP TRIGGER IF EXISTS \"G\" ON p; DROP FUNCTION f();",
                "DELETE FROM p;\nDROP TRIGGER IF EXISTS \"G\" ON p;\nDROP FUNCTION f()",
            ),
        ] {
            assert_eq!(attached_in(Dialect::Postgres, &up, down), Ok(found(&[(&there, back)])), "{down}");
        }
        let replaced = trigger.replace("CREATE", "CREATE OR REPLACE");
        let ways = attached_in(Dialect::Postgres, &format!("{replaced};"), "SELECT 2;");
        assert_eq!(ways, Ok(found(&[(&replaced, "SELECT 2")])));
    }

    #[test]
    fn what_is_not_the_file_backwards_is_refused() {
        for (up, down, why) in [
            ("CREATE TABLE q (a TEXT);", "CREATE TABLE r (a TEXT); DROP TABLE q;", "the schema before"),
            (
                "ALTER TABLE p RENAME COLUMN n TO m; UPDATE p SET m = 'z';",
                "ALTER TABLE p RENAME COLUMN m TO n; UPDATE p SET n = 'a';",
                "where the up file has none",
            ),
            (
                "DROP TABLE old; INSERT INTO p VALUES (1, 'x');",
                "CREATE TABLE old (a TEXT); INSERT INTO old VALUES (9); DELETE FROM p;",
                "where the up file has none",
            ),
            (
                "DELETE FROM old; CREATE TABLE q (a TEXT); DELETE FROM p;",
                "INSERT INTO old VALUES (9);",
                "where its SQL belongs",
            ),
            ("CREATE TABLE q (a TEXT);", "DROP TABLE nope;", "no table nope"),
        ] {
            let message = attached(up, down).unwrap_err();
            assert!(message.contains(why), "{down}: {message}");
        }
    }
}
