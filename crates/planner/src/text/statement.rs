//! An operation as it is written in MIGRATE GENERATE.

use std::fmt::Write as _;

use pql_schema::{Column, Constraint, DataType, Expr, Index, MigrationOp, ObjectName, Table};

use super::ddl::{PQL, Style, identity_words, table_options};
use super::quote::string;

/// The operation in PQL, for a database that reads names without regard to their case.
pub fn statement(op: &MigrationOp) -> String {
    statement_in(op, &PQL)
}

/// The operation in a style of PQL: see [`pql`](super::pql).
pub fn statement_in(op: &MigrationOp, style: &Style) -> String {
    let ident = style.ident;
    let object = |name: &ObjectName| style.object(name);
    let member = |table: &ObjectName, name: &str| style.member(table, name);
    match op {
        MigrationOp::CreateTable { table } => {
            let text = style.create_table(table);
            format!("ADD{}", text.trim_start_matches("CREATE"))
        }
        MigrationOp::DropTable { table } => format!("DROP TABLE {}", object(table)),
        MigrationOp::SetTableOptions { table, options } => {
            let mut words: Vec<&str> = options.unlogged.then_some("UNLOGGED").into_iter().collect();
            words.extend(table_options(options));
            format!("SET TABLE OPTIONS {} = ({})", object(table), words.join(", "))
        }
        MigrationOp::SetColumnOptions { table, column, identity, not_null_conflict } => {
            let mut words: Vec<String> = identity.map(identity_words).into_iter().collect();
            words.extend(not_null_conflict.map(|conflict| format!("ON CONFLICT {}", conflict.keyword())));
            format!("SET COLUMN OPTIONS {} = ({})", member(table, column), words.join(", "))
        }
        MigrationOp::RenameTable { from, to } => {
            format!("RENAME TABLE {} TO {}", object(from), ident(&to.name))
        }
        MigrationOp::AddColumn { table, column, constraints, backfill } => {
            add_column(style, table, column, constraints, backfill.as_ref())
        }
        MigrationOp::DropColumn { table, column } => format!("DROP COLUMN {}", member(table, column)),
        MigrationOp::RenameColumn { table, from, to } => {
            format!("RENAME COLUMN {} TO {}", member(table, from), ident(to))
        }
        MigrationOp::ChangeColumnType { table, column, to, collation, using, revert_using } => {
            let mut text = format!("CHANGE COLUMN {} TYPE {}", member(table, column), written_type(to));
            if let Some(collation) = collation {
                let _ = write!(text, " COLLATE {}", ident(collation));
            }
            push_expr(&mut text, "USING", using.as_ref());
            push_expr(&mut text, "REVERT USING", revert_using.as_ref());
            text
        }
        MigrationOp::SetNotNull { table, column, backfill } => {
            let mut text = format!("SET NOT NULL {}", member(table, column));
            push_operand(&mut text, "BACKFILL", backfill.as_ref(), style);
            text
        }
        MigrationOp::DropNotNull { table, column } => format!("DROP NOT NULL {}", member(table, column)),
        MigrationOp::SetDefault { table, column, default } => {
            format!("SET DEFAULT {} = {}", member(table, column), style.default_value(default))
        }
        MigrationOp::DropDefault { table, column } => format!("DROP DEFAULT {}", member(table, column)),
        MigrationOp::AddIndex { index } => add_index(style, index),
        MigrationOp::DropIndex { index } => format!("DROP INDEX {}", object(index)),
        MigrationOp::RenameIndex { from, to } => {
            format!("RENAME INDEX {} TO {}", object(from), ident(&to.name))
        }
        MigrationOp::AddConstraint { table, constraint } => {
            let target = match &constraint.name {
                Some(name) => member(table, name),
                None => format!("ON {}", object(table)),
            };
            format!("ADD CONSTRAINT {target} {}", style.constraint_body(constraint))
        }
        MigrationOp::DropConstraint { table, name } => format!("DROP CONSTRAINT {}", member(table, name)),
        MigrationOp::RenameConstraint { table, from, to } => {
            format!("RENAME CONSTRAINT {} TO {}", member(table, from), ident(to))
        }
        MigrationOp::CreateView { view } => style.create_view(view),
        MigrationOp::DropView { view } => format!("DROP VIEW {}", object(view)),
        MigrationOp::Execute { sql, revert, outside_transaction } => {
            let mut text = format!("EXECUTE {}", string(sql));
            if let Some(revert) = revert {
                let _ = write!(text, " REVERT {}", string(revert));
            }
            if *outside_transaction {
                text.push_str(" OUTSIDE TRANSACTION");
            }
            text
        }
    }
}

fn add_column(
    style: &Style,
    table: &ObjectName,
    column: &Column,
    constraints: &[Constraint],
    backfill: Option<&Expr>,
) -> String {
    let owner = Table::new(table.clone());
    let inline: Vec<&Constraint> = constraints.iter().collect();
    let mut text =
        format!("ADD COLUMN {}.{}", style.object(table), style.column_def(column, &owner, &inline));
    if text == format!("ADD COLUMN {}", style.member(table, &column.name)) {
        // Neither type nor constraint: said as what it is, so that it does not look like an oversight.
        text.push_str(" NULL");
    }
    push_operand(&mut text, "BACKFILL", backfill, style);
    text
}

fn add_index(style: &Style, index: &Index) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    format!("ADD {unique}INDEX {}", style.index_tail(index))
}

/// A type where one must be written; a column without a type stores values as BLOB does.
fn written_type(data_type: &DataType) -> String {
    if *data_type == DataType::Untyped { "BLOB".to_owned() } else { data_type.to_string() }
}

fn push_expr(text: &mut String, keyword: &str, expr: Option<&Expr>) {
    if let Some(expr) = expr {
        let _ = write!(text, " {keyword} {expr}");
    }
}

/// Where more words may follow, an expression of several tokens stands in parentheses.
fn push_operand(text: &mut String, keyword: &str, expr: Option<&Expr>, style: &Style) {
    if let Some(expr) = expr {
        let _ = write!(text, " {keyword} {}", style.default_value(expr));
    }
}

#[cfg(test)]
mod tests {
    use pql_schema::{ConstraintKind, ForeignKey, IndexPart, KeyPart, SortOrder, Unique};

    use super::*;

    #[test]
    fn the_contract_operations() {
        let mut last_login = Column::new("last_login", DataType::Timestamp);
        last_login.default = Some(Expr::new("NOW()"));
        let op = MigrationOp::AddColumn {
            table: "users".into(),
            column: last_login,
            constraints: Vec::new(),
            backfill: None,
        };
        assert_eq!(statement(&op), "ADD COLUMN users.last_login TIMESTAMP DEFAULT NOW()");
        let mut part = IndexPart::column("email");
        part.order = SortOrder::Desc;
        let index = Index {
            name: "users_email_idx".into(),
            table: "users".into(),
            unique: true,
            method: None,
            parts: vec![part, IndexPart { expr: Expr::new("a + 1"), column: None, ..IndexPart::column("x") }],
            include: Vec::new(),
            nulls_not_distinct: false,
            predicate: Some(Expr::new("(email IS NOT NULL)")),
            with: None,
        };
        assert_eq!(
            statement(&MigrationOp::AddIndex { index }),
            "ADD UNIQUE INDEX users_email_idx ON users (email DESC, (a + 1)) WHERE email IS NOT NULL"
        );
    }

    #[test]
    fn names_and_operands_are_quoted_where_needed() {
        let op = MigrationOp::SetNotNull {
            table: "order".into(),
            column: "a b".to_owned(),
            backfill: Some(Expr::new("c + 1")),
        };
        assert_eq!(statement(&op), "SET NOT NULL \"order\".\"a b\" BACKFILL (c + 1)");
        let unique = Unique {
            columns: vec![KeyPart::new("a"), KeyPart::new("b")],
            nulls_not_distinct: false,
            on_conflict: None,
            deferrable: None,
        };
        let op = MigrationOp::AddConstraint {
            table: "t".into(),
            constraint: Constraint::unnamed(ConstraintKind::Unique(unique)),
        };
        assert_eq!(statement(&op), "ADD CONSTRAINT ON t UNIQUE (a, b)");
        let op = MigrationOp::Execute {
            sql: "INSERT INTO t VALUES ('x')".to_owned(),
            revert: Some("DELETE FROM t".to_owned()),
            outside_transaction: false,
        };
        assert_eq!(statement(&op), "EXECUTE 'INSERT INTO t VALUES (''x'')' REVERT 'DELETE FROM t'");
    }

    #[test]
    fn a_foreign_key_beside_its_column() {
        let key = ForeignKey {
            columns: vec!["user_id".to_owned()],
            table: "users".into(),
            referenced: vec!["id".to_owned()],
            on_delete: pql_schema::Action::Cascade,
            on_update: pql_schema::Action::NoAction,
            matching: None,
            deferrable: None,
        };
        let op = MigrationOp::AddColumn {
            table: "orders".into(),
            column: Column::new("user_id", DataType::Integer),
            constraints: vec![Constraint {
                name: Some("fk".to_owned()),
                ..Constraint::unnamed(ConstraintKind::ForeignKey(key))
            }],
            backfill: Some(Expr::new("1")),
        };
        assert_eq!(
            statement(&op),
            "ADD COLUMN orders.user_id INTEGER CONSTRAINT fk REFERENCES users (id) ON DELETE CASCADE BACKFILL 1"
        );
    }
}
