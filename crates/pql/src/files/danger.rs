//! What loses data, found in the tree: a comment or a string that mentions DROP TABLE is none of it.

use pql_syntax::SyntaxKind;
use pql_syntax::ast::{AlterAction, AstNode as _, Operand, Operation, PassThrough, Statement};

/// What a statement would lose, in words; several for a statement that does several things.
pub(crate) fn dangers(statement: &Statement) -> Vec<String> {
    match statement {
        Statement::DropTable(drop) => {
            drop.names().map(|name| format!("DROP TABLE {}", name.text())).collect()
        }
        Statement::AlterTable(alter) => alter
            .actions()
            .filter_map(|action| match action {
                AlterAction::DropColumn(drop) => drop.name().map(|name| format!("DROP COLUMN {name}")),
                _ => None,
            })
            .collect(),
        Statement::Generate(generate) => {
            generate.operations().flat_map(|operation| of_operation(&operation)).collect()
        }
        Statement::PassThrough(sql) => of_sql(sql),
        _ => Vec::new(),
    }
}

fn of_operation(operation: &Operation) -> Vec<String> {
    let named = |what: &str, target: Option<pql_syntax::ast::QualifiedName>| {
        target.map(|target| format!("{what} {}", target.text())).into_iter().collect()
    };
    match operation {
        Operation::DropTable(drop) => named("DROP TABLE", drop.target()),
        Operation::DropColumn(drop) => named("DROP COLUMN", drop.target()),
        Operation::Execute(execute) => match execute.sql() {
            Some(Operand::Literal(pql_syntax::ast::Literal::String(sql))) => {
                pql_syntax::parse(&sql).statements().flat_map(|statement| dangers(&statement)).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Words after which DELETE and UPDATE are not statements: `ON DELETE`, `FOR UPDATE`, `DO UPDATE`, `THEN DELETE`.
const NOT_A_STATEMENT: &[&str] =
    &["ON", "FOR", "DO", "THEN", "BEFORE", "AFTER", "OF", "OR", "GRANT", "REVOKE", ","];

fn of_sql(sql: &PassThrough) -> Vec<String> {
    let words: Vec<String> = sql
        .tokens()
        .filter(|token| token.kind() != SyntaxKind::comment)
        .map(|it| it.text().to_uppercase())
        .collect();
    let first = words.first().map(String::as_str).unwrap_or_default();
    match first {
        "TRUNCATE" => return vec!["TRUNCATE".to_owned()],
        "DROP" => {
            return match words.get(1).map(String::as_str) {
                Some(what @ ("SCHEMA" | "DATABASE" | "OWNED" | "MATERIALIZED" | "FOREIGN")) => {
                    vec![format!("DROP {what}")]
                }
                _ => Vec::new(),
            };
        }
        // Bodies of triggers and functions do nothing yet, rights are no data, and EXPLAIN runs nothing.
        "CREATE" | "GRANT" | "REVOKE" | "EXPLAIN" | "COMMENT" => return Vec::new(),
        _ => {}
    }
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if !matches!(word.as_str(), "DELETE" | "UPDATE") {
            continue;
        }
        let before = at.checked_sub(1).map(|at| words[at].as_str());
        if before.is_some_and(|before| NOT_A_STATEMENT.contains(&before) || before == ".") {
            continue;
        }
        if !has_where(&words[at + 1..]) {
            found.push(format!("{word} without WHERE"));
        }
    }
    found
}

/// Whether the statement that begins before these words has a WHERE of its own.
fn has_where(words: &[String]) -> bool {
    let mut depth = 0i32;
    for word in words {
        match word.as_str() {
            "(" => depth += 1,
            ")" if depth == 0 => return false,
            ")" => depth -= 1,
            "WHERE" if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let parse = pql_syntax::parse(text);
        assert!(parse.is_ok(), "{text}: {:?}", parse.diagnostics());
        parse.statements().flat_map(|statement| dangers(&statement)).collect()
    }

    #[test]
    fn what_loses_data_is_found() {
        for (text, danger) in [
            ("DROP TABLE users", "DROP TABLE users"),
            ("ALTER TABLE users DROP COLUMN email", "DROP COLUMN email"),
            ("ALTER TABLE users ADD COLUMN a TEXT, DROP COLUMN b", "DROP COLUMN b"),
            ("MIGRATE GENERATE DROP COLUMN users.email", "DROP COLUMN users.email"),
            ("MIGRATE GENERATE EXECUTE 'DELETE FROM users'", "DELETE without WHERE"),
            ("TRUNCATE users", "TRUNCATE"),
            ("DELETE FROM users", "DELETE without WHERE"),
            ("UPDATE users SET name = (SELECT n FROM x WHERE x.id = users.id)", "UPDATE without WHERE"),
            (
                "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone WHERE id > 1",
                "DELETE without WHERE",
            ),
            ("WITH x AS (SELECT 1 WHERE true) UPDATE users SET a = 1", "UPDATE without WHERE"),
        ] {
            assert_eq!(of(text), [danger], "{text}");
        }
    }

    #[test]
    fn what_loses_nothing_is_not() {
        for text in [
            "-- DROP TABLE users\nSELECT 1",
            "INSERT INTO notes VALUES ('DROP TABLE users; DELETE FROM users')",
            "DELETE FROM users WHERE id = 1",
            "UPDATE users SET a = 1 WHERE id IN (SELECT id FROM x)",
            "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
            "SELECT * FROM users FOR UPDATE",
            "CREATE TRIGGER t AFTER UPDATE ON users BEGIN DELETE FROM log; END",
            "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES b (id) ON DELETE CASCADE",
            "DROP INDEX i",
            "GRANT SELECT, UPDATE ON users TO app",
        ] {
            assert_eq!(of(text), Vec::<String>::new(), "{text}");
        }
    }
}
