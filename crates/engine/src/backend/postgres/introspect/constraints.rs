//! Constraints.

use std::collections::BTreeMap;

use pql_schema::{
    Action, Constraint, ConstraintKind, Deferrable, Expr, ForeignKey, KeyPart, PrimaryKey, Table, Unique,
    tokens,
};

use super::catalog::Fields;
use super::{Oid, Relations};
use crate::Result;

/// Adds a constraint to its table.
pub(super) fn constraint(
    row: &mut Fields<'_>,
    relations: &Relations,
    tables: &mut BTreeMap<Oid, Table>,
) -> Result<()> {
    let (relation, name, kind) = (row.oid()?, row.text()?, row.str()?);
    let (validated, deferrable, deferred) = (row.flag()?, row.flag()?, row.flag()?);
    let (key, referred, referred_key) = (row.numbers()?, row.oid()?, row.numbers()?);
    let (on_delete, on_update, matching) = (row.str()?, row.str()?, row.str()?);
    let no_inherit = row.flag()?;
    let (expr, definition) = (row.opt_str()?, row.opt_str()?.unwrap_or_default());
    let Some(table) = tables.get_mut(&relation) else { return Ok(()) };
    let deferrable = match (deferrable, deferred) {
        (false, _) => None,
        (true, false) => Some(Deferrable::Immediate),
        (true, true) => Some(Deferrable::Deferred),
    };
    let columns = relations.columns(relation, &key);
    let native = || ConstraintKind::Native { definition: without_not_valid(definition) };
    let kind = match (kind, columns) {
        ("p", Some(columns)) if deferrable.is_none() && !includes(definition) => {
            ConstraintKind::PrimaryKey(PrimaryKey {
                columns: columns.into_iter().map(KeyPart::new).collect(),
                autoincrement: false,
                on_conflict: None,
            })
        }
        ("u", Some(columns)) if !includes(definition) => ConstraintKind::Unique(Unique {
            columns: columns.into_iter().map(KeyPart::new).collect(),
            nulls_not_distinct: definition.contains("NULLS NOT DISTINCT"),
            on_conflict: None,
            deferrable,
        }),
        ("c", _) if !no_inherit => ConstraintKind::Check { expr: Expr::new(expr.unwrap_or_default()) },
        ("f", Some(columns)) => {
            match (relations.name(referred), relations.columns(referred, &referred_key)) {
                (Some(name), Some(referenced)) => ConstraintKind::ForeignKey(ForeignKey {
                    columns,
                    table: name.clone(),
                    referenced,
                    on_delete: action(on_delete, set_columns(definition)),
                    on_update: action(on_update, Vec::new()),
                    matching: match matching {
                        "f" => Some("FULL".to_owned()),
                        "p" => Some("PARTIAL".to_owned()),
                        _ => None,
                    },
                    deferrable,
                }),
                // What is referred to is out of sight.
                _ => return Ok(()),
            }
        }
        _ => native(),
    };
    table.constraints.push(Constraint { name: Some(name), kind, not_valid: !validated });
    Ok(())
}

fn includes(definition: &str) -> bool {
    tokens(definition).any(|token| token.text == "INCLUDE")
}

/// The model says that apart.
fn without_not_valid(definition: &str) -> String {
    definition.strip_suffix(" NOT VALID").unwrap_or(definition).to_owned()
}

fn action(letter: &str, columns: Vec<String>) -> Action {
    match letter {
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull(columns),
        "d" => Action::SetDefault(columns),
        _ => Action::NoAction,
    }
}

/// The columns of `ON DELETE SET NULL (a, b)`.
fn set_columns(definition: &str) -> Vec<String> {
    let all: Vec<_> = tokens(definition).collect();
    let Some(at) = all.windows(2).position(|pair| pair[0].text == "DELETE" && pair[1].text == "SET") else {
        return Vec::new();
    };
    let after = &all[at + 3..];
    if after.first().is_none_or(|token| token.text != "(") {
        return Vec::new();
    }
    after[1..].iter().take_while(|token| token.text != ")").filter_map(pql_schema::Token::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_set() {
        let text = "FOREIGN KEY (a, b) REFERENCES t(x, y) ON UPDATE CASCADE ON DELETE SET NULL (a, \"B\")";
        assert_eq!(set_columns(text), ["a", "B"]);
        assert!(set_columns("FOREIGN KEY (a) REFERENCES t(x) ON DELETE SET NULL").is_empty());
        assert!(set_columns("CHECK (true)").is_empty());
    }
}
