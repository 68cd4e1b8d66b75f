use crate::*;

/// A schema from JSON without its outer braces.
fn schema(json: &str) -> Schema {
    Schema::from_json(&format!("{{{json}}}")).unwrap_or_else(|error| panic!("{error}\n{json}"))
}

/// A table: `t(a, b text, …)`; columns are integers unless they say otherwise. Constraints are JSON.
fn table(name: &str, columns: &str, constraints: &[&str]) -> String {
    let columns: Vec<String> = columns
        .split(", ")
        .map(|column| {
            let mut words = column.split(' ');
            let (name, data_type) = (words.next().unwrap_or_default(), words.next().unwrap_or("integer"));
            format!(r#"{{"name": "{name}", "data_type": "{data_type}"}}"#)
        })
        .collect();
    let (columns, constraints) = (columns.join(", "), constraints.join(", "));
    format!(r#"{{"name": "{name}", "columns": [{columns}], "constraints": [{constraints}]}}"#)
}

fn tables(tables: &[String]) -> Schema {
    schema(&format!(r#""tables": [{}]"#, tables.join(", ")))
}

const KEY: &str = r#"{"constraint": "primary_key", "columns": ["id"]}"#;

fn reference(column: &str, parent: &str) -> String {
    format!(r#"{{"constraint": "foreign_key", "columns": ["{column}"], "table": "{parent}"}}"#)
}

fn view(schema: &mut Schema, name: &str, query: &str) {
    let query = Expr::statement(query);
    let view = View { name: name.into(), columns: Vec::new(), query, materialized: false };
    schema.views.insert(name.into(), view);
}

fn trigger(schema: &mut Schema, name: &str, table: &str, definition: &str) {
    let definition = Expr::statement(definition);
    schema.triggers.insert(name.into(), Trigger { name: name.into(), table: table.into(), definition });
}

/// The operations in short; applied, they must reach the target.
fn between(from: &Schema, to: &Schema, answers: &Answers) -> Vec<String> {
    let found = diff(from, to, answers).unwrap_or_else(|error| panic!("{error}"));
    let mut after = from.clone();
    after.apply_all(&found.ops).unwrap_or_else(|error| panic!("{error:?}\n{:?}", found.ops));
    assert!(after.same_as(to), "{:?} does not reach the target", found.ops);
    found.ops.iter().map(short).collect()
}

fn short(op: &MigrationOp) -> String {
    if let MigrationOp::Execute { sql, .. } = op {
        return sql.clone();
    }
    let name = |object: &ObjectRef| object.to_string().split_once(' ').map(|(_, name)| name.to_owned());
    let objects: Vec<String> = op.objects().iter().filter_map(name).collect();
    format!("{} {}", op.kind(), objects.join(" -> "))
}

fn ops(from: &Schema, to: &Schema) -> Vec<String> {
    between(from, to, &Answers::default())
}

fn error(from: &Schema, to: &Schema, answers: &Answers) -> String {
    diff(from, to, answers).expect_err("it should have been refused").to_string()
}

#[test]
fn spelling_is_no_difference() {
    let from = tables(&[
        table("users", "id, name text", &[KEY, r#"{"constraint": "check", "expr": "name <> ''"}"#]),
        table("orders", "id, buyer", &[&reference("buyer", "users")]),
    ]);
    let to = tables(&[
        table(
            "ORDERS",
            "ID, Buyer",
            &[
                r#"{"constraint": "foreign_key", "columns": ["BUYER"], "table": "Users", "referenced": ["Id"]}"#,
            ],
        ),
        table(
            "Users",
            "Name text, Id",
            &[
                r#"{"constraint": "check", "expr": "(NAME<>'')"}"#,
                r#"{"constraint": "primary_key", "columns": ["ID"]}"#,
            ],
        ),
    ]);
    assert!(from.same_as(&to) && to.same_as(&from));
    assert_eq!(ops(&from, &to), [""; 0]);
    let mut exact = (from, to);
    (exact.0.names, exact.1.names) = (NameRule::Exact, NameRule::Exact);
    assert!(!exact.0.same_as(&exact.1));
}

#[test]
fn the_current_spelling_is_kept() {
    let from = tables(&[table("Users", "Id, Name text", &[])]);
    let to = tables(&[table(
        "users",
        "ID, NAME text, email text",
        &[r#"{"constraint": "unique", "columns": ["name"]}"#],
    )]);
    assert_eq!(ops(&from, &to), ["add column Users.email", "add constraint Users.Users_Name_key"]);
}

#[test]
fn columns_come_before_others_go_and_all_kinds_of_changes() {
    let from = schema(
        r#""tables": [{"name": "t", "columns": [
            {"name": "old", "data_type": "text"},
            {"name": "a", "data_type": "integer", "default": "1"},
            {"name": "b", "data_type": "text", "not_null": true, "default": "'x'"},
            {"name": "c", "data_type": "text", "not_null": true, "not_null_conflict": "ignore"}]}]"#,
    );
    let to = schema(
        r#""tables": [{"name": "t", "columns": [
            {"name": "new", "data_type": "integer"},
            {"name": "a", "data_type": "text", "default": "'1'"},
            {"name": "b", "data_type": "text", "collation": "nocase", "default": "'y'", "not_null": true},
            {"name": "c", "data_type": "text"}],
            "options": {"strict": true}}]"#,
    );
    assert_eq!(
        ops(&from, &to),
        [
            "add column t.new",
            "drop column t.old",
            "drop default t.a",
            "change column type t.a",
            "set default t.a",
            "drop default t.b",
            "change column type t.b",
            "set default t.b",
            "set column options t.c",
            "drop not null t.c",
            "set table options t",
        ]
    );
}

#[test]
fn a_generated_column_comes_again_with_all_that_hangs_on_it() {
    let with = |expr: &str, rest: &str| {
        schema(&format!(
            r#""tables": [{{"name": "t", "columns": [
                {{"name": "a", "data_type": "integer"}},
                {{"name": "g", "data_type": "integer", {expr}}},
                {{"name": "h", "data_type": "integer", "generated": {{"expr": "g + 1", "stored": false}}}}],
                "constraints": [{{"constraint": "check", "expr": "h > 0"}}]}}],
               "indexes": [{{"name": "i", "table": "t", "parts": ["h"]}}] {rest}"#
        ))
    };
    let from = with(r#""generated": {"expr": "a * 2", "stored": true}"#, "");
    let changed = with(r#""generated": {"expr": "a * 3", "stored": true}"#, "");
    assert_eq!(
        ops(&from, &changed),
        [
            "drop index i",
            "drop constraint t.t_check",
            "drop column t.h",
            "drop column t.g",
            "add column t.g",
            "add column t.h",
            "add constraint t.t_check",
            "add index i",
        ]
    );
    let found = diff(&from, &changed, &Answers::default()).unwrap();
    let mut before = from.clone();
    for op in &found.ops {
        assert!(!op.is_destructive(&before), "{op:?} loses nothing that cannot be computed");
        before.apply(op).unwrap();
    }
    // No longer generated, it keeps its values.
    let plain = with(r#""default": "0""#, "");
    assert!(ops(&from, &plain).contains(&"drop column t.g".to_owned()));
    let found = diff(&from, &plain, &Answers::default()).unwrap();
    let kept = found.ops.iter().find_map(|op| match op {
        MigrationOp::AddColumn { column, backfill, .. } if column.name == "g" => backfill.clone(),
        _ => None,
    });
    assert_eq!(kept, Some(Expr::new("a * 2")));
}

#[test]
fn constraints_pair_by_name_and_then_by_content() {
    let check = |name: &str, expr: &str| {
        let name = if name.is_empty() { String::new() } else { format!(r#""name": "{name}", "#) };
        format!(r#"{{{name}"constraint": "check", "expr": "{expr}"}}"#)
    };
    let with = |checks: &[(&str, &str)]| {
        let checks: Vec<String> = checks.iter().map(|(name, expr)| check(name, expr)).collect();
        tables(&[table("t", "a", &checks.iter().map(String::as_str).collect::<Vec<_>>())])
    };
    let from = with(&[("", "a > 1"), ("", "a > 2"), ("k", "a > 3")]);
    assert_eq!(ops(&from, &with(&[("k", "a > 3"), ("", "a > 2"), ("", "a > 1")])), [""; 0], "in any order");
    assert_eq!(ops(&from, &with(&[("", "a > 1"), ("", "a > 3"), ("", "a > 2")])), [""; 0], "under any name");
    assert_eq!(ops(&from, &with(&[("", "a > 1"), ("k", "a > 3")])), ["drop constraint t.t_check1"]);
    assert_eq!(
        ops(&from, &with(&[("", "a > 1"), ("two", "a > 2"), ("k", "a > 4")])),
        ["drop constraint t.k", "rename constraint t.t_check1 -> t.two", "add constraint t.k",]
    );
    assert_eq!(
        ops(&from, &with(&[("t_check", "a > 3"), ("", "a > 1"), ("", "a > 2")])),
        ["rename constraint t.k -> t.t_check"]
    );
}

#[test]
fn indexes_are_renamed_when_only_the_name_differs() {
    let with = |indexes: &str| {
        schema(&format!(r#""tables": [{}], "indexes": [{indexes}]"#, table("t", "a, b", &[])))
    };
    let from =
        with(r#"{"name": "i", "table": "T", "parts": ["A"]}, {"name": "j", "table": "t", "parts": ["b"]}"#);
    assert_eq!(
        ops(
            &from,
            &with(
                r#"{"name": "k", "table": "t", "parts": ["a"]}, {"name": "J", "table": "t", "parts": ["b"]}"#
            )
        ),
        ["rename index i -> k"]
    );
    assert_eq!(
        ops(&from, &with(r#"{"name": "i", "table": "t", "parts": [{"column": "a", "order": "desc"}]}"#)),
        ["drop index i", "drop index j", "add index i"]
    );
}

#[test]
fn foreign_keys_order_what_comes_and_goes() {
    let empty = tables(&[]);
    let chain = tables(&[
        table("a", "id, b", &[KEY, &reference("b", "b")]),
        table("b", "id, c", &[KEY, &reference("c", "c")]),
        table("c", "id, c", &[KEY, &reference("c", "c")]),
    ]);
    assert_eq!(ops(&empty, &chain), ["create table c", "create table b", "create table a"]);
    assert_eq!(ops(&chain, &empty), ["drop table a", "drop table b", "drop table c"]);
    let cycle = tables(&[
        table("a", "id, b", &[KEY, &reference("b", "b")]),
        table("b", "id, a", &[KEY, &reference("a", "a")]),
        table("z", "id, a", &[KEY, &reference("a", "a")]),
    ]);
    assert_eq!(
        ops(&empty, &cycle),
        ["create table b", "create table a", "create table z", "add constraint b.b_a_fkey"]
    );
    assert_eq!(
        ops(&cycle, &empty),
        ["drop constraint b.b_a_fkey", "drop table z", "drop table a", "drop table b"]
    );
}

#[test]
fn a_key_that_changes_is_let_go_by_those_that_refer_to_it() {
    let key = |autoincrement: bool| {
        format!(r#"{{"constraint": "primary_key", "columns": ["id"], "autoincrement": {autoincrement}}}"#)
    };
    let with = |autoincrement| {
        tables(&[table("p", "id", &[&key(autoincrement)]), table("c", "p", &[&reference("p", "p")])])
    };
    assert_eq!(
        ops(&with(false), &with(true)),
        [
            "drop constraint c.c_p_fkey",
            "drop constraint p.p_pkey",
            "add constraint p.p_pkey",
            "add constraint c.c_p_fkey"
        ]
    );
}

#[test]
fn a_foreign_key_waits_for_the_index_that_makes_its_key_unique() {
    let to = schema(&format!(
        r#""tables": [{}, {}], "indexes": [{{"name": "u", "table": "p", "parts": ["code"], "unique": true}}]"#,
        table("p", "id, code", &[KEY]),
        table(
            "c",
            "p",
            &[r#"{"constraint": "foreign_key", "columns": ["p"], "table": "p", "referenced": ["code"]}"#]
        ),
    ));
    assert_eq!(
        ops(&tables(&[]), &to),
        ["create table p", "create table c", "add index u", "add constraint c.c_p_fkey"]
    );
}

#[test]
fn a_possible_rename_is_a_question() {
    let from = tables(&[table("users", "id, name text, age", &[KEY]), table("log", "at, what text", &[])]);
    let to =
        tables(&[table("users", "id, full_name text, age", &[KEY]), table("journal", "what text, at", &[])]);
    let found = diff(&from, &to, &Answers::default()).unwrap();
    let asked: Vec<String> =
        found.questions.iter().map(|question| format!("{}: {question}", question.id)).collect();
    assert_eq!(
        asked,
        [
            "rename_1: was table log renamed to journal?",
            "rename_2: was column name of users renamed to full_name?"
        ]
    );
    assert_eq!(
        ops(&from, &to),
        ["drop table log", "add column users.full_name", "drop column users.name", "create table journal"]
    );
    let yes = Answers::default().with("rename_1", true).with("rename_2", true).with("rename_3", false);
    assert_eq!(
        between(&from, &to, &yes),
        ["rename table log -> journal", "rename column users.name -> users.full_name"]
    );
    let found = diff(&from, &to, &yes).unwrap();
    assert_eq!((found.questions, found.unused_answers), (vec![], vec!["rename_3".to_owned()]));
    let found = diff(&from, &to, &Answers::default().with("rename_2", false)).unwrap();
    assert_eq!(found.questions.len(), 1, "no is an answer, too");
}

#[test]
fn only_one_answer_can_be_yes() {
    let from = tables(&[table("t", "id, a text", &[])]);
    let to = tables(&[table("t", "id, b text, c text, d", &[])]);
    let found = diff(&from, &to, &Answers::default()).unwrap();
    assert_eq!(found.questions.len(), 2, "a may have become b or c, but not d, which is no text");
    let answers = Answers::default().with("rename_2", true);
    assert_eq!(diff(&from, &to, &answers).unwrap().questions, [], "which answers the other, too");
    assert_eq!(
        between(&from, &to, &answers),
        ["rename column t.a -> t.c", "add column t.b", "add column t.d"]
    );
    assert_eq!(
        error(&from, &to, &answers.with("rename_1", true)),
        "column t.a to b and column t.a to c cannot both be true"
    );
}

#[test]
fn many_possible_renames_are_asked_about_one_by_one() {
    let columns = |prefix: &str| (0..30).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>().join(", ");
    let from = tables(&[table("t", &columns("a"), &[])]);
    let to = tables(&[table("t", &columns("b"), &[])]);
    assert_eq!(diff(&from, &to, &Answers::default()).unwrap().questions.len(), 30);
}

#[test]
fn a_declared_rename_happens_once() {
    let declared = Answers {
        renamed_tables: vec![("people".into(), "Users".into())],
        renamed_columns: vec![("people".into(), "full_name".into(), "NAME".into())],
        ..Answers::default()
    };
    let from = schema(&format!(
        r#""tables": [{}], "indexes": [{{"name": "i", "table": "users", "parts": ["name"]}}],
           "views": [{{"name": "v", "query": "SELECT users.name FROM users"}}]"#,
        table("users", "id, name text", &[KEY, r#"{"constraint": "check", "expr": "name <> 'name'"}"#])
    ));
    let to = schema(&format!(
        r#""tables": [{}], "indexes": [{{"name": "i", "table": "people", "parts": ["full_name"]}}],
           "views": [{{"name": "v", "query": "SELECT people.full_name FROM people"}}]"#,
        table(
            "people",
            "id, full_name varchar",
            &[KEY, r#"{"constraint": "check", "expr": "full_name <> 'name'"}"#]
        )
        .replace("\"varchar\"", r#"{"varchar": 20}"#)
    ));
    assert_eq!(
        between(&from, &to, &declared),
        [
            "rename table users -> people",
            "rename column people.name -> people.full_name",
            "change column type people.full_name"
        ]
    );
    assert_eq!(between(&to, &to, &declared), [""; 0], "the second time there is nothing to do");
    assert!(!between(&tables(&[]), &to, &declared).is_empty(), "nor in an empty database");
}

#[test]
fn a_declared_rename_must_make_sense() {
    let with = |columns: &str| tables(&[table("t", columns, &[])]);
    let declared = |list: &[(&str, &str)]| Answers {
        renamed_columns: list
            .iter()
            .map(|(to, from)| ("t".into(), (*to).to_owned(), (*from).to_owned()))
            .collect(),
        ..Answers::default()
    };
    let b_from_a = declared(&[("b", "a")]);
    assert_eq!(
        error(&with("a, b"), &with("b"), &b_from_a),
        "column t.a to b is declared as renamed, but the database has both"
    );
    assert_eq!(
        between(&with("a, b"), &with("a, b, c"), &b_from_a),
        ["add column t.c"],
        "a is another one by now"
    );
    assert_eq!(between(&with("a"), &with("a, b"), &b_from_a), ["rename column t.a -> t.b", "add column t.a"]);
    let typo = diff(&with("total"), &with("b"), &declared(&[("b", "totl")])).unwrap_err();
    assert_eq!(typo.to_string(), "column t.totl to b is declared as renamed, but the database has neither");
    assert_eq!(typo.help().as_deref(), Some("did you mean `total`?"));
    assert_eq!(
        error(&with("a"), &with("a"), &b_from_a),
        "column t.a to b is declared as renamed, but the target does not have that"
    );
    let chain = declared(&[("b", "a"), ("c", "b")]);
    assert_eq!(
        between(&with("a, b"), &with("b, c"), &chain),
        ["rename column t.b -> t.c", "rename column t.a -> t.b"]
    );
    assert_eq!(between(&with("b, c"), &with("b, c"), &chain), [""; 0]);
    assert!(
        error(&with("a, b"), &with("a, b"), &declared(&[("b", "a"), ("a", "b")]))
            .ends_with("cannot both be true")
    );
    assert!(
        error(&with("a"), &with("b, c"), &declared(&[("b", "a"), ("c", "a")]))
            .ends_with("cannot both be true")
    );
    assert!(
        error(&with("a, b, c"), &with("b, c"), &chain).ends_with("the database has both"),
        "c is there already, so b is not free"
    );
}

#[test]
fn views_make_way_and_come_back() {
    let mut from = tables(&[table("t", "id, a, b", &[]), table("u", "id", &[])]);
    view(&mut from, "base", "SELECT a, b FROM t");
    view(&mut from, "above", "SELECT a FROM base");
    view(&mut from, "other", "SELECT id FROM u");
    trigger(
        &mut from,
        "into",
        "above",
        "CREATE TRIGGER \"into\" INSTEAD OF INSERT ON above BEGIN SELECT 1; END",
    );
    let mut to = from.clone();
    to.tables.insert("t".into(), tables(&[table("t", "id, a", &[])]).tables[&"t".into()].clone());
    view(&mut to, "base", "SELECT a FROM t");
    assert_eq!(
        ops(&from, &to),
        [
            "DROP TRIGGER \"into\"",
            "drop view above",
            "drop view base",
            "drop column t.b",
            "create view base",
            "create view above",
            "CREATE TRIGGER \"into\" INSTEAD OF INSERT ON above BEGIN SELECT 1; END"
        ]
    );
    let mut silent = to.clone();
    silent.views.clear();
    silent.triggers.clear();
    assert_eq!(
        error(&from, &silent, &Answers::default()),
        "column t.b is not in the target, but is used by view base"
    );
    silent.tables.insert("t".into(), from.tables[&"t".into()].clone());
    silent.tables.remove(&"u".into());
    assert_eq!(
        error(&from, &silent, &Answers::default()),
        "table u is not in the target, but is used by view other"
    );
}

#[test]
fn triggers_are_executed() {
    let mut from = tables(&[table("t", "id, a", &[]), table("log", "at", &[])]);
    trigger(&mut from, "old", "t", "CREATE TRIGGER old AFTER INSERT ON t BEGIN SELECT 1; END");
    trigger(&mut from, "same", "t", "CREATE TRIGGER same AFTER INSERT ON t BEGIN DELETE FROM log; END");
    trigger(&mut from, "note", "t", "CREATE TRIGGER note AFTER UPDATE OF a ON t BEGIN SELECT 1; END");
    let mut to = from.clone();
    to.triggers.remove(&"old".into());
    trigger(&mut to, "note", "t", "CREATE TRIGGER note AFTER UPDATE OF a ON t BEGIN SELECT 2; END");
    assert_eq!(
        ops(&from, &to),
        [
            "DROP TRIGGER \"note\"",
            "DROP TRIGGER \"old\"",
            "CREATE TRIGGER note AFTER UPDATE OF a ON t BEGIN SELECT 2; END"
        ]
    );
    let found = diff(&from, &to, &Answers::default()).unwrap();
    let reverts: Vec<_> = found.ops.iter().map(|op| op.inverse(&from).is_some()).collect();
    assert_eq!(reverts, [true; 3]);
    to.triggers.clear();
    assert_eq!(ops(&from, &to), [""; 0], "a target without triggers says nothing about them");
    to.tables.remove(&"log".into());
    assert_eq!(
        error(&from, &to, &Answers::default()),
        "table log is not in the target, but is used by trigger same"
    );
}

#[test]
fn a_target_that_contradicts_itself_is_refused() {
    let from = tables(&[table("p", "id", &[KEY]), table("c", "p", &[&reference("p", "p")])]);
    let mut to = from.clone();
    to.tables.remove(&"p".into());
    assert_eq!(
        error(&from, &to, &Answers::default()),
        "the target schema is not consistent: table p is still used by constraint c.c_p_fkey"
    );
    let to = tables(&[table("c", "p", &[&reference("p", "q")])]);
    assert_eq!(
        error(&tables(&[]), &to, &Answers::default()),
        "the target schema is not consistent: there is no table q"
    );
}

#[test]
fn retained_columns_are_not_seen() {
    let mut from = tables(&[table("t", "id, _pql_1", &[])]);
    if let Some(table) = from.tables.get_mut(&"t".into()) {
        table.columns[1].retained = true;
    }
    assert_eq!(ops(&from, &tables(&[table("t", "id", &[])])), [""; 0]);
    assert_eq!(ops(&from, &tables(&[table("t", "id, x", &[])])), ["add column t.x"]);
}

#[test]
fn a_materialised_view_takes_its_indexes_along() {
    let mut from = tables(&[table("t", "id, a, b", &[])]);
    from.names = NameRule::Exact;
    view(&mut from, "m", "SELECT a, b FROM t");
    from.views.entry("m".into()).and_modify(|view| view.materialized = true);
    for name in ["m_a", "m_b"] {
        let index = r#"{"name": "NAME", "table": "m", "parts": ["a"]}"#.replace("NAME", name);
        let index: Index = serde_json::from_str(&index).unwrap();
        from.indexes.insert(name.into(), index);
    }
    let mut to = from.clone();
    to.indexes.remove(&"m_b".into());
    to.views.entry("m".into()).and_modify(|view| view.query = Expr::statement("SELECT a FROM t"));
    assert_eq!(ops(&from, &to), ["drop view m", "create view m", "add index m_a"]);
}

#[test]
fn an_identity_takes_the_place_of_a_default() {
    let with = |column: &str| {
        schema(&format!(
            r#""names": "exact", "tables": [{{"name": "t", "columns": [{{"name": "id", "data_type": "integer", {column}}}]}}]"#
        ))
    };
    let (default, identity) = (with(r#""default": "7""#), with(r#""identity": "always""#));
    assert_eq!(ops(&default, &identity), ["drop default t.id", "set column options t.id"]);
    assert_eq!(ops(&identity, &default), ["set column options t.id", "set default t.id"]);
}
