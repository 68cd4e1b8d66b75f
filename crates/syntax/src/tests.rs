//! What must hold for the crate as a whole. The broad fixtures are in the workspace's `tests/`.

use crate::ast::{self, AstNode, Statement};
use crate::{Parse, parse};

/// Parses, and checks what holds for every input.
fn checked(source: &str) -> Parse {
    let parse = parse(source);
    assert!(parse.syntax().text() == source, "the tree keeps every byte of {source:?}");
    parse
}

fn ok(source: &str) -> Vec<Statement> {
    let parse = checked(source);
    assert_eq!(parse.diagnostics(), [], "in {source}");
    parse.statements().collect()
}

fn one(source: &str) -> Statement {
    let mut statements = ok(source);
    assert_eq!(statements.len(), 1, "in {source}");
    statements.remove(0)
}

const CONTRACT: &str = "
SET auto_migrate = true;

MIGRATE DETECT
FROM schema_version = @current_version
TO application_schema = @target_schema;

MIGRATE GENERATE
ADD COLUMN users.last_login TIMESTAMP DEFAULT NOW(),
ADD INDEX users_email_idx ON users(email),
ADD COLUMN products.embedding VECTOR(768);

MIGRATE APPLY migration_id = @migration_id
WITH strategy = 'online';

MIGRATE ROLLBACK migration_id = @migration_id;

ALTER TABLE users ADD COLUMN status TEXT DEFAULT 'active' CONCURRENTLY;
ALTER TABLE users DROP COLUMN old_field CONCURRENTLY;
CREATE INDEX CONCURRENTLY idx_users_email ON users(email);
CREATE UNIQUE INDEX CONCURRENTLY idx_users_username ON users(username);
DROP INDEX CONCURRENTLY idx_old_index;
ALTER TABLE orders
  ALTER COLUMN amount TYPE DECIMAL(10,2)
  USING amount::DECIMAL
  CONCURRENTLY;
ALTER TABLE orders ADD CONSTRAINT fk_user_id
  FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE orders DROP CONSTRAINT fk_user_id;
ALTER TABLE users RENAME COLUMN old_name TO new_name;
";

#[test]
fn the_contract_statements_parse_and_reach_the_ast() {
    let statements = ok(CONTRACT);
    assert_eq!(statements.len(), 14);
    let Statement::Generate(generate) = &statements[2] else { panic!("{:?}", statements[2]) };
    let operations: Vec<ast::Operation> = generate.operations().collect();
    let ast::Operation::AddColumn(add) = &operations[0] else { panic!("{:?}", operations[0]) };
    assert_eq!(add.table().and_then(|table| table.name()).map(|name| name.text()).as_deref(), Some("users"));
    let column = add.column().expect("a column");
    assert_eq!(column.name().map(|name| name.text()).as_deref(), Some("last_login"));
    assert_eq!(column.ty().map(|ty| ty.normalized()).as_deref(), Some("TIMESTAMP"));
    let constraints = column.constraints();
    let [(None, ast::ColumnConstraint::Default(default))] = constraints.as_slice() else {
        panic!("{constraints:?}")
    };
    assert_eq!(default.expr().map(|expr| expr.text()).as_deref(), Some("NOW()"));
    let ast::Operation::AddColumn(add) = &operations[2] else { panic!("{:?}", operations[2]) };
    assert_eq!(add.column().and_then(|column| column.ty()).map(|ty| ty.args()), Some(vec!["768".to_owned()]));

    let Statement::AlterTable(alter) = &statements[10] else { panic!("{:?}", statements[10]) };
    assert!(alter.is_concurrently());
    let Some(ast::AlterAction::ColumnType(change)) = alter.actions().next() else { panic!("a type change") };
    assert_eq!(change.ty().map(|ty| ty.args()), Some(vec!["10".to_owned(), "2".to_owned()]));
    assert_eq!(change.using().map(|expr| expr.text()).as_deref(), Some("amount::DECIMAL"));
}

#[test]
fn one_bad_statement_hides_no_other() {
    let parse = checked("SET a = 1; MIGRATE APLY; SET b = 2; ALTER TABLE t ADD; SET c = 3");
    let kinds: Vec<bool> = parse.statements().map(|it| matches!(it, Statement::Error(_))).collect();
    assert_eq!(kinds, [false, true, false, true, false]);
    assert_eq!(parse.diagnostics().len(), 2);
}

#[test]
fn semicolons_hide() {
    let sources = [
        "SELECT ';', \"a;b\", `c;d`, E'\\';', $$;$$, $x$;$$;$x$ /* ; /* ; */ ; */ -- ;\n",
        "CREATE TRIGGER t AFTER INSERT ON u BEGIN UPDATE v SET a = CASE WHEN 1 THEN 2 END; DELETE FROM w; END",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",
        "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a;\nINSERT INTO b VALUES (1))",
        "SELECT x @> y, @name, a @@ b FROM [odd;'name] WHERE c['k'] = ARRAY['a;]']",
    ];
    for source in sources {
        assert!(matches!(one(source), Statement::PassThrough(_)), "{source}");
        assert_eq!(ok(&format!("{source};\nSET a = 1;")).len(), 2, "{source}");
    }
    let Statement::PassThrough(select) = one(sources[5]) else { panic!("SQL passes through") };
    let params: Vec<String> = select.params().map(|param| param.name().to_owned()).collect();
    assert_eq!(params, ["name"]);
}

#[test]
fn a_forgotten_bracket_ends_with_the_next_statement() {
    let parse = checked("CREATE TABLE t (a INT;\nCREATE TABLE u (b INT);");
    assert_eq!(parse.statements().count(), 2);
    assert_eq!(parse.diagnostics().len(), 1);
}

/// Parses in a thread with the stack that threads get by default, and faster than anything but linear time could be.
fn hostile(source: String) {
    let work = move || {
        let parse = checked(&source);
        // Building a tree is not all: it has to be walked and dropped as well.
        assert!(parse.syntax().descendants_with_tokens().count() > 0);
        drop(parse);
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread").join().expect("no panic");
}

#[test]
fn nesting_does_not_exhaust_the_stack() {
    const N: usize = 100_000;
    let brackets = [
        ("(", ")", N),
        ("[", "]", 2_000),
        ("{", "}", 2_000),
        ("CASE WHEN ", " END", 2_000),
        ("f(", ")", 2_000),
    ];
    for (open, close, n) in brackets {
        hostile(format!("SELECT {}1{}", open.repeat(n), close.repeat(n)));
        hostile(format!("CREATE TABLE t (a INT CHECK ({}1{}))", open.repeat(n), close.repeat(n)));
        hostile(format!("CREATE TABLE t (a INT CHECK ({}1", open.repeat(n)));
        hostile(format!("CREATE INDEX i ON t ({}1{})", open.repeat(n), close.repeat(n)));
    }
    hostile("/*".repeat(N));
    hostile(format!("{}{} SELECT 1", "/*".repeat(N), "*/".repeat(N)));
}

#[test]
fn the_deepest_nesting_that_is_allowed_fits_into_a_small_stack() {
    for (open, close) in
        [("(", ")"), ("CASE WHEN ", " THEN 1 END"), ("a[", "]"), ("f(", ")"), ("x = ARRAY[", "]")]
    {
        let depth = crate::split::MAX_DEPTH - 2;
        let source = format!("CREATE TABLE t (a INT CHECK ({}1{}))", open.repeat(depth), close.repeat(depth));
        let work = move || assert_eq!(parse(&source).diagnostics(), [], "{source}");
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(work)
            .expect("a thread")
            .join()
            .expect("no panic");
    }
}

#[test]
fn repetition_takes_linear_time() {
    const N: usize = 2_000;
    for part in
        ["a + ", "NOT ", "- ", "a::int::text = ", "a IN (1) OR ", "(1, 2) = ", "'a' || ", "[x] = ", "a[1] = "]
    {
        hostile(format!("CREATE TABLE t (a INT CHECK ({}1))", part.repeat(N)));
        hostile(format!("CREATE TABLE t (a INT CHECK ({}))", part.repeat(N)));
    }
    for part in [
        "'", "\"", "`", "$", "$a$", "$1", "[", "]", "(", ")", "{", ";", "/", "-", "*", "\\", "@", "E'", "\0",
        "é", "\r", "x'",
    ] {
        hostile(part.repeat(N));
        hostile(format!("{part} ").repeat(N));
        hostile(format!("SELECT {}", part.repeat(N)));
        hostile(format!("CREATE TABLE t ({}", part.repeat(N)));
        hostile(format!("{part};\n").repeat(N));
    }
    hostile(format!("CREATE TABLE t (a INT{})", " CONSTRAINT a".repeat(N)));
    hostile(format!("CREATE TABLE t ({})", "a INT, ".repeat(N)));
    hostile("MIGRATE APLY;".repeat(N / 10));
}

#[test]
fn a_long_literal_is_one_token() {
    let source = format!("SET a = '{}'", "x".repeat(10 << 20));
    assert_eq!(ok(&source).len(), 1);
    hostile(source.replace('\'', "\""));
}

#[test]
fn broken_utf8_is_reported_with_its_offset() {
    let error = crate::parse_bytes(b"SET a = '\xff'").expect_err("not UTF-8");
    assert_eq!((error.code, error.span), (crate::codes::NOT_UTF8, 9..10));
    let surrogate = crate::parse_bytes(b"SET a = '\xed\xa0\x80'").expect_err("a lone surrogate is not UTF-8");
    assert_eq!(surrogate.span.start, 9);
}

#[test]
fn the_rows_of_a_copy_and_the_lines_of_psql_are_no_statements() {
    let parse = checked("\\c other\nCOPY t (a) FROM stdin;\n1;'\n2\n\\.\nSELECT 1;\nCOPY t FROM 'file';");
    let codes: Vec<&str> = parse.diagnostics().iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [crate::codes::META_COMMAND, crate::codes::COPY_FROM_STDIN]);
    let statements: Vec<Statement> = parse.statements().collect();
    let [Statement::Meta(_), Statement::Error(_), Statement::PassThrough(_), Statement::PassThrough(_)] =
        statements.as_slice()
    else {
        panic!("{statements:?}")
    };
}

#[test]
fn comments_nest_without_a_limit() {
    let deep = 100_000;
    let text = format!("SELECT 1 {}x{} + 2; SELECT 3;", "/* ".repeat(deep), " */".repeat(deep));
    let parse = crate::parse(&text);
    assert!(parse.is_ok(), "{:?}", parse.diagnostics());
    assert_eq!(parse.statements().count(), 2);
    let open = format!("SELECT 1 {}x{}", "/* ".repeat(deep), " */".repeat(deep - 1));
    let parse = crate::parse(&open);
    assert_eq!(parse.diagnostics()[0].code, crate::codes::UNTERMINATED);
    assert_eq!(crate::parse("/*/ SELECT 1; */ SELECT 2; /**/").statements().count(), 1);
}
