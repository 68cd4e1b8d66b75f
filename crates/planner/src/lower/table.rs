//! Tables: CREATE TABLE, wherever it is written.

use pql_schema::{ConstraintKind, DataType, KeyPart, NameRule, ObjectName, Table, TableOptions};
use pql_syntax::ast::{self, AstNode as _, TableElement, TableOption};

use super::Lowering;

/// A table with what the schema file says about its past.
pub(super) struct LoweredTable {
    pub(super) table: Table,
    /// `RENAMED FROM` of columns: former name, name.
    pub(super) renamed: Vec<(String, String)>,
}

impl Lowering<'_> {
    pub(super) fn table_definition(
        &mut self,
        name: ObjectName,
        body: &ast::TableBody,
        options: impl Iterator<Item = TableOption>,
    ) -> Option<LoweredTable> {
        let mut table = Table::new(name);
        table.options = self.table_options(options)?;
        let mut renamed = Vec::new();
        let mut complete = true;
        // Where the constraints are that do not stand beside a column.
        let mut listed = Vec::new();
        for element in body.elements() {
            match element {
                TableElement::Column(def) => match self.column(&def, &table.options) {
                    Some(parts) => {
                        if let Some(former) = parts.former {
                            renamed.push((former, parts.column.name.clone()));
                        }
                        if parts.backfill.is_some() {
                            self.unsupported::<()>(
                                def.span(),
                                "a new table has no rows to backfill",
                                "leave BACKFILL out; DEFAULT gives new rows their value",
                            );
                        }
                        table.columns.push(parts.column);
                        table.constraints.extend(parts.constraints);
                    }
                    None => complete = false,
                },
                TableElement::Constraint(node) => {
                    let name = node.name().map(|name| self.fold(&name));
                    match self.constraint(&node, name) {
                        Some(constraint) => {
                            listed.push(table.constraints.len());
                            table.constraints.push(constraint);
                        }
                        None => complete = false,
                    }
                }
            }
        }
        if !complete {
            return None;
        }
        settle(&mut table, self.schema.names);
        if self.is_sqlite() {
            settle_rowid(&mut table, &listed);
        } else {
            require_keys(&mut table);
        }
        Some(LoweredTable { table, renamed })
    }

    pub(super) fn table_options(
        &mut self,
        options: impl Iterator<Item = TableOption>,
    ) -> Option<TableOptions> {
        let mut found = TableOptions::default();
        let mut native: Vec<String> = Vec::new();
        for option in options {
            match option {
                TableOption::Strict(_) if self.is_sqlite() => found.strict = true,
                TableOption::WithoutRowid(_) if self.is_sqlite() => found.without_rowid = true,
                TableOption::Unlogged(_) if !self.is_sqlite() => found.unlogged = true,
                // A relic that says nothing.
                TableOption::WithoutOids(_) => {}
                option if self.is_sqlite() => {
                    return self.unsupported(
                        option.span(),
                        format!("SQLite has no `{}`", option.text()),
                        "SQLite's table options are STRICT and WITHOUT ROWID",
                    );
                }
                TableOption::Strict(option) => {
                    return self.unsupported(option.span(), "only SQLite has STRICT tables", "leave it out");
                }
                TableOption::WithoutRowid(option) => {
                    return self.unsupported(option.span(), "only SQLite has rowids", "leave it out");
                }
                TableOption::StorageParams(option) => {
                    let text = option.params().map(|params| super::index::settings(&params.text()));
                    native.push(format!("WITH ({})", text.unwrap_or_default()));
                }
                option => native.push(option.text()),
            }
        }
        found.native = (!native.is_empty()).then(|| native.join(" "));
        Some(found)
    }
}

/// Spells the columns in constraints as the columns themselves are spelled.
fn settle(table: &mut Table, rule: NameRule) {
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let spell = |name: &mut String| {
        if let Some(known) = names.iter().find(|known| rule.same(known, name)) {
            name.clone_from(known);
        }
    };
    for constraint in &mut table.constraints {
        match &mut constraint.kind {
            ConstraintKind::PrimaryKey(key) => {
                key.columns.iter_mut().for_each(|part| spell(&mut part.column));
            }
            ConstraintKind::Unique(unique) => {
                unique.columns.iter_mut().for_each(|part| spell(&mut part.column));
            }
            ConstraintKind::ForeignKey(key) => key.columns.iter_mut().for_each(spell),
            ConstraintKind::Check { .. } | ConstraintKind::Native { .. } => {}
        }
    }
}

/// `PRIMARY KEY (id DESC)` makes an INTEGER another name for the rowid, which has no order; it is `id INTEGER PRIMARY
/// KEY DESC` that does not, for the sake of old files. So the order of such a key says which of the two it is.
fn settle_rowid(table: &mut Table, listed: &[usize]) {
    if table.options.without_rowid {
        return;
    }
    for at in listed {
        if let ConstraintKind::PrimaryKey(key) = &mut table.constraints[*at].kind
            && let [part] = key.columns.as_mut_slice()
            && table.columns.iter().any(|it| it.name == part.column && it.data_type == DataType::Integer)
        {
            *part = KeyPart::new(part.column.clone());
        }
    }
}

/// PostgreSQL's primary keys make their columns NOT NULL.
fn require_keys(table: &mut Table) {
    let keys: Vec<String> = table
        .primary_key()
        .map(|key| key.columns.iter().map(|part| part.column.clone()).collect())
        .unwrap_or_default();
    for column in &mut table.columns {
        column.not_null |= keys.contains(&column.name);
    }
}
