//! DDL from the model, in the words of one dialect.

use std::fmt::Write as _;

use pql_schema::{
    Action, Column, Constraint, ConstraintKind, DataType, Deferrable, Expr, ForeignKey, Identity,
    IdentityKind, Index, IndexPart, KeyPart, NameRule, NullsOrder, ObjectName, SortOrder, Table,
    TableOptions, TokenKind, View, tokens,
};

use super::quote::{folded_ident, ident};
use crate::exprs::is_call;

/// What the dialects say differently.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// A column's type in a table.
    pub type_name: fn(&Column, &Table) -> String,
    /// A condition that the column's type brings along and that must be declared for it.
    pub implied_check: fn(&Column) -> Option<Expr>,
    /// Whether the call of a function may be a DEFAULT without parentheses around it.
    pub bare_calls: bool,
    /// A name as it stands in a statement.
    pub ident: fn(&str) -> String,
    /// The schema that an object of the default one is said to be in; `None`: its name stands alone.
    pub default_schema: Option<&'static str>,
}

/// The style of PQL itself.
pub const PQL: Style = Style {
    type_name: |column, _| column.data_type.to_string(),
    implied_check: |_| None,
    bare_calls: true,
    ident,
    default_schema: None,
};

/// The same for a database that reads names in lower case unless they are quoted.
pub const PQL_FOLDED: Style = Style { ident: folded_ident, ..PQL };

/// The style of PQL for a database that compares names like this.
pub fn pql(names: NameRule) -> &'static Style {
    match names {
        NameRule::AsciiInsensitive => &PQL,
        NameRule::Exact => &PQL_FOLDED,
    }
}

impl Style {
    /// `CREATE TABLE …`, every column that the table has (retained ones too), constraints beside their column where
    /// that keeps the order in which they are listed.
    pub fn create_table(&self, table: &Table) -> String {
        let inline = inline_constraints(table);
        let mut lines: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(position, column)| {
                let own: Vec<&Constraint> = (table.constraints.iter().zip(&inline))
                    .filter(|(_, at)| **at == Some(position))
                    .map(|(constraint, _)| constraint)
                    .collect();
                self.column_def(column, table, &own)
            })
            .collect();
        let rest = table.constraints.iter().zip(&inline).filter(|(_, at)| at.is_none());
        lines.extend(rest.map(|(constraint, _)| self.constraint_def(constraint)));
        let mut text = format!(
            "CREATE {}TABLE {} (\n    {}\n)",
            unlogged(&table.options),
            self.object(&table.name),
            lines.join(",\n    ")
        );
        let words = table_options(&table.options);
        if !words.is_empty() {
            text.push(' ');
            text.push_str(&words.join(", "));
        }
        text
    }

    /// A column's definition with the constraints that are written beside it.
    pub fn column_def(&self, column: &Column, table: &Table, inline: &[&Constraint]) -> String {
        let mut parts = vec![(self.ident)(&column.name)];
        let type_name = (self.type_name)(column, table);
        if !type_name.is_empty() {
            parts.push(type_name);
        }
        if let Some(collation) = &column.collation {
            parts.push(format!("COLLATE {}", (self.ident)(collation)));
        }
        if column.not_null {
            parts.push("NOT NULL".to_owned());
            if let Some(conflict) = column.not_null_conflict {
                parts.push(format!("ON CONFLICT {}", conflict.keyword()));
            }
        }
        if let Some(default) = &column.default {
            parts.push(format!("DEFAULT {}", self.default_value(default)));
        }
        if let Some(identity) = column.identity {
            parts.push(identity_words(identity));
        }
        if let Some(generated) = &column.generated {
            let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
            parts.push(format!("GENERATED ALWAYS AS ({}) {kind}", generated.expr));
        }
        if let Some(check) = (self.implied_check)(column) {
            parts.push(format!("CHECK ({check})"));
        }
        parts.extend(inline.iter().map(|constraint| self.inline_constraint(constraint)));
        parts.join(" ")
    }

    /// A default's value as it stands after DEFAULT.
    pub fn default_value(&self, default: &Expr) -> String {
        let all: Vec<_> = tokens(default.as_str()).collect();
        let bare = match all.as_slice() {
            [_] => true,
            [sign, number] => matches!(sign.text, "-" | "+") && number.kind == TokenKind::Number,
            _ => self.bare_calls && is_function_call(default),
        };
        if bare { default.to_string() } else { format!("({default})") }
    }

    /// A constraint beside its column.
    fn inline_constraint(&self, constraint: &Constraint) -> String {
        let body = match &constraint.kind {
            ConstraintKind::PrimaryKey(key) => {
                let mut text = "PRIMARY KEY".to_owned();
                if key.columns.first().is_some_and(|part| part.order == SortOrder::Desc) {
                    text.push_str(" DESC");
                }
                push_conflict(&mut text, key.on_conflict);
                if key.autoincrement {
                    text.push_str(" AUTOINCREMENT");
                }
                text
            }
            ConstraintKind::Unique(unique) => {
                let mut text = "UNIQUE".to_owned();
                if unique.nulls_not_distinct {
                    text.push_str(" NULLS NOT DISTINCT");
                }
                push_conflict(&mut text, unique.on_conflict);
                push_deferrable(&mut text, unique.deferrable);
                text
            }
            ConstraintKind::ForeignKey(key) => self.references(key),
            ConstraintKind::Check { .. } | ConstraintKind::Native { .. } => {
                return self.constraint_def(constraint);
            }
        };
        self.named(constraint, &body)
    }

    /// A constraint after the columns, or after ADD.
    pub fn constraint_def(&self, constraint: &Constraint) -> String {
        self.named(constraint, &self.constraint_body(constraint))
    }

    /// The same without its name.
    pub fn constraint_body(&self, constraint: &Constraint) -> String {
        let mut text = match &constraint.kind {
            ConstraintKind::PrimaryKey(key) => {
                let counts = if key.autoincrement { " AUTOINCREMENT" } else { "" };
                let mut text = format!("PRIMARY KEY ({}{counts})", self.key_parts(&key.columns));
                push_conflict(&mut text, key.on_conflict);
                text
            }
            ConstraintKind::Unique(unique) => {
                let nulls = if unique.nulls_not_distinct { "NULLS NOT DISTINCT " } else { "" };
                let mut text = format!("UNIQUE {nulls}({})", self.key_parts(&unique.columns));
                push_conflict(&mut text, unique.on_conflict);
                push_deferrable(&mut text, unique.deferrable);
                text
            }
            ConstraintKind::Check { expr } => format!("CHECK ({expr})"),
            ConstraintKind::ForeignKey(key) => {
                format!("FOREIGN KEY ({}) {}", self.names(&key.columns), self.references(key))
            }
            ConstraintKind::Native { definition } => definition.clone(),
        };
        if constraint.not_valid {
            text.push_str(" NOT VALID");
        }
        text
    }

    /// `CREATE INDEX …`.
    pub fn create_index(&self, index: &Index) -> String {
        let unique = if index.unique { "UNIQUE " } else { "" };
        format!("CREATE {unique}INDEX {}", self.index_tail(index))
    }

    /// What follows the word INDEX: name, table, parts and the rest. An index is made where its table is, so its own
    /// name stands alone.
    pub fn index_tail(&self, index: &Index) -> String {
        let mut text = format!("{} ON {}", (self.ident)(&index.name.name), self.object(&index.table));
        if let Some(method) = &index.method {
            let _ = write!(text, " USING {}", (self.ident)(method));
        }
        let parts: Vec<String> = index.parts.iter().map(|part| self.index_part(part)).collect();
        let _ = write!(text, " ({})", parts.join(", "));
        if !index.include.is_empty() {
            let _ = write!(text, " INCLUDE ({})", self.names(&index.include));
        }
        if index.nulls_not_distinct {
            text.push_str(" NULLS NOT DISTINCT");
        }
        if let Some(with) = &index.with {
            let _ = write!(text, " WITH ({with})");
        }
        if let Some(predicate) = &index.predicate {
            let _ = write!(text, " WHERE {predicate}");
        }
        text
    }

    /// `CREATE VIEW …`.
    pub fn create_view(&self, view: &View) -> String {
        let kind = if view.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
        let columns =
            if view.columns.is_empty() { String::new() } else { format!(" ({})", self.names(&view.columns)) };
        format!("CREATE {kind} {}{columns} AS {}", self.object(&view.name), view.query)
    }

    /// An object's name with the schema it is in, where that has to be said.
    pub fn object(&self, name: &ObjectName) -> String {
        match name.schema.as_deref().or(self.default_schema) {
            Some(schema) => format!("{}.{}", (self.ident)(schema), (self.ident)(&name.name)),
            None => (self.ident)(&name.name),
        }
    }

    /// A part of a table: a column, or a constraint by name.
    pub fn member(&self, table: &ObjectName, name: &str) -> String {
        format!("{}.{}", self.object(table), (self.ident)(name))
    }

    /// Names in a list.
    pub fn names(&self, list: &[String]) -> String {
        list.iter().map(|name| (self.ident)(name)).collect::<Vec<_>>().join(", ")
    }

    fn named(&self, constraint: &Constraint, body: &str) -> String {
        match &constraint.name {
            Some(name) => format!("CONSTRAINT {} {body}", (self.ident)(name)),
            None => body.to_owned(),
        }
    }

    fn key_parts(&self, parts: &[KeyPart]) -> String {
        let parts: Vec<String> = parts
            .iter()
            .map(|part| {
                let mut text = (self.ident)(&part.column);
                if let Some(collation) = &part.collation {
                    let _ = write!(text, " COLLATE {}", (self.ident)(collation));
                }
                if part.order == SortOrder::Desc {
                    text.push_str(" DESC");
                }
                text
            })
            .collect();
        parts.join(", ")
    }

    fn index_part(&self, part: &IndexPart) -> String {
        let mut text = match &part.column {
            Some(column) => (self.ident)(column),
            None if is_function_call(&part.expr) => part.expr.to_string(),
            None => format!("({})", part.expr),
        };
        if let Some(collation) = &part.collation {
            let _ = write!(text, " COLLATE {}", (self.ident)(collation));
        }
        if let Some(opclass) = &part.opclass {
            let _ = write!(text, " {opclass}");
        }
        if part.order == SortOrder::Desc {
            text.push_str(" DESC");
        }
        match part.nulls {
            Some(NullsOrder::First) => text.push_str(" NULLS FIRST"),
            Some(NullsOrder::Last) => text.push_str(" NULLS LAST"),
            None => {}
        }
        text
    }

    fn references(&self, key: &ForeignKey) -> String {
        let mut text = format!("REFERENCES {}", self.object(&key.table));
        if !key.referenced.is_empty() {
            let _ = write!(text, " ({})", self.names(&key.referenced));
        }
        if let Some(matching) = &key.matching {
            let _ = write!(text, " MATCH {matching}");
        }
        for (event, action) in [("DELETE", &key.on_delete), ("UPDATE", &key.on_update)] {
            let (words, columns) = match action {
                Action::NoAction => continue,
                Action::Restrict => ("RESTRICT", None),
                Action::Cascade => ("CASCADE", None),
                Action::SetNull(columns) => ("SET NULL", Some(columns)),
                Action::SetDefault(columns) => ("SET DEFAULT", Some(columns)),
            };
            let _ = write!(text, " ON {event} {words}");
            if let Some(columns) = columns.filter(|columns| !columns.is_empty()) {
                let _ = write!(text, " ({})", self.names(columns));
            }
        }
        push_deferrable(&mut text, key.deferrable);
        text
    }
}

/// An object's name, each part quoted where needed.
pub fn object(name: &ObjectName) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", ident(schema), ident(&name.name)),
        None => ident(&name.name),
    }
}

/// What stands before TABLE.
fn unlogged(options: &TableOptions) -> &'static str {
    if options.unlogged { "UNLOGGED " } else { "" }
}

/// What follows a table's columns, word by word.
pub(crate) fn table_options(options: &TableOptions) -> Vec<&str> {
    let words = [
        options.strict.then_some("STRICT"),
        options.without_rowid.then_some("WITHOUT ROWID"),
        options.native.as_deref(),
    ];
    words.into_iter().flatten().collect()
}

/// An identity, with what is said of how it counts.
pub fn identity_words(identity: Identity) -> String {
    let kind = match identity.kind {
        IdentityKind::Always => "GENERATED ALWAYS AS IDENTITY",
        IdentityKind::ByDefault => "GENERATED BY DEFAULT AS IDENTITY",
    };
    let counting = identity.counting.words();
    if counting.is_empty() { kind.to_owned() } else { format!("{kind} ({})", counting.join(" ")) }
}

/// For each constraint the position of the column it is written beside. Reading the text lists constraints by column
/// and then the others, so only a run from the start that follows the columns keeps its order; AUTOINCREMENT has no
/// other place to stand, and a descending INTEGER key would be the rowid elsewhere.
fn inline_constraints(table: &Table) -> Vec<Option<usize>> {
    let mut last = Some(0);
    table
        .constraints
        .iter()
        .map(|constraint| {
            let position = inline_column(constraint).and_then(|name| {
                let position = |same: fn(&str, &str) -> bool| {
                    table.columns.iter().position(|column| same(&column.name, name))
                };
                position(|a, b| a == b).or_else(|| position(str::eq_ignore_ascii_case))
            });
            let counts = |name: &str| {
                let own = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
                !table.options.without_rowid && own.is_some_and(|own| own.data_type == DataType::Integer)
            };
            let forced = matches!(
                &constraint.kind,
                ConstraintKind::PrimaryKey(key) if key.autoincrement
                    || key.columns.first().is_some_and(|part| part.order == SortOrder::Desc && counts(&part.column))
            );
            match (position, last) {
                (Some(position), Some(before)) if position >= before => last = Some(position),
                (Some(_), _) if forced => {}
                _ => {
                    last = None;
                    return None;
                }
            }
            position
        })
        .collect()
}

/// The one column beside which a constraint can be written.
fn inline_column(constraint: &Constraint) -> Option<&str> {
    if constraint.not_valid {
        return None;
    }
    match &constraint.kind {
        ConstraintKind::PrimaryKey(key) => single(&key.columns),
        ConstraintKind::Unique(unique) => single(&unique.columns).filter(|part| part.order == SortOrder::Asc),
        ConstraintKind::ForeignKey(key) if key.columns.len() == 1 => return Some(&key.columns[0]),
        _ => None,
    }
    .filter(|part| part.collation.is_none())
    .map(|part| part.column.as_str())
}

fn single(parts: &[KeyPart]) -> Option<&KeyPart> {
    if let [part] = parts { Some(part) } else { None }
}

fn push_conflict(text: &mut String, conflict: Option<pql_schema::Conflict>) {
    if let Some(conflict) = conflict {
        text.push_str(" ON CONFLICT ");
        text.push_str(conflict.keyword());
    }
}

fn push_deferrable(text: &mut String, deferrable: Option<Deferrable>) {
    text.push_str(match deferrable {
        None => "",
        Some(Deferrable::Not) => " NOT DEFERRABLE",
        Some(Deferrable::Immediate) => " DEFERRABLE INITIALLY IMMEDIATE",
        Some(Deferrable::Deferred) => " DEFERRABLE INITIALLY DEFERRED",
    });
}

/// Whether the whole expression is one call of a function.
fn is_function_call(expr: &Expr) -> bool {
    let all: Vec<_> = tokens(expr.as_str()).collect();
    let keyword = |word: &str| ["cast", "not", "case"].iter().any(|known| word.eq_ignore_ascii_case(known));
    is_call(&all) && !keyword(all[0].text)
}
